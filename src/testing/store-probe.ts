// How the store contract looks at a store: events with names of their own, reads as lists, and answers that must be.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import type { Offset } from '../core/brand.ts'
import type { Condition } from '../core/error.ts'
import type { ReplayError, StorageError } from '../core/read-error.ts'
import { encodeEvent, type EncodedEvent, type Event, type NewEvent, type StoredEvent } from '../core/event.ts'
import { matches, queryItems, type Query } from '../core/query.ts'
import type { Durability, ReadRequest, Receipt, Store } from '../port/store.ts'

/** A store under test: a log without events, and what can be done to it. */
export interface StoreFixture {
  readonly store: Store
  /** Opens the same log again, after the store was closed. */
  readonly reopen?: (() => Promise<Store>) | undefined
  /** Opens the same log for reading, while the store has it open for writing. */
  readonly openReader?: (() => Promise<Store>) | undefined
  /** Makes what is stored in the region unreadable. The store is closed, and opened again after it. */
  readonly damage?: ((region: Pick<StoredEvent, 'offset' | 'nextOffset'>) => Promise<void> | void) | undefined
  /** Sets the clock that the store reads. */
  readonly setTime?: ((nowMs: number) => void) | undefined
  readonly cleanup: () => Promise<void> | void
}

/** What the fixture was said to have. */
export function having<T>(ability: T | undefined): T {
  assert(ability !== undefined, 'a store fixture has every capability that is not skipped')
  return ability
}

/** A law in one sentence, and the test that it holds on a store without events. */
export type StoreLaw = readonly [name: string, hold: (store: Store, fixture: StoreFixture) => Promise<void>]

/** The value, or the failure of the test. */
export function must<A>(result: Either<Error, A>): A {
  if (result._tag === 'Left') throw result.left
  return result.right
}

export function tagOf(result: Either<StorageError, unknown>): string {
  return result._tag === 'Left' ? result.left._tag : 'Right'
}

export function event(aggregateId: string, payload: unknown = 1, more: Partial<NewEvent> = {}): NewEvent {
  return { aggregateId, eventType: 'Happened', payload, ...more }
}

// The store takes serialised events, and ids are made above it.
let ids = 0
function encode(events: readonly NewEvent[]): readonly EncodedEvent[] {
  return events.map((one, index) => must(encodeEvent(one, index, () => `contract-${++ids}`)))
}

export interface AppendMore {
  readonly conditions?: readonly Condition[]
  readonly durability?: Durability
}

/** Appends; the answer is the caller's to look at. */
export function tryAppend(
  store: Store,
  events: readonly NewEvent[],
  { conditions = [], durability = 'buffered' }: AppendMore = {}
): ReturnType<Store['append']> {
  return store.append({ events: encode(events), conditions, durability })
}

export async function append(store: Store, ...events: readonly NewEvent[]): Promise<Receipt> {
  return must(await tryAppend(store, events))
}

type Element = Either<ReplayError, StoredEvent>

export const wholeLog: ReadRequest = {
  from: undefined,
  until: undefined,
  query: [],
  limit: undefined,
  backwards: false,
  signal: undefined
}

/** What may be said of a read; the rest is the whole log. */
export interface ReadMore {
  readonly from?: number | undefined
  readonly until?: number | undefined
  readonly query?: Query | undefined
  readonly limit?: number | undefined
  readonly backwards?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

function requestOf(more: ReadMore): ReadRequest {
  const from = more.from as Offset | undefined
  const until = more.until as Offset | undefined
  const { limit, signal, backwards = false } = more
  return { from, until, query: queryItems(more.query), limit, backwards, signal }
}

/** Everything that a read answers; no piece may be empty. */
export async function elements(store: Store, more: ReadMore = {}): Promise<readonly Element[]> {
  const reader = store.read(requestOf(more))
  const all: Element[] = []
  for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
    ok(batch.length > 0, 'a read answers an empty piece')
    all.push(...batch)
  }
  strictEqual(await reader.next(), undefined, 'a read goes on behind its end')
  reader.close()
  return all
}

/** The events of a read that must be without an error. */
export async function read(store: Store, more: ReadMore = {}): Promise<readonly StoredEvent[]> {
  return (await elements(store, more)).map(must)
}

/** The tags of a read's errors, and 'Right' for its events. */
export async function tags(store: Store, more: ReadMore = {}): Promise<readonly string[]> {
  return (await elements(store, more)).map(tagOf)
}

/** What a read must answer, told from all events of the log. */
function expectedOf(all: readonly StoredEvent[], more: ReadMore): readonly StoredEvent[] {
  const { backwards = false, limit = Infinity } = more
  const [low = 0, high = Infinity] = backwards ? [more.until, more.from] : [more.from, more.until]
  const items = queryItems(more.query)
  const found = all.filter((one) => one.offset >= low && one.offset < high && matches(items, keysOf(one.event)))
  return (backwards ? found.reverse() : found).slice(0, limit)
}

function keysOf({ aggregateId, eventType, namespace, tags: own = [] }: Event): Parameters<typeof matches>[1] {
  return { aggregateId, eventType, namespace, tags: own }
}

/** Whether a read answers what the events of the log say. */
export async function mustRead(store: Store, all: readonly StoredEvent[], more: ReadMore): Promise<void> {
  deepStrictEqual(await read(store, more), expectedOf(all, more), `read ${JSON.stringify(more)}`)
}

/** What holds of all events of every log: no gaps, dense versions, time that does not fall. */
export function mustBeInOrder(all: readonly StoredEvent[], end: number): void {
  const versions = new Map<string, number>()
  let place = 0
  let time = 0
  for (const { offset, nextOffset, version, writeTimestampMs, event: one } of all) {
    const expected = (versions.get(one.aggregateId) ?? 0) + 1
    strictEqual(offset, place, 'an event does not begin where the one before ends')
    ok(nextOffset > offset, 'an event has no place')
    strictEqual(version, expected, `the versions of ${one.aggregateId} have a gap`)
    ok(writeTimestampMs >= time, 'time falls')
    versions.set(one.aggregateId, version)
    place = nextOffset
    time = writeTimestampMs
  }
  strictEqual(place, end, 'the log does not end behind its last event')
}

/** Events as they were passed, without the ids that were made for them. */
export function bodies(all: readonly StoredEvent[], passed: readonly NewEvent[]): readonly NewEvent[] {
  return all.map(({ event: { eventId, ...rest } }, place) =>
    passed[place]?.eventId === undefined ? rest : { ...rest, eventId }
  )
}

export async function summaries(store: Store, prefix = ''): Promise<readonly (readonly [string, number])[]> {
  const listed: [string, number][] = []
  for await (const item of store.aggregates(prefix)) {
    const { aggregateId, version } = must(item)
    listed.push([aggregateId, version])
  }
  return listed
}
