// Operating errors: one closed union, together with read-error.ts. Each class extends Error, has a `_tag` for exhaustive matching and a stable
// `code` for logs and alerts, keeps its `cause`, carries the fields a program needs to act, and says in its message
// what happened, to what, and what to do. Nothing in the library throws them but `orThrow`.

import type { Offset, Version } from './brand.ts'
import type { Query } from './query.ts'

/** What `name` shows and what every error shares; `_tag` and `code` are set by each class. */
export abstract class ChronicleError extends Error {
  abstract readonly _tag: string
  abstract readonly code: string

  constructor(message: string, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause })
    this.name = new.target.name
  }
}

/** The event cannot be stored as it is; nothing was written. `path` says where in the event: `$.payload.cents`. */
export class InvalidEvent extends ChronicleError {
  readonly _tag = 'InvalidEvent'
  readonly code = 'CHRONICLE_INVALID_EVENT'
  readonly path: string
  readonly reason: string
  /** Which event of the batch, from 0. */
  readonly index: number
  constructor(fault: { readonly path: string; readonly reason: string; readonly index: number }) {
    super(`event ${fault.index} of the batch cannot be stored: ${fault.path}: ${fault.reason}`)
    this.path = fault.path
    this.reason = fault.reason
    this.index = fault.index
  }
}

/** An argument or option makes no sense; nothing was done. */
export class InvalidArgument extends ChronicleError {
  readonly _tag = 'InvalidArgument'
  readonly code = 'CHRONICLE_INVALID_ARGUMENT'
  readonly argument: string
  readonly reason: string
  constructor(argument: string, reason: string) {
    super(`${argument}: ${reason}`)
    this.argument = argument
    this.reason = reason
  }
}

/** What an append demands of an aggregate's version: exactly this one, no event at all, or at least one. */
export interface VersionCondition {
  readonly aggregateId: string
  readonly version: number | 'none' | 'exists'
}

/**
 * What an append demands of the whole log: that no event from `after` on (default: from the first) matches the query.
 * This is the dynamic consistency boundary of dcb.events: a decision holds while nothing it rests on has been added.
 */
export interface QueryCondition {
  readonly noneMatch: Query
  /**
   * Where the log ended when the decision was read; an event that begins at this offset or behind it counts, and
   * it need not be where one begins. Trimmed, if
   * that is before what is kept and nothing of that matches. Without it the condition is about what is kept.
   */
  readonly after?: Offset
}

export type Condition = VersionCondition | QueryCondition

/** What was found instead of what a condition demands. */
export interface ConditionFinding {
  /** The version of the condition's aggregate, 0 when it has no event; undefined for a query. */
  readonly actual: Version | undefined
  /**
   * The newest event that stands against the condition, or where it begins that there is one if every event does;
   * undefined when it is an event that is missing.
   */
  readonly offset: Offset | undefined
}

/** A condition did not hold, so the batch was not written. Load again, decide again, append again. */
export class ConditionFailed extends ChronicleError {
  readonly _tag = 'ConditionFailed'
  readonly code = 'CHRONICLE_CONDITION_FAILED'
  readonly condition: Condition
  readonly expected: number | 'none' | 'exists' | 'no match'
  readonly actual: Version | undefined
  readonly offset: Offset | undefined
  constructor(condition: Condition, finding: ConditionFinding) {
    super(
      'noneMatch' in condition
        ? `no event from offset ${condition.after ?? 0} on was to match ${JSON.stringify(condition.noneMatch)}, and the ` +
            `one at offset ${finding.offset} does; read again and retry`
        : `"${condition.aggregateId}" was expected at version ${condition.version} and is at ${finding.actual}` +
            `${finding.offset === undefined ? '' : ` (offset ${finding.offset})`}; load it again and retry`
    )
    this.condition = condition
    this.expected = 'noneMatch' in condition ? 'no match' : condition.version
    this.actual = finding.actual
    this.offset = finding.offset
  }
}

/** An append repeats the id of an event that is in the log with other content; nothing was written. */
export class EventIdConflict extends ChronicleError {
  readonly _tag = 'EventIdConflict'
  readonly code = 'CHRONICLE_EVENT_ID_CONFLICT'
  readonly eventId: string
  /** The event in the log. */
  readonly offset: Offset
  constructor(eventId: string, offset: Offset) {
    super(`the event "${eventId}" is in the log at offset ${offset} with other content; give a new event a new id`)
    this.eventId = eventId
    this.offset = offset
  }
}

