// One log on one disk: the store that the rest of the library stands on (see port/store.ts for its contract). This
// file only puts the parts together: recover opens, writer appends, reader reads, catalog answers from the index.

import { setImmediate } from 'node:timers/promises'
import { left, map, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset, Version } from '../core/brand.ts'
import { Closed, NotFound, ReadOnly, type AppendError, type DiskError, type OpenError } from '../core/error.ts'
import { InvalidOffset } from '../core/read-error.ts'
import type { Poisoned } from '../core/error.ts'
import type { Aborted, Corrupt, WriterLost } from '../core/read-error.ts'
import { decodeMark } from '../core/mark.ts'
import type { QueryItem } from '../core/query.ts'
import { probes, timed, type RecoverMessage } from '../port/channel.ts'
import { wholeClock, type Clock, type Entropy } from '../port/clock.ts'
import type { Disk, DiskLock } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import type {
  AggregateSummary,
  AppendRequest,
  EventReader,
  ReadRequest,
  RebuildOptions,
  Receipt,
  Recovery,
  SegmentSummary,
  Store,
  TrimReport,
  WaitOptions
} from '../port/store.ts'
import { noteEnd } from './boundary.ts'
import type { Catalog } from './catalog.ts'
import { makeReadersFolder } from './cursors.ts'
import { Growth } from './growth.ts'
import { Marker, readMark } from './marker.ts'
import { LogReader } from './reader.ts'
import { openLog } from './open.ts'
import type { OpenContext, OpenedLog } from './recover.ts'
import { boundaryBefore, countMatches, crcBefore, offsetAtTime, rebuildFrom, seekVersion } from './lookup.ts'
import { Refresher } from './refresh.ts'
import { summaryOf, Trimmer } from './trim.ts'
import { listAggregates } from './summaries.ts'
import { WatchedSlot } from './watched-slot.ts'
import { Writer } from './writer.ts'

/** After so many reads other work has its turn: what was written just now is read without waiting for anything. */
const readsPerTurn = 64

export interface StoreOptions {
  readonly disk: Disk
  readonly slot: Slot
  readonly clock: Clock
  readonly entropy: Entropy
  readonly readOnly: boolean
  readonly create: boolean
  readonly segmentBytes: number
  readonly pendingBytes: number
  readonly checkpointBytes: number
  /** Sync in the background so often; undefined for never. */
  readonly syncEveryMs: number | undefined
  /** Appends that would make the log take more bytes than this are refused as LogFull; undefined for no limit. */
  readonly logBytes?: number | undefined
}

/** What a writer holds besides its files. */
interface WritingParts {
  readonly writer: Writer
  readonly marker: Marker
  readonly trimmer: Trimmer
  readonly lock: DiskLock
  readonly stopTimer: () => void
}

export class LocalStore implements Store {
  readonly readOnly: boolean
  readonly recovery: Recovery
  private readonly catalog: Catalog
  private readonly writing: WritingParts | undefined
  private readonly refresher: Refresher | undefined
  private readonly growth: Growth
  /** While the log ends here, closing would write what is there already. */
  private settledEnd: number | undefined
  /** Where the active segment began when the log grew last. */
  private activeBase: number
  private rolled: () => void = () => {}
  private closed = false
  /** Counts the reads that were begun since other work had its turn. */
  private reads = 0
  private closing: Promise<Either<Poisoned | DiskError, void>> | undefined

  private constructor(opened: OpenedLog, options: StoreOptions, writing: WritingParts | undefined) {
    const { disk, clock } = options
    this.catalog = opened.catalog
    this.recovery = opened.recovery
    this.settledEnd = opened.settled ? opened.catalog.end() : undefined
    this.writing = writing
    this.readOnly = writing === undefined
    this.refresher = writing === undefined ? new Refresher(opened.catalog, opened.file, clock) : undefined
    this.growth = new Growth({
      clock,
      isClosed: () => this.closed,
      refresh: () => this.refresh(),
      unfinished: () => this.refresher?.unfinished,
      folder: opened.catalog.options.folder,
      watched: writing === undefined ? disk : undefined
    })
    this.activeBase = opened.catalog.active().base
    writing?.writer.onGrown(() => this.grew())
  }

