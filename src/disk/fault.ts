// From what the operating system throws to the two disk errors. Only three errnos mean "no room"; everything else,
// a programmer's ERR_OUT_OF_RANGE included, is a failure whose name and cause are kept.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { DiskFailed, DiskFull, type DiskError } from '../core/error.ts'

const noRoom: ReadonlySet<string> = new Set(['ENOSPC', 'EDQUOT', 'EFBIG'])

/** What was attempted, for the error's fields and message. */
export interface Attempt {
  readonly operation: string
  readonly path: string
}

/** The error for `errno`, as a Left. */
export function failed(what: Attempt, errno: string, cause?: unknown): Either<DiskError, never> {
  const fault = { operation: what.operation, path: what.path, errno, cause }
  return left(noRoom.has(errno) ? new DiskFull(fault) : new DiskFailed(fault))
}

/** The system's name of a thrown error: 'ENOENT'. */
export function errnoOf(error: unknown): string {
  const code: unknown = error instanceof Error && 'code' in error ? error.code : undefined
  return typeof code === 'string' ? code : 'UNKNOWN'
}

/** Runs a call of `node:fs` and answers what it throws as a Left. */
export function attempt<A>(what: Attempt, call: () => A): Either<DiskError, A> {
  try {
    return right(call())
  } catch (error) {
    return failed(what, errnoOf(error), error)
  }
}
