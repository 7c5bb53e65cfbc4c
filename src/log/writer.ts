// The one writer of a log: takes batches in the order of the calls, writes them in groups, and makes them durable in
// groups.
//
//   append ─► queue ─► group ─write─► buffered ─sync─► synced
//                        │                     │
//                        └─ full ─► roll       └─ failed ─► poisoned, for good
//
// State: `queue` holds what was taken and is not written; `tail` says where the log ends; `synced` how much of that is
// known to be on disk, and whose batches are written and must be synced first.
//
// Invariants
// - synced.durable ≤ tail.end; the end that somebody waits for lies in (synced.durable, tail.end].
// - Batches are planned at the moment they are written, each behind the one before, so a batch that fails (condition,
//   size, full disk) leaves no trace in those behind it.
// - One write, one roll and one sync at a time. A sync vouches for what was written before it began, never for more.
// - A segment's name exists only after everything before it is on disk, so a sealed segment has no torn tail.
// - After a failed sync nothing is written any more, and nothing that was not yet vouched for is acknowledged.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { Closed, Overloaded, Poisoned, type AppendError, type DiskError } from '../core/error.ts'
import { frameOverheadBytes } from '../core/frame.ts'
import { headerBytes } from '../core/header.ts'
import { groupBytes } from '../core/limit.ts'
import type { Clock } from '../port/clock.ts'
import type { DiskFile } from '../port/disk.ts'
import type { AppendRequest, Receipt } from '../port/store.ts'
import type { Catalog, StaleIndex } from './catalog.ts'
import { findWritten } from './duplicate.ts'
import { Group, type Pending, type PlannedBatch } from './group.ts'
import { GroupSync } from './group-sync.ts'
import { FrameBuffer, planBatch, type Tail } from './plan.ts'
import type { Marker } from './marker.ts'
import { segmentName } from './segment.ts'
import { Spare } from './spare.ts'
import { tellWritten, timedRange } from './told.ts'
import { Turn } from './turn.ts'
import { IndexUpkeep } from './upkeep.ts'

export interface WriterOptions {
  readonly catalog: Catalog
  readonly marker: Marker
  readonly clock: Clock
  /** The active segment's file. */
  readonly file: DiskFile
  readonly segmentBytes: number
  readonly logBytes: number | undefined
  readonly pendingBytes: number
  readonly checkpointBytes: number
}

export class Writer {
  private readonly options: WriterOptions
  private readonly buffer = new FrameBuffer()
  /** The active segment's file; replaced when the segment rolls. */
  private file: DiskFile
  private tail: Tail
  private readonly synced: GroupSync
  private queue: Pending[] = []
  /** The batches that are being written, from when they leave the queue. */
  private group: readonly PlannedBatch[] = []
  /** Bytes of the batches whose callers wait, as counted when they were taken. */
  private pendingBytes = 0
  /** Bytes of the batches in `queue`. */
  private queuedBytes = 0
  private readonly turn = new Turn(
    () => this.flush(),
    () => this.upkeep.isBusy
  )
  /** While set, nothing is written: a roll, or the rebuilding of an index that a plan needs. */
  private pause: Promise<void> | undefined
  private readonly upkeep: IndexUpkeep
  private readonly spare: Spare
  /** How many batches are still to be written alone, after a write of several failed. */
  private alone = 0
  private poison: Poisoned | undefined
  private closing = false
  /** Told when the log has grown. */
  private grown: () => void = () => {}

  constructor(options: WriterOptions, start: { readonly tail: Tail; readonly durable: number }) {
    this.options = options
    this.file = options.file
    this.tail = start.tail
    const { catalog, checkpointBytes, marker } = options
    const sync = {
      file: () => this.file,
      end: () => this.tail.end,
      begun: () => timedRange('sync', options),
      vouched: (until: number) => marker.update(until),
      failed: (error: DiskError) => this.poisonBy(error)
    }
    this.synced = new GroupSync(sync, start.durable)
    const synced = async (end: number): Promise<boolean> => (await this.synced.to(end))._tag === 'Right'
    this.spare = new Spare(catalog.options.disk, catalog.options.folder)
    this.spare.clear()
    this.upkeep = new IndexUpkeep({ catalog, checkpointBytes, synced, isClosing: () => this.closing }, start.tail.end)
  }

  append(request: AppendRequest): Promise<Either<AppendError, Receipt>> {
    if (this.closing) return Promise.resolve(left(new Closed()))
    if (this.poison !== undefined) return Promise.resolve(left(this.poison))
    let bytes = 0
    for (const event of request.events) bytes += event.json.length + frameOverheadBytes
    const { pendingBytes: limit } = this.options
    if (this.pendingBytes > 0 && this.pendingBytes + bytes > limit) {
      return Promise.resolve(left(new Overloaded(this.pendingBytes, limit)))
    }
    return new Promise((settle) => {
      this.queue.push({ request, bytes, settle })
      this.pendingBytes += bytes
      this.queuedBytes += bytes
      this.turn.note(bytes)
      // A caller who appends without ever letting go of the thread must not gather memory without end.
      if (this.queuedBytes >= groupBytes) this.flush()
      else this.turn.schedule()
    })
  }