  /** Opens the log in `folder`, recovers it when its last writer did not close it, and becomes its writer. */
  static async open(folder: string, given: StoreOptions): Promise<Either<OpenError, LocalStore>> {
    const options = { ...given, clock: wholeClock(given.clock) }
    const tell = timed(probes.recover, options.clock, folder)
    const opening = options.readOnly ? LocalStore.openReading(folder, options) : LocalStore.openLocked(folder, options)
    const opened = await opening
    if (opened._tag === 'Right') tell?.(recoveredBy(opened.right))
    return opened
  }

  private static async openLocked(folder: string, options: StoreOptions): Promise<Either<OpenError, LocalStore>> {
    if (options.create) {
      const made = await options.disk.makeFolder(folder)
      if (made._tag === 'Left') return made
    }
    const lock = await options.disk.lock(folder)
    if (lock._tag === 'Left') return isMissing(lock.left) ? left(new NotFound(folder)) : lock
    let store: Either<OpenError, LocalStore> | undefined
    try {
      store = await LocalStore.openWriting(folder, options, lock.right)
      return store
    } finally {
      // Also when an assertion has failed: this process may try again.
      if (store?._tag !== 'Right') lock.right.release()
    }
  }

  private static async openReading(folder: string, options: StoreOptions): Promise<Either<OpenError, LocalStore>> {
    const opened = await openLog(openContext(folder, options, 'none'))
    return opened._tag === 'Left' ? opened : right(new LocalStore(opened.right, options, undefined))
  }

  private static async openWriting(
    folder: string,
    options: StoreOptions,
    lock: DiskLock
  ): Promise<Either<OpenError, LocalStore>> {
    const slot = new WatchedSlot(options.slot)
    const opened = await openLog(openContext(folder, { ...options, slot }, lock.kind))
    if (opened._tag === 'Left') return opened
    const { catalog, mark, file } = opened.right
    const named = await makeReadersFolder(options.disk, folder)
    const marker = named._tag === 'Left' ? named : Marker.open(options.disk, folder, mark)
    if (marker._tag === 'Left') {
      file.close()
      catalog.close()
      return marker
    }
    const end = catalog.end()
    if (!(mark.clean && mark.durable === end)) marker.right.update(end)
    const { clock, segmentBytes, pendingBytes, checkpointBytes, syncEveryMs, logBytes } = options
    const writer = new Writer(
      { catalog, marker: marker.right, clock, file, segmentBytes, logBytes, pendingBytes, checkpointBytes },
      { tail: { end, timestampMs: lastTimestampMs(catalog), stated: 0 }, durable: end }
    )
    slot.onNamesInDoubt = (error) => writer.poisonBy(error)
    const stopTimer = syncEveryMs === undefined ? () => {} : clock.every(syncEveryMs, () => writer.syncInBackground())
    const poisonBy = (error: DiskError): void => writer.poisonBy(error)
    const trimmer = new Trimmer({ catalog, clock, synced: () => writer.sync(), poisonBy })
    return right(new LocalStore(opened.right, options, { writer, marker: marker.right, trimmer, lock, stopTimer }))
  }

  /** The log's own number, the same in every segment. */
  get logId(): number {
    return this.catalog.options.logId
  }

  end(): Offset {
    return this.catalog.end() as Offset
  }

  first(): Offset {
    return this.catalog.first as Offset
  }

  durable(): Either<DiskError, Offset> {
    const { disk, folder, logId } = this.catalog.options
    if (this.writing !== undefined) return right(this.writing.writer.durableEnd as Offset)
    const bytes = readMark(disk, folder)
    return bytes._tag === 'Left' ? bytes : right(decodeMark(bytes.right, logId).durable as Offset)
  }

