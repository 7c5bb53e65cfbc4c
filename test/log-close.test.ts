// Closing: it waits for what was accepted, gives everything back, answers every call after it with Closed, and may be
// called again.

import { describe, expect, it } from 'vitest'
import { EventLog, orThrow, type Offset } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import {
  all,
  deposit,
  eventsOf,
  folder,
  HandleDisk,
  lab,
  LabClock,
  namesOf,
  openOn,
  plainAll,
  turn
} from './log-lab.ts'

/** Holds syncs until they are let go. */
function holdSyncs(disk: MemoryDisk): () => void {
  const waiting: (() => void)[] = []
  disk.arm({
    gate: ({ operation }) =>
      operation === 'sync' ? new Promise((resolve) => waiting.push(resolve)) : Promise.resolve()
  })
  return () => {
    disk.arm({})
    for (const resolve of waiting.splice(0)) resolve()
  }
}

describe('close', () => {
  it('waits for what was accepted, buffered or not, and makes all of it durable', async () => {
    const { disk, log } = await lab({ segmentBytes: 300 })
    const calls = Array.from({ length: 10 }, (_, place) =>
      orThrow(place % 2 === 0 ? log.append(deposit(`a${place}`)) : log.appendSync(deposit(`a${place}`)))
    )
    await orThrow(log.close())
    const receipts = await Promise.all(calls)
    expect(receipts.map((one) => one.versions)).toEqual(calls.map(() => [1]))
    const again = await openOn(disk.crash(() => 0))
    expect(again.recovery).toMatchObject({ clean: true, scannedBytes: 0, reindexed: [], damage: [], torn: undefined })
    expect((await eventsOf(again.replay())).length).toBe(10)
    await orThrow(again.close())
  })

  it('takes nothing more from the call on, while it still waits', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    const letGo = holdSyncs(disk)
    const accepted = log.appendSync(deposit('b'))()
    const closing = log.close()()
    expect(await log.append(deposit('c'))()).toMatchObject({ left: { _tag: 'Closed' } })
    // Reading goes on until everything is on disk.
    expect((await eventsOf(log.replay())).length).toBe(2)
    letGo()
    expect((await accepted)._tag).toBe('Right')
    expect((await closing)._tag).toBe('Right')
    expect(await plainAll(log.replay())).toEqual([{ _tag: 'Closed' }])
  })

  it('is one act however often it is called', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    const letGo = holdSyncs(disk)
    const calls = [log.close()(), log.close()(), orThrow(log.close())]
    await turn()
    letGo()
    await Promise.all(calls)
    const writes = disk.counts.get('write')
    expect((await log.close()())._tag).toBe('Right')
    await log[Symbol.asyncDispose]()
    expect(disk.counts.get('write')).toBe(writes)
  })

  it('answers every later call with Closed', async () => {
    const { log } = await lab()
    const { nextOffset } = await orThrow(log.append(deposit('a')))
    await orThrow(log.close())
    const reducer = { initial: 0, evolve: (count: number) => count + 1 }
    const calls: readonly (() => Promise<unknown>)[] = [
      log.append(deposit('b')),
      log.appendSync(deposit('b')),
      log.sync(),
      log.version('a'),
      log.load('a', reducer),
      log.loadAggregate('a'),
      log.offsetAt(0),
      log.rebuildIndex()
    ]
    for (const call of calls) expect(await call()).toMatchObject({ _tag: 'Left', left: { _tag: 'Closed' } })
    for (const replay of [
      log.replay(),
      log.replay(undefined, { backwards: true }),
      log.replay(undefined, { query: { types: ['Deposited'] } }),
      log.replayUntil(0 as Offset, nextOffset),
      log.replayAggregate('a'),
      log.replayAggregate('a', { fromVersion: 2 })
    ]) {
      expect(await plainAll(replay)).toEqual([{ _tag: 'Closed' }])
    }
    expect(await all(log.aggregates())).toMatchObject([{ left: { _tag: 'Closed' } }])
    expect(log.end).toBe(nextOffset)
  })

  it('while the log rolls waits for the new segment and what goes into it', async () => {
    const { disk, log } = await lab({ segmentBytes: 256 })
    await orThrow(log.append([deposit('a'), deposit('a')]))
    const letGo = holdSyncs(disk)
    const calls = [
      orThrow(log.append([deposit('b'), deposit('b')])),
      orThrow(log.appendSync([deposit('c'), deposit('c')]))
    ]
    await turn()
    const closing = orThrow(log.close())
    await turn()
    letGo()
    await closing
    await Promise.all(calls)
    const again = await openOn(disk)
    expect((await eventsOf(again.replay())).length).toBe(6)
    expect(again.recovery.clean).toBe(true)
    await orThrow(again.close())
  })

  it('waits for the indexes of sealed segments', async () => {
    const { disk, log } = await lab({ segmentBytes: 256 })
    let seen = 0
    disk.arm({
      gate: async ({ operation, path }) => {
        if (operation !== 'sync' || !path.endsWith('.idx.tmp') || seen++ > 0) return
        for (let turns = 0; turns < 30; turns++) await turn()
      }
    })
    for (let place = 0; place < 4; place++) await orThrow(log.append(deposit('a')))
    await orThrow(log.close())
    expect(namesOf(disk, 'idx').length).toBe(namesOf(disk, 'log').length)
  })

  it('gives back every file and the lock', async () => {
    const inner = new MemoryDisk()
    const disk = new HandleDisk(inner)
    for (const readOnly of [false, true]) {
      const log = await openOn(disk, { segmentBytes: 256, readOnly })
      if (!readOnly) for (let place = 0; place < 8; place++) await orThrow(log.append(deposit(`a${place % 3}`)))
      await eventsOf(log.replay())
      await eventsOf(log.replayAggregate('a1'))
      if (!readOnly) await orThrow(log.rebuildIndex())
      expect(disk.handles.length).toBeGreaterThan(0)
      await orThrow(log.close())
      expect(disk.handles).toEqual([])
    }
    const next = await openOn(disk)
    await orThrow(next.close())
    expect(disk.handles).toEqual([])
  })

  it('holds the lock until then, for one writer and no reader', async () => {
    const { disk, log } = await lab()
    expect(await EventLog.open(folder, { disk })()).toMatchObject({ left: { _tag: 'Locked' } })
    const reader = await openOn(disk, { readOnly: true })
    await orThrow(reader.close())
    await orThrow(log.close())
    const next = await openOn(disk)
    await orThrow(next.close())
  })

  it('in the middle of a replay ends that with Closed, and its file is given back', async () => {
    const disk = new HandleDisk(new MemoryDisk())
    const log = await openOn(disk)
    // More than one read takes, whichever way.
    await orThrow(log.append(Array.from({ length: 300 }, () => deposit('a', 'x'.repeat(2_000)))))
    const iterators = [
      log.replay(),
      log.replay(undefined, { backwards: true }),
      log.replay(undefined, { query: { aggregateId: 'a' } })
    ].map((replay) => replay.readBatches()[Symbol.asyncIterator]())
    for (const iterator of iterators) expect((await iterator.next()).done).toBe(false)
    await orThrow(log.close())
    for (const iterator of iterators) {
      expect(await iterator.next()).toMatchObject({ value: [{ left: { _tag: 'Closed' } }] })
      expect((await iterator.next()).done).toBe(true)
    }
    expect(disk.handles).toEqual([])
  })

  it('is what `await using` does at the end of a block', async () => {
    const disk = new MemoryDisk()
    {
      await using log = await openOn(disk)
      await orThrow(log.append(deposit('a')))
    }
    await using again = await openOn(disk)
    expect(again.recovery.clean).toBe(true)
  })

  it('writes nothing for a log that nothing was done to', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    await orThrow(log.close())
    const writes = disk.counts.get('write')
    const again = await openOn(disk, { clock: new LabClock([9]) })
    await eventsOf(again.replay())
    await orThrow(again.close())
    expect(disk.counts.get('write')).toBe(writes)
  })

  it('of a reader ends its reading and touches nothing', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    const reader = await openOn(disk, { readOnly: true })
    const writes = disk.counts.get('write')
    await orThrow(reader.close())
    await orThrow(reader.close())
    expect(await plainAll(reader.replay())).toEqual([{ _tag: 'Closed' }])
    expect(await reader.append(deposit('b'))()).toMatchObject({ left: { _tag: 'Closed' } })
    expect(disk.counts.get('write')).toBe(writes)
    await orThrow(log.close())
  })
})
