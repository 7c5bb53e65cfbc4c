// A run in words: machine, tables, settings, what was left out. docs/benchmarks.md holds the tables of the recorded run
// between marks, so that they can be written anew and checked against it.

import type { Omission, Results } from '../sample.ts'
import { digits } from './statistic.ts'
import { everything, markdownTable, sectionTables, targetTable } from './table.ts'

/** The parts of a document that come from a run, by the names of their marks. */
export function generatedParts(results: Results): ReadonlyMap<string, string> {
  return new Map([
    ['machine', machineText(results)],
    ['targets', targetTable(results.samples)],
    ['tables', sectionTables(results).join('\n\n')],
    ['settings', settingsTable(results)],
    ['omissions', omissionsTable(results)]
  ])
}

/** The document with what stands between `<!-- name -->` and `<!-- /name -->` replaced. */
export function withParts(document: string, parts: ReadonlyMap<string, string>): string {
  let text = document
  for (const [name, part] of parts) {
    const start = text.indexOf(`<!-- ${name} -->`)
    const end = text.indexOf(`<!-- /${name} -->`)
    if (start === -1 || end < start) throw new Error(`the document has no marks for ${name}`)
    text = `${text.slice(0, start)}<!-- ${name} -->\n\n${part}\n\n${text.slice(end)}`
  }
  return text
}

/** A whole document on a run, as it is written beside its JSON. */
export function documentOn(results: Results): string {
  const parts = generatedParts(results)
  const part = (name: string): string => parts.get(name) ?? ''
  return [
    `# ${results.name}`,
    part('machine'),
    '## Targets',
    part('targets'),
    '## Medians',
    part('tables'),
    '## Everything',
    everything(results),
    '## Settings',
    part('settings'),
    '## Left out',
    part('omissions'),
    ''
  ].join('\n\n')
}

function machineText({ machine, rounds, samples, timeMs }: Results): string {
  const { date, node, platform, cpus, memoryGb, loadBefore, loadAfter } = machine
  const loads = samples.map(({ load }) => load)
  const range = loads.length === 0 ? '' : `, ${digits(Math.min(...loads))} to ${digits(Math.max(...loads))} in between`
  return (
    `${date}, Node ${node}, ${platform}, ${cpus.length} × ${cpus[0] ?? 'unknown'}, ${memoryGb} GB. Load average ` +
    `${digits(loadBefore[0] ?? 0)} before and ${digits(loadAfter[0] ?? 0)} after${range}. ${rounds} rounds; a ` +
    `measurement of appends or loads ends after ${timeMs / 1000} s at the latest.`
  )
}

function settingsTable({ systems }: Results): string {
  const rows = systems.map(({ title, versions, settings }) => [title, versions.join(', '), settings])
  return markdownTable(['system', 'versions', 'settings'], rows, [0, 1, 2])
}

function omissionsTable({ omissions, systems }: Results): string {
  const titleOf = (name: string): string => systems.find((system) => system.name === name)?.title ?? name
  const groups = new Map<string, Omission[]>()
  for (const omission of omissions) {
    const key = `${omission.system}\n${omission.reason}`
    groups.set(key, [...(groups.get(key) ?? []), omission])
  }
  const rows = [...groups.values()].map((group) => {
    const [first] = group as [Omission, ...Omission[]]
    const works = group.map(({ work }) => work ?? 'everything').join(', ')
    return [titleOf(first.system), works, first.reason]
  })
  return markdownTable(['system', 'left out', 'because'], rows, [0, 1, 2])
}
