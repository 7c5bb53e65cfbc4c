// A durable reader: hands out the log's events one after the other, goes on live, and keeps how far its owner has got.
// Delivery is at least once: after a crash it begins again at the cursor.
//
//   ── handled, committed ──┤ cursor ├── handed out ──┤ position ├── in the log, not asked for yet ──┤ end
//
// Invariant: cursor ≤ position; everything before the position that matches was handed out, or seeked over.

import { left, map, right, type Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Offset } from '../core/brand.ts'
import { Closed, InvalidArgument, type DiskError, type Poisoned, type ReadOnly } from '../core/error.ts'
import type { StoredEvent } from '../core/event.ts'
import type { QueryItem } from '../core/query.ts'
import { Aborted, InvalidOffset, type ReplayError } from '../core/read-error.ts'
import type { EventReader, Store } from '../port/store.ts'
import { endsFollowing, FollowReader } from './follow.ts'
import type { CursorKeeper } from './keeper.ts'
import { orThrow } from './or-throw.ts'
import type { ReplayElement, TypedReader } from './replay.ts'
import { offsetFault } from './request.ts'
import { boundaryFault, lagBehind, offsetOf, type ReaderLag, type SeekTarget } from './seek.ts'
import { Turns } from './turns.ts'

/** Where a reader was set back on opening, and from where. */
export interface ReaderRecovered {
  readonly from: Offset
  readonly to: Offset
}

export interface ReaderHost<E> {
  readonly store: Store
  readonly keeper: CursorKeeper
  readonly decode: (source: EventReader) => TypedReader<E>
  readonly query: readonly QueryItem[]
  readonly writerLostMs: number
  readonly recovered: ReaderRecovered | undefined
  /** Called once, when the reader has been closed. */
  readonly onClosed: () => void
}

interface Source<E> {
  readonly reader: TypedReader<E>
  readonly following: FollowReader
  /** Whether it has come to the log's end: from then on it has little to lose. */
  hasCaughtUp: boolean
  /** The next batch, while it is waited for: until then it belongs to whoever asks next. */
  pulling: Promise<void> | undefined
}

export class Reader<E> implements AsyncIterable<ReplayElement<E>>, AsyncDisposable {
  readonly name: string
  /** Set if a power cut had taken events of the log that this reader had handled: it begins again at `to`. */
  readonly recovered: ReaderRecovered | undefined
  private readonly host: ReaderHost<E>
  private at: Offset
  /** Reads on from the position; none at first, behind an error, and after a seek. */
  private source: Source<E> | undefined
  /** What was read last, and how much of it was handed out. */
  private batch: readonly ReplayElement<E>[] = []
  private taken = 0
  /** Those who ask for what comes next. */
  private readonly turns = new Turns(() => this.rest())
  /** Where the last source waited when nobody asked any more, and what stood before it. */
  private rested: { readonly at: Offset; readonly print: number | undefined } | undefined
  private closing: Promise<Either<DiskError, void>> | undefined

  constructor(name: string, host: ReaderHost<E>) {
    this.name = name
    this.host = host
    this.recovered = host.recovered
    this.at = host.keeper.cursor
  }

  /** What was committed: delivery begins here when the reader is opened again. */
  get cursor(): Offset {
    return this.host.keeper.cursor
  }

  /** Everything before it that matches was handed out. */
  get position(): Offset {
    return this.at
  }

  /**
   * The next event; waits for one at the end of the log. A Left tells what stands in an event's place, or that reading
   * failed; the next call goes on behind the one, and tries the other again. Calls at the same time take turns, and each
   * event goes to one of them: for two independent runs through the log, open two readers.
   * @example const { event } = await orThrow(reader.next())
   */
  next(options: { readonly signal?: AbortSignal | undefined } = {}): TaskEither<ReplayError, StoredEvent<E>> {
    return () => this.takeOne(options.signal)
  }

  /** The events from the position on, as `next` hands them out. Ends behind an error that is not in the log itself. */
  [Symbol.asyncIterator](): AsyncIterator<ReplayElement<E>> {
    return iteratorOf(
      (signal) => this.takeOne(signal),
      (element) => element
    )
  }

  /** The same in arrays, some hundreds each; the position is behind the last one of an array that was handed out. */
  readBatches(): AsyncIterable<readonly ReplayElement<E>[]> {
    const take = (signal: AbortSignal): Promise<readonly ReplayElement<E>[]> => this.takeRest(signal)
    return { [Symbol.asyncIterator]: () => iteratorOf(take, (batch) => batch.at(-1)) }
  }