/** There is no log in the folder: nothing is there, and nothing may be created. */
export class NotFound extends ChronicleError {
  readonly _tag = 'NotFound'
  readonly code = 'CHRONICLE_NOT_FOUND'
  readonly path: string
  constructor(path: string) {
    super(`there is no log in ${path}; open it for writing once to create it`)
    this.path = path
  }
}

/** A file stands where a segment should be and is not one, or contradicts its name or its neighbours. */
export class BadSegment extends ChronicleError {
  readonly _tag = 'BadSegment'
  readonly code = 'CHRONICLE_BAD_SEGMENT'
  readonly path: string
  readonly reason: string
  constructor(path: string, reason: string) {
    super(`${path} cannot be read as a segment: ${reason}; the log was left as it is`)
    this.path = path
    this.reason = reason
  }
}

/**
 * The file that keeps the versions of aggregates whose events were trimmed cannot be read, and the events are gone. The
 * log is not opened for writing, since versions would begin again; for reading it is.
 */
export class BadTrim extends ChronicleError {
  readonly _tag = 'BadTrim'
  readonly code = 'CHRONICLE_BAD_TRIM'
  readonly path: string
  readonly reason: string
  constructor(path: string, reason: string) {
    super(
      `${path}, which keeps the versions of trimmed aggregates, cannot be used: ${reason}; restore it from a copy, or ` +
        'let chronicle repair make a new one and tell what is lost'
    )
    this.path = path
    this.reason = reason
  }
}

/** The segment was written by a later version of the format. */
export class UnsupportedVersion extends ChronicleError {
  readonly _tag = 'UnsupportedVersion'
  readonly code = 'CHRONICLE_UNSUPPORTED_VERSION'
  readonly path: string
  readonly version: number
  readonly supported: number
  constructor(fault: { readonly path: string; readonly version: number; readonly supported: number }) {
    super(
      `${fault.path} has format version ${fault.version}; this release reads ${fault.supported}: upgrade chronicle-log`
    )
    this.path = fault.path
    this.version = fault.version
    this.supported = fault.supported
  }
}

/** The segment belongs to another log: it was copied here, or the folder mixes two logs. */
export class ForeignSegment extends ChronicleError {
  readonly _tag = 'ForeignSegment'
  readonly code = 'CHRONICLE_FOREIGN_SEGMENT'
  readonly path: string
  readonly logId: number
  readonly expectedLogId: number
  constructor(fault: { readonly path: string; readonly logId: number; readonly expectedLogId: number }) {
    super(`${fault.path} belongs to log ${fault.logId}, the folder to log ${fault.expectedLogId}; move the file away`)
    this.path = fault.path
    this.logId = fault.logId
    this.expectedLogId = fault.expectedLogId
  }
}

/** The file that keeps a reader's cursor cannot be read, or is another log's: nobody knows where the reader was. */
export class BadCursor extends ChronicleError {
  readonly _tag = 'BadCursor'
  readonly code = 'CHRONICLE_BAD_CURSOR'
  readonly path: string
  readonly reason: string
  constructor(path: string, reason: string) {
    super(
      `${path} tells no cursor: ${reason}; put back a copy, or remove the reader and register it where it shall begin`
    )
    this.path = path
    this.reason = reason
  }
}

/** Somebody else has it open: the log for writing, or the reader. */
export class Locked extends ChronicleError {
  readonly _tag = 'Locked'
  readonly code = 'CHRONICLE_LOCKED'
  readonly path: string
  /** The holder's process id, when the lock file tells. */
  readonly pid: number | undefined
  /** Since when, in ms since the epoch, when the lock file tells. */
  readonly sinceMs: number | undefined
  constructor(fault: {
    readonly path: string
    readonly pid?: number | undefined
    readonly sinceMs?: number | undefined
  }) {
    const who = fault.pid === undefined ? 'somebody else' : `process ${fault.pid}`
    const since = fault.sinceMs === undefined ? '' : ` since ${new Date(fault.sinceMs).toISOString()}`
    super(`${fault.path} is held by ${who}${since}; close it there; a log can also be opened with readOnly`)
    this.path = fault.path
    this.pid = fault.pid
    this.sinceMs = fault.sinceMs
  }
}

/** The log was closed, or the reader. */
export class Closed extends ChronicleError {
  readonly _tag = 'Closed'
  readonly code = 'CHRONICLE_CLOSED'
  constructor(what: 'log' | 'reader' = 'log') {
    super(`the ${what} is closed; open it again`)
  }
}

