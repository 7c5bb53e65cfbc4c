// What a caller may say of an append or a read. Everything has a default, and everything is checked by request.ts.

import type { Offset } from '../core/brand.ts'
import type { Condition } from '../core/error.ts'
import type { Query } from '../core/query.ts'

export interface AppendOptions {
  /** What must hold when the batch is written; else nothing is, and the answer is ConditionFailed. */
  readonly conditions?: readonly Condition[] | undefined
}

export interface ReplayOptions {
  /** Where to stop: forwards before this offset, backwards at it. */
  readonly until?: Offset | undefined
  /** Only the events that match; the index finds them, the rest is not read. */
  readonly query?: Query | undefined
  /** At most so many events. */
  readonly limit?: number | undefined
  /** Newest first; `from` is then where to begin, exclusive, and defaults to the end. */
  readonly backwards?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** How the log is followed. */
export interface FollowOptions {
  /** Only the events that match. */
  readonly query?: Query | undefined
  /** Ends behind so many events. */
  readonly limit?: number | undefined
  /** Ends the iteration with Left(Aborted). */
  readonly signal?: AbortSignal | undefined
  /**
   * Called when every event there is has been handed out and handled, each time before the iteration waits for more:
   * at the first end, and again whenever it has fallen behind and caught up. `at` is where the log ended then.
   */
  readonly onCaughtUp?: ((at: Offset) => void) | undefined
  /**
   * In another process than the writer's: say Left(WriterLost) when part of a batch has stood at the log's end unchanged
   * for so many ms, and go on waiting. Default 10,000.
   */
  readonly writerLostMs?: number | undefined
}

export interface AggregateOptions {
  /** The first version that is wanted; default 1. */
  readonly fromVersion?: number | undefined
  readonly limit?: number | undefined
  readonly signal?: AbortSignal | undefined
}
