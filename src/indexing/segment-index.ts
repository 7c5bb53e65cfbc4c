// What the index knows of one segment, whether it lives in memory (the active segment) or in a file (sealed ones).
// An index is a cache of the log, never a second truth: an answer is either right or a Left, and after IndexDamaged
// the caller rebuilds the index from its segment. All offsets that go in and come out are absolute.

import type { Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import type { QueryItem } from '../core/query.ts'
import type { AggregateSummary } from '../port/store.ts'

/** The index file is not ours, too new, damaged, or of another segment. Never shown to a user: it is rebuilt. */
export class IndexDamaged {
  readonly _tag = 'IndexDamaged'
  readonly path: string
  readonly reason: string
  constructor(path: string, reason: string) {
    this.path = path
    this.reason = reason
  }
}

export type IndexError = IndexDamaged | DiskError

export interface SegmentIndex {
  /** The segment's base offset. */
  readonly base: number
  /** Everything in [base, end) is indexed or recorded as damage. */
  readonly end: number
  /** The stored CRC word of the last indexed frame, 0 when there is none: binds the index to its log. */
  readonly lastFrameCrc: number
  /** How many events are indexed. */
  readonly events: number
  /** 0 when there is no event. */
  readonly firstTimestampMs: number
  /** The greatest timestamp; 0 when there is no event. */
  readonly lastTimestampMs: number

  /** The damaged regions that were seen when the segment was scanned, in order. */
  damage(): Either<IndexError, readonly DamagedRegion[]>

  /** The aggregate's last version in this segment, 0 when it has no event here. */
  version(aggregateId: string): Either<IndexError, number>

  /** The offsets of the aggregate's events, ascending. */
  aggregateOffsets(aggregateId: string): Either<IndexError, readonly number[]>

  /**
   * The offsets from `since` (default: all) on of the events that match one of the items (`matches` in core/query.ts is the
   * reference), ascending, each once. There is at least one item, and each has at least one term: the caller has
   * asked `queryItems`. In memory the cost is that of the events from `since` on, whatever came before them.
   */
  select(items: readonly QueryItem[], since?: number): Either<IndexError, readonly number[]>

  /**
   * The aggregates whose id begins with `prefix`, in the order of their ids (UTF-16 code units), as they were when
   * the iteration began. A Left is the last thing that comes.
   */
  aggregates(prefix: string): Iterable<Either<IndexError, AggregateSummary>>

  /** The greatest known frame start ≤ `offset`, or base. Between the two lie less than a stride, one frame, and damage. */
  frameBefore(offset: number): Either<IndexError, number>

  /**
   * The greatest known frame start whose frame and all before it were written before `timestampMs`, or base: a scan
   * from there finds the first frame at or after the time.
   */
  frameBeforeTime(timestampMs: number): Either<IndexError, number>
}
