// Following a log: how it ends, what it says where the log stands still, and who may follow.

import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import { encodeHeader } from '../src/core/header.ts'
import { channels, Closed, EventLog, Offset, orThrow, type Event } from '../src/index.ts'
import { bytesAt, deposit, filesOf, folder, lab, LabClock, openOn, plainAll, putFile } from './log-lab.ts'

const first = '00000000000000000000.log'

/** A turn of the event loop, in which whoever could go on does. */
const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5))

describe('a follower', () => {
  it('waits at the end, is woken by the next append, and says each time that it has caught up', async () => {
    const { log } = await lab()
    await orThrow(log.append(deposit('a')))
    const marks: Offset[] = []
    const events = log.follow(undefined, { onCaughtUp: (at) => marks.push(at) })[Symbol.asyncIterator]()
    expect((await events.next()).value).toMatchObject({ right: { event: { aggregateId: 'a' } } })
    const waiting = events.next()
    await turn()
    expect(marks).toEqual([log.end])
    await orThrow(log.append([deposit('b'), deposit('c')]))
    expect((await waiting).value).toMatchObject({ right: { event: { aggregateId: 'b' } } })
    expect((await events.next()).value).toMatchObject({ right: { event: { aggregateId: 'c' } } })
    expect(marks).toHaveLength(1)
    await events.return?.()
    await orThrow(log.close())
  })

  it('tells on its channel when it has caught up, and when it has fallen behind', async () => {
    const { log } = await lab()
    const told: unknown[] = []
    const tell = (message: unknown): void => void told.push(message)
    subscribe(channels.follow, tell)
    const events = log.follow()[Symbol.asyncIterator]()
    const waiting = events.next()
    await turn()
    const { nextOffset } = await orThrow(log.append(deposit('a')))
    await waiting
    const waitingAgain = events.next()
    await turn()
    unsubscribe(channels.follow, tell)
    expect(told).toEqual([
      { folder, state: 'caughtUp', offset: 0 },
      { folder, state: 'behind', offset: 0 },
      { folder, state: 'caughtUp', offset: nextOffset }
    ])
    await events.return?.()
    await waitingAgain
    await orThrow(log.close())
  })

  it('hands out only what matches, and passes over the rest', async () => {
    const { log } = await lab()
    await orThrow(log.append([deposit('a'), deposit('b')]))
    const events = log.follow(undefined, { query: { aggregateId: 'b' } })[Symbol.asyncIterator]()
    expect((await events.next()).value).toMatchObject({ right: { event: { aggregateId: 'b' }, version: 1 } })
    const waiting = events.next()
    await orThrow(log.append(deposit('a')))
    await orThrow(log.append(deposit('b')))
    expect((await waiting).value).toMatchObject({ right: { event: { aggregateId: 'b' }, version: 2 } })
    await events.return?.()
    await orThrow(log.close())
  })

  it('ends behind as many events as were asked for', async () => {
    const { log } = await lab()
    await orThrow(log.append([deposit('a'), deposit('b')]))
    const following = plainAll(log.follow(undefined, { limit: 3 }))
    await turn()
    await orThrow(log.append([deposit('c'), deposit('d')]))
    const ids = (await following) as readonly { readonly event: Event }[]
    expect(ids.map(({ event }) => event.aggregateId)).toEqual(['a', 'b', 'c'])
    expect(await plainAll(log.follow(undefined, { limit: 0 }))).toEqual([])
    await orThrow(log.close())
  })

  it('ends with Aborted when the caller aborts, also while it waits', async () => {
    const { log } = await lab()
    const stop = new AbortController()
    const events = log.follow(undefined, { signal: stop.signal })[Symbol.asyncIterator]()
    const waiting = events.next()
    await turn()
    stop.abort()
    expect((await waiting).value).toMatchObject({ left: { _tag: 'Aborted' } })
    expect((await events.next()).done).toBe(true)
    await orThrow(log.close())
  })

  it('ends with Closed when the log is closed, also while it waits', async () => {
    const { log } = await lab()
    const events = log.follow()[Symbol.asyncIterator]()
    const waiting = events.next()
    await turn()
    await orThrow(log.close())
    expect((await waiting).value).toMatchObject({ left: new Closed() })
    expect((await events.next()).done).toBe(true)
  })

  it('that is let go while it waits ends at once, and leaves nothing behind', async () => {
    const { log } = await lab()
    const events = log.follow()[Symbol.asyncIterator]()
    const waiting = events.next()
    await turn()
    await events.return?.()
    expect((await waiting).done).toBe(true)
    await orThrow(log.close())
  })

  it('begins no further than the end', async () => {
    const { log } = await lab()
    const element = await log.follow(Offset(99))[Symbol.asyncIterator]().next()
    expect(element.value).toMatchObject({ left: { _tag: 'InvalidOffset' } })
    await orThrow(log.close())
  })

  it('hands damage on in its place, and goes on behind it', async () => {
    const { disk, log } = await lab()
    const { nextOffset } = await orThrow(log.append(deposit('a')))
    await orThrow(log.append(deposit('b')))
    disk.corrupt(`${folder}/${first}`, 40, 1)
    const events = log.follow()[Symbol.asyncIterator]()
    expect((await events.next()).value).toMatchObject({ left: { _tag: 'Corrupt', offset: 0, nextOffset } })
    expect((await events.next()).value).toMatchObject({ right: { event: { aggregateId: 'b' } } })
    const waiting = events.next()
    await orThrow(log.append(deposit('c')))
    expect((await waiting).value).toMatchObject({ right: { event: { aggregateId: 'c' } } })
    await events.return?.()
    await orThrow(log.close())
  })

  it.each([
    [{ writerLostMs: 0 }, 'writerLostMs'],
    [{ query: { type: 'x' } as never }, 'query']
  ])('refuses %j', async (options, argument) => {
    const { log } = await lab()
    const element = await log.follow(undefined, options)[Symbol.asyncIterator]().next()
    expect(element.value).toMatchObject({ left: { _tag: 'InvalidArgument', argument } })
    await orThrow(log.close())
  })
})

