// Every way of reading is a slice and a filter of the one full replay, on a log large enough that chunks, windows,
// pages and segments all end in the middle of something.

import { deepStrictEqual, ok } from 'node:assert'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Offset, orThrow, type EventLog, type NewEvent, type Query, type StoredEvent } from '../src/index.ts'
import { matches, queryItems } from '../src/core/query.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { all, eventsOf, LabClock, openOn, plain } from '../test/log-lab.ts'

const count = 3_000
let stored: readonly StoredEvent[] = []
// Opened once, since nothing here writes; the reader sees the same bytes without the writer's memory of them.
let logs: readonly EventLog[] = []

/** Sizes from a hundred bytes to more than any buffer, by a fixed rule. */
function sample(place: number): NewEvent {
  const size = place % 997 === 500 ? 400_000 : place % 83 === 0 ? 20_000 : (place * 7919) % 700
  return {
    aggregateId: `a-${(place * 31) % 40}`,
    eventType: ['Opened', 'Deposited', 'Closed'][place % 3] as string,
    payload: 'x'.repeat(size),
    ...(place % 5 === 0 && { namespace: place % 2 === 0 ? 'n' : 'm' }),
    ...(place % 4 !== 0 && { tags: place % 100 === 1 ? ['rare', 't'] : ['t', `u${place % 7}`] })
  }
}

beforeAll(async () => {
  const disk = new MemoryDisk()
  const clock = new LabClock(Array.from({ length: count }, (_, place) => place * 3))
  const log = await openOn(disk, { segmentBytes: 700_000, clock })
  for (let place = 0; place < count; place += 3) {
    await orThrow(log.append([sample(place), sample(place + 1), sample(place + 2)]))
  }
  stored = await eventsOf(log.replay())
  logs = [log, await openOn(disk, { readOnly: true })]
})

afterAll(async () => {
  for (const log of logs) await orThrow(log.close())
})

const term = fc.record(
  {
    types: fc.subarray(['Opened', 'Deposited', 'Closed', 'Never']),
    tags: fc.subarray(['t', 'rare', 'u1', 'u2', 'never'], { maxLength: 2 }),
    aggregateId: fc.nat({ max: 41 }).map((id) => `a-${id}`),
    namespace: fc.constantFrom('n', 'm', 'never')
  },
  { requiredKeys: [] }
)
const query: fc.Arbitrary<Query | undefined> = fc.oneof(
  fc.constant(undefined),
  term,
  fc.array(term, { minLength: 1, maxLength: 3 })
)

/** The offset of the event at a place; the end behind the last. */
function offsetAt(place: number): Offset {
  return stored[place]?.offset ?? Offset(stored.at(-1)?.nextOffset ?? 0)
}

const place = fc.oneof(fc.nat({ max: count }), fc.constantFrom(0, count))

interface Asked {
  readonly from: number
  readonly until: number
  readonly query: Query | undefined
  readonly limit: number | undefined
  readonly backwards: boolean
}

const asked: fc.Arbitrary<Asked> = fc.record({
  from: place,
  until: place,
  query,
  limit: fc.option(fc.oneof(fc.nat({ max: 5 }), fc.nat({ max: count })), { nil: undefined }),
  backwards: fc.boolean()
})

function expected({ from, until, query: wanted, limit, backwards }: Asked): StoredEvent[] {
  const items = queryItems(wanted)
  const found = stored.slice(from, until).filter(({ event }) => {
    const { aggregateId, eventType, namespace, tags = [] } = event
    return matches(items, { aggregateId, eventType, namespace, tags })
  })
  return (backwards ? found.reverse() : found).slice(0, limit)
}

/** Events are told apart by their offsets; comparing payloads of megabytes each time would take the time of a test. */
function check(found: readonly StoredEvent[], wanted: readonly StoredEvent[]): void {
  deepStrictEqual(
    found.map((event) => event.offset),
    wanted.map((event) => event.offset)
  )
  found.forEach((event, index) => ok(event.event.eventId === wanted[index]?.event.eventId))
}

