// The command line of the benchmarks.

import { parseArgs } from 'node:util'

export interface Settings {
  /** The size of the log that is read. */
  readonly events: number
  /** How many events are appended to a new log. */
  readonly appends: number
  readonly rounds: number
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

  --events <n>    size of the log that is read        default 1000000
  --appends <n>   events appended to a new log        default 200000
  --rounds <n>    how often each thing is measured    default 3
  --only <a,b>    works whose names begin so: append, replay, select, load, open, fill
  --folder <dir>  where the stores are made           default .chronicle/bench/data
  --name <name>   writes bench/results/<name>.json    default the date and time
  --before <js>   the index.js of another build, measured beside this one`

/** Undefined: help was asked for. Throws what parseArgs throws, and for numbers that are none. */
export function readSettings(
  args: readonly string[],
  defaults: { readonly folder: string; readonly name: string }
): Settings | undefined {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      events: text,
      appends: text,
      rounds: text,
      only: text,
      folder: text,
      name: text,
      before: text,
      help: { type: 'boolean', short: 'h' }
    }
  })
  if (values.help === true) return undefined
  const count = (name: 'events' | 'appends' | 'rounds', fallback: number): number => {
    const value = Number(values[name] ?? fallback)
    if (!Number.isSafeInteger(value) || value < 1) throw new Error(`--${name} needs an integer from 1`)
    return value
  }
  return {
    events: count('events', 1_000_000),
    appends: count('appends', 200_000),
    rounds: count('rounds', 3),
    only: values.only?.split(',') ?? [],
    folder: values.folder ?? defaults.folder,
    name: values.name ?? defaults.name,
    before: values.before
  }
}
