// The command line.

import { parseArgs } from 'node:util'
import { left, right, type Either } from 'fp-ts/lib/Either.js'

export const usage = `Usage: npm start -- [repository] [options]

Ingests the history of a git repository as events, then loads, replays and travels back in time.
A second run appends only what is new; it may be interrupted at any time and run again.

  repository       a clone, bare clone or worktree; default: this checkout,
                   or the recorded sample when this is no clone
  --sample         the recorded sample, without git
  --log <folder>   where the log is; default: .chronicle/git-history/<name>-<hash of the path>
  --as-of <date>   the state to go back to: 2024-05-31 (to its end, UTC) or 2024-05-31T12:00:00Z;
                   default: the middle of the history
  --top <n>        rows in each table, 1 to 1000; default: 10
  --help           this text
`

export interface Arguments {
  readonly help: boolean
  readonly repository: string | undefined
  readonly sample: boolean
  readonly log: string | undefined
  readonly asOfMs: number | undefined
  readonly top: number
}

/** The command line makes no sense; nothing was done. */
export class BadUsage extends Error {
  readonly _tag = 'BadUsage'
  constructor(message: string) {
    super(message)
    this.name = 'BadUsage'
  }
}

const options = {
  help: { type: 'boolean', short: 'h' },
  sample: { type: 'boolean' },
  log: { type: 'string' },
  'as-of': { type: 'string' },
  top: { type: 'string' }
} as const

export function readArguments(argv: readonly string[]): Either<BadUsage, Arguments> {
  let parsed
  try {
    parsed = parseArgs({ args: [...argv], options, allowPositionals: true, strict: true })
  } catch (error) {
    return left(new BadUsage((error as Error).message))
  }
  const { values, positionals } = parsed
  const { help = false, sample = false, log, top: topText = '10', 'as-of': asOf } = values
  const top = /^\d{1,4}$/.test(topText) ? Number(topText) : 0
  const asOfMs = asOf === undefined ? undefined : readDate(asOf)
  if (positionals.length > 1) return left(new BadUsage(`one repository, not ${positionals.length}`))
  if (positionals[0] === '') return left(new BadUsage('the repository has an empty name'))
  if (sample && positionals.length > 0) return left(new BadUsage('either --sample or a repository'))
  if (log === '') return left(new BadUsage('--log needs a folder'))
  if (top < 1 || top > 1000) return left(new BadUsage(`--top is a number from 1 to 1000, not "${topText}"`))
  if (Number.isNaN(asOfMs)) return left(new BadUsage(`--as-of is a date like 2024-05-31, not "${asOf}"`))
  return right({ help, repository: positionals[0], sample, log, asOfMs, top })
}

/** NaN when the text is no date. A day reaches to its end; a time without a zone is UTC, like everything printed. */
function readDate(text: string): number {
  const match = /^(\d{4}-\d\d-\d\d)(T\d\d:\d\d(?::\d\d(?:\.\d{1,3})?)?(Z|[+-]\d\d:\d\d)?)?$/.exec(text)
  if (match === null) return NaN
  const [, day = '', time, zone] = match
  const dayMs = Date.parse(`${day}T00:00:00Z`)
  // February 30th parses, as a day of March.
  if (Number.isNaN(dayMs) || !new Date(dayMs).toISOString().startsWith(day)) return NaN
  if (time === undefined) return dayMs + 86_400_000 - 1
  return Date.parse(zone === undefined ? `${text}Z` : text)
}
