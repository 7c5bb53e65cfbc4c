// What append promises: one write for a turn's batches, one sync for many callers, nothing acknowledged that a sync
// did not cover, and refusals that leave no trace.

import { describe, expect, it } from 'vitest'
import { EventLog, orThrow, type NewEvent } from '../src/index.ts'
import { batchEventsMax, depthMax, payloadBytesMax } from '../src/core/limit.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { all, deposit, eventsOf, filesOf, folder, lab, LabClock, openOn, turn } from './log-lab.ts'

/** How many calls of an operation there were since the last question. */
function counter(disk: MemoryDisk, operation: 'write' | 'sync'): () => number {
  let before = disk.counts.get(operation) ?? 0
  return () => {
    const now = disk.counts.get(operation) ?? 0
    const since = now - before
    before = now
    return since
  }
}

/** Holds every sync of a segment until the test lets it go. */
function gate(disk: MemoryDisk): { readonly held: () => number; readonly open: () => void; readonly one: () => void } {
  const waiting: (() => void)[] = []
  disk.arm({
    gate: ({ operation, path }) =>
      operation === 'sync' && path.endsWith('.log')
        ? new Promise((resolve) => waiting.push(resolve))
        : Promise.resolve()
  })
  return {
    held: () => waiting.length,
    one: () => waiting.shift()?.(),
    open: () => {
      disk.arm({})
      for (const resolve of waiting.splice(0)) resolve()
    }
  }
}