  async refresh(): Promise<Either<DiskError | Closed, Offset>> {
    if (this.closed) return left(new Closed())
    const refreshed = this.refresher === undefined ? right(undefined) : await this.refresher.refresh()
    if (this.closed) return left(new Closed())
    if (refreshed._tag === 'Left') return refreshed
    noteEnd(this.catalog)
    return right(this.end())
  }

  grown(after: Offset, options: WaitOptions): Promise<Either<DiskError | Closed | Aborted | WriterLost, Offset>> {
    return this.growth.beyond(after, options)
  }

  fingerprint(offset: Offset): Either<DiskError, number | undefined> {
    return crcBefore(this.catalog, offset)
  }

  /** Whom to tell when a segment was sealed and the next one begun. */
  onRoll(rolled: () => void): void {
    this.rolled = rolled
  }

  /** A sync of the log's folder has failed, whoever asked for it: names that the writer has made may be lost. */
  namesInDoubt(error: DiskError): void {
    this.writing?.writer.poisonBy(error)
  }

  private grew(): void {
    this.growth.ring()
    const { base } = this.catalog.active()
    if (base === this.activeBase) return
    this.activeBase = base
    this.rolled()
  }

  append(request: AppendRequest): Promise<Either<AppendError, Receipt>> {
    if (this.writing === undefined) return Promise.resolve(left(this.closed ? new Closed() : new ReadOnly()))
    return this.writing.writer.append(request)
  }

  read(request: ReadRequest): EventReader {
    const { catalog } = this
    const isClosed = (): boolean => this.closed
    const looks = { refresh: () => this.refresh(), confirm: () => this.confirm(), turn: () => this.turn() }
    return new LogReader({ catalog, isClosed, ...looks }, request)
  }

  async version(aggregateId: string): Promise<Either<DiskError | Closed, Version>> {
    return this.answer(async () => {
      const found = await this.catalog.retrying(() => this.catalog.version(aggregateId))
      return found._tag === 'Left' ? found : right(found.right as Version)
    })
  }

  async *aggregates(prefix: string): AsyncGenerator<Either<DiskError | Closed, AggregateSummary>, void, undefined> {
    const refreshed = await this.refresh()
    if (refreshed._tag === 'Left') return yield refreshed
    yield* listAggregates(this.catalog, prefix)
  }

  async count(query: readonly QueryItem[], from: Offset | undefined): Promise<Either<DiskError | Closed, number>> {
    return this.answer(() => countMatches(this.catalog, query, from ?? 0))
  }

  async seekVersion(aggregateId: string, version: number): Promise<Either<DiskError | Closed, Offset>> {
    return this.answer(() => seekVersion(this.catalog, aggregateId, version))
  }

  async boundary(offset: Offset): Promise<Either<DiskError | Closed, Offset>> {
    return this.answer(() => boundaryBefore(this.catalog, offset))
  }

  async offsetAt(timestampMs: number): Promise<Either<DiskError | Corrupt | Closed, Offset>> {
    return this.answer(() => offsetAtTime(this.catalog, timestampMs))
  }

  async trimmedVersion(aggregateId: string): Promise<Either<DiskError | Closed, Version>> {
    return this.answer(() =>
      Promise.resolve(map((version: number) => version as Version)(this.catalog.trimmed.version(aggregateId)))
    )
  }

  segments(): readonly SegmentSummary[] {
    const { catalog } = this
    return catalog.segments.map((segment) => summaryOf(segment, segment !== catalog.active()))
  }

  async trim(before: Offset): Promise<Either<DiskError | Closed | ReadOnly | Poisoned | InvalidOffset, TrimReport>> {
    if (this.closed || this.closing !== undefined) return left(new Closed())
    if (this.writing === undefined) return left(new ReadOnly())
    if (before > this.end()) return left(new InvalidOffset(before, `lies beyond the end of the log at ${this.end()}`))
    return this.writing.trimmer.trim(before)
  }

  async sync(): Promise<Either<Poisoned | Closed | ReadOnly, void>> {
    if (this.closed) return left(new Closed())
    return this.writing === undefined ? left(new ReadOnly()) : this.writing.writer.sync()
  }

