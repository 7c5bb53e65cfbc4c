// A replay as a stream of Node's: everything in order and once, no further ahead than it was told, and every file given
// back, however it ends.

import { once } from 'node:events'
import { Readable, Transform, Writable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { finished, pipeline } from 'node:stream/promises'
import { left, right } from 'fp-ts/lib/Either.js'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { Aborted, Corrupt, Offset, orThrow } from '../src/index.ts'
import type { Event, EventBody, EventLog, Recorded, ReplayElement, StoredEvent } from '../src/index.ts'
import { headerBytes } from '../src/core/header.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { Replay } from '../src/replay/replay.ts'
import { all, deposit, diskOf, eventsOf, filesOf, folder, HandleDisk, lab, openOn, plainAll, turn } from './log-lab.ts'
import { Batches, batchesOf, stored } from './readable-lab.ts'

const corrupt = new Corrupt({ offset: Offset(7), nextOffset: Offset(8), reason: 'checksum' })

async function logOf(
  count: number
): Promise<{ readonly disk: HandleDisk; readonly log: EventLog; readonly events: StoredEvent[] }> {
  const disk = new HandleDisk(new MemoryDisk())
  const log = await openOn(disk)
  for (let place = 0; place < count; place++) await orThrow(log.append(deposit('a', place)))
  return { disk, log, events: await eventsOf(log.replay()) }
}

describe('a stream of a replay', () => {
  it('has every event in order, however it is read', async () => {
    const { disk, log, events } = await logOf(50)
    const handles = disk.handles
    expect(await all(log.replay().toReadable())).toEqual(events)
    expect(await log.replay().toReadable().toArray()).toEqual(events)
    const flowing: unknown[] = []
    const stream = log.replay().toReadable({ highWaterMark: 3 })
    stream.on('data', (event) => flowing.push(event))
    await finished(stream)
    expect(flowing).toEqual(events)
    const paused: unknown[] = []
    const other = log.replay().toReadable({ highWaterMark: 3 })
    other.on('readable', () => {
      for (let event: unknown = other.read(); event !== null; event = other.read()) paused.push(event)
    })
    await finished(other)
    expect(paused).toEqual(events)
    expect(disk.handles).toEqual(handles)
    await orThrow(log.close())
  })

  it('knows its type', async () => {
    const { log } = await logOf(1)
    for await (const event of log.replay().toReadable())
      expectTypeOf(event).toEqualTypeOf<StoredEvent<Recorded<EventBody>>>()
    for await (const element of log.replay().toReadable({ either: true })) {
      expectTypeOf(element).toEqualTypeOf<ReplayElement<Recorded<EventBody>>>()
    }
    await orThrow(log.close())
  })

  it('goes through a pipeline at the pace of its end', async () => {
    const { log, events } = await logOf(40)
    const toLine = new Transform({
      writableObjectMode: true,
      transform: ({ event }: StoredEvent, _encoding, done) => done(null, `${JSON.stringify(event)}\n`)
    })
    const text = async (source: AsyncIterable<Buffer>): Promise<string> =>
      (await buffer(Readable.from(source))).toString()
    let lines = ''
    await pipeline(log.replay().toReadable({ highWaterMark: 2 }), toLine, async (source: AsyncIterable<Buffer>) => {
      lines = await text(source)
    })
    expect(lines).toBe(events.map(({ event }) => `${JSON.stringify(event)}\n`).join(''))
    await orThrow(log.close())
  })

  it('opens nothing before it is read', async () => {
    const batches = new Batches(batchesOf(1))
    const stream = batches.replay.toReadable()
    await turn()
    expect(batches.opened).toBe(0)
    stream.destroy()
    await once(stream, 'close')
    expect([batches.opened, batches.closed]).toEqual([0, 0])
  })

  it('is over when the log is closed under it', async () => {
    const { disk, log, events } = await logOf(2_000)
    const stream = log.replay().toReadable({ highWaterMark: 1 })
    await once(stream, 'readable')
    await orThrow(log.close())
    const taken: unknown[] = []
    const read = async (): Promise<void> => {
      for await (const event of stream) taken.push(event)
    }
    await expect(read()).rejects.toMatchObject({ _tag: 'Closed' })
    expect(taken).toEqual(events.slice(0, taken.length))
    expect(taken.length).toBeGreaterThan(0)
    expect(disk.handles).toEqual([])
    await expect(all(log.replay().toReadable())).rejects.toMatchObject({ _tag: 'Closed' })
  })
})

describe('back-pressure', () => {
  it('holds a follow where its consumer is', async () => {
    const { disk, log } = await logOf(30)
    const handles = disk.handles
    const stream = log.follow().toReadable({ highWaterMark: 2 })
    const taken: number[] = []
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write: ({ version }: StoredEvent, _encoding, done) => {
        taken.push(version)
        if (version === 30) void log.append(deposit('a'))()
        if (version === 31) stream.destroy()
        setImmediate(done)
      }
    })
    await expect(pipeline(stream, slow)).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' })
    expect(taken).toEqual(Array.from({ length: 31 }, (_, place) => place + 1))
    expect(disk.handles).toEqual(handles)
    await orThrow(log.close())
  })
})