describe('append', () => {
  it('writes all batches of a turn at once, in the order of the calls', async () => {
    const { disk, log } = await lab()
    const writes = counter(disk, 'write')
    const calls = Array.from({ length: 100 }, (_, place) => orThrow(log.append(deposit(`a-${place}`, place))))
    const receipts = await Promise.all(calls)
    expect(writes()).toBe(1)
    expect(receipts.map((one) => one.offset)).toEqual(receipts.map((one) => one.offset).sort((a, b) => a - b))
    expect((await eventsOf(log.replay())).map(({ event }) => event.payload)).toEqual(
      calls.map((_, place) => ({ cents: place }))
    )
    await orThrow(log.append(deposit('a')))
    expect(writes()).toBe(1)
    await orThrow(log.close())
  })

  it('writes nothing before its task is run, and twice when it is run twice', async () => {
    const { log } = await lab()
    const task = log.append(deposit('a'))
    await turn()
    expect(log.end).toBe(0)
    const first = await orThrow(task)
    const second = await orThrow(task)
    expect(second.offset).toBe(first.nextOffset)
    expect(second.versions).toEqual([2])
    await orThrow(log.close())
  })

  it('stores what was passed at the time of the call, whatever the caller changes later', async () => {
    const { log } = await lab()
    const payload = { cents: 1 }
    const event = { aggregateId: 'a', eventType: 'T', payload }
    const batch = [event]
    const task = log.append(batch)
    payload.cents = 2
    batch.push(event)
    await orThrow(task)
    expect((await eventsOf(log.replay())).map((one) => one.event.payload)).toEqual([{ cents: 1 }])
    await orThrow(log.close())
  })

  it('writes in the middle of a turn when a megabyte waits, so that memory does not grow with the turn', async () => {
    const { disk, log } = await lab()
    const writes = counter(disk, 'write')
    const calls = Array.from({ length: 30 }, () => orThrow(log.append(deposit('a', 'x'.repeat(100_000)))))
    expect(writes()).toBe(2)
    await Promise.all(calls)
    await orThrow(log.close())
  })

  it('puts a batch that is larger than a segment into one of its own, whole', async () => {
    const { disk, log } = await lab({ segmentBytes: 300 })
    for (const batch of [[deposit('a')], Array.from({ length: 20 }, () => deposit('b')), [deposit('c')]]) {
      await orThrow(log.append(batch))
    }
    const { end } = log
    await orThrow(log.close())
    const segments = [...filesOf(disk)].filter(([name]) => name.endsWith('.log'))
    expect(segments.length).toBe(3)
    expect(segments.reduce((sum, [, bytes]) => sum + bytes.length - 32, 0)).toBe(end)
  })

  it('judges conditions in the order of the calls, each behind the batches before it', async () => {
    const { log } = await lab()
    const results = await Promise.all([
      log.append(deposit('a'), { conditions: [{ aggregateId: 'a', version: 'none' }] })(),
      log.append(deposit('a'), { conditions: [{ aggregateId: 'a', version: 'none' }] })(),
      log.append(deposit('b'), { conditions: [{ aggregateId: 'a', version: 1 }] })(),
      log.append(deposit('b'), { conditions: [{ aggregateId: 'c', version: 'exists' }] })(),
      log.append(deposit('b'), {
        conditions: [
          { aggregateId: 'b', version: 1 },
          { aggregateId: 'a', version: 'exists' }
        ]
      })()
    ])
    expect(results.map((one) => (one._tag === 'Right' ? one.right.versions : one.left._tag))).toEqual([
      [1],
      'ConditionFailed',
      [1],
      'ConditionFailed',
      [2]
    ])
    expect(results[1]).toMatchObject({ left: { expected: 'none', actual: 1, condition: { aggregateId: 'a' } } })
    expect((await eventsOf(log.replay())).map((one) => one.event.aggregateId)).toEqual(['a', 'b', 'b'])
    await orThrow(log.close())
  })

  it('refuses an event whose frame would be over the limit, and takes the one that just fits', async () => {
    const { disk, log } = await lab()
    const bytes = counter(disk, 'write')
    const result = await log.append([deposit('a'), deposit('a', 'x'.repeat(payloadBytesMax))])()
    expect(result).toMatchObject({ _tag: 'Left', left: { _tag: 'InvalidEvent', index: 1, path: '$' } })
    expect(bytes()).toBe(0)
    const { nextOffset: empty } = await orThrow(log.append(deposit('a', '')))
    const most = payloadBytesMax - (empty - 8)
    expect(await log.append(deposit('a', 'x'.repeat(most + 1)))()).toMatchObject({ left: { _tag: 'InvalidEvent' } })
    const fitting = await orThrow(log.append(deposit('a', 'x'.repeat(most))))
    expect(fitting.nextOffset - fitting.offset).toBe(payloadBytesMax + 8)
    await orThrow(log.close())
    const again = await openOn(disk)
    expect((await orThrow(again.loadAggregate('a'))).map((one) => one.version)).toEqual([1, 2])
    await orThrow(again.close())
  })

  it('takes a payload as deep as the limit and gives it back', async () => {
    const { log } = await lab()
    let payload: unknown = 1
    for (let level = 0; level < depthMax; level++) payload = [payload]
    await orThrow(log.append(deposit('a', 0, { payload })))
    expect((await eventsOf(log.replay()))[0]?.event.payload).toEqual(payload)
    expect(await log.append(deposit('a', 0, { payload: [payload] }))()).toMatchObject({
      left: { _tag: 'InvalidEvent' }
    })
    await orThrow(log.close())
  })

  it.each<[string, () => [readonly NewEvent[], object?]]>([
    ['an empty batch', () => [[]]],
    ['too many events', () => [Array.from({ length: batchEventsMax + 1 }, () => deposit('a'))]],
    ['a condition that is none', () => [[deposit('a')], { conditions: [null] }]],
    ['a condition without an aggregate', () => [[deposit('a')], { conditions: [{ version: 1 }] }]],
    ['a negative version', () => [[deposit('a')], { conditions: [{ aggregateId: 'a', version: -1 }] }]],
    ['half a version', () => [[deposit('a')], { conditions: [{ aggregateId: 'a', version: 0.5 }] }]],
    ['a word that is no version', () => [[deposit('a')], { conditions: [{ aggregateId: 'a', version: 'any' }] }]]
  ])('refuses %s as InvalidArgument', async (_, made) => {
    const { log } = await lab()
    const [events, options] = made()
    expect(await log.append(events, options)()).toMatchObject({ left: { _tag: 'InvalidArgument' } })
    expect(log.end).toBe(0)
    await orThrow(log.close())
  })

  it('never lets a timestamp fall, though the clock does, and goes on behind the last one after a reopening', async () => {
    const { disk, log } = await lab({ clock: new LabClock([50, 40, 60, -5, 55]) })
    for (let place = 0; place < 5; place++) await orThrow(log.append(deposit('a')))
    const before = (await eventsOf(log.replay())).map((one) => one.writeTimestampMs)
    expect(before).toEqual([...before].sort((a, b) => a - b))
    await orThrow(log.close())
    const again = await openOn(disk, { clock: new LabClock([1]) })
    await orThrow(again.append(deposit('a')))
    expect((await eventsOf(again.replay())).at(-1)?.writeTimestampMs).toBe(before.at(-1))
    await orThrow(again.close())
  })

  it.each([1.5, Number.NaN, Number.POSITIVE_INFINITY, -1])(
    'writes whole milliseconds when the clock says %s',
    async (time) => {
      const { log } = await lab({ clock: new LabClock([time]) })
      await orThrow(log.append(deposit('a')))
      const [stored] = await eventsOf(log.replay())
      expect(stored?.writeTimestampMs).toBe(time === 1.5 ? 1 : 0)
      await orThrow(log.close())
    }
  )
})