  /** Whom to tell when the log has grown. */
  onGrown(grown: () => void): void {
    this.grown = grown
  }

  /** Everything before this offset is on disk. */
  get durableEnd(): number {
    return this.synced.durable
  }

  /** Resolves when everything taken so far is on disk. */
  async sync(): Promise<Either<Poisoned, void>> {
    await this.drain()
    return this.synced.to(this.tail.end)
  }

  /** Starts a sync if there is something to sync; nobody waits for it. */
  syncInBackground(): void {
    if (this.tail.end > this.synced.durable) this.synced.start()
  }

  /**
   * Takes no more appends, writes and syncs those it took, and waits for the indexes of sealed segments. The file
   * stays open for the caller, who closes it by `release`.
   */
  async close(): Promise<Either<Poisoned, void>> {
    this.closing = true
    const synced = await this.sync()
    await this.synced.ended()
    await this.upkeep.finished()
    await this.spare.drop()
    return synced
  }

  release(): void {
    this.file.close()
  }

  /** Resolves when the queue is written or refused. */
  private async drain(): Promise<void> {
    while (this.queue.length > 0 || this.pause !== undefined) {
      if (this.pause === undefined) this.flush()
      await this.pause
    }
  }

  /** Writes the queue, group by group, until it is empty or a pause begins. */
  private flush(): void {
    while (this.queue.length > 0 && this.pause === undefined) {
      if (this.poison !== undefined) this.refuseAll(this.poison)
      else this.writeGroupOrStop()
    }
  }

  /** An assertion that fails while batches are planned stops the log: everybody who waits is told, and nobody is taken. */
  private writeGroupOrStop(): void {
    try {
      this.writeGroup()
    } catch (error) {
      this.poisonBy(error)
      // They are in no queue any more; whoever was told already is not told again.
      for (const { pending } of this.group) this.settle(pending, left(this.poison as Poisoned))
    }
    this.group = []
  }

  private writeGroup(): void {
    this.buffer.length = 0
    const group = this.planGroup()
    this.group = group
    if (group.length === 0) return
    const position = this.tail.end - this.options.catalog.active().base + headerBytes
    this.options.marker.begin()
    const written = this.file.writeSync(this.buffer.bytes(), position)
    if (written._tag === 'Right') this.commit(group)
    else this.undoWrite(group, position, written.left)
  }

  /** Plans batches from the head of the queue into the buffer and takes them off it; refused ones are settled. */
  private planGroup(): readonly PlannedBatch[] {
    const { catalog, clock, segmentBytes } = this.options
    const { base } = catalog.active()
    const { buffer } = this
    const group = new Group(this.options, { buffer, nowMs: clock.nowMs(), durable: this.synced.durable })
    const { batches } = group
    let { tail } = this
    let taken = 0
    while (taken < this.queue.length && this.buffer.length < groupBytes && (this.alone === 0 || batches.length === 0)) {
      const pending = this.queue[taken] as Pending
      const before = this.buffer.length
      const plan = planBatch(pending.request, tail, group)
      const full = plan._tag === 'Right' && plan.right.tail.end - base > segmentBytes && tail.end > base
      // A refusal may rest on batches that are planned and not written: it is final only behind what is written.
      const premature = plan._tag === 'Left' && batches.length > 0
      const refused = plan._tag === 'Left' && !premature && group.stale === undefined
      if (refused) group.stale = this.answerRefused(pending, plan.left)
      if (group.stale !== undefined || full || premature) {
        this.buffer.length = before
        // What is planned is written first; the next round finds this batch at the head.
        if (batches.length === 0) this.hold(group.stale === undefined ? this.roll() : this.rebuild(group.stale))
        break
      }
      taken++
      this.queuedBytes -= pending.bytes
      if (plan._tag === 'Left') continue
      group.add(pending, plan.right)
      tail = plan.right.tail
    }
    if (taken === this.queue.length) this.queue = []
    else this.queue.splice(0, taken)
    return batches
  }

  /** A batch whose condition failed may have been written by an earlier call: then it gets that call's receipt. */
  private answerRefused(pending: Pending, error: AppendError): StaleIndex | undefined {
    const { request } = pending
    const written = error._tag === 'ConditionFailed' ? findWritten(this.options.catalog, request) : right(undefined)
    if (written._tag === 'Left') {
      if (written.left._tag === 'StaleIndex') return written.left
      this.settle(pending, written as Either<AppendError, never>)
    } else if (written.right === undefined) {
      this.settle(pending, left(error))
    } else {
      this.acknowledge(pending, { ...written.right, durability: request.durability, duplicate: true })
      this.synced.startForWaiters()
    }
    return undefined
  }

