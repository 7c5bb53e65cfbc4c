// The typed face of a store: events go in and come out through a codec, one-shots are TaskEither, streams are
// iterables of Either. It speaks to port/store.ts only, so it is the same over every store.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type * as t from 'io-ts'
import { Version, type Offset } from '../core/brand.ts'
import {
  InvalidArgument,
  type AppendError,
  type Closed,
  type DiskError,
  type Locked,
  type Poisoned,
  type ReadOnly
} from '../core/error.ts'
import { AnyEvent, type StoredEvent } from '../core/event.ts'
import { writerLostMsDefault } from '../core/limit.ts'
import { copyOfQuery, queryFault, queryItems, type Query } from '../core/query.ts'
import type { Aborted, Corrupt, InvalidOffset, ReplayError } from '../core/read-error.ts'
import type { UnreadableReader } from '../port/cursor.ts'
import type { AggregateSummary, EventReader, ReadRequest, Receipt, Recovery, Store } from '../port/store.ts'
import type { Durability, RebuildOptions } from '../port/store.ts'
import { AggregateReader } from './aggregate.ts'
import { FollowReader } from './follow.ts'
import type { AggregateOptions, AppendOptions, FollowOptions, ReplayOptions } from './options.ts'
import { orThrow } from './or-throw.ts'
import type { DecisionModel, Loaded, Reducer } from './reducer.ts'
import { Replay, type ReplayElement } from './replay.ts'
import {
  appendRequest,
  durationFault,
  failedReader,
  filterFault,
  lazyReader,
  limitFault,
  offsetFault
} from './request.ts'
import type { Reader } from './reader.ts'
import type { Retention, TrimError, TrimOptions, TrimOutcome } from './retention.ts'
import { ReaderRegistry, type ListedReader, type OpenReaderError } from './registry.ts'
import type { ReaderOptions, ReaderParts } from './registry.ts'
import { decodingReader, type EventBody, type NewRecorded, type Recorded } from './typed-event.ts'

export interface TypedLogOptions<A> {
  readonly codec: t.Type<A, unknown, unknown> | undefined
  /** The id of an event that comes without one. */
  readonly newEventId: () => string
  readonly readers: ReaderParts
  readonly retention: Retention
}

export class TypedLog<A extends EventBody = EventBody> implements AsyncDisposable {
  private readonly store: Store
  private readonly codec: t.Type<A, unknown, unknown>
  private readonly newEventId: () => string
  private readonly registry: ReaderRegistry<Recorded<A>>
  private readonly retention: Retention
  private closing: Promise<Either<Poisoned | DiskError, void>> | undefined

  constructor(store: Store, options: TypedLogOptions<A>) {
    this.store = store
    // Without a codec A is EventBody, which every stored event is.
    this.codec = options.codec ?? (AnyEvent as unknown as t.Type<A, unknown, unknown>)
    this.newEventId = options.newEventId
    this.retention = options.retention
    this.registry = new ReaderRegistry(store, options.readers, (source) => decodingReader(source, this.codec))
  }

  /** Where the next event will stand. */
  get end(): Offset {
    return this.store.end()
  }

  /** Where the first event that is kept stands; what was before it has been trimmed. */
  get first(): Offset {
    return this.store.first()
  }

  get readOnly(): boolean {
    return this.store.readOnly
  }

  /** What opening found and did: torn bytes that were cut, damage, indexes that were rebuilt. */
  get recovery(): Recovery {
    return this.store.recovery
  }

  /**
   * Appends one event or an atomic batch; resolves when it survives a crash of the process. The events are checked
   * and serialised in this call, and written when the task is run: running it twice appends twice.
   * @example await orThrow(log.append({ aggregateId: 'account-42', eventType: 'Deposited', payload: { cents: 1250 } }))
   */
  append(
    events: NewRecorded<A> | readonly NewRecorded<A>[],
    options: AppendOptions = {}
  ): TaskEither<AppendError, Receipt> {
    return this.appendAt('buffered', events, options)
  }

  /** As `append`, and resolves when the batch survives a power cut. Calls at the same time share one sync. */
  appendSync(
    events: NewRecorded<A> | readonly NewRecorded<A>[],
    options: AppendOptions = {}
  ): TaskEither<AppendError, Receipt> {
    return this.appendAt('synced', events, options)
  }

