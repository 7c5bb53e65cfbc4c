// The targets that the library has set itself, each a ratio or a number of one run, and how far the run is from them.

import type { Sample } from '../sample.ts'
import { digits, ratioIn, valueIn, type Metric, type Reference, type Spread } from './statistic.ts'

interface Target {
  readonly title: string
  readonly work: string
  readonly metric: Metric
  /** What the number is divided by; absent: the number itself is judged. */
  readonly against?: Reference
  readonly least?: number
  readonly below?: number
}

const writeFloor: Reference = { system: 'floor', work: 'append-batch', metric: 'rate' }
const readFloor: Reference = { system: 'floor', work: 'replay', metric: 'rate' }
const syncFloor: Reference = { system: 'floor', work: 'append-sync', metric: 'rate' }
const fullReplay: Reference = { system: 'chronicle', work: 'replay-batches', metric: 'wallMs' }
const sqlite = (work: string, mode = 'off'): Reference => ({ system: `sqlite-${mode}`, work, metric: 'rate' })

function target(
  title: string,
  [work, metric]: readonly [string, Metric],
  rest: Omit<Target, 'title' | 'work' | 'metric'>
): Target {
  return { title, work, metric, ...rest }
}

const targets: readonly Target[] = [
  target('append one by one ÷ write floor', ['append', 'rate'], { against: writeFloor, least: 0.5 }),
  target('append one by one ÷ better-sqlite3 OFF', ['append', 'rate'], { against: sqlite('append'), least: 5 }),
  target('append one by one ÷ better-sqlite3 OFF, one index', ['append', 'rate'], {
    against: sqlite('append', 'off-lean'),
    least: 5
  }),
  target('batches of 100 ÷ write floor', ['append-batch', 'rate'], { against: writeFloor, least: 0.8 }),
  target('appendSync, 64 callers ÷ one fdatasync after the other', ['append-sync-64', 'rate'], {
    against: syncFloor,
    least: 20
  }),
  target('p99 of appendSync, 64 callers ÷ median of one write and fdatasync', ['append-sync-64', 'p99Ms'], {
    against: { ...syncFloor, metric: 'p50Ms' },
    below: 4
  }),
  target('replay, for await ÷ read floor', ['replay', 'rate'], { against: readFloor, least: 0.9 }),
  target('replay, readBatches ÷ read floor', ['replay-batches', 'rate'], { against: readFloor, least: 0.9 }),
  target('replay, for await ÷ better-sqlite3 iterate and JSON.parse', ['replay', 'rate'], {
    against: sqlite('replay'),
    least: 2
  }),
  target('replay by aggregate, 1 in 100 ÷ all, in time', ['select-aggregate', 'wallMs'], {
    against: fullReplay,
    below: 0.25
  }),
  target('replay by type, 1 in 100 ÷ all, in time', ['select-type', 'wallMs'], { against: fullReplay, below: 0.25 }),
  target('replay by tag, 1 in 100 ÷ all, in time', ['select-tag', 'wallMs'], { against: fullReplay, below: 0.25 }),
  target('load of 100 events, warm ÷ better-sqlite3', ['load', 'rate'], { against: sqlite('load'), least: 3 }),
  target('open, clean, ms', ['open', 'wallMs'], { below: 100 }),
  target('peak memory of a replay, MB', ['replay', 'rssMb'], { below: 100 })
]

/** The same number by processor time, where a clock's can be told by it. */
const byCpu: Readonly<Partial<Record<Metric, Metric>>> = { rate: 'cpuRate', wallMs: 'cpuUs' }

export interface Verdict {
  readonly title: string
  /** `≥ 0.5` */
  readonly aim: string
  readonly value: Spread
  readonly verdict: string
  /** By processor time, which other work on the machine blurs less. */
  readonly cpu: { readonly value: Spread; readonly verdict: string } | undefined
}

/** The verdicts on one run, for `system`; those that it did not measure are left out. */
export function verdictsOn(samples: readonly Sample[], system = 'chronicle'): readonly Verdict[] {
  return targets.flatMap((one) => {
    const value = measured(samples, system, one)
    if (value === undefined) return []
    const cpu =
      one.against === undefined || one.title.includes('fdatasync') ? undefined : measuredByCpu(samples, system, one)
    return [
      {
        title: one.title,
        aim: one.least === undefined ? `< ${one.below}` : `≥ ${one.least}`,
        value,
        verdict: verdictOf(one, value.median),
        cpu: cpu && { value: cpu, verdict: verdictOf(one, cpu.median) }
      }
    ]
  })
}

function measured(samples: readonly Sample[], system: string, one: Target): Spread | undefined {
  const own = { system, work: one.work, metric: one.metric }
  return one.against === undefined ? valueIn(samples, own) : ratioIn(samples, own, ownReplay(one.against, system))
}

function measuredByCpu(samples: readonly Sample[], system: string, one: Target): Spread | undefined {
  const metric = byCpu[one.metric]
  const other = one.against && byCpu[one.against.metric]
  if (metric === undefined || other === undefined || one.against === undefined) return undefined
  // The whole of a work's time, and not an operation's: selective replays find fewer events than full ones.
  if (metric === 'cpuUs') return undefined
  return ratioIn(samples, { system, work: one.work, metric }, { ...ownReplay(one.against, system), metric: other })
}

/** A system's selective replay is held against its own full one. */
function ownReplay(against: Reference, system: string): Reference {
  return against.system === 'chronicle' ? { ...against, system } : against
}

function verdictOf({ least, below }: Target, value: number): string {
  const distance = least === undefined ? value / (below as number) - 1 : 1 - value / least
  const met = least === undefined ? distance < 0 : distance <= 0
  if (met) return 'met'
  // Above a limit the distance has no end; below an aim it ends at 100 %.
  return least === undefined && distance >= 1
    ? `missed, ${digits(distance + 1)} times`
    : `missed by ${Math.max(1, Math.round(distance * 100))} %`
}