it('the log that is read holds what was appended', () => {
  expect(stored.length).toBe(count)
  stored.forEach(({ event }, index) =>
    deepStrictEqual({ ...event, eventId: undefined }, { ...sample(index), eventId: undefined })
  )
})

describe('replay', () => {
  it('from anywhere to anywhere, either way, by any query, with any limit, is that part of the log', async () => {
    const property = fc.asyncProperty(asked, async (asking) => {
      const { query: by, limit, backwards } = asking
      const [from, until] = [offsetAt(asking.from), offsetAt(asking.until)]
      const bounds = backwards ? { from: until, until: from } : { from, until }
      for (const log of logs) {
        check(
          await eventsOf(log.replay(bounds.from, { until: bounds.until, query: by, limit, backwards })),
          expected(asking)
        )
        const whole = { ...asking, from: 0, until: Number.MAX_SAFE_INTEGER, limit: undefined, backwards: false }
        deepStrictEqual(await orThrow(log.count(by)), expected(whole).length)
      }
    })
    await fc.assert(property, { numRuns: 150 })
  })

  it('in batches is the same as one by one', async () => {
    const property = fc.asyncProperty(asked, async (asking) => {
      const { query: by, limit, backwards } = asking
      const [from, until] = [offsetAt(asking.from), offsetAt(asking.until)]
      const bounds = backwards ? { from: until, until: from } : { from, until }
      const replay = (logs[0] as EventLog).replay(bounds.from, { until: bounds.until, query: by, limit, backwards })
      const batches = await all(replay.readBatches())
      ok(batches.every((batch) => batch.length > 0))
      check(
        batches.flat().map((element) => (element._tag === 'Right' ? element.right : (plain(element) as StoredEvent))),
        expected(asking)
      )
    })
    await fc.assert(property, { numRuns: 60 })
  })

  it('from an offset that is no event\u2019s is refused, whichever end it is', async () => {
    const inside = fc.record({ index: fc.nat({ max: count - 1 }), pick: fc.nat() }).map(({ index, pick }) => {
      const { offset, nextOffset } = stored[index] as StoredEvent
      return offset + 1 + (pick % (nextOffset - offset - 1))
    })
    const beyond = fc.integer({ min: 1, max: 2 ** 40 }).map((step) => (stored.at(-1)?.nextOffset ?? 0) + step)
    const property = fc.asyncProperty(fc.oneof(inside, beyond), fc.boolean(), query, async (wrong, backwards, by) => {
      for (const log of logs) {
        for (const [from, until] of [
          [wrong, undefined],
          [undefined, wrong]
        ] as const) {
          const replay = log.replay(from === undefined ? undefined : Offset(from), {
            until: until === undefined ? undefined : Offset(until),
            query: by,
            backwards
          })
          expect((await all(replay)).map(plain)).toEqual([{ _tag: 'InvalidOffset' }])
        }
      }
    })
    await fc.assert(property, { numRuns: 100 })
  })

  it('of one aggregate from any version is the rest of its events', async () => {
    const id = fc.nat({ max: 41 }).map((number) => `a-${number}`)
    const property = fc.asyncProperty(id, fc.nat({ max: 100 }), async (aggregateId, fromVersion) => {
      const own = stored.filter(({ event }) => event.aggregateId === aggregateId)
      for (const log of logs) {
        check(
          await eventsOf(log.replayAggregate(aggregateId, { fromVersion })),
          own.slice(Math.max(0, fromVersion - 1))
        )
      }
      deepStrictEqual(await Promise.all(logs.map((log) => orThrow(log.version(aggregateId)))), [own.length, own.length])
    })
    await fc.assert(property, { numRuns: 100 })
  })

  it('from the offset of a time begins with the first event that is not older', async () => {
    const property = fc.asyncProperty(fc.integer({ min: -1, max: count + 5 }), async (time) => {
      const first = stored.find((event) => event.writeTimestampMs >= time)
      for (const log of logs) deepStrictEqual(await orThrow(log.offsetAt(time)), first?.offset ?? offsetAt(count))
    })
    await fc.assert(property, { numRuns: 100 })
  })
})