  /**
   * Reads the log from `from` (default the first event) to the end it has when the iteration begins.
   * @example for await (const element of log.replay()) if (element._tag === 'Left') console.error(element.left.message)
   */
  replay(from?: Offset, options: ReplayOptions = {}): Replay<Recorded<A>> {
    const { until, limit, backwards = false, signal } = options
    const fault =
      offsetFault('from', from) ?? offsetFault('until', until) ?? limitFault(limit) ?? filterFault(options.query)
    if (fault !== undefined) return this.replayOf(() => failedReader(new InvalidArgument(fault.argument, fault.reason)))
    const query = queryItems(options.query && copyOfQuery(options.query))
    return this.replayOf(() => this.store.read({ from, until, query, limit, backwards, signal }), signal)
  }

  /** Reads [from, until): the log as it was when it ended at `until`. */
  replayUntil(from: Offset, until: Offset, options: Omit<ReplayOptions, 'until'> = {}): Replay<Recorded<A>> {
    return this.replay(from, { ...options, until })
  }

  /**
   * Reads the log from `from` (default the first event) to its end, and goes on with what is appended from then on, in
   * this process or another. Nothing is lost or doubled, and however slow the caller is, it costs no memory: what he has
   * not asked for stays on the disk. It ends at `break`, at the signal, and when the log is closed.
   * @example
   * for await (const { event } of orThrow(log.follow(log.end, { signal }))) console.log(event.eventType)
   */
  follow(from?: Offset, options: FollowOptions = {}): Replay<Recorded<A>> {
    const { limit, signal, onCaughtUp, writerLostMs = writerLostMsDefault } = options
    const fault =
      offsetFault('from', from) ??
      limitFault(limit) ??
      filterFault(options.query) ??
      durationFault('writerLostMs', writerLostMs)
    if (fault !== undefined) return this.replayOf(() => failedReader(new InvalidArgument(fault.argument, fault.reason)))
    const query = queryItems(options.query && copyOfQuery(options.query))
    const request = { from, query, limit, signal, writerLostMs, onCaughtUp }
    return this.replayOf(() => new FollowReader(this.store, request), signal)
  }

  /**
   * Reads one aggregate's events in order. Left(Corrupt) means that one of them may be lost; damage that the versions
   * prove to be none of this aggregate's is left out.
   */
  replayAggregate(aggregateId: string, options: AggregateOptions = {}): Replay<Recorded<A>> {
    const { fromVersion = 1, limit, signal } = options
    const fault = limitFault(limit)
    if (fault !== undefined) return this.replayOf(() => failedReader(new InvalidArgument(fault.argument, fault.reason)))
    if (!Number.isSafeInteger(fromVersion) || fromVersion < 0) {
      return this.replayOf(() => failedReader(new InvalidArgument('fromVersion', 'is not an integer from 0')))
    }
    const range = { aggregateId, fromVersion: Math.max(1, fromVersion), limit }
    const read = (from: Offset | undefined): EventReader =>
      this.store.read({ ...everything, from, query: [{ aggregateId }], signal })
    const seek = (): Promise<Either<ReplayError, Offset>> => this.store.seekVersion(aggregateId, fromVersion)
    return this.replayOf(
      () => new AggregateReader(fromVersion <= 1 ? read(undefined) : lazyReader(seek, read), range, this.store),
      signal
    )
  }

  /** An aggregate's events, or the first error that stands among them. None: an empty list. */
  loadAggregate(aggregateId: string): TaskEither<ReplayError, readonly StoredEvent<Recorded<A>>[]> {
    return async () => {
      const events: StoredEvent<Recorded<A>>[] = []
      const failed = await this.eachOf(aggregateId, (stored) => {
        events.push(stored)
      })
      return failed === undefined ? right(events) : left(failed)
    }
  }

