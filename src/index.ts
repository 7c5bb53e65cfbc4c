// chronicle-log: the public face, and the place where the concrete parts meet.

import { randomBytes, randomUUID } from 'node:crypto'
import { resolve } from 'node:path'
import { left, right } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type * as t from 'io-ts'
import { InvalidArgument, type DiskError, type OpenError } from './core/error.ts'
import {
  checkpointBytesDefault,
  pendingBytesDefault,
  segmentBytesDefault,
  segmentBytesMax,
  segmentBytesMin
} from './core/limit.ts'
import { makeNodeDisk } from './disk/node.ts'
import { makeSlot } from './disk/slot.ts'
import { FolderCursors } from './log/cursors.ts'
import { LocalStore } from './log/store.ts'
import { wholeClock, type Clock, type Entropy } from './port/clock.ts'
import type { Disk } from './port/disk.ts'
import { Merge, type MergeOptions } from './replay/merge.ts'
import type { Source } from './replay/merge-source.ts'
import type { EventBody } from './replay/typed-event.ts'
import { Retention, type RetentionOptions } from './replay/retention.ts'
import { TypedLog } from './replay/typed-log.ts'

export { Offset, Version } from './core/brand.ts'
export { defineEvents } from './core/define.ts'
export type { DefinedEvents, DefineOptions, EventDefinition, MakeOptions } from './core/define.ts'
export {
  BadCursor,
  BadSegment,
  BadTrim,
  Closed,
  ConditionFailed,
  DiskFailed,
  DiskFull,
  EventIdConflict,
  ForeignSegment,
  InvalidArgument,
  InvalidEvent,
  Locked,
  LogFull,
  NotFound,
  Overloaded,
  Poisoned,
  ReadOnly,
  Trimmed,
  UnsupportedVersion
} from './core/error.ts'
export { Aborted, Corrupt, FoldFailed, InvalidOffset, InvalidStored, WriterLost } from './core/read-error.ts'
export type {
  AppendError,
  Condition,
  CursorError,
  DiskError,
  OpenError,
  QueryCondition,
  VersionCondition
} from './core/error.ts'
export type { CorruptReason, DamagedRegion, FoldStep, ReplayError, StorageError } from './core/read-error.ts'
export { AnyEvent } from './core/event.ts'
export type { Event, NewEvent, StoredEvent } from './core/event.ts'
export { SourceFailed } from './replay/merge-source.ts'
export { orThrow } from './replay/or-throw.ts'
export type { Query, QueryItem } from './core/query.ts'
export { channels } from './port/channel.ts'
export type {
  AppendMessage,
  FollowMessage,
  RecoverMessage,
  RollMessage,
  SyncMessage,
  TrimMessage
} from './port/channel.ts'
export type { Clock, Entropy } from './port/clock.ts'
export type { Disk, DiskEntry, DiskFile, DiskLock, OpenMode } from './port/disk.ts'
export type { KnownReader, ReaderStatus, UnreadableReader } from './port/cursor.ts'
export type { AggregateSummary, Durability, RebuildOptions, Receipt, Recovery } from './port/store.ts'
export type { Reader, ReaderRecovered } from './replay/reader.ts'
export type { ListedReader, OpenReaderError, ReaderOptions } from './replay/registry.ts'
export type { ReaderLag, SeekTarget } from './replay/seek.ts'
export type { Merge, MergedEvent, MergeElement, MergeOptions } from './replay/merge.ts'
export type { Source } from './replay/merge-source.ts'
export type { ReadableOf, ReadableOptions } from './replay/readable.ts'
export type { Replay, ReplayElement } from './replay/replay.ts'
export type { Envelope, EventBody, NewRecorded, Recorded } from './replay/typed-event.ts'
export type { AggregateOptions, AppendOptions, FollowOptions, ReplayOptions } from './replay/options.ts'
export type { DecisionModel, Loaded, Reducer } from './replay/reducer.ts'
export type { RetentionOptions, TrimError, TrimOptions, TrimOutcome } from './replay/retention.ts'
export type { LiveReaders, PlannedSegment, RetentionRules, TrimReason } from './replay/retention-plan.ts'

/** How a log is opened; every option has a default. */
export interface OpenOptions<A> {
  /** Decodes and encodes the events; it fixes their type for the whole log. Without one, payloads are unknown. */
  readonly codec?: t.Type<A, unknown, unknown> | undefined
  /** Take no lock and write nothing; any number of readers may have the log open beside its writer. Default false. */
  readonly readOnly?: boolean | undefined
  /** Make a log where there is none. Default true; a reader never does. */
  readonly create?: boolean | undefined
  /** Roll to a new segment before the frames of one take more than so many bytes. Default 64 MiB. */
  readonly segmentBytes?: number | undefined
  /** Sync in the background every so many milliseconds: bounds what a power cut can take of `append`. */
  readonly sync?: { readonly everyMs: number } | undefined
  /** How many appended bytes may wait for their receipts before appends are refused as Overloaded. Default 64 MiB. */
  readonly pendingBytes?: number | undefined
  /** Save the index of the active segment every so many bytes: what is left to scan after a crash. Default 8 MiB. */
  readonly checkpointBytes?: number | undefined
  /** What may be removed of the oldest events; without it nothing is, but by `trim`. */
  readonly retention?: RetentionOptions | undefined
  /**
   * How many bytes all segments may take: an append that would pass it is refused as LogFull, and `retention` makes what
   * room its rules allow, for those that come after. The segment that is written to never goes: at least twice
   * `segmentBytes`, and well above `retention.maxBytes`. No limit.
   */
  readonly logBytes?: number | undefined
  /** Where files are; default the computer's. */
  readonly disk?: Disk | undefined
  /** The time; default the computer's. */
  readonly clock?: Clock | undefined
  /** Random numbers and event ids; default the computer's. */
  readonly entropy?: Entropy | undefined
}

