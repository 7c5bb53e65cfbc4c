// Iterating: what ends an iteration, what it gives back, and what it says of damage and of events that do not decode.

import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import {
  EventLog,
  Offset,
  orThrow,
  type Event,
  type Query,
  type ReplayElement,
  type StoredEvent
} from '../src/index.ts'
import { headerBytes } from '../src/core/header.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { all, deposit, diskOf, eventsOf, filesOf, folder, HandleDisk, lab, openOn, plainAll, turn } from './log-lab.ts'
import type { LabOptions } from './log-lab.ts'

interface Held {
  readonly disk: HandleDisk
  readonly log: EventLog
  /** The files that the log has open while nobody reads. */
  readonly idle: readonly string[]
}

/** A log of three hundred events in several segments, each read of which takes several batches. */
async function held(options: LabOptions = {}): Promise<Held> {
  const disk = new HandleDisk(new MemoryDisk())
  const log = await openOn(disk, { segmentBytes: 300_000, ...options })
  for (let place = 0; place < 30; place++) {
    await orThrow(log.append(Array.from({ length: 10 }, () => deposit(`a${place % 3}`, 'x'.repeat(2_000)))))
  }
  // The indexes of sealed segments are written behind the appends.
  await orThrow(log.rebuildIndex())
  await eventsOf(log.replay(undefined, { query: { types: ['Deposited'] } }))
  return { disk, log, idle: disk.handles }
}

function offsetOf(element: ReplayElement<Event>): number {
  return element._tag === 'Right' ? element.right.offset : -1
}

const ways = [
  ['forwards', {}],
  ['backwards', { backwards: true }],
  ['by a query', { query: { types: ['Deposited'] } }],
  ['by a query, backwards', { query: { types: ['Deposited'] }, backwards: true }]
] as const