  /**
   * An aggregate's state: its events folded from `initial`. A Left when one of its events may be lost or does not
   * decode, since a state without it would be wrong.
   * @example
   * const { state, version } = await orThrow(log.load('account-42', { initial: 0, evolve: (sum, e) => sum + e.payload.cents }))
   */
  load<S>(aggregateId: string, reducer: Reducer<S, Recorded<A>>): TaskEither<ReplayError, Loaded<S>> {
    return async () => {
      let state = reducer.initial
      let version = Version(0)
      const failed = await this.eachOf(aggregateId, (stored) => {
        state = reducer.evolve(state, stored.event)
        version = stored.version
      })
      return failed === undefined ? right({ state, version, condition: { aggregateId, version } }) : left(failed)
    }
  }

  /**
   * The state that a query's events make, whatever aggregates they are of, with the condition for the append that
   * rests on it: a dynamic consistency boundary (dcb.events). A Left when one of the events may be lost.
   * @example
   * const taken = await orThrow(log.decide({ tags: ['username:ada'] }, { initial: false, evolve: () => true }))
   * if (!taken.state) await orThrow(log.append(registered, { conditions: [taken.condition] }))
   */
  decide<S>(query: Query, reducer: Reducer<S, Recorded<A>>): TaskEither<ReplayError, DecisionModel<S>> {
    const reason = queryFault(query)
    if (reason !== undefined) return () => Promise.resolve(left(new InvalidArgument('query', reason)))
    const noneMatch = copyOfQuery(query)
    return async () => {
      let state = reducer.initial
      // Read up to here and no further: what is appended meanwhile is what the condition is there to see.
      const after = this.store.end()
      const source = this.store.read({ ...everything, until: after, query: queryItems(noneMatch) })
      const failed = await this.each(source, (stored) => {
        state = reducer.evolve(state, stored.event)
      })
      return failed === undefined ? right({ state, condition: { noneMatch, after } }) : left(failed)
    }
  }

  /** The aggregate's version, 0 when it has no event. */
  version(aggregateId: string): TaskEither<DiskError | Closed, Version> {
    return () => this.store.version(aggregateId)
  }

  /** How many events match, by the index alone; without a query, how many there are. What is damaged is not counted. */
  count(query: Query = []): TaskEither<DiskError | Closed | InvalidArgument, number> {
    const reason = queryFault(query)
    if (reason !== undefined) return () => Promise.resolve(left(new InvalidArgument('query', reason)))
    const items = queryItems(copyOfQuery(query))
    return () => this.store.count(items, undefined)
  }

  /** Every aggregate whose id begins with `prefix`, with its version, in the order of the ids (UTF-16 code units). */
  aggregates(
    options: { readonly prefix?: string | undefined } = {}
  ): AsyncIterable<Either<DiskError | Closed, AggregateSummary>> {
    return { [Symbol.asyncIterator]: () => this.store.aggregates(options.prefix ?? '')[Symbol.asyncIterator]() }
  }

  /** The first event written at `timestampMs` (ms since the epoch) or later, or the end. */
  offsetAt(timestampMs: number): TaskEither<DiskError | Corrupt | Closed, Offset> {
    return () => this.store.offsetAt(timestampMs)
  }

  /** Everything appended so far survives a power cut when this resolves. */
  sync(): TaskEither<Poisoned | Closed | ReadOnly | DiskError, void> {
    return () => this.store.sync()
  }

  /** Builds the index anew from the log, while the log is open. It is a cache: nothing but time depends on it. */
  rebuildIndex(
    options: RebuildOptions = {}
  ): TaskEither<DiskError | Closed | ReadOnly | Aborted | InvalidArgument | InvalidOffset, void> {
    const fault = offsetFault('from', options.from)
    if (fault === undefined) return () => this.store.rebuildIndex(options)
    return () => Promise.resolve(left(new InvalidArgument(fault.argument, fault.reason)))
  }

  /**
   * Opens the durable reader of this name, which goes on where it was committed last, or makes it. One process at a time
   * may have a name; another one gets Locked. Works on a log that was opened with readOnly too.
   * @example
   * await using reader = await orThrow(log.reader('mailer', { query: { types: ['OrderPlaced'] } }))
   * for await (const { event, nextOffset } of orThrow(reader)) {
   *   await send(event)
   *   await orThrow(reader.commit(nextOffset))
   * }
   */
  reader(name: string, options: ReaderOptions = {}): TaskEither<OpenReaderError, Reader<Recorded<A>>> {
    return () => this.registry.open(name, options)
  }

