// Tables in Markdown, which a terminal shows as well: the targets, and systems by works.

import type { Results, Sample, SystemFacts } from '../sample.ts'
import { digits, ratioIn, valueIn, type Metric, type Spread } from './statistic.ts'
import { verdictsOn } from './target.ts'

type Row = readonly string[]

/** Columns as wide as their widest cell; the first is text, the others numbers, unless `textual` says otherwise. */
export function markdownTable(header: Row, rows: readonly Row[], textual: readonly number[] = [0]): string {
  const lines = [header, ...rows]
  const widths = header.map((_, column) => Math.max(3, ...lines.map((line) => (line[column] as string).length)))
  const isText = (column: number): boolean => textual.includes(column)
  const padded = (line: Row): string =>
    `| ${line.map((cell, column) => (isText(column) ? cell.padEnd(widths[column] as number) : cell.padStart(widths[column] as number))).join(' | ')} |`
  const rule = widths.map((width, column) => (isText(column) ? '-'.repeat(width) : `${'-'.repeat(width - 1)}:`))
  return [padded(header), `| ${rule.join(' | ')} |`, ...rows.map(padded)].join('\n')
}

function range({ median, least, most }: Spread): string {
  return `${digits(median)} (${digits(least)} – ${digits(most)})`
}

export function targetTable(samples: readonly Sample[], system?: string): string {
  const rows = verdictsOn(samples, system).map(({ title, aim, value, verdict, cpu }) => [
    title,
    aim,
    range(value),
    verdict,
    cpu === undefined ? '' : digits(cpu.value.median),
    cpu?.verdict ?? ''
  ])
  const header = ['', 'target', 'median (from – to)', 'by the clock', 'by processor time', '']
  return markdownTable(header, rows, [0, 3, 5])
}

interface Column {
  readonly title: string
  readonly work: string
  readonly metric: Metric
}

interface Section {
  readonly title: string
  readonly text: string
  readonly columns: readonly Column[]
}

function worksBy(metric: Metric, works: readonly (readonly [string, string])[]): readonly Column[] {
  return works.map(([work, title]) => ({ work, title, metric }))
}

const buffered = [
  ['append', 'one by one'],
  ['append-64', '64 in flight'],
  ['append-batch', 'batches of 100'],
  ['append-if', 'conditional']
] as const

const latencies = [
  ['p50Ms', 'p50'],
  ['p99Ms', 'p99'],
  ['p999Ms', 'p99.9'],
  ['mostMs', 'slowest']
] as const

const latencyOf = (work: string): readonly Column[] => latencies.map(([metric, title]) => ({ work, title, metric }))

