// A reader beside a writer: it sees the log grow and roll, only whole batches, never damage in what is still being
// written, and never writes itself.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { EventLog, orThrow, type Offset, type StoredEvent } from '../src/index.ts'
import { headerBytes } from '../src/core/header.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import {
  all,
  bytesAt,
  deposit,
  diskOf,
  eventsOf,
  filesOf,
  folder,
  lab,
  LabClock,
  openOn,
  plainAll,
  turn
} from './log-lab.ts'

const segment = '00000000000000000000.log'

/** Makes a file what a test wants it to be, in place: whoever has it open sees it change. */
function become(disk: MemoryDisk, name: string, bytes: Uint8Array): void {
  const opened = disk.open(`${folder}/${name}`, 'write')
  const file = opened._tag === 'Right' ? opened : disk.open(`${folder}/${name}`, 'create')
  if (file._tag === 'Left') throw file.left
  file.right.truncate(bytes.length)
  file.right.writeSync(bytes, 0)
  file.right.close()
}

/** The bytes of a log that holds these batches, and where each batch ends. */
async function written(
  batches: readonly (readonly string[])[]
): Promise<{ bytes: Buffer; ends: number[]; events: StoredEvent[] }> {
  const { disk, log } = await lab()
  const ends: number[] = []
  for (const ids of batches) ends.push((await orThrow(log.append(ids.map((id) => deposit(id))))).nextOffset)
  const events = await eventsOf(log.replay())
  return { bytes: bytesAt(disk, `${folder}/${segment}`), ends, events }
}