  /** Every durable reader of the log, of any process, by name. One whose file cannot be read is listed with the error. */
  readers(): TaskEither<DiskError | Closed, readonly (ListedReader | UnreadableReader)[]> {
    return () => this.registry.list()
  }

  /** Forgets a durable reader, readable or not; Locked while somebody has it open. Fine if there is none. */
  removeReader(name: string): TaskEither<InvalidArgument | Locked | DiskError | Closed, void> {
    return () => this.registry.remove(name)
  }

  /**
   * Removes the oldest segments, as far as they end at `before` or earlier and every live reader has passed them. Reading
   * what is gone answers Trimmed; versions go on. The answer tells what went, and who holds what stays.
   * @example const { first } = await orThrow(log.trim(await orThrow(log.offsetAt(Date.now() - 30 * 86_400_000))))
   */
  trim(before: Offset, options: TrimOptions = {}): TaskEither<TrimError, TrimOutcome> {
    const fault = offsetFault('before', before)
    if (fault === undefined) return () => this.retention.trim(before, options)
    return () => Promise.resolve(left(new InvalidArgument(fault.argument, fault.reason)))
  }

  /** Removes what the rules of `retention` let go, now. With `dryRun` it only tells what would go, and why. */
  retain(options: Omit<TrimOptions, 'force'> = {}): TaskEither<TrimError, TrimOutcome> {
    return () => this.retention.retain(options)
  }

  /** Why retention failed when it ran by itself last; undefined when it did not. */
  get retentionError(): TrimError | undefined {
    return this.retention.lastError
  }

  /** Waits for what was accepted, syncs it, closes the readers, and gives everything back. May be called again. */
  close(): TaskEither<Poisoned | DiskError, void> {
    return () => {
      this.closing ??= this.closeOnce()
      return this.closing
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    return orThrow(this.close())
  }

  private async closeOnce(): Promise<Either<Poisoned | DiskError, void>> {
    // Both at once: from this call on the store takes nothing more.
    const resting = this.retention.close()
    const closed = await this.store.close()
    await resting
    // Behind the log: what their cursors rest on is on disk now, and they say so.
    const readers = await this.registry.close()
    return closed._tag === 'Left' ? closed : readers
  }

  private appendAt(
    durability: Durability,
    events: NewRecorded<A> | readonly NewRecorded<A>[],
    options: AppendOptions
  ): TaskEither<AppendError, Receipt> {
    const batch: readonly unknown[] = Array.isArray(events) ? (events as readonly unknown[]) : [events]
    const encoding = { codec: this.codec, newEventId: this.newEventId, conditions: options.conditions, durability }
    const request = appendRequest(batch, encoding)
    return request._tag === 'Left' ? () => Promise.resolve(request) : () => this.retention.append(request.right)
  }

  private replayOf(open: () => EventReader, signal?: AbortSignal): Replay<Recorded<A>> {
    return new Replay(() => decodingReader(open(), this.codec), signal)
  }

  /** Visits an aggregate's events in order, up to the first error, which is returned. */
  private eachOf(
    aggregateId: string,
    visit: (stored: StoredEvent<Recorded<A>>) => void
  ): Promise<ReplayError | undefined> {
    const source = this.store.read({ ...everything, query: [{ aggregateId }] })
    const range = { aggregateId, fromVersion: 1, limit: undefined }
    return this.each(new AggregateReader(source, range, this.store), visit)
  }

  private async each(
    source: EventReader,
    visit: (stored: StoredEvent<Recorded<A>>) => void
  ): Promise<ReplayError | undefined> {
    const reader = decodingReader(source, this.codec)
    try {
      for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
        const failed = visitBatch(batch, visit)
        if (failed !== undefined) return failed
      }
      return undefined
    } finally {
      reader.close()
    }
  }
}

function visitBatch<E>(
  batch: readonly ReplayElement<E>[],
  visit: (stored: StoredEvent<E>) => void
): ReplayError | undefined {
  for (const element of batch) {
    if (element._tag === 'Left') return element.left
    visit(element.right)
  }
  return undefined
}

const everything: ReadRequest = {
  from: undefined,
  until: undefined,
  query: [],
  limit: undefined,
  backwards: false,
  signal: undefined
}