const sections: readonly Section[] = [
  {
    title: 'Appends that survive a crash of the process',
    text: 'Events a second.',
    columns: worksBy('rate', buffered)
  },
  {
    title: 'The same, by processor time',
    text: 'Microseconds of processor time an event, all threads, servers included.',
    columns: worksBy('cpuUs', buffered)
  },
  {
    title: 'Appends that survive a power cut',
    text: 'Events a second, and how long a caller waits in milliseconds.',
    columns: [
      { title: 'one by one', work: 'append-sync', metric: 'rate' },
      { title: 'p50', work: 'append-sync', metric: 'p50Ms' },
      { title: 'p99', work: 'append-sync', metric: 'p99Ms' },
      { title: '64 callers', work: 'append-sync-64', metric: 'rate' },
      { title: 'p50 of 64', work: 'append-sync-64', metric: 'p50Ms' },
      { title: 'p99 of 64', work: 'append-sync-64', metric: 'p99Ms' }
    ]
  },
  {
    title: 'How long an append takes, one by one',
    text: 'Milliseconds.',
    columns: latencyOf('append')
  },
  {
    title: 'How long a batch of 100 takes',
    text: 'Milliseconds.',
    columns: latencyOf('append-batch')
  },
  {
    title: 'From the append to a follower',
    text: 'Milliseconds from the call of an append until a follower has the event, with 1 ms between the appends.',
    columns: [
      { title: 'p50', work: 'follow', metric: 'p50Ms' },
      { title: 'p99', work: 'follow', metric: 'p99Ms' },
      { title: 'p99.9', work: 'follow', metric: 'p999Ms' },
      { title: 'p50, other process', work: 'follow-across', metric: 'p50Ms' },
      { title: 'p99, other process', work: 'follow-across', metric: 'p99Ms' },
      { title: 'p99.9, other process', work: 'follow-across', metric: 'p999Ms' }
    ]
  },
  {
    title: 'Replay',
    text: 'Events a second by the clock, and microseconds of processor time an event; peak memory of the process in MB.',
    columns: [
      { title: 'replay', work: 'replay', metric: 'rate' },
      { title: 'processor', work: 'replay', metric: 'cpuUs' },
      { title: 'readBatches', work: 'replay-batches', metric: 'rate' },
      { title: 'processor', work: 'replay-batches', metric: 'cpuUs' },
      { title: 'memory', work: 'replay', metric: 'rssMb' }
    ]
  },
  {
    title: 'One event in 100',
    text: 'Microseconds for each event that is found.',
    columns: worksBy('operationUs', [
      ['select-aggregate', 'by aggregate'],
      ['select-type', 'by type'],
      ['select-tag', 'by tag']
    ])
  },
  {
    title: 'Loads, opening, size',
    text: 'Microseconds to load an aggregate, for 100 of its events; milliseconds to open the store and load one; bytes on disk.',
    columns: [
      { title: 'load, warm', work: 'load', metric: 'operationUs' },
      { title: 'load, cold', work: 'load-cold', metric: 'operationUs' },
      { title: 'open', work: 'open', metric: 'wallMs' },
      { title: 'open after kill -9', work: 'open-killed', metric: 'wallMs' },
      { title: 'events stored', work: 'fill', metric: 'events' },
      { title: 'bytes an event', work: 'fill', metric: 'bytesPerEvent' }
    ]
  }
]

/** Medians, a table for each group of works; systems and groups without any are left out. */
export function sectionTables(results: Pick<Results, 'samples' | 'systems'>): readonly string[] {
  return sections.flatMap(({ title, text, columns }) => {
    const rows = sectionRows(results, columns)
    const header = ['', ...columns.map((column) => column.title)]
    return rows.length === 0 ? [] : [`### ${title}\n\n${text}\n\n${markdownTable(header, rows)}`]
  })
}

function sectionRows(
  { samples, systems }: Pick<Results, 'samples' | 'systems'>,
  columns: readonly Column[]
): readonly Row[] {
  return systems
    .map(({ name, title }) => [
      title,
      ...columns.map(({ work, metric }) => {
        const value = valueIn(samples, { system: name, work, metric })
        return value === undefined ? '' : digits(value.median)
      })
    ])
    .filter((row) => row.slice(1).some((cell) => cell !== ''))
}

/** Every work of every system: the rate with its spread, the processor time, and how Chronicle compares. */
export function everything({ samples, systems }: Pick<Results, 'samples' | 'systems'>): string {
  const works = [...new Set(samples.map(({ work }) => work))]
  const rows = works.flatMap((work) => systems.flatMap((system) => everyRow(samples, system, work)))
  const header = [
    'work',
    'system',
    'operations/s (from – to)',
    'µs of processor time',
    'Chronicle ÷ it',
    'by processor time'
  ]
  return markdownTable(header, rows, [0, 1])
}

function everyRow(samples: readonly Sample[], { name, title }: SystemFacts, work: string): readonly Row[] {
  const rate = valueIn(samples, { system: name, work, metric: 'rate' })
  const cpu = valueIn(samples, { system: name, work, metric: 'cpuUs' })
  // A follower is not measured by a rate.
  if (rate === undefined || cpu === undefined || work.startsWith('follow')) return []
  const compared = (metric: Metric): string => {
    const ratio = ratioIn(samples, { system: 'chronicle', work, metric }, { system: name, work, metric })
    return ratio === undefined ? '' : digits(ratio.median)
  }
  return [[work, title, range(rate), digits(cpu.median), compared('rate'), compared('cpuRate')]]
}