describe('appendSync', () => {
  it('shares syncs: 64 callers of one turn wait for one', async () => {
    const { disk, log } = await lab()
    const syncs = counter(disk, 'sync')
    const calls = Array.from({ length: 64 }, (_, place) => orThrow(log.appendSync(deposit(`a-${place}`))))
    const receipts = await Promise.all(calls)
    expect(syncs()).toBe(1)
    expect(receipts.every((one) => one.durability === 'synced')).toBe(true)
    await orThrow(log.close())
  })

  it('lets what comes during a sync wait for the next one, all of it together', async () => {
    const { disk, log } = await lab()
    const syncs = gate(disk)
    const settled: string[] = []
    const call = (name: string): Promise<unknown> =>
      orThrow(log.appendSync(deposit(name))).then(() => settled.push(name))
    const first = call('first')
    await turn()
    expect(syncs.held()).toBe(1)
    const later = [call('second'), call('third')]
    await turn()
    // They are written, but the sync under way began before that.
    expect((await eventsOf(log.replay())).length).toBe(3)
    syncs.one()
    await first
    await turn()
    expect(settled).toEqual(['first'])
    expect(syncs.held()).toBe(1)
    syncs.one()
    await Promise.all(later)
    expect(syncs.held()).toBe(0)
    syncs.open()
    await orThrow(log.close())
  })

  it('survives a power cut, whatever that keeps of the rest', async () => {
    const { disk, log } = await lab({ segmentBytes: 300 })
    for (let place = 0; place < 6; place++) await orThrow(log.appendSync([deposit('a', place), deposit('b', place)]))
    const { end } = log
    void log.append(deposit('c'))()
    await turn()
    for (const choose of [() => 0, (count: number) => count - 1, (count: number) => Math.floor(count / 2)]) {
      const again = await openOn(disk.crash(choose))
      expect(again.end).toBeGreaterThanOrEqual(end)
      expect((await eventsOf(again.replay())).slice(0, 12).map((one) => one.event.payload)).toEqual(
        Array.from({ length: 12 }, (_, place) => ({ cents: Math.floor(place / 2) }))
      )
      await orThrow(again.close())
    }
  })

  it('is not acknowledged by a sync that began before its batch was written', async () => {
    const { disk, log } = await lab()
    const syncs = gate(disk)
    await orThrow(log.append(deposit('a')))
    const sync = orThrow(log.sync())
    await turn()
    const appended = orThrow(log.appendSync(deposit('b')))
    await turn()
    syncs.one()
    await sync
    // A cut now may take the second event: it was written after that sync had begun.
    const cut = await openOn(disk.crash(() => 0))
    expect((await eventsOf(cut.replay())).map((one) => one.event.aggregateId)).toEqual(['a'])
    let settled = false
    void appended.then(() => (settled = true))
    await turn()
    expect(settled).toBe(false)
    syncs.open()
    await appended
    const kept = await openOn(disk.crash(() => 0))
    expect((await eventsOf(kept.replay())).map((one) => one.event.aggregateId)).toEqual(['a', 'b'])
    await orThrow(log.close())
  })
})

it('an append after the other, awaited, gives other work its turn', async () => {
  const { log } = await lab({ segmentBytes: 64 * 1024 * 1024 })
  let turns = 0
  const count = (): void => {
    turns++
    immediate = setImmediate(count)
  }
  let immediate = setImmediate(count)
  for (let n = 0; n < 60; n++) await orThrow(log.append(deposit('a', 'x'.repeat(100_000))))
  clearImmediate(immediate)
  expect(turns).toBeGreaterThanOrEqual(4)
  await orThrow(log.close())
})

