// What goes in comes out, hostile as it may be; what could not come out as it went in is refused by its path, and
// leaves nothing behind.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import * as fc from 'fast-check'
import { it } from 'vitest'
import { orThrow, type Event, type NewEvent, type Receipt, type StoredEvent } from '../src/index.ts'
import { newEvent } from '../src/testing/arbitraries.ts'
import { unstorable } from '../src/testing/unstorable.ts'
import { deposit, eventsOf, filesOf, lab, openOn, recorded } from '../test/log-lab.ts'

/** The event as JSON carries it, with −0 made 0. */
function asRead(event: NewEvent, eventId: string): Event {
  return JSON.parse(JSON.stringify(recorded(event, eventId))) as Event
}

/** Each event behind the one before, versions without gaps, times that never fall. */
function checkTiled(stored: readonly StoredEvent[], receipts: readonly Receipt[]): void {
  const versions = new Map<string, number>()
  let end = 0
  let time = 0
  for (const { offset, nextOffset, version, writeTimestampMs, event } of stored) {
    strictEqual(offset, end)
    ok(nextOffset > offset)
    ok(writeTimestampMs >= time)
    strictEqual(version, (versions.get(event.aggregateId) ?? 0) + 1)
    versions.set(event.aggregateId, version)
    end = nextOffset
    time = writeTimestampMs
  }
  deepStrictEqual(
    receipts.flatMap((receipt) => receipt.versions),
    stored.map((one) => one.version)
  )
}

it('whatever is accepted is read back as JSON carries it, now and after the log was opened again', async () => {
  const batches = fc.array(
    fc.record({ events: fc.array(newEvent(), { minLength: 1, maxLength: 4 }), synced: fc.boolean() }),
    { maxLength: 5 }
  )
  const property = fc.asyncProperty(batches, fc.boolean(), async (appends, small) => {
    const { disk, log } = await lab(small ? { segmentBytes: 256 } : {})
    const receipts: Receipt[] = []
    for (const { events, synced } of appends) {
      receipts.push(await orThrow(synced ? log.appendSync(events) : log.append(events)))
    }
    const stored = await eventsOf(log.replay())
    let ids = 0
    const expected = appends.flatMap(({ events }) =>
      events.map((event) => asRead(event, event.eventId ?? `id-${++ids}`))
    )
    deepStrictEqual(
      stored.map(({ event }) => event),
      expected
    )
    checkTiled(stored, receipts)
    await orThrow(log.close())
    for (const readOnly of [true, false]) {
      const again = await openOn(disk, { readOnly })
      deepStrictEqual(await eventsOf(again.replay()), stored)
      for (const { event } of stored.slice(0, 3)) {
        const { aggregateId } = event
        const own = stored.filter((one) => one.event.aggregateId === aggregateId)
        deepStrictEqual(await orThrow(again.loadAggregate(aggregateId)), own)
      }
      await orThrow(again.close())
    }
  })
  await fc.assert(property, { numRuns: 150 })
})

it('what JSON cannot carry back is refused by its path, writes nothing, and disturbs nobody', async () => {
  const before = fc.array(newEvent(), { maxLength: 2 })
  const property = fc.asyncProperty(before, unstorable(), fc.boolean(), async (good, bad, synced) => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('first')))
    const files = filesOf(disk)
    const { end } = log
    const batch = [...good, deposit('bad', 0, { payload: bad.value }), deposit('after')]
    const beside = orThrow(log.append(deposit('beside')))
    const result = await (synced ? log.appendSync(batch) : log.append(batch))()
    ok(result._tag === 'Left' && result.left._tag === 'InvalidEvent')
    strictEqual(result.left.path, `$.payload${bad.path.slice(1)}`)
    strictEqual(result.left.index, good.length)
    const { offset, nextOffset } = await beside
    strictEqual(offset, end)
    strictEqual(log.end, nextOffset)
    await orThrow(log.append(deposit('last')))
    const stored = await eventsOf(log.replay())
    deepStrictEqual(
      stored.map(({ event }) => event.aggregateId),
      ['first', 'beside', 'last']
    )
    for (const [name, bytes] of filesOf(disk))
      ok(bytes.subarray(0, files.get(name)?.length).equals(files.get(name) ?? bytes))
    await orThrow(log.close())
  })
  await fc.assert(property, { numRuns: 300 })
})

it('a batch that is refused alone leaves every byte as it was', async () => {
  const property = fc.asyncProperty(unstorable(), async (bad) => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('first')))
    const files = filesOf(disk)
    const result = await log.appendSync([deposit('a'), deposit('b', 0, { payload: bad.value })])()
    ok(result._tag === 'Left' && result.left._tag === 'InvalidEvent')
    for (const [name, bytes] of filesOf(disk)) ok(files.get(name)?.equals(bytes))
    await orThrow(log.close())
  })
  await fc.assert(property, { numRuns: 100 })
})
