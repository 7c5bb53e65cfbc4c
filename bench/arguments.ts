// The command line of the benchmarks.

import { parseArgs } from 'node:util'

export interface Settings {
  /** The size of the store that is read; some systems have less, by their `eventsMost`. */
  readonly events: number
  /** How many events are appended to a new store at most. */
  readonly appends: number
  /** How long one measurement of appends or loads takes at most. */
  readonly timeMs: number
  readonly rounds: number
  /** Only these systems; empty for all. */
  readonly systems: readonly string[]
  /** Only works whose name begins with one of these; empty for all. */
  readonly only: readonly string[]
  /** Where the stores are made; it should lie on the disk that is of interest. */
  readonly folder: string
  /** The results' name. */
  readonly name: string
  /** Another build's index.js, which is measured beside the one at hand. */
  readonly before: string | undefined
}

export const usage = `npm run bench -- [options]

  --quick          a tenth of the events, one round: some minutes
  --events <n>     size of the store that is read      default 1000000
  --appends <n>    events appended to a new store      default 200000
  --seconds <n>    most time for one measurement       default 3
  --rounds <n>     how often each thing is measured    default 3
  --systems <a,b>  only these; floor and chronicle need no installation of peers
  --only <a,b>     works whose names begin so: append, replay, select, load, open, fill
  --folder <dir>   where the stores are made           default .chronicle/bench/data
  --name <name>    writes bench/results/<name>.json    default the date and time
  --before <js>    the index.js of another build of Chronicle, measured beside this one`

/** Undefined: help was asked for. Throws what parseArgs throws, and for numbers that are none. */
export function readSettings(
  args: readonly string[],
  defaults: { readonly folder: string; readonly name: string }
): Settings | undefined {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      quick: { type: 'boolean' },
      events: text,
      appends: text,
      seconds: text,
      rounds: text,
      systems: text,
      only: text,
      folder: text,
      name: text,
      before: text,
      help: { type: 'boolean', short: 'h' }
    }
  })
  if (values.help === true) return undefined
  const count = (name: 'events' | 'appends' | 'seconds' | 'rounds', fallback: number): number => {
    const value = Number(values[name] ?? fallback)
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} needs an integer from 1`)
    return value
  }
  const share = values.quick === true ? 0.1 : 1
  return {
    events: count('events', 1_000_000 * share),
    appends: count('appends', 200_000 * share),
    timeMs: count('seconds', values.quick === true ? 1 : 3) * 1000,
    rounds: count('rounds', values.quick === true ? 1 : 3),
    systems: values.systems?.split(',') ?? [],
    only: values.only?.split(',') ?? [],
    folder: values.folder ?? defaults.folder,
    name: values.name ?? defaults.name,
    before: values.before
  }
}
