// Keeps a reader's cursor: says with it what it rests on, and every now and then that the reader is alive.
//
// Invariant: `cursor` is what the place has saved last. Changes take turns, so each one sees what the last has left.

import { left, map, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import type { CursorNote } from '../core/cursor.ts'
import { Closed, type DiskError } from '../core/error.ts'
import type { Clock } from '../port/clock.ts'
import type { CursorPlace } from '../port/cursor.ts'
import type { Durability, Store } from '../port/store.ts'

export interface KeeperOptions {
  readonly store: Store
  readonly place: CursorPlace
  readonly clock: Clock
  readonly pid: number
  readonly heartbeatMs: number
  /** What is known already of how far the log is on disk. */
  readonly certain: Print | undefined
}

/** An offset, and what tells the events before it from others. */
export interface Print {
  readonly offset: number
  readonly print: number | undefined
}

export class CursorKeeper {
  private readonly options: KeeperOptions
  private readonly stopBeating: () => void
  private kept: Offset
  /** What stood before it; undefined where nothing does, and before it was saved. */
  private keptPrint: number | undefined
  /** The greatest offset up to `kept` that was known to be on disk in the log, and what stood before it. */
  private certain: Print
  /** The note that was synced last has said this. */
  private syncedNote: CursorNote | undefined
  /** The change under way; it settles without a rejection. */
  private changing: Promise<unknown> = Promise.resolve()
  /** Whether a heartbeat waits for its turn: one is enough. */
  private beating = false
  private closed = false

  constructor(cursor: Offset, options: KeeperOptions) {
    this.options = options
    this.kept = cursor
    this.certain = options.certain ?? { offset: 0, print: undefined }
    this.stopBeating = options.clock.every(options.heartbeatMs, () => this.beat())
  }

  /** What the reader has committed. */
  get cursor(): Offset {
    return this.kept
  }

  /** Runs a change of the cursor when those before it are done. */
  change<E, A>(work: () => Promise<Either<E, A>>): Promise<Either<E | Closed, A>> {
    if (this.closed) return Promise.resolve(left(new Closed('reader')))
    const changed = this.changing.then(work)
    // Whoever asked for it hears of a defect; those behind it go on.
    this.changing = changed.catch(() => {})
    return changed
  }

  /** Moves the cursor, within a change. Answers what is certain of it: no power cut takes that from the log. */
  async save(cursor: Offset, durability: Durability): Promise<Either<DiskError, Offset>> {
    const note = this.noteOf(cursor, this.options.pid)
    const saved = note._tag === 'Left' ? note : await this.options.place.save(note.right, durability)
    if (saved._tag === 'Left' || note._tag === 'Left') return saved as Either<DiskError, never>
    this.kept = cursor
    this.keptPrint = note.right.cursorPrint
    if (durability === 'synced') this.syncedNote = note.right
    return right(note.right.certain as Offset)
  }

  /** Says that the reader is closed, and gives its place back. */
  async close(): Promise<Either<DiskError, void>> {
    // Behind the changes under way, and what comes now finds the reader closed.
    this.stop()
    await this.changing
    const note = this.noteOf(this.kept, 0)
    const said = note._tag === 'Left' ? note : await this.options.place.save(note.right, 'synced')
    await this.options.place.close()
    return said
  }

  /** Ends it without a word; the place stays open. */
  stop(): void {
    this.closed = true
    this.stopBeating()
  }

  /** A heartbeat that fails is missed, no more: what it would have said is said by the next one. */
  private beat(): void {
    if (this.beating) return
    this.beating = true
    void this.change(async () => {
      this.beating = false
      const note = this.noteOf(this.kept, this.options.pid)
      if (note._tag === 'Left') return note
      // Now and then on disk: retention goes by what is known there.
      const { syncedNote } = this
      const isNews = syncedNote?.cursor !== note.right.cursor || syncedNote.certain !== note.right.certain
      const saved = await this.options.place.save(note.right, isNews ? 'synced' : 'buffered')
      if (saved._tag === 'Right' && isNews) this.syncedNote = note.right
      return saved
    })
  }

  private noteOf(cursor: Offset, pid: number): Either<DiskError, CursorNote> {
    const { store, clock, heartbeatMs } = this.options
    const durable = store.durable()
    if (durable._tag === 'Left') return durable
    // Once on disk, always on disk, whatever the log can still tell of it.
    const certain = Math.min(cursor, Math.max(durable.right, this.certain.offset)) as Offset
    const cursorPrint = this.printOf(cursor)
    const certainPrint = certain === cursor ? cursorPrint : this.printOf(certain)
    if (cursorPrint._tag === 'Left') return cursorPrint
    return map((print: number | undefined): CursorNote => {
      this.certain = { offset: certain, print }
      const alive = { heartbeatMs: clock.nowMs(), heartbeatEveryMs: heartbeatMs, pid }
      return { cursor, certain, cursorPrint: cursorPrint.right, certainPrint: print, ...alive }
    })(certainPrint)
  }

  private printOf(offset: Offset): Either<DiskError, number | undefined> {
    const { store } = this.options
    if (offset === this.certain.offset && offset > 0) return right(this.certain.print)
    // As it was when the cursor came there: other events may stand there by now.
    if (offset === this.kept && this.keptPrint !== undefined) return right(this.keptPrint)
    // What stood before the first event that is kept is gone.
    return offset <= store.first() ? right(undefined) : store.fingerprint(offset)
  }
}