describe('a follower in another process', () => {
  /** A log whose writer was killed in the middle of a batch, and what its file held before and after. */
  async function halfWritten(): Promise<{ disk: MemoryDisk; whole: number }> {
    const disk = new MemoryDisk()
    const log = await openOn(disk)
    await orThrow(log.append(deposit('a')))
    const whole = bytesAt(disk, `${folder}/${first}`).length
    await orThrow(log.append([deposit('b'), deposit('c')]))
    const bytes = bytesAt(disk, `${folder}/${first}`)
    const killed = disk.processCrash()
    await putFile(killed, first, bytes.subarray(0, bytes.length - 3))
    return { disk: killed, whole }
  }

  it('takes half of a batch for "not yet", says once that the writer is lost, and goes on with the next writer', async () => {
    const { disk, whole } = await halfWritten()
    const clock = new LabClock([1_000, 1_000, 9_000])
    const reader = await openOn(disk, { readOnly: true, clock })
    const events = reader.follow(undefined, { writerLostMs: 5_000 })[Symbol.asyncIterator]()
    expect((await events.next()).value).toMatchObject({ right: { event: { aggregateId: 'a' } } })
    const lost = events.next()
    await turn()
    clock.ring()
    const end = whole - encodeHeader({ createdAt: 0, baseOffset: 0, logId: 0 }).length
    expect((await lost).value).toMatchObject({ left: { _tag: 'WriterLost', offset: end } })
    const waiting = events.next()
    await turn()
    clock.ring()
    const writer = await openOn(disk)
    expect(writer.recovery.torn).toMatchObject({ offset: end })
    await orThrow(writer.append(deposit('d')))
    expect((await waiting).value).toMatchObject({ right: { event: { aggregateId: 'd' }, offset: end } })
    await events.return?.()
    await orThrow(reader.close())
    await orThrow(writer.close())
  })

  it('lets go of the indexes that it had to build when the writer has saved them', async () => {
    const disk = new MemoryDisk()
    const writer = await openOn(disk, { segmentBytes: 300 })
    const reader = await openOn(disk, { readOnly: true })
    const events = reader.follow()[Symbol.asyncIterator]()
    for (let count = 0; count < 20; count++) {
      await orThrow(writer.append(deposit(`a${count}`)))
      expect((await events.next()).value).toMatchObject({ right: { event: { aggregateId: `a${count}` } } })
      await turn()
    }
    // Asked of files that are gone, an index in memory would still know.
    const segments = [...filesOf(disk).keys()].filter((name) => name.endsWith('.log'))
    const opens: string[] = []
    disk.arm({ calls: ({ operation, path }) => void (operation === 'read' && opens.push(path)) })
    expect(await orThrow(reader.version('a0'))).toBe(1)
    expect(opens.some((path) => path.endsWith(`${segments[0]?.slice(0, 20)}.idx`))).toBe(true)
    await events.return?.()
    await orThrow(reader.close())
    await orThrow(writer.close())
  })

  it('is told of appends by the files themselves', async () => {
    const path = mkdtempSync(join(tmpdir(), 'chronicle-follow-'))
    try {
      const writer = await orThrow(EventLog.open(path))
      const reader = await orThrow(EventLog.open(path, { readOnly: true, clock: new LabClock() }))
      const events = reader.follow()[Symbol.asyncIterator]()
      for (let count = 0; count < 5; count++) {
        const waiting = events.next()
        await turn()
        await orThrow(writer.append(deposit(`a${count}`)))
        // No timer of this clock ever rings, so only the notice can have woken the reader.
        expect((await waiting).value).toMatchObject({ right: { event: { aggregateId: `a${count}` } } })
      }
      await events.return?.()
      await orThrow(reader.close())
      await orThrow(writer.close())
    } finally {
      rmSync(path, { recursive: true })
    }
  })
})
