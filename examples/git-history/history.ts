// Where commits come from: a repository, or the recorded sample. Both give the hashes first and cheaply, so that a
// second run asks for the commits it lacks only.

import type { Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Commit } from './commit.ts'
import type { BadHistory } from './parser.ts'

/** Git is not there, refused, or was ended; the message carries what it said. */
export class GitFailed extends Error {
  readonly _tag = 'GitFailed'
  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = 'GitFailed'
  }
}

export type HistoryError = GitFailed | BadHistory

export interface History {
  /** What to call it; the default log folder is named after it. */
  readonly name: string
  /** Where it is, absolute: two clones have two logs. */
  readonly place: string
  /** What a reader should know about its counts; empty when there is nothing. */
  readonly remarks: readonly string[]
  /** The hashes of all commits that are no merges, parents before children, otherwise older before newer. */
  readonly list: TaskEither<HistoryError, readonly string[]>
  /** The commits of these hashes, in this order. A Left is the last thing that is read; leaving early is fine. */
  readonly read: (hashes: readonly string[]) => AsyncIterable<Either<HistoryError, Commit>>
}
