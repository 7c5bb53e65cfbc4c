// The durable readers of a log: opens, lists and removes them, and closes those that are open before the log is.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { readerNameFault } from '../core/cursor.ts'
import { Closed, InvalidArgument, type CursorError, type DiskError, type Locked } from '../core/error.ts'
import type { Poisoned, ReadOnly } from '../core/error.ts'
import { heartbeatMsDefault, writerLostMsDefault } from '../core/limit.ts'
import { copyOfQuery, queryItems, type Query } from '../core/query.ts'
import type { ReplayError } from '../core/read-error.ts'
import type { Clock } from '../port/clock.ts'
import type { CursorPlace, Cursors, KnownReader, UnreadableReader } from '../port/cursor.ts'
import type { EventReader, Store } from '../port/store.ts'
import { CursorKeeper, type Print } from './keeper.ts'
import { Reader, type ReaderRecovered } from './reader.ts'
import type { TypedReader } from './replay.ts'
import { durationFault, filterFault } from './request.ts'
import { grantedMs } from './retention-plan.ts'
import { lagBehind, offsetOf, type ReaderLag } from './seek.ts'
import { standingOf } from './standing.ts'

/** How a durable reader is opened. */
export interface ReaderOptions {
  /** Where a new reader begins; one that is known goes on at its cursor. Default 'start', the first event. */
  readonly from?: 'start' | 'end' | Offset | undefined
  /** Only the events that match. It is not kept: open the reader with the same one. */
  readonly query?: Query | undefined
  /** How often the reader says, beside its cursor, that it is alive. Default 10,000. */
  readonly heartbeatMs?: number | undefined
  /** As of `follow`. Default 10,000. */
  readonly writerLostMs?: number | undefined
}

export type OpenReaderError = Locked | CursorError | ReplayError | Poisoned | ReadOnly

/** A registered reader, and how far it is behind. */
export interface ListedReader extends KnownReader {
  /** What stands behind its cursor, whatever it reads of that. */
  readonly lag: ReaderLag
  /** Whether it is open and was heard of within three of its heartbeats. */
  readonly live: boolean
}

/** What readers need besides the log. */
export interface ReaderParts {
  readonly cursors: Cursors
  readonly clock: Clock
  /** This process. */
  readonly pid: number
}

/** Where a reader begins. */
interface Beginning {
  readonly cursor: Offset
  readonly recovered: ReaderRecovered | undefined
  readonly certain: Print | undefined
}

export class ReaderRegistry<E> {
  private readonly store: Store
  private readonly parts: ReaderParts
  private readonly decode: (source: EventReader) => TypedReader<E>
  /** The readers that are open; they take themselves out. */
  private readonly opened = new Set<Reader<E>>()
  /** Set by `close`; none is opened then. */
  private closed = false

  constructor(store: Store, parts: ReaderParts, decode: (source: EventReader) => TypedReader<E>) {
    this.store = store
    this.parts = parts
    this.decode = decode
  }

  async open(name: string, options: ReaderOptions): Promise<Either<OpenReaderError, Reader<E>>> {
    const fault = nameFault(name) ?? optionFault(options)
    if (fault !== undefined) return left(fault)
    // Before there is a folder for a reader of a log that is closed.
    const end = await this.store.refresh()
    if (end._tag === 'Left') return end
    const place = await this.parts.cursors.open(name)
    if (place._tag === 'Left') return place
    let reader: Either<OpenReaderError, Reader<E>> | undefined
    try {
      reader = await this.start(name, place.right, options)
      return reader
    } finally {
      if (reader?._tag !== 'Right') await place.right.close()
    }
  }

  async list(): Promise<Either<DiskError | Closed, readonly (ListedReader | UnreadableReader)[]>> {
    const end = await this.store.refresh()
    const listed = end._tag === 'Left' ? end : await this.parts.cursors.list()
    if (listed._tag === 'Left') return listed
    const readers: (ListedReader | UnreadableReader)[] = []
    for (const status of listed.right) {
      const reader = status.error === undefined ? await this.measure(status) : right(status)
      if (reader._tag === 'Left') return reader
      readers.push(reader.right)
    }
    return right(readers)
  }