describe('an end before the end', () => {
  it('gives the file back, in the middle of a loop, of a read, and of a wait', async () => {
    const { disk, log } = await logOf(2_000)
    const handles = disk.handles
    for await (const { version } of log.replay().toReadable()) if (version === 3) break
    expect(disk.handles).toEqual(handles)
    // Destroyed while the first batch is being read.
    const reading = log.replay().toReadable()
    reading.read()
    expect(reading.destroy().destroyed).toBe(true)
    await once(reading, 'close')
    await turn()
    expect(disk.handles).toEqual(handles)
    // Destroyed while it waits for an event that does not come.
    const waiting = log.follow(log.end).toReadable()
    waiting.read()
    for (let pause = 0; pause < 5; pause++) await turn()
    waiting.destroy(new Error('enough'))
    await expect(finished(waiting)).rejects.toThrow('enough')
    await turn()
    expect(disk.handles).toEqual(handles)
    await orThrow(log.close())
  })

  it('by the signal tells nothing more of what was read before, but what the stream had already', async () => {
    const aborting = new AbortController()
    const batches = new Batches([...batchesOf(5, 5), [left(new Aborted('enough'))]], aborting.signal)
    const stream = batches.replay.toReadable({ highWaterMark: 2 })
    const taken: number[] = []
    const read = async (): Promise<void> => {
      for await (const { offset } of stream) {
        taken.push(offset)
        if (offset === 6) aborting.abort()
      }
    }
    await expect(read()).rejects.toMatchObject({ _tag: 'Aborted' })
    expect(taken.slice(0, 7)).toEqual([0, 1, 2, 3, 4, 5, 6])
    expect(taken.length).toBeLessThanOrEqual(9)
    expect(batches.closed).toBe(1)
    // The abort may come while the batch is read that ends with it.
    const late = new AbortController()
    const last = new Batches([...batchesOf(2), [right(stored(2)), left(new Aborted('enough'))]], late.signal)
    const elements: unknown[] = []
    const reading = last.replay.toReadable({ either: true, highWaterMark: 1 })
    reading.on('readable', () => {
      for (let element: unknown = reading.read(); element !== null; element = reading.read()) elements.push(element)
      if (elements.length === 2) late.abort()
    })
    await finished(reading)
    expect(elements).toEqual([right(stored(0)), right(stored(1)), left(expect.objectContaining({ _tag: 'Aborted' }))])
    const early = new Batches([[left(new Aborted('early'))]], AbortSignal.abort())
    await expect(all(early.replay.toReadable())).rejects.toMatchObject({ _tag: 'Aborted' })
    const { log } = await logOf(3)
    await expect(all(log.replay(undefined, { signal: AbortSignal.abort() }).toReadable())).rejects.toMatchObject({
      _tag: 'Aborted'
    })
    await orThrow(log.close())
  })
})

describe('an error among the events', () => {
  const [events = [], more = []] = batchesOf(3, 2)

  it('destroys the stream behind the events that stood before it', async () => {
    for (const highWaterMark of [1, 2, 3, 4, 16]) {
      const batches = new Batches([[...events, left(corrupt), ...more]])
      const taken: unknown[] = []
      const stream = batches.replay.toReadable({ highWaterMark })
      const read = async (): Promise<void> => {
        for await (const { offset } of stream) {
          taken.push(offset)
          // Time enough to notice what comes.
          await turn()
        }
      }
      await expect(read()).rejects.toBe(corrupt)
      expect(taken).toEqual([0, 1, 2])
      expect([batches.closed, stream.destroyed]).toEqual([1, true])
    }
  })

  it('ends a pipeline, and reaches who reads one at a time', async () => {
    const batches = new Batches([events, [left(corrupt)], more])
    const taken: unknown[] = []
    const slow = new Writable({
      objectMode: true,
      highWaterMark: 1,
      write: (event: StoredEvent, _encoding, done) => {
        taken.push(event.offset)
        setImmediate(done)
      }
    })
    await expect(pipeline(batches.replay.toReadable(), slow)).rejects.toBe(corrupt)
    expect(taken).toEqual([0, 1, 2])
    const single = new Batches([[...events, left(corrupt)]]).replay.toReadable()
    for (let place = 0; place < 3; place++) {
      if (single.readableLength === 0) await once(single, 'readable')
      expect(single.read()).toEqual(stored(place))
    }
    await expect(finished(single)).rejects.toBe(corrupt)
  })

  it('that comes first is all there is', async () => {
    await expect(all(new Batches([[left(corrupt)]]).replay.toReadable())).rejects.toBe(corrupt)
  })

  it('is an element like others, when the stream is of Either', async () => {
    const batches = new Batches([[...events, left(corrupt), ...more]])
    expect(await all(batches.replay.toReadable({ either: true }))).toEqual([...events, left(corrupt), ...more])
  })

  it('of a real log is the same as in a replay', async () => {
    const { disk, log } = await lab()
    for (let place = 0; place < 5; place++) await orThrow(log.append(deposit('a', place)))
    const whole = await eventsOf(log.replay())
    await orThrow(log.close())
    const copy = await diskOf(filesOf(disk))
    copy.corrupt(`${folder}/00000000000000000000.log`, headerBytes + (whole[2]?.offset ?? 0) + 60, 4)
    const damaged = await openOn(copy)
    const elements = await plainAll(damaged.replay())
    expect(await plainAll(damaged.replay().toReadable({ either: true }))).toEqual(elements)
    const taken: unknown[] = []
    const read = async (): Promise<void> => {
      for await (const event of damaged.replay().toReadable()) taken.push(event)
    }
    await expect(read()).rejects.toMatchObject({ _tag: 'Corrupt', offset: whole[2]?.offset })
    expect(taken).toEqual(whole.slice(0, 2))
    await orThrow(damaged.close())
  })

  it('that is thrown destroys the stream too', async () => {
    const defect = new Error('defect')
    const open = () => ({ next: () => Promise.reject(defect), close: () => undefined })
    await expect(all(new Replay<Event>(open).toReadable())).rejects.toBe(defect)
  })
})