  private commit(group: readonly PlannedBatch[]): void {
    const active = this.options.catalog.active()
    const index = this.options.catalog.growing()
    const before = this.tail.end
    for (const { pending, plan } of group) {
      for (const frame of plan.frames) index.add(frame, frame.event)
      this.tail = plan.tail
      active.end = plan.tail.end
      this.acknowledge(pending, plan.receipt)
    }
    assert(this.tail.end === before + this.buffer.length, 'the log ends behind what was written')
    this.alone = Math.max(0, this.alone - group.length)
    this.synced.startForWaiters()
    this.upkeep.grown(this.tail.end)
    this.prepareRoll()
    this.grown()
    // Last, since a subscriber may append.
    tellWritten(group, this.options)
  }

  /** Settles a batch that is written, when it is as durable as its caller wants it. */
  private acknowledge(pending: Pending, receipt: Receipt): void {
    const { nextOffset: end, durability } = receipt
    if (durability === 'buffered' || end <= this.synced.durable) return this.settle(pending, right(receipt))
    const settle = (synced: Either<Poisoned, void>): void =>
      this.settle(pending, synced._tag === 'Left' ? synced : right(receipt))
    this.synced.wait({ end, settle })
  }

  /**
   * A write failed and may have left any part of itself: the file is cut back to the log's end, for good. One batch
   * gets the error; of several none is to blame yet, so each is tried again alone.
   */
  private undoWrite(group: readonly PlannedBatch[], position: number, error: DiskError): void {
    const cut = this.file.truncate(position)
    if (cut._tag === 'Left') {
      this.poisonBy(error)
      for (const { pending } of group) this.settle(pending, left(this.poison as Poisoned))
    } else if (group.length === 1) {
      this.alone = Math.max(0, this.alone - 1)
      const { pending } = group[0] as PlannedBatch
      this.hold(this.syncCut().then(() => this.settle(pending, left(this.poison ?? error))))
    } else {
      this.alone = Math.max(this.alone, group.length)
      this.queue.unshift(...group.map(({ pending }) => pending))
      for (const { pending } of group) this.queuedBytes += pending.bytes
      this.hold(this.syncCut())
    }
  }

  /** What was cut off comes back with a power cut, and may even verify, until a sync that began behind the cut. */
  private async syncCut(): Promise<void> {
    await this.synced.ended()
    this.synced.start()
    await this.synced.ended()
  }

  private settle(pending: Pending, result: Either<AppendError, Receipt>): void {
    this.pendingBytes -= pending.bytes
    pending.settle(result)
  }

  private refuseAll(error: AppendError): void {
    const refused = this.queue
    this.queue = []
    this.queuedBytes = 0
    for (const pending of refused) this.settle(pending, left(error))
  }

  /** Writes nothing until `work` is done. */
  private hold(work: Promise<void>): void {
    this.pause = work.finally(() => {
      this.pause = undefined
      this.flush()
    })
  }

  private async rebuild(stale: StaleIndex): Promise<void> {
    const rebuilt = await this.options.catalog.rebuild(stale.segment)
    if (rebuilt._tag === 'Left') this.refuseHead(rebuilt.left)
  }

  /** The batch at the head of the queue cannot be written; those behind it may. */
  private refuseHead(error: AppendError): void {
    const head = this.queue.shift()
    if (head === undefined) return
    this.queuedBytes -= head.bytes
    this.settle(head, left(error))
  }

  /** Seals the active segment and opens the next one at the log's end. */
  private async roll(): Promise<void> {
    const tell = timedRange('roll', this.options)
    await this.synced.to(this.tail.end)
    // Bounds the indexes in memory.
    await this.upkeep.room()
    if (this.poison !== undefined) return
    const { catalog, clock } = this.options
    const baseOffset = this.tail.end
    this.options.marker.begin()
    const { logId } = catalog.options
    const created = await this.spare.take({ createdAt: clock.nowMs(), baseOffset, logId })
    if (created._tag === 'Left') {
      const { error, poisons } = created.left
      if (poisons) this.poisonBy(error)
      else this.refuseHead(error)
      return
    }
    // If a save or a merge has failed to sync the folder meanwhile, our own success means nothing; in the next turn it
    // is told.
    await nextTurn()
    if (this.poison !== undefined) return created.right.close()
    this.file.close()
    this.file = created.right
    const sealed = catalog.active()
    // Not the file's own path, which may still be the spare's.
    catalog.begin(baseOffset, `${catalog.options.folder}/${segmentName(baseOffset)}`)
    this.upkeep.sealed(sealed)
    tell?.(sealed.base, baseOffset)
  }

  /** Does what the next roll would wait for, while nobody waits: the next segment's file, and most of the sync. */
  private prepareRoll(): void {
    const { catalog, segmentBytes } = this.options
    if ((this.tail.end - catalog.active().base) * 4 < segmentBytes * 3 || this.closing) return
    this.spare.prepare()
    if ((this.tail.end - this.synced.durable) * 32 > segmentBytes) this.synced.start()
  }

  /** Nothing is known about the disk any more: everybody who waits is told, and nobody is taken. */
  poisonBy(cause: unknown): void {
    this.poison ??= new Poisoned(cause)
    this.synced.stop(this.poison)
    this.refuseAll(this.poison)
  }
}