const systemClock: Clock = {
  nowMs: () => Date.now(),
  every: (periodMs, task) => {
    const timer = setInterval(task, periodMs)
    timer.unref()
    return () => clearInterval(timer)
  }
}

/** Keeps the process alive, unlike the log's: a merge asks it only while somebody waits for what is there already. */
const mergeClock: Clock = {
  nowMs: systemClock.nowMs,
  every: (periodMs, task) => {
    const timer = setInterval(task, periodMs)
    return () => clearInterval(timer)
  }
}

const systemEntropy: Entropy = {
  u32: () => randomBytes(4).readUInt32LE(0),
  eventId: () => randomUUID()
}

/**
 * An event log in a folder.
 * @example
 * const log = await orThrow(EventLog.open('./bank', { codec: BankEvent }))
 * await orThrow(log.append({ aggregateId: 'account-42', eventType: 'Deposited', payload: { cents: 1250 } }))
 */
export class EventLog<A extends EventBody = EventBody> extends TypedLog<A> {
  /**
   * Opens the log in `folder`, makes it where there is none, and recovers it when its last writer did not close it.
   * Errors: Locked, NotFound, BadSegment, BadTrim, ForeignSegment, UnsupportedVersion, InvalidArgument, DiskFull,
   * DiskFailed.
   */
  static open<B extends EventBody = EventBody>(
    folder: string,
    options: OpenOptions<B> = {}
  ): TaskEither<OpenError, EventLog<B>> {
    return async () => {
      const fault = optionFault(folder, options)
      if (fault !== undefined) return left(fault)
      const clock = wholeClock(options.clock ?? systemClock)
      const entropy = options.entropy ?? systemEntropy
      const disk = options.disk ?? makeNodeDisk({ nowMs: clock.nowMs })
      const slot = makeSlot(disk)
      const opened = await LocalStore.open(resolve(folder), {
        disk,
        slot,
        clock,
        entropy,
        readOnly: options.readOnly ?? false,
        create: options.create ?? true,
        segmentBytes: options.segmentBytes ?? segmentBytesDefault,
        pendingBytes: options.pendingBytes ?? pendingBytesDefault,
        checkpointBytes: options.checkpointBytes ?? checkpointBytesDefault,
        syncEveryMs: options.sync?.everyMs,
        logBytes: options.logBytes
      })
      if (opened._tag === 'Left') return opened
      const { logId } = opened.right
      const onNamesInDoubt = (error: DiskError): void => opened.right.namesInDoubt(error)
      const cursors = new FolderCursors({ disk, slot, folder: resolve(folder), logId, onNamesInDoubt })
      const readers = { cursors, clock, pid: process.pid }
      const retention = new Retention({ store: opened.right, cursors, clock, options: options.retention })
      opened.right.onRoll(() => void retention.wake())
      const { codec } = options
      return right(new EventLog<B>(opened.right, { codec, newEventId: entropy.eventId, readers, retention }))
    }
  }
}

/**
 * Several sources as one stream, in the order of their timestamps; of equal ones the source decides whose name is less.
 * Without a watermark the result depends on the sources alone. Sources can be added and removed while it runs.
 * @example
 * const merged = merge([
 *   { name: 'orders', events: orders.replay() },
 *   { name: 'payments', events: payments.replay() }
 * ])
 * for await (const { source, event } of orThrow(merged)) console.log(source, event.eventType)
 */
export function merge<const S extends Source>(sources: readonly S[], options: MergeOptions = {}): Merge<S> {
  return new Merge(sources, options, mergeClock)
}

function optionFault(folder: string, options: Omit<OpenOptions<unknown>, 'codec'>): InvalidArgument | undefined {
  if (typeof folder !== 'string' || folder === '') return new InvalidArgument('folder', 'is not a path')
  if (folder.includes('\0')) return new InvalidArgument('folder', 'holds a zero character')
  const { segmentBytes, pendingBytes, checkpointBytes, sync } = options
  return (
    rangeFault('segmentBytes', segmentBytes, [segmentBytesMin, segmentBytesMax]) ??
    rangeFault('pendingBytes', pendingBytes, [1, Number.MAX_SAFE_INTEGER]) ??
    rangeFault('checkpointBytes', checkpointBytes, [1, Number.MAX_SAFE_INTEGER]) ??
    rangeFault('sync.everyMs', sync?.everyMs, [1, 0x7fff_ffff]) ??
    rangeFault('logBytes', options.logBytes, [
      2 * (options.segmentBytes ?? segmentBytesDefault),
      Number.MAX_SAFE_INTEGER
    ]) ??
    retentionFault(options.retention ?? {})
  )
}

function retentionFault({ maxAgeMs, maxBytes, readers, everyMs }: RetentionOptions): InvalidArgument | undefined {
  const any = [0, Number.MAX_SAFE_INTEGER] as const
  return (
    rangeFault('retention.maxAgeMs', maxAgeMs, any) ??
    rangeFault('retention.maxBytes', maxBytes, any) ??
    rangeFault('retention.everyMs', everyMs, [1, 0x7fff_ffff]) ??
    rangeFault('retention.readers.heartbeatMs', readers?.heartbeatMs, [1, Number.MAX_SAFE_INTEGER]) ??
    rangeFault('retention.readers.maxLagBytes', readers?.maxLagBytes, any) ??
    rangeFault('retention.readers.maxLagMs', readers?.maxLagMs, any)
  )
}

function rangeFault(
  argument: string,
  value: number | undefined,
  [least, most]: readonly [number, number]
): InvalidArgument | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value >= least && value <= most)) return undefined
  return new InvalidArgument(argument, `is not an integer from ${least} to ${most}`)
}