describe('sync', () => {
  it('makes durable what was appended, and is free when there is nothing to sync', async () => {
    const { disk, log } = await lab()
    const syncs = counter(disk, 'sync')
    const calls = [orThrow(log.append(deposit('a'))), orThrow(log.append(deposit('b')))]
    await orThrow(log.sync())
    expect(syncs()).toBe(1)
    await Promise.all(calls)
    const cut = await openOn(disk.crash(() => 0))
    expect((await eventsOf(cut.replay())).length).toBe(2)
    await orThrow(log.sync())
    expect(syncs()).toBe(0)
    await orThrow(log.close())
  })

  it('does not count what was written while an earlier one was under way', async () => {
    const { disk, log } = await lab()
    const syncs = gate(disk)
    await orThrow(log.append(deposit('a')))
    const first = orThrow(log.sync())
    await turn()
    await orThrow(log.append(deposit('b')))
    syncs.one()
    await first
    const second = orThrow(log.sync())
    await turn()
    expect(syncs.held()).toBe(1)
    syncs.open()
    await second
    await orThrow(log.close())
  })

  it('comes by itself at every interval in which something was appended, until the log is closed', async () => {
    const clock = new LabClock()
    const { disk, log } = await lab({ clock, sync: { everyMs: 100 } })
    const syncs = counter(disk, 'sync')
    clock.ring()
    await turn()
    expect(syncs()).toBe(0)
    await orThrow(log.append(deposit('a')))
    expect(syncs()).toBe(0)
    clock.ring()
    await turn()
    expect(syncs()).toBe(1)
    expect((await eventsOf((await openOn(disk.crash(() => 0))).replay())).length).toBe(1)
    await orThrow(log.close())
    expect(clock.tasks.size).toBe(0)
  })
})

describe('Overloaded', () => {
  it('refuses what would wait beyond the limit, and takes it again when receipts have come', async () => {
    const { disk, log } = await lab({ pendingBytes: 1_000 })
    const syncs = gate(disk)
    const waiting: Promise<unknown>[] = []
    for (let place = 0; place < 3; place++) waiting.push(orThrow(log.appendSync(deposit('a', 'x'.repeat(200)))))
    const refused = await log.appendSync(deposit('a', 'x'.repeat(200)))()
    expect(refused).toMatchObject({ left: { _tag: 'Overloaded', limitBytes: 1_000 } })
    await turn()
    // Written, and still waiting for their sync: they count.
    expect(await log.append(deposit('a', 'x'.repeat(200)))()).toMatchObject({ left: { _tag: 'Overloaded' } })
    syncs.open()
    await Promise.all(waiting)
    await orThrow(log.append(deposit('a', 'x'.repeat(200))))
    expect((await eventsOf(log.replay())).length).toBe(4)
    await orThrow(log.close())
  })

  it('takes one batch of any size when nothing waits', async () => {
    const { log } = await lab({ pendingBytes: 10 })
    await orThrow(log.append(deposit('a', 'x'.repeat(5_000))))
    await orThrow(log.appendSync(deposit('a', 'x'.repeat(5_000))))
    expect((await all(log.replay())).length).toBe(2)
    await orThrow(log.close())
  })

  it('forgets what was refused or failed: nothing waits for ever', async () => {
    const { disk, log } = await lab({ pendingBytes: 600 })
    for (let place = 0; place < 20; place++) {
      disk.arm({ fault: ({ operation }) => (operation === 'write' ? 'ENOSPC' : undefined) })
      const failed = await Promise.all([log.append(deposit('a'))(), log.appendSync(deposit('a'))()])
      expect(failed.every((one) => one._tag === 'Left' && one.left._tag === 'DiskFull')).toBe(true)
      disk.arm({})
      const conditions = [{ aggregateId: 'x', version: 'exists' as const }]
      expect(await log.append(deposit('a'), { conditions })()).toMatchObject({ left: { _tag: 'ConditionFailed' } })
    }
    await orThrow(log.append(deposit('a', 'x'.repeat(300))))
    await orThrow(log.close())
  })
})

it('a log on a memory disk is opened by the same call as any other', async () => {
  const { disk, log } = await lab()
  await orThrow(log.close())
  const opened = await EventLog.open(folder, { disk })()
  expect(opened._tag).toBe('Right')
  if (opened._tag === 'Right') await orThrow(opened.right.close())
})