/** The log was opened with readOnly. */
export class ReadOnly extends ChronicleError {
  readonly _tag = 'ReadOnly'
  readonly code = 'CHRONICLE_READ_ONLY'
  constructor() {
    super('the log was opened with readOnly and takes no writes')
  }
}

/**
 * A sync failed, so what the disk holds is unknown and no later success can tell: nothing more is appended until the
 * log is opened again and scanned. Whether the append that got this error survives is unknown until then.
 */
export class Poisoned extends ChronicleError {
  readonly _tag = 'Poisoned'
  readonly code = 'CHRONICLE_POISONED'
  constructor(cause: unknown) {
    super(
      'the disk failed to sync, so the log takes no more appends; close it, check the disk, and open it again',
      cause
    )
  }
}

/** Too many appended bytes wait for their receipts; this batch was not taken. Await some receipts, then retry. */
export class Overloaded extends ChronicleError {
  readonly _tag = 'Overloaded'
  readonly code = 'CHRONICLE_OVERLOADED'
  readonly pendingBytes: number
  readonly limitBytes: number
  constructor(pendingBytes: number, limitBytes: number) {
    super(`${pendingBytes} appended bytes wait for their receipts, the limit is ${limitBytes}; await some, then retry`)
    this.pendingBytes = pendingBytes
    this.limitBytes = limitBytes
  }
}

/** What was being done to a file or folder when the operating system refused. */
export interface DiskFault {
  readonly operation: string
  readonly path: string
  /** The system's name of the error: 'ENOSPC', 'EIO'. */
  readonly errno: string
  readonly cause?: unknown
}

/** No room: disk full, quota used up, or the file size limit reached. Nothing is lost; free space and go on. */
export class DiskFull extends ChronicleError {
  readonly _tag = 'DiskFull'
  readonly code = 'CHRONICLE_DISK_FULL'
  readonly operation: string
  readonly path: string
  readonly errno: string
  constructor(fault: DiskFault) {
    super(`no room to ${fault.operation} ${fault.path} (${fault.errno}); free some space and retry`, fault.cause)
    this.operation = fault.operation
    this.path = fault.path
    this.errno = fault.errno
  }
}

/** The operating system refused or failed for another reason than room. */
export class DiskFailed extends ChronicleError {
  readonly _tag = 'DiskFailed'
  readonly code = 'CHRONICLE_DISK_FAILED'
  readonly operation: string
  readonly path: string
  readonly errno: string
  constructor(fault: DiskFault) {
    super(`could not ${fault.operation} ${fault.path} (${fault.errno})`, fault.cause)
    this.operation = fault.operation
    this.path = fault.path
    this.errno = fault.errno
  }
}

/** The events before `first` were removed by retention or `trim`. Read from `first` on, or restore a backup elsewhere. */
export class Trimmed extends ChronicleError {
  readonly _tag = 'Trimmed'
  readonly code = 'CHRONICLE_TRIMMED'
  /** What was asked for begins here. */
  readonly offset: Offset
  /** The first offset that is kept. */
  readonly first: Offset
  constructor(offset: Offset, first: Offset) {
    super(`offset ${offset} was trimmed; the log begins at ${first}: read from there, or restore what was before`)
    this.offset = offset
    this.first = first
  }
}

/** The log has reached its byte budget; nothing of the batch was written. Trim it, or raise `logBytes`. */
export class LogFull extends ChronicleError {
  readonly _tag = 'LogFull'
  readonly code = 'CHRONICLE_LOG_FULL'
  /** What the log's segments would take with the batch. */
  readonly bytes: number
  readonly limitBytes: number
  constructor(bytes: number, limitBytes: number) {
    super(`with this batch the log would take ${bytes} bytes, its budget is ${limitBytes}; trim it, or raise logBytes`)
    this.bytes = bytes
    this.limitBytes = limitBytes
  }
}

export type DiskError = DiskFull | DiskFailed

/** What opening can answer. */
export type OpenError =
  | NotFound
  | BadSegment
  | BadTrim
  | UnsupportedVersion
  | ForeignSegment
  | Locked
  | InvalidArgument
  | DiskError

/** What opening a reader's place can answer. */
export type CursorError = BadCursor | UnsupportedVersion | DiskError

/** What an append can answer. After Poisoned the outcome is unknown; after every other one nothing was written. */
export type AppendError =
  | InvalidEvent
  | InvalidArgument
  | ConditionFailed
  | EventIdConflict
  | Closed
  | ReadOnly
  | Poisoned
  | Overloaded
  | LogFull
  | Trimmed
  | DiskError