describe('a reader', () => {
  it('sees every batch once it is whole, at every byte of a file that grows', async () => {
    const { bytes, ends, events } = await written([['a'], ['b', 'c'], ['d', 'e', 'f'], ['g']])
    const disk = await diskOf(new Map([[segment, bytes.subarray(0, headerBytes)]]))
    const reader = await openOn(disk, { readOnly: true })
    for (let length = headerBytes; length <= bytes.length; length++) {
      // Before the rest is written there may be nothing, zeros, or what is written out of order.
      for (const tail of [0, 9, 50]) {
        become(disk, segment, Buffer.concat([bytes.subarray(0, length), Buffer.alloc(tail)]))
        const whole = ends.filter((end) => end <= length - headerBytes).at(-1) ?? 0
        expect((await eventsOf(reader.replay())).at(-1)?.nextOffset ?? 0).toBe(whole)
        expect(reader.end).toBe(whole)
      }
    }
    const holed = Buffer.from(bytes)
    holed.fill(0, headerBytes + (ends[1] as number) + 10, headerBytes + (ends[2] as number) - 10)
    become(disk, segment, holed)
    await orThrow(reader.close())
    const late = await openOn(disk, { readOnly: true })
    expect((await eventsOf(late.replay())).at(-1)?.nextOffset).toBe(ends[1])
    expect(late.recovery).toMatchObject({ damage: [], torn: undefined })
    become(disk, segment, bytes)
    expect(await eventsOf(late.replay())).toEqual(events)
    expect(await orThrow(late.version('f'))).toBe(1)
    await orThrow(late.close())
  })

  it('reads on to the end of a segment while the next one has no header yet', async () => {
    const { disk: source, log } = await lab({ segmentBytes: 256 })
    for (const id of ['a', 'b', 'c']) await orThrow(log.append(deposit(id, 'x'.repeat(120))))
    const events = await eventsOf(log.replay())
    await orThrow(log.close())
    const [first, second] = [...filesOf(source)].filter(([name]) => name.endsWith('.log'))
    if (first === undefined || second === undefined) throw new Error('the log has several segments')
    for (const length of [0, 1, headerBytes - 1]) {
      const disk = await diskOf(new Map([[first[0], first[1].subarray(0, headerBytes)]]))
      const reader = await openOn(disk, { readOnly: true })
      become(disk, first[0], first[1])
      become(disk, second[0], second[1].subarray(0, length))
      expect(await eventsOf(reader.replay())).toEqual(events.slice(0, 1))
      become(disk, second[0], second[1])
      expect(await eventsOf(reader.replay())).toEqual(events.slice(0, 2))
      await orThrow(reader.close())
    }
  })

  it('forgets what a writer has taken back: whole batches that were never acknowledged', async () => {
    const first = await written([['a'], ['b', 'c'], ['d']])
    const second = await written([['a'], ['b2'], ['x', 'y']])
    expect(first.ends[0]).toBe(second.ends[0])
    const disk = await diskOf(new Map([[segment, first.bytes]]))
    const reader = await openOn(disk, { readOnly: true })
    expect(await eventsOf(reader.replay())).toEqual(first.events)
    become(disk, segment, first.bytes.subarray(0, headerBytes + (first.ends[0] as number)))
    expect((await eventsOf(reader.replay())).map((one) => one.event.aggregateId)).toEqual(['a'])
    expect(await orThrow(reader.version('b'))).toBe(0)
    become(disk, segment, first.bytes)
    await eventsOf(reader.replay())
    // Between two looks the writer has cut and written something else, which may reach further or less far.
    become(disk, segment, second.bytes)
    expect(await eventsOf(reader.replay())).toEqual(second.events)
    expect(await orThrow(reader.version('b'))).toBe(0)
    expect((await all(orThrow(reader.aggregates()))).map((one) => one.aggregateId)).toEqual(['a', 'b2', 'x', 'y'])
    await orThrow(reader.close())
  })

  it('tells a follower that what he was handed was taken back, and that another event stands in its place', async () => {
    const first = await written([['a'], ['b']])
    const second = await written([['a'], ['c'], ['d']])
    expect(first.ends[1]).toBe(second.ends[1])
    const disk = await diskOf(new Map([[segment, first.bytes]]))
    const log = await openOn(disk, { readOnly: true })
    const reader = await orThrow(log.reader('r'))
    for (const id of ['a', 'b']) expect((await orThrow(reader.next())).event.aggregateId).toBe(id)
    await orThrow(reader.commit())
    const following = log.follow(log.end)[Symbol.asyncIterator]().next()
    const waiting = reader.next()()
    await turn()
    become(disk, segment, second.bytes)
    const gone = { left: { _tag: 'InvalidOffset', offset: first.ends[1] } }
    expect(await waiting).toMatchObject(gone)
    expect(await following).toMatchObject({ value: gone })
    // An offset inside of another event now is no place to begin, though the log has ended there.
    await orThrow(reader.close())
    const again = await orThrow(log.reader('r'))
    expect(again.recovered).toEqual({ from: first.ends[1], to: 0 })
    expect(await orThrow(again.next())).toEqual(second.events[0])
    await orThrow(log.close())
  })

  it('does not begin to read where the log has ended once, and an event goes on now', async () => {
    const first = await written([['a'], ['b']])
    const second = await written([['a'], ['much longer than b']])
    const disk = await diskOf(new Map([[segment, first.bytes]]))
    const log = await openOn(disk, { readOnly: true })
    await eventsOf(log.replay())
    const [, end] = first.ends as [number, number]
    become(disk, segment, second.bytes)
    expect(await plainAll(log.replay(end as Offset))).toEqual([{ _tag: 'InvalidOffset' }])
    await orThrow(log.close())
  })

  it('takes no range for damaged that was known once, and is taken back', async () => {
    const first = await written([['a'], ['b']])
    const disk = await diskOf(new Map([[segment, first.bytes]]))
    const log = await openOn(disk, { readOnly: true })
    const [end, gone] = first.ends as [number, number]
    expect(await eventsOf(log.replayUntil(0 as Offset, gone as Offset))).toHaveLength(2)
    become(disk, segment, first.bytes.subarray(0, headerBytes + end))
    expect(await plainAll(log.replayUntil(0 as Offset, gone as Offset))).toEqual([{ _tag: 'InvalidOffset' }])
    expect(await eventsOf(log.replay())).toHaveLength(1)
    await orThrow(log.close())
  })

  it('looks where the log ends now when a range begins behind the end that it knows, empty as that is', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    const reader = await openOn(disk, { readOnly: true })
    const known = reader.end
    await orThrow(log.append(deposit('b')))
    expect(await plainAll(reader.replayUntil(log.end, known))).toEqual([])
    await orThrow(reader.close())
  })

  it('forgets it too when the writer has rolled since', async () => {
    const first = await written([['a'], ['b', 'c']])
    const { disk: source, log } = await lab({ segmentBytes: 256 })
    await orThrow(log.append(deposit('a')))
    await orThrow(log.append(deposit('d', 'x'.repeat(150))))
    const events = await eventsOf(log.replay())
    expect(events[0]?.nextOffset).toBe(first.ends[0])
    await orThrow(log.close())
    const disk = await diskOf(new Map([[segment, first.bytes]]))
    const reader = await openOn(disk, { readOnly: true })
    expect((await eventsOf(reader.replay())).length).toBe(3)
    for (const [name, bytes] of filesOf(source)) if (name.endsWith('.log')) become(disk, name, bytes)
    expect(await eventsOf(reader.replay())).toEqual(events)
    expect(await orThrow(reader.version('b'))).toBe(0)
    expect(reader.end).toBe(events.at(-1)?.nextOffset)
    await orThrow(reader.close())
  })

  it.each([
    [10_000, false],
    [10_000, true],
    [400, false],
    [400, true]
  ])(
    'that opens while a writer is at work takes no progress for damage (segments of %i, closed: %s)',
    async (size, closed) => {
      const { disk, log } = await lab({ segmentBytes: size })
      await orThrow(log.appendSync([deposit('a'), deposit('a')]))
      const before = filesOf(disk)
      for (let place = 0; place < 5; place++) await orThrow(log.appendSync([deposit('a'), deposit('b')]))
      const events = await eventsOf(log.replay())
      if (closed) await orThrow(log.close())
      const after = filesOf(disk)
      // Between any two looks of the reader the writer may have done all of this.
      for (let step = 0; step < 20; step++) {
        const beside = await diskOf(before)
        let calls = 0
        beside.arm({
          calls: () => {
            if (calls++ !== step) return
            for (const [name, bytes] of after) become(beside, name, bytes)
          }
        })
        const reader = await openOn(beside, { readOnly: true })
        expect(reader.recovery).toMatchObject({ damage: [], torn: undefined })
        calls = step + 1
        for (const [name, bytes] of after) become(beside, name, bytes)
        expect(await eventsOf(reader.replay())).toEqual(events)
        await orThrow(reader.close())
      }
      if (!closed) await orThrow(log.close())
    }
  )

  it('takes no write of any kind', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    const reader = await openOn(disk, { readOnly: true })
    const before = filesOf(disk)
    const writes = disk.counts.get('write')
    expect(reader.readOnly).toBe(true)
    for (const call of [
      reader.append(deposit('b')),
      reader.appendSync(deposit('b')),
      reader.sync(),
      reader.rebuildIndex()
    ]) {
      expect(await call()).toMatchObject({ left: { _tag: 'ReadOnly' } })
    }
    await eventsOf(reader.replay())
    await orThrow(reader.close())
    expect(filesOf(disk)).toEqual(before)
    expect(disk.counts.get('write')).toBe(writes)
    await orThrow(log.close())
  })

  it('finds times and versions in what was appended since it was opened', async () => {
    const { disk, log } = await lab({
      segmentBytes: 300,
      clock: new LabClock(Array.from({ length: 99 }, (_, place) => place * 10))
    })
    const reader = await openOn(disk, { readOnly: true })
    for (let place = 0; place < 6; place++) {
      const { offset } = await orThrow(log.append(deposit('a', place)))
      const [stored] = await eventsOf(log.replay(offset))
      expect(await orThrow(reader.offsetAt(stored?.writeTimestampMs ?? 0))).toBe(offset)
      expect(await orThrow(reader.version('a'))).toBe(place + 1)
      expect((await eventsOf(reader.replayAggregate('a', { fromVersion: place + 1 }))).length).toBe(1)
      expect((await eventsOf(reader.replay(offset))).length).toBe(1)
    }
    await orThrow(reader.close())
    await orThrow(log.close())
  })

  it('answers a damaged end as damage again and again, where a mark vouches for it', async () => {
    const { disk, log } = await lab()
    for (const id of ['a', 'b', 'c']) await orThrow(log.append(deposit(id)))
    const last = (await eventsOf(log.replay())).at(-1)
    await orThrow(log.close())
    const copy = await diskOf(filesOf(disk))
    copy.remove(`${folder}/00000000000000000000.idx`)
    copy.corrupt(`${folder}/${segment}`, headerBytes + (last?.offset ?? 0) + 50, 1)
    const reader = await openOn(copy, { readOnly: true })
    for (let time = 0; time < 3; time++) {
      expect((await plainAll(reader.replay())).at(-1)).toEqual({
        _tag: 'Corrupt',
        offset: last?.offset,
        nextOffset: last?.nextOffset,
        reason: 'checksum'
      })
      expect(reader.end).toBe(last?.nextOffset)
    }
    await orThrow(reader.close())
  })
})

