// Fan-in: many sources become one stream in the order of (timestamp, name of the source, the source's own order).
//
// State: a lane for each source that has not ended, with at most one element in it; `requests`, the calls of `next`
// that wait; `front`, the furthest place handed out; `alarm`, when the clock will let the foremost element go.
//
// Invariants
// - Sources are asked only while a request waits, each for one element at a time: what is read ahead is one head a
//   source, and the batch behind it that the source itself holds. Requests are served in the order of the calls.
// - Without a watermark an element goes out when every source that has not ended has a head: then the result depends on
//   the sources alone, and a silent source holds up all others. With one, a source is waited for until it has been
//   silent for `lagMs`, since the element's timestamp and since it was asked: what then comes from before the front goes
//   out at once, marked late. A source that is added while the merge runs may bring late elements too.
// - Every element is handed out once, or never when the merge ends or its source is removed before.
//
// How it ends, and what becomes of the sources: each that was opened is closed once, however it ends.
// - The last source has ended or was removed: done. (To exchange the last one, add before you remove.)
// - `break`, `return`: done, once the sources are closed.
// - Abort: Left(Aborted) at once, without what was read before; then done.
// - A source throws (a defect, since its errors are values): the merge ends at once, and rejects with it when the other
//   sources are closed. What they throw on top of it, or by themselves at a `break`, is combined and rejected too.

import { left, right } from 'fp-ts/lib/Either.js'
import type { Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Offset } from '../core/brand.ts'
import { InvalidArgument } from '../core/error.ts'
import type { StoredEvent } from '../core/event.ts'
import { Aborted } from '../core/read-error.ts'
import type { Clock } from '../port/clock.ts'
import { choose, furthest, type Choice, type Place } from './merge-order.ts'
import { Lane, SourceFailed, type Head, type Source } from './merge-source.ts'

/** The errors of a source; those of its commit. */
type ErrorOf<S> = S extends { readonly events: AsyncIterable<Either<infer E, unknown>> } ? E : never
type CommitErrorOf<S> = S extends { readonly commit?: infer F }
  ? F extends (offset: Offset) => TaskEither<infer C, unknown>
    ? C
    : never
  : never

/** An event of a merge: as its source has it, with the source's name. */
export type MergedEvent<S extends Source> =
  S extends Source<unknown, infer A>
    ? StoredEvent<A> & {
        readonly source: S['name']
        /** Whether an event behind this one was handed out before it. */
        readonly late: boolean
      }
    : never

/** An element of a merge. SourceFailed stands in the place of an event of its source; the others end the merge. */
export type MergeElement<S extends Source> = Either<
  SourceFailed<ErrorOf<S>> | Aborted | InvalidArgument,
  MergedEvent<S>
>

export interface MergeOptions {
  /**
   * How long a silent source is waited for: an element goes out when every source has one, or when those that have none
   * have been silent for `lagMs`, since the element's timestamp by the clock and since they were asked. Without it every
   * source is waited for, however long.
   */
  readonly watermark?: { readonly lagMs: number; readonly clock?: Clock | undefined } | undefined
  readonly signal?: AbortSignal | undefined
}

interface Request<T> {
  readonly resolve: (step: IteratorResult<T> | Promise<IteratorResult<T>>) => void
}

/** Timers count no further. */
const delayMsMax = 0x7fff_ffff

/** Several sources as one stream, to be iterated once. */
export class Merge<S extends Source> implements AsyncIterableIterator<MergeElement<S>>, AsyncDisposable {
  private readonly options: MergeOptions
  private readonly clock: Clock
  /** By name. Those that have ended leave at the next step. */
  private readonly lanes = new Map<string, Lane>()
  /** By name, also of sources that have ended: what they handed out last is still to be committed. */
  private readonly commits = new Map<string, Source['commit']>()
  private readonly requests: Request<MergeElement<S>>[] = []
  private front: Place | undefined
  /** What the clock said last. Only grows, whatever the clock does. */
  private nowMs = Number.NEGATIVE_INFINITY
  private alarm: { readonly untilMs: number; readonly stop: () => void } | undefined
  /** Set when the merge has ended; resolves when the sources are closed. */
  private closing: Promise<void> | undefined
  /** What is still to be handed out though the merge has ended. */
  private lastWord: MergeElement<S> | undefined
  /** What the sources have thrown; whoever asks next gets it. */
  private failures: unknown[] = []
  private isListening = false

