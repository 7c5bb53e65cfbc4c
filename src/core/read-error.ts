// The operating errors of reading: what stands in an event's place, and what ends a read. The rest of the closed union
// and what all errors share stand in error.ts.

import type { Offset } from './brand.ts'
import { thrownText } from './canon.ts'
import {
  ChronicleError,
  type AppendError,
  type Closed,
  type CursorError,
  type DiskError,
  type InvalidArgument,
  type OpenError,
  type Trimmed
} from './error.ts'

/** Why a region of the log is not readable. */
export type CorruptReason =
  /** The bytes do not verify: flipped, moved, overwritten. */
  | 'checksum'
  /** No legal length word stands where a frame should begin. */
  | 'framing'
  /** Zeros where frames should be. */
  | 'zeros'
  /** No bytes are there: a segment file is missing, or ends before the frames it should hold. */
  | 'missing'
  /** The bytes verify and hold no event: written by another program. */
  | 'content'

/**
 * A region of the log cannot be read. Replay yields this in its place and goes on behind it.
 * `offset` is its first byte, `nextOffset` where reading goes on.
 */
export class Corrupt extends ChronicleError {
  readonly _tag = 'Corrupt'
  readonly code = 'CHRONICLE_CORRUPT'
  readonly offset: Offset
  readonly nextOffset: Offset
  readonly reason: CorruptReason
  constructor(region: DamagedRegion) {
    super(
      `offsets ${region.offset} to ${region.nextOffset} are damaged (${region.reason}); ` +
        'restore the segment from a copy, or go on behind it'
    )
    this.offset = region.offset
    this.nextOffset = region.nextOffset
    this.reason = region.reason
  }
}

/** A region that cannot be read, as a plain value. */
export interface DamagedRegion {
  readonly offset: Offset
  readonly nextOffset: Offset
  readonly reason: CorruptReason
}

/** An intact frame holds something the codec does not accept: an unknown shape, or another program's event. */
export class InvalidStored extends ChronicleError {
  readonly _tag = 'InvalidStored'
  readonly code = 'CHRONICLE_INVALID_STORED'
  readonly offset: Offset
  readonly nextOffset: Offset
  /** Where in the stored event: `$.payload.cents`. */
  readonly path: string
  readonly reason: string
  constructor(fault: {
    readonly offset: Offset
    readonly nextOffset: Offset
    readonly path: string
    readonly reason: string
  }) {
    super(`the event at offset ${fault.offset} does not decode: ${fault.path}: ${fault.reason}`)
    this.offset = fault.offset
    this.nextOffset = fault.nextOffset
    this.path = fault.path
    this.reason = fault.reason
  }
}

/** The offset is not where an event begins, or lies beyond the end. */
export class InvalidOffset extends ChronicleError {
  readonly _tag = 'InvalidOffset'
  readonly code = 'CHRONICLE_INVALID_OFFSET'
  readonly offset: number
  constructor(offset: number, reason: string) {
    super(`offset ${offset} ${reason}; use the offset or nextOffset of an event or a receipt`)
    this.offset = offset
  }
}

/**
 * Behind the last whole batch stands a part of one, and nobody has written on for a time: its writer has died, or
 * stands still. Reading goes on when the next writer has opened the log, which removes that part.
 */
export class WriterLost extends ChronicleError {
  readonly _tag = 'WriterLost'
  readonly code = 'CHRONICLE_WRITER_LOST'
  /** Where the unfinished batch begins. */
  readonly offset: Offset
  /** How many bytes of it there are. */
  readonly bytes: number
  /** For how long nothing has changed. */
  readonly idleMs: number
  constructor(fault: { readonly offset: Offset; readonly bytes: number; readonly idleMs: number }) {
    super(
      `${fault.bytes} bytes of an unfinished batch stand at offset ${fault.offset}, and for ${fault.idleMs} ms nobody ` +
        'has written on; start the writer again, reading goes on behind it'
    )
    this.offset = fault.offset
    this.bytes = fault.bytes
    this.idleMs = fault.idleMs
  }
}

/** What a fold was doing when it failed. */
export type FoldStep =
  /** The module was loaded, or its `fold` looked at. */
  | 'load'
  /** `initial`, `evolve` or `merge` was called. */
  | 'initial'
  | 'evolve'
  | 'merge'
  /** A state was copied from one thread to another. */
  | 'copy'
  /** Its thread ended: out of memory, an error that nobody caught, process.exit. */
  | 'thread'

/** A fold over several threads failed in the caller's own code. */
export class FoldFailed extends ChronicleError {
  readonly _tag = 'FoldFailed'
  readonly code = 'CHRONICLE_FOLD_FAILED'
  /** The module that holds the fold. */
  readonly module: string
  readonly step: FoldStep
  /** The event that `evolve` was given. */
  readonly offset: Offset | undefined
  constructor(
    fault: { readonly module: string; readonly step: FoldStep; readonly offset?: Offset | undefined },
    cause: unknown
  ) {
    const at = fault.offset === undefined ? '' : ` at offset ${fault.offset}`
    super(`the fold in ${fault.module} ${foldFaults[fault.step]}${at}: ${thrownText(cause)}`, cause)
    this.module = fault.module
    this.step = fault.step
    this.offset = fault.offset
  }
}

const foldFaults: Readonly<Record<FoldStep, string>> = {
  load: 'cannot be loaded',
  initial: 'throws in initial',
  evolve: 'throws in evolve',
  merge: 'throws in merge',
  copy: 'has a state that cannot be copied to another thread',
  thread: 'lost its thread'
}

/** The caller's AbortSignal fired. */
export class Aborted extends ChronicleError {
  readonly _tag = 'Aborted'
  readonly code = 'CHRONICLE_ABORTED'
  constructor(cause: unknown) {
    super('the caller aborted', cause)
  }
}

/**
 * What replay can yield in an event's place. Behind Corrupt and InvalidStored it goes on, and when it follows the log
 * also behind WriterLost; after the others it ends.
 */
export type ReplayError =
  | Corrupt
  | InvalidStored
  | InvalidOffset
  | InvalidArgument
  | Trimmed
  | WriterLost
  | Aborted
  | Closed
  | DiskError

/** Every operating error there is. */
export type StorageError = OpenError | AppendError | ReplayError | CursorError | FoldFailed