describe('a replay', () => {
  it.each(ways)('%s that is left by break gives its file back', async (_, options) => {
    const { disk, log, idle } = await held()
    for await (const one of log.replay(undefined, options)) {
      expect(one._tag).toBe('Right')
      break
    }
    expect(disk.handles).toEqual(idle)
    for await (const batch of log.replay(undefined, options).readBatches()) {
      expect(batch.length).toBeGreaterThan(0)
      break
    }
    expect(disk.handles).toEqual(idle)
    await orThrow(log.close())
  })

  it.each(ways)('%s that an error in the loop leaves gives its file back', async (_, options) => {
    const { disk, log, idle } = await held()
    const loop = async (): Promise<void> => {
      for await (const { offset } of orThrow(log.replay(undefined, options))) throw new Error(`at ${offset}`)
    }
    await expect(loop()).rejects.toThrow('at ')
    expect(disk.handles).toEqual(idle)
    await orThrow(log.close())
  })

  it.each(ways)('%s that is aborted ends with Aborted and gives its file back', async (_, options) => {
    const { disk, log, idle } = await held()
    const abort = new AbortController()
    const reason = new Error('enough')
    const elements = []
    for await (const element of log.replay(undefined, { ...options, signal: abort.signal })) {
      elements.push(element)
      if (elements.length === 5) abort.abort(reason)
    }
    expect(elements).toHaveLength(6)
    expect(elements.at(-1)).toMatchObject({ _tag: 'Left', left: { _tag: 'Aborted', cause: reason } })
    expect(elements.slice(0, -1).every((one) => one._tag === 'Right')).toBe(true)
    expect(disk.handles).toEqual(idle)
    expect(await plainAll(log.replay(undefined, { ...options, signal: abort.signal }))).toEqual([{ _tag: 'Aborted' }])
    await orThrow(log.close())
  })

  it.each(ways)('%s reads nothing before it is asked, and again when it is iterated again', async (_, options) => {
    const { disk, log, idle } = await held()
    const replay = log.replay(undefined, options)
    const iterator = replay[Symbol.asyncIterator]()
    await turn()
    expect(disk.handles).toEqual(idle)
    const once = await plainAll(replay)
    await orThrow(log.append(deposit('later')))
    expect((await plainAll(replay)).length).toBe(once.length + 1)
    expect((await iterator.next()).done).toBe(false)
    await iterator.return?.()
    expect((await iterator.next()).done).toBe(true)
    await orThrow(log.close())
  })

  it.each(ways)('%s answers calls of next at the same time in their order, none twice', async (_, options) => {
    const { disk, log, idle } = await held()
    const iterator = log.replay(undefined, options)[Symbol.asyncIterator]()
    const results = await Promise.all(Array.from({ length: 310 }, () => iterator.next()))
    const expected = await all(log.replay(undefined, options))
    expect(results.flatMap((one) => (one.done === true ? [] : [offsetOf(one.value)]))).toEqual(expected.map(offsetOf))
    expect(results.slice(300).every((one) => one.done)).toBe(true)
    const batches = log.replay(undefined, options).readBatches()[Symbol.asyncIterator]()
    const pulled = await Promise.all(Array.from({ length: 40 }, () => batches.next()))
    expect(pulled.flatMap((one) => (one.done === true ? [] : one.value)).map(offsetOf)).toEqual(expected.map(offsetOf))
    expect(disk.handles).toEqual(idle)
    await orThrow(log.close())
  })

  it.each(ways)('%s that is left while a read is under way gives its file back', async (_, options) => {
    const { disk, log, idle } = await held()
    for (let turns = 0; turns < 12; turns++) {
      for (const iterator of [
        log.replay(undefined, options)[Symbol.asyncIterator](),
        log.replay(undefined, options).readBatches()[Symbol.asyncIterator]()
      ]) {
        const pending = iterator.next()
        for (let step = 0; step < turns; step++) await Promise.resolve()
        await iterator.return?.()
        await pending
        expect((await iterator.next()).done).toBe(true)
        expect(disk.handles).toEqual(idle)
      }
    }
    await orThrow(log.close())
  })

  it('ends where the log ended when it began, while the log grows', async () => {
    const { log } = await lab()
    await orThrow(log.append([deposit('a'), deposit('b')]))
    let count = 0
    for await (const one of log.replay()) {
      expect(one._tag).toBe('Right')
      count++
      await orThrow(log.append(deposit('more')))
    }
    expect(count).toBe(2)
    await orThrow(log.close())
  })

  it('of an empty log, an empty range or with limit 0 has no element', async () => {
    const { log } = await lab()
    expect(await plainAll(log.replay())).toEqual([])
    const { nextOffset } = await orThrow(log.append(deposit('a')))
    expect(await plainAll(log.replay(nextOffset))).toEqual([])
    expect(await plainAll(log.replayUntil(Offset(0), Offset(0)))).toEqual([])
    expect(await plainAll(log.replayUntil(nextOffset, Offset(0)))).toEqual([])
    expect(await plainAll(log.replay(undefined, { limit: 0 }))).toEqual([])
    expect(await plainAll(log.replayAggregate('a', { limit: 0 }))).toEqual([])
    expect(await plainAll(log.replayAggregate('none'))).toEqual([])
    await orThrow(log.close())
  })

  it('refuses what is no offset, no limit, no version and no query', async () => {
    const { log } = await lab()
    await orThrow(log.append(deposit('a')))
    for (const wrong of [-1, 0.5, Number.NaN, 2 ** 53, '1'] as number[]) {
      for (const replay of [
        log.replay(wrong as Offset),
        log.replay(undefined, { until: wrong as Offset }),
        log.replay(undefined, { limit: wrong }),
        log.replayAggregate('a', { limit: wrong }),
        log.replayAggregate('a', { fromVersion: wrong })
      ]) {
        expect(await plainAll(replay)).toEqual([{ _tag: 'InvalidArgument' }])
      }
    }
    for (const wrong of [null, 'Deposited', { types: 'Deposited' }, [{ tags: [1] }]] as unknown as Query[]) {
      expect(await plainAll(log.replay(undefined, { query: wrong }))).toEqual([{ _tag: 'InvalidArgument' }])
      const decided = await log.decide(wrong, { initial: 0, evolve: (count) => count + 1 })()
      expect(decided).toMatchObject({ left: { _tag: 'InvalidArgument', argument: 'query' } })
    }
    await orThrow(log.close())
  })
})

