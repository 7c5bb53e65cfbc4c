// What a tier is made of: the index files of sealed segments and smaller tiers look alike to the merge.

import type { Either } from 'fp-ts/lib/Either.js'
import type { IndexIdentity, KindKey } from './format.ts'
import type { TimedOffsets } from './section.ts'
import type { IndexError } from './segment-index.ts'

/** A key of a source, and which of the source's segments hold it. */
export interface TierKey extends KindKey {
  readonly events: number
  /** 0 for what is not an aggregate. */
  readonly version: number
  /** Numbers of segments within the source, from 0, ascending. */
  readonly segments: readonly number[]
}

export interface TierSource extends IndexIdentity {
  readonly events: number
  /** 0 when there is no event. */
  readonly firstTimestampMs: number
  /** The bases of its segments, relative to its own, and the greatest time up to the end of each, 0 where none is. */
  segments(): Either<IndexError, TimedOffsets>
  /** Its keys in the order of the file. A Left is the last thing that comes. */
  tierKeys(): Iterable<Either<IndexError, TierKey>>
}
