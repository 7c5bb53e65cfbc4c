// The waist. Below it: one log on one disk (`log/`), later a replicated one. Above it: everything else, which speaks
// to this interface only. Events here are untyped and already serialised; codecs live above.
//
// Contract
// - Batches are atomic and ordered: a reader sees all of a batch or nothing of it, and every reader the same order.
// - `append` takes a batch in the order of the calls. 'buffered' resolves when the batch survives a crash of the
//   process, 'synced' when it survives a power cut.
// - A batch whose condition fails only because the same events (by id and content) are in the log already, one
//   behind the other, was written by an earlier call: it gets that batch's receipt, marked `duplicate`. How far back the batch is
//   looked for may be bounded, unless a condition says at which version it stands. What was trimmed is not found.
// - After Poisoned the outcome of the append is unknown; after every other Left nothing of it was written.
// - What was trimmed is gone: a read that begins before `first` answers Trimmed and nothing else; one without a
//   beginning starts at `first`. An aggregate's version goes on as if nothing had been trimmed.
// - A read runs to the end that the log had at its first `next`, unless `until` stops it before.
// - A damaged region is one Left(Corrupt) in its place among the events; reading goes on behind it. Corrupt and
//   InvalidStored are followed by more, every other Left is the last thing that is read. A read with a query answers
//   with a Left(Corrupt) for every damaged region in its range, since what stood there may have matched.
// - After `close` every call answers Closed.

import type { Either } from 'fp-ts/lib/Either.js'
import type { Offset, Version } from '../core/brand.ts'
import type { AppendError, DiskError, Closed, Poisoned, InvalidArgument, ReadOnly, Condition } from '../core/error.ts'
import type { DamagedRegion, Corrupt, Aborted, InvalidOffset, ReplayError, WriterLost } from '../core/read-error.ts'
import type { EncodedEvent, StoredEvent } from '../core/event.ts'
import type { QueryItem } from '../core/query.ts'

/** 'buffered': survives a crash of the process. 'synced': survives a power cut. */
export type Durability = 'buffered' | 'synced'

export interface AppendRequest {
  /** One to batchEventsMax events, written as one atomic batch. */
  readonly events: readonly EncodedEvent[]
  /** All must hold when the batch is written, or it is not written. */
  readonly conditions: readonly Condition[]
  readonly durability: Durability
}

/** What an append answers. */
export interface Receipt {
  /** Where the batch's first event stands. */
  readonly offset: Offset
  /** Where the next batch begins, or will. */
  readonly nextOffset: Offset
  /** The version of each event, in the order of the batch. */
  readonly versions: readonly Version[]
  readonly durability: Durability
  /** Whether the batch had been written by an earlier call and this one wrote nothing. */
  readonly duplicate: boolean
}

export interface ReadRequest {
  /** Forwards: events from this offset on; default the first. Backwards: events before it; default the end. */
  readonly from: Offset | undefined
  /** Forwards: events before this offset; default the end. Backwards: events from it on; default the first. */
  readonly until: Offset | undefined
  /** Empty: every event. */
  readonly query: readonly QueryItem[]
  /** At most so many events; a Left does not count. */
  readonly limit: number | undefined
  readonly backwards: boolean
  readonly signal: AbortSignal | undefined
}

/** A piece of a read: at least one element, events and errors in their order. */
export type ReadBatch = readonly Either<ReplayError, StoredEvent>[]

export interface EventReader {
  /** The next piece; undefined at the end. One call at a time. */
  next(): Promise<ReadBatch | undefined>
  /** Releases what the reader holds. Idempotent. */
  close(): void
}

/** What the log knows of one aggregate. */
export interface AggregateSummary {
  readonly aggregateId: string
  readonly version: Version
}

/** What opening found and did. */
export interface Recovery {
  /** Whether the last writer closed the log: no event was scanned. */
  readonly clean: boolean
  /** How the writer's lock is held; 'none' for a reader. */
  readonly lock: 'flock' | 'exlock' | 'file' | 'memory' | 'none'
  /** The bytes of frames that were scanned. */
  readonly scannedBytes: number
  /** The unacknowledged tail that was cut, and the file that keeps its bytes. */
  readonly torn: { readonly offset: Offset; readonly bytes: number; readonly path: string } | undefined
  /** Damaged regions known so far: those that opening saw, and those recorded in the index. */
  readonly damage: readonly DamagedRegion[]
  /** The segments whose index was missing, damaged or stale, by base offset. */
  readonly reindexed: readonly Offset[]
}