  /**
   * Says that everything before `offset` is handled, by default everything that was handed out when it is run. The offset
   * is the `nextOffset` of an event, from the cursor to the position; else InvalidOffset. Survives a crash of the process.
   * @example await orThrow(reader.commit(stored.nextOffset))
   */
  commit(offset?: Offset): TaskEither<ReplayError, void> {
    return async () => map(() => undefined)(await this.commitAt(offset, (to) => this.host.keeper.save(to, 'buffered')))
  }

  /**
   * As `commit`, and survives a power cut; first the log is synced up to there. A log that was opened with readOnly cannot
   * be synced from here. So the answer is what is certain: no event before this offset comes again after a power cut. In
   * the writer's process that is the cursor; elsewhere it may be less, until the writer syncs.
   */
  commitSync(offset?: Offset): TaskEither<ReplayError | Poisoned | ReadOnly, Offset> {
    return () =>
      this.commitAt<Poisoned | ReadOnly | Closed | DiskError>(offset, async (to) => {
        const synced = await this.syncLog(to)
        return synced._tag === 'Left' ? synced : this.host.keeper.save(to, 'synced')
      })
  }

  /**
   * Goes on elsewhere: the cursor and the position move there, as durable as `commit` is. Answers the offset.
   * @example await orThrow(reader.seek({ timestampMs: Date.now() - 3_600_000 }))
   */
  seek(target: SeekTarget): TaskEither<ReplayError, Offset> {
    return () =>
      this.host.keeper.change(async () => {
        const found = await offsetOf(this.host.store, target)
        const saved = found._tag === 'Left' ? found : await this.host.keeper.save(found.right, 'buffered')
        if (saved._tag === 'Left') return saved
        this.forget()
        this.at = this.cursor
        return found
      })
  }

  /** How far the cursor is behind the log's end, by the index alone. */
  lag(): TaskEither<DiskError | Closed, ReaderLag> {
    return () => {
      if (this.closing !== undefined) return Promise.resolve(left(new Closed('reader')))
      return lagBehind(this.host.store, this.host.query, this.cursor)
    }
  }