  async rebuildIndex(
    options: RebuildOptions
  ): Promise<Either<DiskError | Closed | ReadOnly | Aborted | InvalidOffset, void>> {
    if (this.closed) return left(new Closed())
    if (this.readOnly) return left(new ReadOnly())
    const { from = 0 } = options
    if (from > this.end()) return left(new InvalidOffset(from, `lies beyond the end of the log at ${this.end()}`))
    this.settledEnd = undefined
    return rebuildFrom(this.catalog, options, () => this.closed)
  }

  close(): Promise<Either<Poisoned | DiskError, void>> {
    this.closing ??= this.closeOnce()
    return this.closing
  }

  private async closeOnce(): Promise<Either<Poisoned | DiskError, void>> {
    const { writing, catalog, refresher } = this
    if (writing === undefined) {
      this.closed = true
      this.growth.close()
      refresher?.close()
      catalog.close()
      return right(undefined)
    }
    writing.stopTimer()
    // Readers go on until what was accepted is on disk.
    const flushing = writing.writer.close()
    // A trim that is under way may find that nothing on the disk is certain any more.
    await catalog.inTurn(() => Promise.resolve())
    const flushed = (await flushing)._tag === 'Left' ? await flushing : await writing.writer.sync()
    this.closed = true
    this.growth.close()
    const marked = flushed._tag === 'Left' ? flushed : await this.markClean(writing)
    writing.writer.release()
    writing.marker.close()
    catalog.close()
    writing.lock.release()
    return marked
  }

  /** Saves the index of the active segment, then says that the log is whole: the next open need not scan. */
  private async markClean(writing: WritingParts): Promise<Either<DiskError, void>> {
    const { catalog, settledEnd } = this
    const { end } = catalog.active()
    if (end === settledEnd && writing.marker.clean) return right(undefined)
    const saved = await catalog.saveActive()
    if (saved._tag === 'Left') return saved
    writing.marker.update(end, true)
    return writing.marker.sync()
  }

  private async confirm(): Promise<Either<DiskError | Closed, unknown>> {
    const stands = this.refresher === undefined || this.closed ? right(true) : this.refresher.stands()
    return stands._tag === 'Right' && !stands.right ? this.refresh() : stands
  }

  private async turn(): Promise<void> {
    this.reads = (this.reads + 1) % readsPerTurn
    if (this.reads === 0) await setImmediate()
  }

  /** Asks a question of the log as it is now; again, when it was trimmed meanwhile. */
  private async answer<E, T>(
    question: () => Promise<Either<E | DiskError, T>>
  ): Promise<Either<E | DiskError | Closed, T>> {
    for (;;) {
      const refreshed = await this.refresh()
      if (refreshed._tag === 'Left') return refreshed
      const { first } = this.catalog
      const answer = await question()
      // A trim by another process may be why a file is gone.
      if (answer._tag === 'Left' && this.readOnly) await this.refresh()
      if (answer._tag === 'Left' && this.closed) return left(new Closed())
      if (this.catalog.first === first) return answer
    }
  }
}

function openContext(folder: string, options: StoreOptions, lock: Recovery['lock']): OpenContext {
  const { disk, slot, clock, entropy, readOnly, create } = options
  return { folder, disk, slot, readOnly, create, lock, nowMs: clock.nowMs, newLogId: () => entropy.u32() }
}

function recoveredBy(store: LocalStore): Omit<RecoverMessage, 'folder' | 'durationMs'> {
  const { clean, scannedBytes, torn, damage } = store.recovery
  const { readOnly } = store
  return { readOnly, clean, nextOffset: store.end(), scannedBytes, tornBytes: torn?.bytes ?? 0, damaged: damage.length }
}

function isMissing(error: OpenError): boolean {
  return error._tag === 'DiskFailed' && error.errno === 'ENOENT'
}

/** The timestamp that the next event must not fall behind. */
function lastTimestampMs(catalog: Catalog): number {
  let last = catalog.trimmed.lastTimestampMs
  for (const { index } of catalog.segments) last = Math.max(last, index.lastTimestampMs)
  return last
}