describe('damage in the middle', () => {
  /** Five events of two aggregates, a b a b a, with one bit of the named one flipped. */
  async function damaged(place: number): Promise<{ log: EventLog; whole: StoredEvent[] }> {
    const { disk, log } = await lab()
    for (const id of ['a', 'b', 'a', 'b', 'a']) await orThrow(log.append(deposit(id)))
    const whole = await eventsOf(log.replay())
    await orThrow(log.close())
    const copy = await diskOf(filesOf(disk))
    copy.corrupt(`${folder}/00000000000000000000.log`, headerBytes + (whole[place]?.offset ?? 0) + 60, 4)
    return { log: await openOn(copy), whole }
  }

  it('is one Left in its place, and everything else is read', async () => {
    for (let place = 0; place < 5; place++) {
      const { log, whole } = await damaged(place)
      const { offset, nextOffset } = whole[place] as StoredEvent
      const expected: unknown[] = [...whole]
      expected[place] = { _tag: 'Corrupt', offset, nextOffset, reason: 'checksum' }
      expect(await plainAll(log.replay())).toEqual(expected)
      expect(await plainAll(log.replay(undefined, { backwards: true }))).toEqual(expected.reverse())
      // A Left does not count against the limit.
      const limited = await all(log.replay(undefined, { limit: 4 }))
      expect(limited.filter((one) => one._tag === 'Right').length).toBe(4)
      await orThrow(log.close())
    }
  })

  it('that took an event of an aggregate fails its load, and no other load', async () => {
    for (let place = 0; place < 5; place++) {
      const { log, whole } = await damaged(place)
      const lost = place % 2 === 0 ? 'a' : 'b'
      const kept = place % 2 === 0 ? 'b' : 'a'
      const reducer = { initial: 0, evolve: (count: number) => count + 1 }
      expect(await log.load(lost, reducer)()).toMatchObject({
        left: { _tag: 'Corrupt', offset: whole[place]?.offset, nextOffset: whole[place]?.nextOffset }
      })
      expect(await log.loadAggregate(lost)()).toMatchObject({ left: { _tag: 'Corrupt' } })
      expect(await orThrow(log.load(kept, reducer))).toMatchObject({
        state: kept === 'a' ? 3 : 2,
        version: kept === 'a' ? 3 : 2
      })
      const own = whole.filter((one) => one.event.aggregateId === lost)
      const replayed = await plainAll(log.replayAggregate(lost))
      expect(replayed.filter((one) => !('_tag' in (one as object)))).toEqual(own.filter((one) => one !== whole[place]))
      expect(replayed.length).toBe(own.length)
      await orThrow(log.close())
    }
  })

  it('is left out of an aggregate whose versions prove that it lost nothing, though the index knows no better', async () => {
    const { disk, log } = await lab()
    for (const id of ['a', 'b', 'a']) await orThrow(log.append(deposit(id)))
    const [, lost] = await eventsOf(log.replay())
    await orThrow(log.close())
    const copy = await diskOf(filesOf(disk))
    copy.corrupt(`${folder}/00000000000000000000.log`, headerBytes + (lost?.offset ?? 0) + 60, 4)
    copy.remove(`${folder}/00000000000000000000.idx`)
    const again = await openOn(copy)
    expect((await orThrow(again.loadAggregate('a'))).map((one) => one.version)).toEqual([1, 2])
    // Nothing clears it for b, nor for one that never was.
    expect(await again.loadAggregate('b')()).toMatchObject({ left: { _tag: 'Corrupt', offset: lost?.offset } })
    expect(await again.loadAggregate('c')()).toMatchObject({ left: { _tag: 'Corrupt', offset: lost?.offset } })
    expect((await eventsOf(again.replayAggregate('a', { fromVersion: 2 }))).map((one) => one.version)).toEqual([2])
    await orThrow(again.close())
  })
})