describe('a reader of another process\u2019s log', () => {
  /** A process that appends as many batches of three as each line of its input says, and says when it has. */
  const program = `
    import { createInterface } from 'node:readline'
    import { EventLog, orThrow } from './src/index.ts'
    const log = await orThrow(EventLog.open(process.argv[1], { segmentBytes: 20_000 }))
    let batch = 0
    process.stdout.write('ready\\n')
    for await (const line of createInterface({ input: process.stdin })) {
      for (let left = Number(line); left > 0; left--, batch++) {
        const event = { aggregateId: 'a' + (batch % 10), eventType: 'T', payload: { batch, text: 'x'.repeat(batch % 300) } }
        await orThrow(log.append([event, event, event]))
        if (batch % 50 === 0) await new Promise((resolve) => setImmediate(resolve))
      }
      process.stdout.write(log.end + '\\n')
    }
    await orThrow(log.close())`

  interface Writer {
    readonly child: ChildProcess
    readonly ask: (line: string) => Promise<string>
  }

  async function writer(path: string): Promise<Writer> {
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program, path]
    const child = spawn(process.execPath, args, {
      cwd: join(import.meta.dirname, '..'),
      stdio: ['pipe', 'pipe', 'inherit']
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const lines = createInterface(child.stdout)[Symbol.asyncIterator]()
    await lines.next()
    return {
      child,
      ask: async (line) => {
        child.stdin.write(`${line}\n`)
        return (await lines.next()).value as string
      }
    }
  }

  function temporary(): string {
    const made = mkdtempSync(join(tmpdir(), 'chronicle-reader-'))
    onTestFinished(() => rmSync(made, { recursive: true, force: true }))
    return made
  }

  /** Reads everything and checks that it is whole batches in their order. */
  async function batchesOf(log: EventLog): Promise<number> {
    const batches = (await eventsOf(log.replay())).map((one) => (one.event.payload as { batch: number }).batch)
    expect(batches.length % 3).toBe(0)
    expect(batches).toEqual(batches.map((_, place) => Math.floor(place / 3)))
    return batches.length / 3
  }

  it('follows it while it appends and rolls, and stands at its end when it pauses', async () => {
    const path = temporary()
    const { child, ask } = await writer(path)
    const reader = await orThrow(EventLog.open(path, { readOnly: true }))
    expect(await batchesOf(reader)).toBe(0)
    let seen = 0
    for (const count of [1, 300, 700]) {
      let done = false
      const asked = ask(String(count)).finally(() => (done = true))
      while (!done) {
        const now = await batchesOf(reader)
        expect(now).toBeGreaterThanOrEqual(seen)
        seen = now
        const fresh = await orThrow(EventLog.open(path, { readOnly: true }))
        expect(fresh.recovery).toMatchObject({ damage: [], torn: undefined })
        expect(await batchesOf(fresh)).toBeGreaterThanOrEqual(seen)
        await orThrow(fresh.close())
      }
      const end = await asked
      await batchesOf(reader)
      expect(String(reader.end)).toBe(end)
    }
    expect(await batchesOf(reader)).toBe(1_001)
    expect(await orThrow(reader.version('a3'))).toBe(300)
    child.stdin?.end()
    await once(child, 'exit')
    expect(await batchesOf(reader)).toBe(1_001)
    await orThrow(reader.close())
  })

  it('keeps what it has seen when that process is killed and another goes on', async () => {
    const path = temporary()
    const { child, ask } = await writer(path)
    await ask('100')
    const reader = await orThrow(EventLog.open(path, { readOnly: true }))
    const asked = ask('100000').catch(() => undefined)
    while ((await batchesOf(reader)) < 300) await new Promise((resolve) => setImmediate(resolve))
    child.kill('SIGKILL')
    await once(child, 'exit')
    void asked
    const seen = await batchesOf(reader)
    const log = await orThrow(EventLog.open(path, { segmentBytes: 20_000 }))
    expect(await batchesOf(log)).toBe(seen)
    expect(log.recovery.damage).toEqual([])
    await orThrow(log.append(deposit('after')))
    expect((await eventsOf(reader.replay())).at(-1)?.event.aggregateId).toBe('after')
    await orThrow(log.close())
    await orThrow(reader.close())
  })
})