  /** Says, on disk, that the reader is closed where its cursor is, and lets others open it. May be called again. */
  close(): TaskEither<DiskError, void> {
    return () => {
      this.closing ??= this.closeOnce()
      return this.closing
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return orThrow(this.close())
  }

  private async closeOnce(): Promise<Either<DiskError, void>> {
    // Not before `closing` is set: who is woken by this must find the reader closed.
    await Promise.resolve()
    this.forget()
    const closed = await this.host.keeper.close()
    this.host.onClosed()
    return closed
  }

  private takeOne(signal: AbortSignal | undefined): Promise<ReplayElement<E>> {
    const pick = (): ReplayElement<E> => this.handOut(1)[0] as ReplayElement<E>
    const isReady = this.turns.isEmpty && this.taken < this.batch.length
    if (isReady && this.closing === undefined && signal?.aborted !== true) return Promise.resolve(pick())
    return this.inTurn(signal, pick, left)
  }

  private takeRest(signal: AbortSignal): Promise<readonly ReplayElement<E>[]> {
    const failed = (error: ReplayError): readonly ReplayElement<E>[] => [left(error)]
    return this.inTurn(signal, () => this.handOut(this.batch.length), failed)
  }

  /** Waits until those who came before are served and something was read, and picks from that. */
  private inTurn<A>(signal: AbortSignal | undefined, pick: () => A, failed: (error: ReplayError) => A): Promise<A> {
    return this.turns.take(signal, async () => {
      while (this.taken === this.batch.length || this.closing !== undefined || signal?.aborted === true) {
        if (this.closing !== undefined) return failed(new Closed('reader'))
        if (signal?.aborted === true) return failed(new Aborted(signal.reason))
        await this.fill(signal)
      }
      // In the same turn of the event loop as the check: a seek empties the batch.
      return pick()
    })
  }

  private handOut(most: number): readonly ReplayElement<E>[] {
    const elements = this.batch.slice(this.taken, this.taken + most)
    this.taken += elements.length
    for (const element of elements) {
      if (element._tag === 'Right') this.at = element.right.nextOffset
      else if ('nextOffset' in element.left) this.at = element.left.nextOffset
    }
    return elements
  }

  /** Reads the next batch, or waits for it. One who gives up leaves it to the next one. */
  private async fill(signal: AbortSignal | undefined): Promise<void> {
    const source = (this.source ??= this.open())
    source.pulling ??= this.pull(source)
    await settledOrAborted(source.pulling, signal)
  }

  private open(): Source<E> {
    const { store, query, writerLostMs, decode } = this.host
    // Nothing that was read waits to be handed out while the source is asked for more.
    const onCaughtUp = (at: Offset): void => {
      if (this.source !== source) return
      this.at = at
      source.hasCaughtUp = true
      if (this.turns.isEmpty) this.rest()
    }
    const print = this.rested?.at === this.at ? this.rested.print : undefined
    this.rested = undefined
    const request = { from: this.at, print, query, limit: undefined, signal: undefined, writerLostMs, onCaughtUp }
    const following = new FollowReader(store, request)
    const source: Source<E> = { reader: decode(following), following, hasCaughtUp: false, pulling: undefined }
    return source
  }

  private async pull(source: Source<E>): Promise<void> {
    const batch = await source.reader.next()
    if (this.source !== source) return
    source.pulling = undefined
    this.batch = batch ?? []
    this.taken = 0
    if (batch === undefined || endsReading(batch.at(-1))) this.source = undefined
  }

  /**
   * Nobody asks: a source that waits for nobody would keep the process alive. One that has not come to the log's end yet
   * goes on until it does, so that whoever asks again and again for a short time comes to it as well.
   */
  private rest(): void {
    const { source } = this
    if (source?.pulling === undefined || !source.hasCaughtUp) return
    this.source = undefined
    this.rested = { at: this.at, print: source.following.print }
    source.reader.close()
  }

  /** Drops what was read and not handed out. */
  private forget(): void {
    this.rested = undefined
    this.source?.reader.close()
    this.source = undefined
    this.batch = []
    this.taken = 0
  }

  private async commitAt<F>(
    offset: Offset | undefined,
    save: (to: Offset) => Promise<Either<F, Offset>>
  ): Promise<Either<F | ReplayError, Offset>> {
    // Now, and not when it is its turn: what is handed out in between is not meant.
    const to = offset ?? this.at
    const fault = offsetFault('offset', to)
    if (fault !== undefined) return left(new InvalidArgument(fault.argument, fault.reason))
    return this.host.keeper.change<F | ReplayError, Offset>(async () => {
      const wrong = await this.commitFault(to)
      return wrong === undefined ? save(to) : left(wrong)
    })
  }

  private async commitFault(to: Offset): Promise<ReplayError | undefined> {
    const { cursor, at } = this
    if (to < cursor || to > at)
      return new InvalidOffset(to, `is not between the cursor at ${cursor} and the position at ${at}`)
    const isEnd = (element: ReplayElement<E>): boolean => element._tag === 'Right' && element.right.nextOffset === to
    const isKnown = to === at || to === cursor || this.batch.slice(0, this.taken).some(isEnd)
    return isKnown ? undefined : boundaryFault(this.host.store, to)
  }

  private async syncLog(to: Offset): Promise<Either<Poisoned | ReadOnly | Closed | DiskError, void>> {
    const { store } = this.host
    const durable = store.durable()
    if (durable._tag === 'Left') return durable
    return store.readOnly || durable.right >= to ? right(undefined) : store.sync()
  }
}

function endsReading(element: ReplayElement<unknown> | undefined): boolean {
  return element?._tag === 'Left' && endsFollowing(element.left)
}

/** Who leaves takes nothing any more: not for a `next` that waits either. */
function iteratorOf<E, A>(
  take: (signal: AbortSignal) => Promise<A>,
  lastOf: (item: A) => ReplayElement<E> | undefined
): AsyncIterator<A> {
  const leaving = new AbortController()
  const { signal } = leaving
  let done = false
  return {
    next: async () => {
      if (done) return { done: true, value: undefined }
      const value = await take(signal)
      const last = lastOf(value)
      if (endsReading(last)) done = true
      const isGivenUp = signal.aborted && last?._tag === 'Left' && last.left._tag === 'Aborted'
      return isGivenUp ? { done: true, value: undefined } : { done: false, value }
    },
    return: () => {
      done = true
      leaving.abort()
      return Promise.resolve({ done: true, value: undefined })
    }
  }
}

/** Resolves when the task does, or when the signal fires. */
function settledOrAborted(task: Promise<void>, signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined) return task
  return new Promise((resolve, reject) => {
    const settle = (): void => {
      signal.removeEventListener('abort', settle)
      resolve()
    }
    signal.addEventListener('abort', settle, { once: true })
    task.then(settle, reject)
  })
}