  /** `clock` is the one that a watermark without its own goes by. */
  constructor(sources: readonly S[], options: MergeOptions, clock: Clock) {
    this.options = options
    this.clock = options.watermark?.clock ?? clock
    const { watermark } = options
    let fault: InvalidArgument | undefined
    if (watermark !== undefined && !(Number.isFinite(watermark.lagMs) && watermark.lagMs >= 0)) {
      fault = new InvalidArgument('watermark.lagMs', `is not a number of milliseconds from 0: ${watermark.lagMs}`)
    }
    for (const source of sources) fault ??= this.enter(source)
    if (fault !== undefined) this.end(left(fault))
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<MergeElement<S>>> {
    this.listen()
    if (this.closing !== undefined) return this.finish()
    return new Promise((resolve) => {
      this.requests.push({ resolve })
      this.advance()
    })
  }

  return(): Promise<IteratorResult<MergeElement<S>>> {
    this.end(undefined)
    this.lastWord = undefined
    return this.finish()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return()
  }

  /**
   * Takes a further source in. What it has from before the last element handed out comes at once, marked late.
   * InvalidArgument: a source of this name is there, or the merge has ended.
   * @example await orThrow(merged.add({ name: 'returns', events: returns.follow() }))
   */
  add(source: S): TaskEither<InvalidArgument, void> {
    return () => {
      const fault = this.enter(source)
      if (fault !== undefined) return Promise.resolve(left(fault))
      this.advance()
      return Promise.resolve(right(undefined))
    }
  }

  /**
   * Closes a source and goes on without it. The one element that may have been read ahead is dropped: a durable reader
   * has it again when it is opened anew. What was handed out can be committed by the source itself only. Fine if there
   * is no such source.
   */
  remove(name: S['name']): TaskEither<never, void> {
    return async () => {
      const lane = this.lanes.get(name)
      this.lanes.delete(name)
      this.commits.delete(name)
      const closed = lane?.close()
      this.advance()
      const failures = (await closed) ?? []
      if (failures.length > 0) throw combined(failures)
      return right(undefined)
    }
  }

  /**
   * Hands an offset to the source's own `commit`: for a durable reader the `nextOffset` of an event that is handled.
   * InvalidArgument: there is no such source, or it has no `commit`.
   * @example await orThrow(merged.commit(element.source, element.nextOffset))
   */
  commit(source: S['name'], offset: Offset): TaskEither<CommitErrorOf<S> | InvalidArgument, void> {
    return async () => {
      const commit = this.commits.get(source)
      if (commit === undefined) return left(new InvalidArgument('source', `"${source}" is no source with a commit`))
      const committed = await commit(offset)()
      return committed._tag === 'Left' ? left(committed.left as CommitErrorOf<S>) : right(undefined)
    }
  }

  private enter(source: S): InvalidArgument | undefined {
    const { name, commit } = source
    if (this.closing !== undefined) return new InvalidArgument('source', 'the merge has ended')
    if (this.lanes.get(name)?.isOver === false) return new InvalidArgument('source', `there is a source "${name}"`)
    this.lanes.set(name, new Lane(source, () => this.advance()))
    this.commits.set(name, commit)
    return undefined
  }

  /** Serves the requests that can be served. */
  private advance(): void {
    while (this.requests.length > 0 && this.closing === undefined) {
      const choice = this.look()
      if (choice.act === 'wait') return this.sleep(choice.untilMs)
      if (choice.act === 'end') this.end(undefined)
      else this.handOut(choice.head, choice.late)
    }
    this.wake()
  }

  /** Asks the sources that have no head, and decides by those that have. */
  private look(): Choice<Head> {
    const { watermark } = this.options
    if (watermark !== undefined) this.nowMs = Math.max(this.nowMs, this.clock.nowMs())
    const { front, nowMs } = this
    const heads: Head[] = []
    let askedMs: number | undefined
    for (const lane of this.lanes.values()) {
      if (lane.thrown.length > 0) return { act: 'end' }
      lane.pull(nowMs)
      if (lane.head !== undefined) heads.push(lane.head)
      else if (lane.isOver) this.lanes.delete(lane.name)
      else askedMs = Math.max(askedMs ?? lane.askedMs, lane.askedMs)
    }
    return choose({ heads, askedMs, front, nowMs, lagMs: watermark?.lagMs })
  }

  private handOut(head: Head, late: boolean): void {
    const { source, element } = head
    const lane = this.lanes.get(source) as Lane
    lane.head = undefined
    this.front = furthest(this.front, head)
    const value =
      element._tag === 'Left'
        ? left(new SourceFailed(source, element.left))
        : right(merged(element.right, source, late))
    this.requests.shift()?.resolve({ done: false, value: value as MergeElement<S> })
  }

  /** Looks again at `untilMs`, and when a source has something to say. */
  private sleep(untilMs: number | undefined): void {
    if (this.alarm?.untilMs === untilMs) return
    this.wake()
    if (untilMs === undefined) return
    const delayMs = Math.ceil(untilMs - this.clock.nowMs())
    const stop = this.clock.every(Math.min(Math.max(delayMs, 1), delayMsMax), () => {
      this.wake()
      this.advance()
    })
    this.alarm = { untilMs, stop }
  }

  private wake(): void {
    this.alarm?.stop()
    this.alarm = undefined
  }

  private listen(): void {
    const { signal } = this.options
    if (this.isListening || signal === undefined || this.closing !== undefined) return
    this.isListening = true
    if (signal.aborted) this.abort()
    else signal.addEventListener('abort', this.abort, { once: true })
  }

  private readonly abort = (): void => this.end(left(new Aborted(this.options.signal?.reason)))

  /** Closes the sources and answers those who wait: `lastWord` to the first of them, or to whoever asks next. */
  private end(lastWord: MergeElement<S> | undefined): void {
    if (this.closing !== undefined) return
    this.wake()
    this.options.signal?.removeEventListener('abort', this.abort)
    this.lastWord = lastWord
    this.closing = this.closeAll([...this.lanes.values()])
    this.lanes.clear()
    for (const { resolve } of this.requests.splice(0)) resolve(this.finish())
  }

  private async closeAll(lanes: readonly Lane[]): Promise<void> {
    const thrown = await Promise.all(lanes.map((lane) => lane.close()))
    this.failures.push(...thrown.flat())
  }

  private async finish(): Promise<IteratorResult<MergeElement<S>>> {
    const { lastWord } = this
    this.lastWord = undefined
    if (lastWord !== undefined) return { done: false, value: lastWord }
    await this.closing
    const failures = this.failures.splice(0)
    if (failures.length > 0) throw combined(failures)
    return { done: true, value: undefined }
  }
}

/** By their names: to spread the fields costs an event two microseconds more (measured). */
function merged(stored: StoredEvent<unknown>, source: string, late: boolean): MergedEvent<Source> {
  const { offset, nextOffset, version, writeTimestampMs, event } = stored
  return { offset, nextOffset, version, writeTimestampMs, event, source, late }
}

function combined(failures: readonly unknown[]): Error {
  const [first] = failures
  return failures.length === 1 ? (first as Error) : new AggregateError(failures, 'several sources of a merge failed')
}