  async remove(name: string): Promise<Either<InvalidArgument | Locked | DiskError | Closed, void>> {
    const fault = nameFault(name)
    if (fault !== undefined) return left(fault)
    const end = await this.store.refresh()
    return end._tag === 'Left' ? end : this.parts.cursors.remove(name)
  }

  /** Closes every reader that is open, and answers the first error. */
  async close(): Promise<Either<DiskError, void>> {
    this.closed = true
    const closed = await Promise.all([...this.opened].map((reader) => reader.close()()))
    return closed.find((one) => one._tag === 'Left') ?? right(undefined)
  }

  private async start(
    name: string,
    place: CursorPlace,
    options: ReaderOptions
  ): Promise<Either<OpenReaderError, Reader<E>>> {
    const { store, parts, decode } = this
    const { query, heartbeatMs = heartbeatMsDefault, writerLostMs = writerLostMsDefault } = options
    const items = queryItems(query && copyOfQuery(query))
    const found = await this.beginning(place, options)
    if (found._tag === 'Left') return found
    const { recovered, certain } = found.right
    const keeper = new CursorKeeper(found.right.cursor, { store, place, ...parts, heartbeatMs, certain })
    const saved = await keeper.change(() => keeper.save(found.right.cursor, 'synced'))
    if (saved._tag === 'Left' || this.closed) {
      keeper.stop()
      return saved._tag === 'Left' ? saved : left(new Closed())
    }
    const onClosed = (): void => void this.opened.delete(reader)
    const reader = new Reader<E>(name, { store, keeper, decode, query: items, writerLostMs, recovered, onClosed })
    this.opened.add(reader)
    return right(reader)
  }

  /** Where the reader begins, and what that was instead. */
  private async beginning(
    { stored }: CursorPlace,
    { from = 'start' }: ReaderOptions
  ): Promise<Either<OpenReaderError, Beginning>> {
    const { store } = this
    if (stored === undefined) {
      const begin = await offsetOf(store, from)
      if (begin._tag === 'Left') return begin
      // What is skipped by its own wish shall not come after a power cut.
      const synced = store.readOnly ? right(undefined) : await store.sync()
      return synced._tag === 'Left' ? synced : right({ cursor: begin.right, recovered: undefined, certain: undefined })
    }
    const standing = await standingOf(store, stored)
    if (standing._tag === 'Left') return standing
    const was = stored.cursor as Offset
    const cursor = standing.right
    const certain = cursor < stored.certain ? undefined : { offset: stored.certain, print: stored.certainPrint }
    return right({ cursor, recovered: cursor === was ? undefined : { from: was, to: cursor }, certain })
  }

  private async measure(status: KnownReader): Promise<Either<DiskError | Closed, ListedReader>> {
    const lag = await lagBehind(this.store, [], status.cursor)
    if (lag._tag === 'Left') return lag
    const idleMs = this.parts.clock.nowMs() - status.heartbeatMs
    const live = status.pid !== undefined && idleMs <= grantedMs(status)
    return right({ ...status, lag: lag.right, live })
  }
}

function nameFault(name: string): InvalidArgument | undefined {
  const reason = readerNameFault(name)
  return reason === undefined ? undefined : new InvalidArgument('name', reason)
}

function optionFault(options: ReaderOptions): InvalidArgument | undefined {
  const { query, heartbeatMs = heartbeatMsDefault, writerLostMs = writerLostMsDefault } = options
  const fault =
    filterFault(query) ?? durationFault('heartbeatMs', heartbeatMs) ?? durationFault('writerLostMs', writerLostMs)
  return fault === undefined ? undefined : new InvalidArgument(fault.argument, fault.reason)
}
