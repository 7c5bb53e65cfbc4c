// An index on its way into a slot and out of it, with room for others in between: a save ends with the first thing that
// goes wrong, or when it is not wanted any more.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { left, type Either, type Left } from 'fp-ts/lib/Either.js'
import type { IndexError } from '../indexing/segment-index.ts'

/** Why a save has ended that nobody wants any more. */
export type Stopped = 'stopped'

/** What a slot takes: `parts` as they come, until one is a Left, or `isStopped`. */
export function* slotParts(
  parts: Iterable<Either<IndexError, Uint8Array>>,
  isStopped: () => boolean = () => false
): Generator<Uint8Array | Left<IndexError | Stopped>, void, undefined> {
  for (const part of parts) {
    if (isStopped()) return yield left('stopped') as Left<Stopped>
    yield part._tag === 'Right' ? part.right : part
  }
}

/** Takes one step a turn, and hands over the result in the very step that has it; false when it is not wanted before. */
export async function takeSteps<Result>(
  steps: Generator<void, Result, undefined>,
  isWanted: () => boolean,
  done: (result: Result) => void
): Promise<boolean> {
  while (isWanted()) {
    const step = steps.next()
    if (step.done === true) {
      done(step.value)
      return true
    }
    await nextTurn()
  }
  return false
}
