// One run of the program: from its arguments to its exit code. Everything it touches of the process is passed in.

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { right } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { EventLog, orThrow } from '../../src/index.ts'
import { readArguments, usage, type Arguments } from './arguments.ts'
import { HistoryEvent } from './events.ts'
import { gitHistory } from './git.ts'
import type { GitFailed, History } from './history.ts'
import type { ProgressOutput } from './progress.ts'
import { sampleHistory } from './sample.ts'
import { counted, printable, seconds, styleFor } from './text.ts'
import { showSizes, takeTour } from './tour.ts'

export interface Surroundings {
  /** The folder whose history is told when none is named. */
  readonly checkout: string
  /** The folder that logs are put under. */
  readonly home: string
  readonly output: ProgressOutput
  readonly errors: ProgressOutput
  readonly signal: AbortSignal
}

const exitCodes = { done: 0, failed: 1, usage: 2, interrupted: 130 } as const

/** Runs the demo and answers with its exit code. */
export async function run(argv: readonly string[], surroundings: Surroundings): Promise<number> {
  const args = readArguments(argv)
  if (args._tag === 'Left') {
    surroundings.errors.write(`${args.left.message}\n\n${usage}`)
    return exitCodes.usage
  }
  if (args.right.help) {
    surroundings.output.write(usage)
    return exitCodes.done
  }
  try {
    return await demonstrate(args.right, surroundings)
  } catch (error) {
    if (!isExpected(error)) throw error
    // Ctrl-C reaches git as well, and a reading log ends with Aborted: neither is a failure then.
    if (surroundings.signal.aborted) return interrupted(surroundings)
    surroundings.errors.write(`${error.message}\n`)
    return exitCodes.failed
  }
}

async function demonstrate(args: Arguments, surroundings: Surroundings): Promise<number> {
  const { output, errors, signal } = surroundings
  const history = await orThrow(chooseHistory(args, surroundings.checkout))
  const logFolder = args.log ?? join(surroundings.home, '.chronicle', 'git-history', logName(history))
  const startMs = performance.now()
  await using log = await orThrow(EventLog.open(logFolder, { codec: HistoryEvent }))
  const openedMs = performance.now() - startMs

  const style = styleFor(output)
  const print = (title: string, lines: readonly string[]): void => {
    output.write(`${style.title(title)}\n${lines.join('\n')}\n\n`)
  }
  const remarks = history.remarks.map((remark) => `  ${style.faint(remark)}`)
  const torn = log.recovery.torn === undefined ? '' : `, cut ${counted(log.recovery.torn.bytes, 'unfinished byte')}`
  print(`The history of ${printable(history.name)}`, [
    `  from  ${printable(history.place)}`,
    `  log   ${logFolder}, opened in ${seconds(openedMs)}${torn}`,
    ...remarks
  ])
  const { asOfMs, top } = args
  const options = { logFolder, asOfMs, top, signal, progressOutput: errors, print }
  const toured = await takeTour(log, history, options)
  const logBytes = log.end
  await orThrow(log.close())
  if (toured.interrupted) return interrupted(surroundings)
  await showSizes(toured.tallies, logBytes, options)
  return exitCodes.done
}

/** The repository that is named, or this checkout's, or the sample where there is none. */
function chooseHistory(args: Arguments, checkout: string): TaskEither<GitFailed, History> {
  if (args.repository !== undefined) return gitHistory(args.repository)
  // Not left to git, which would look for a repository in every folder above.
  const isClone = !args.sample && existsSync(join(checkout, '.git'))
  return isClone ? gitHistory(checkout) : async () => right(sampleHistory())
}

/** Two clones of one name have two logs. */
function logName(history: History): string {
  const hash = createHash('sha256').update(history.place).digest('hex').slice(0, 8)
  return `${history.name.replaceAll(/[^\w.-]+/g, '_').slice(0, 100)}-${hash}`
}

function interrupted({ errors }: Surroundings): number {
  errors.write('interrupted; what was appended stays, run it again to go on\n')
  return exitCodes.interrupted
}

/** Operating errors carry a tag, programmer errors do not. */
function isExpected(error: unknown): error is Error {
  return error instanceof Error && '_tag' in error
}