describe('replayAggregate', () => {
  it('begins at a version, wherever its segment is', async () => {
    const { log } = await lab({ segmentBytes: 256 })
    for (let place = 1; place <= 9; place++) await orThrow(log.append([deposit('a', place), deposit('b', place)]))
    for (let fromVersion = 0; fromVersion <= 11; fromVersion++) {
      const versions = (await eventsOf(log.replayAggregate('a', { fromVersion }))).map((one) => one.version)
      expect(versions).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9].filter((version) => version >= fromVersion))
    }
    expect((await eventsOf(log.replayAggregate('b', { fromVersion: 3, limit: 2 }))).map((one) => one.version)).toEqual([
      3, 4
    ])
    const abort = AbortSignal.abort()
    expect(await plainAll(log.replayAggregate('a', { signal: abort }))).toEqual([{ _tag: 'Aborted' }])
    await orThrow(log.close())
  })
})

describe('a codec', () => {
  const Cents = t.type({ eventType: t.literal('Deposited'), payload: t.type({ cents: t.number }) })

  async function typed<A extends { eventType: string; payload: unknown }>(codec: t.Type<A, unknown, unknown>) {
    const disk = new MemoryDisk()
    const log = await openOn(disk)
    for (const payload of [{ cents: 1 }, { cents: 'two' }, { cents: 3 }])
      await orThrow(log.append(deposit('a', 0, { payload })))
    const offsets = (await eventsOf(log.replay())).map((one) => [one.offset, one.nextOffset])
    await orThrow(log.close())
    return { log: await orThrow(EventLog.open<A>(folder, { disk, codec })), offsets }
  }

  it('that refuses an event makes it InvalidStored with the path, and reading goes on', async () => {
    const { log, offsets } = await typed(Cents)
    const elements = await all(log.replay())
    expect(elements.map((one) => (one._tag === 'Right' ? one.right.event.payload.cents : one.left._tag))).toEqual([
      1,
      'InvalidStored',
      3
    ])
    const [offset, nextOffset] = offsets[1] ?? []
    expect(elements[1]).toMatchObject({ left: { offset, nextOffset, path: '$.payload.cents' } })
    expect((await all(log.replay(undefined, { backwards: true }))).map((one) => one._tag)).toEqual([
      'Right',
      'Left',
      'Right'
    ])
    expect(await log.loadAggregate('a')()).toMatchObject({ left: { _tag: 'InvalidStored', offset } })
    expect(await log.load('a', { initial: 0, evolve: (sum) => sum })()).toMatchObject({
      left: { _tag: 'InvalidStored' }
    })
    await orThrow(log.close())
  })

  it('that throws is InvalidStored in reading and InvalidEvent in appending, and nothing is lost', async () => {
    const thrower = new t.Type<{ eventType: string; payload: unknown }>(
      'Thrower',
      (_value): _value is { eventType: string; payload: unknown } => {
        throw Object.create(null) as Error
      },
      () => {
        throw Object.create(null) as Error
      },
      t.identity
    )
    const { log } = await typed(thrower)
    expect((await all(log.replay())).map((one) => (one._tag === 'Left' ? one.left._tag : ''))).toEqual(
      Array.from({ length: 3 }, () => 'InvalidStored')
    )
    const { end } = log
    expect(await log.append(deposit('a'))()).toMatchObject({ left: { _tag: 'InvalidEvent' } })
    expect(log.end).toBe(end)
    await orThrow(log.close())
  })

  it('refuses in append what it would not read, by its path', async () => {
    const { log } = await typed(Cents)
    const wrong = { ...deposit('a'), eventType: 'Deposited' as const, payload: { cents: 'x' as unknown as number } }
    expect(await log.append(wrong)()).toMatchObject({
      left: { _tag: 'InvalidEvent', path: '$.payload.cents', index: 0 }
    })
    await orThrow(log.close())
  })
})