export interface RebuildOptions {
  /** Keeps the index of all segments that end before this offset; default 0, everything. */
  readonly from?: Offset | undefined
  readonly signal?: AbortSignal | undefined
  /** Called after each segment with bytes done and bytes in all. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined
}

/** A file of the log, in the order of the log. */
export interface SegmentSummary {
  readonly base: Offset
  /** Where its events end; the next segment begins there. */
  readonly end: Offset
  /** Whether nothing is appended to it any more. The last segment is the active one, and is not. */
  readonly sealed: boolean
  /** What it takes: its frames and its header. */
  readonly bytes: number
  /** The time of its first event, in ms since the epoch; 0 when it has none. */
  readonly firstTimestampMs: number
  /** The greatest time of its events; 0 when it has none. */
  readonly lastTimestampMs: number
}

/** What a trim has removed. */
export interface TrimReport {
  /** Where the log begins now. */
  readonly first: Offset
  /** The segments that went, oldest first. */
  readonly segments: readonly SegmentSummary[]
}

export interface WaitOptions {
  readonly signal: AbortSignal | undefined
  /** Undefined: for ever. */
  readonly writerLostMs: number | undefined
}

export interface Store {
  readonly readOnly: boolean
  readonly recovery: Recovery
  /** Where the next event will stand. */
  end(): Offset
  /** Where the first event that is kept stands, or will; what was before it has been trimmed. */
  first(): Offset
  /** Everything before this offset is known to survive a power cut. */
  durable(): Either<DiskError, Offset>
  /** Looks where the log ends now: a store that somebody else writes may not know yet. */
  refresh(): Promise<Either<DiskError | Closed, Offset>>
  /**
   * Waits until the log reaches beyond `after`, and answers where it ends then. WriterLost: it does not grow, and part
   * of a batch has stood at its end unchanged for `writerLostMs`.
   */
  grown(after: Offset, options: WaitOptions): Promise<Either<DiskError | Closed | Aborted | WriterLost, Offset>>
  /**
   * A number that tells what stands before the offset from anything else that could stand there, with a chance of one
   * in 2^32 to be mistaken; undefined where nothing does. For whoever keeps an offset over a power cut, which may take
   * the end of the log, and lets other events take its place.
   */
  fingerprint(offset: Offset): Either<DiskError, number | undefined>
  append(request: AppendRequest): Promise<Either<AppendError, Receipt>>
  read(request: ReadRequest): EventReader
  /** The aggregate's version, 0 when it has no event. */
  version(aggregateId: string): Promise<Either<DiskError | Closed, Version>>
  /** Every aggregate in the order of its id (UTF-16 code units). */
  aggregates(prefix: string): AsyncIterable<Either<DiskError | Closed, AggregateSummary>>
  /**
   * How many events from `from` on match one of the items, or all there are where there is none; what is damaged is not
   * counted.
   */
  count(query: readonly QueryItem[], from: Offset | undefined): Promise<Either<DiskError | Closed, number>>
  /** The aggregate's first event of this version or a later one, or the end. */
  seekVersion(aggregateId: string, version: number): Promise<Either<DiskError | Closed, Offset>>
  /**
   * A place at or near before the offset where an event begins or the log ends, or one that lies in damage: for whoever
   * divides the log. The offset lies in the log.
   */
  boundary(offset: Offset): Promise<Either<DiskError | Closed, Offset>>
  /** The first event written at or after the time, or the end. */
  offsetAt(timestampMs: number): Promise<Either<DiskError | Corrupt | Closed, Offset>>
  /**
   * The aggregate's version where the log begins: that many of its events were trimmed at most, and the next one that is
   * kept, if there is one, has a greater version. 0 when none was trimmed.
   */
  trimmedVersion(aggregateId: string): Promise<Either<DiskError | Closed, Version>>
  /** The segments that are kept, oldest first; there is at least one. */
  segments(): readonly SegmentSummary[]
  /**
   * Removes whole sealed segments, oldest first, as far as they end at `before` or earlier; that may be none. Appends and
   * reads go on meanwhile. When it resolves to Right the log begins at `first` for good; after a Left it may begin there
   * too, and what is left of the files goes at the next trim or opening.
   */
  trim(before: Offset): Promise<Either<DiskError | Closed | ReadOnly | Poisoned | InvalidOffset, TrimReport>>
  /** Everything appended so far survives a power cut when this resolves to Right. */
  sync(): Promise<Either<Poisoned | Closed | ReadOnly | DiskError, void>>
  rebuildIndex(
    options: RebuildOptions
  ): Promise<Either<DiskError | Closed | ReadOnly | Aborted | InvalidArgument | InvalidOffset, void>>
  /** Waits for what was accepted, syncs, releases everything. Idempotent: every call answers the same. */
  close(): Promise<Either<Poisoned | DiskError, void>>
}
