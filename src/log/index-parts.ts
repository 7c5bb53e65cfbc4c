// The bytes of an index on their way into a slot: a save ends with the first thing that goes wrong, or when it is not
// wanted any more.

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
