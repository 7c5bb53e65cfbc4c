// What a durable reader hands out and keeps: next, iteration, commit and seek.

import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { defineEvents, EventLog, Offset, orThrow, type StoredEvent } from '../src/index.ts'
import { deposit, eventsOf, folder, lab, LabClock, openOn, turn } from './log-lab.ts'
import { cursorPath, endOf, filled, mailer, nextId } from './reader-lab.ts'

describe('next', () => {
  it('hands out what the query matches, and waits for more', async () => {
    const { log } = await filled(3)
    const reader = await mailer(log, { query: { aggregateId: 'a1' } })
    expect(await nextId(reader)).toBe('a1')
    const waiting = nextId(reader)
    await turn()
    // All that was there is behind the reader, whether it matched or not.
    expect(reader.position).toBe(log.end)
    await orThrow(log.append([deposit('a0'), deposit('a1', 2)]))
    expect(await waiting).toBe('a1')
    expect(await orThrow(reader.lag())).toEqual({ events: 2, bytes: log.end })
    await orThrow(reader.commit())
    expect(await orThrow(reader.lag())).toEqual({ events: 0, bytes: 0 })
  })

  it('gives each event to one of those who ask at the same time, in the order in which they ask', async () => {
    const { log } = await filled(4)
    const reader = await mailer(log)
    const asked = [0, 1, 2, 3, 4].map(() => nextId(reader))
    await turn()
    await orThrow(log.append(deposit('a4')))
    expect(await Promise.all(asked)).toEqual(['a0', 'a1', 'a2', 'a3', 'a4'])
  })

  it('gives up at the signal, and loses nothing by that', async () => {
    const { log } = await lab()
    const reader = await mailer(log)
    const stop = new AbortController()
    const waiting = reader.next({ signal: stop.signal })()
    await turn()
    stop.abort('enough')
    expect(await waiting).toMatchObject({ left: { _tag: 'Aborted', cause: 'enough' } })
    expect(await reader.next({ signal: stop.signal })()).toMatchObject({ left: { _tag: 'Aborted' } })
    await orThrow(log.append(deposit('a0')))
    expect(await nextId(reader)).toBe('a0')
  })

  it('tells damage in its place and goes on behind it, as often as the reader comes by until that is committed', async () => {
    const { disk, log, stored } = await filled(3)
    await orThrow(log.close())
    const damaged = stored[1] as StoredEvent
    disk.corrupt(`${folder}/00000000000000000000.log`, 32 + damaged.offset + 20, 1)
    const again = await openOn(disk)
    const reader = await mailer(again)
    const region = { _tag: 'Corrupt', offset: damaged.offset, nextOffset: damaged.nextOffset }
    expect(await nextId(reader)).toBe('a0')
    expect(await reader.next()()).toMatchObject({ left: region })
    await orThrow(reader.commit())
    expect(reader.cursor).toBe(damaged.nextOffset)
    expect(await nextId(reader)).toBe('a2')
    await orThrow(reader.close())
    expect(await nextId(await mailer(again))).toBe('a2')
  })

  it('tells an event that does not decode, and goes on behind it', async () => {
    const { disk, log } = await filled(0)
    for (const payload of ['odd', { cents: 2 }]) await orThrow(log.append({ ...deposit('a'), payload }))
    await orThrow(log.close())
    const Bank = defineEvents({}, { Deposited: t.type({ cents: t.number }) })
    const typed = await orThrow(EventLog.open(folder, { disk, codec: Bank.codec }))
    const reader = await orThrow(typed.reader('mailer'))
    expect(await reader.next()()).toMatchObject({ left: { _tag: 'InvalidStored', offset: 0 } })
    expect((await orThrow(reader.next())).event.payload.cents).toBe(2)
    await orThrow(typed.close())
  })

  it('tries again behind an error of the disk', async () => {
    const { disk, log } = await filled(2)
    const reader = await mailer(log)
    disk.arm({ fault: ({ operation }) => (operation === 'read' ? 'EIO' : undefined) })
    expect(await reader.next()()).toMatchObject({ left: { _tag: 'DiskFailed' } })
    disk.arm({})
    expect([await nextId(reader), await nextId(reader)]).toEqual(['a0', 'a1'])
  })

  it('tells that what comes next was trimmed, until the reader goes on elsewhere', async () => {
    const { log } = await filled(20)
    const reader = await mailer(log)
    expect(await nextId(reader)).toBe('a0')
    await orThrow(reader.commit())
    await orThrow(reader.close())
    const [, , at] = (await eventsOf(log.replay())).filter(({ offset }) => offset > 1_000)
    await orThrow(log.trim((at as StoredEvent).offset, { force: true }))
    const again = await mailer(log)
    const trimmed = { left: { _tag: 'Trimmed', offset: again.cursor, first: log.first } }
    expect(again.recovered).toBeUndefined()
    expect(log.first).toBeGreaterThan(again.cursor)
    expect(await again.next()()).toMatchObject(trimmed)
    expect(await again.next()()).toMatchObject(trimmed)
    expect(await again.seek(again.cursor)()).toMatchObject(trimmed)
    expect(await orThrow(again.lag())).toEqual({
      events: (await eventsOf(log.replay())).length,
      bytes: log.end - log.first
    })
    expect(await orThrow(again.seek('start'))).toBe(log.first)
    expect(await orThrow(again.next())).toEqual((await eventsOf(log.replay()))[0])
    await orThrow(again.commit())
    await orThrow(again.close())
    expect((await mailer(log)).recovered).toBeUndefined()
  })

  it('is the same one by one, by iteration and in batches', async () => {
    const { log, stored } = await filled(5)
    const reader = await mailer(log)
    expect(await orThrow(reader.next())).toEqual(stored[0])
    const taken: StoredEvent[] = []
    for await (const one of orThrow(reader)) if (taken.push(one) === 2) break
    expect(taken).toEqual(stored.slice(1, 3))
    expect(reader.position).toBe(endOf(stored, 2))
    for await (const batch of reader.readBatches()) {
      for (const element of batch) if (element._tag === 'Right') taken.push(element.right)
      expect(reader.position).toBe(endOf(stored, taken.length))
      if (taken.length === 4) break
    }
    expect(taken).toEqual(stored.slice(1))
    expect(reader.cursor).toBe(0)
  })
})

describe('commit', () => {
  it('takes an event end between the cursor and the position, and nothing else', async () => {
    const { log, stored } = await filled(4)
    const reader = await mailer(log)
    for (let count = 0; count < 3; count++) await orThrow(reader.next())
    await orThrow(reader.commit(endOf(stored, 0)))
    const wrong = [0, 1, endOf(stored, 0) + 1, endOf(stored, 1) - 1, endOf(stored, 3), log.end + 1]
    for (const offset of wrong) {
      expect(await reader.commit(Offset(offset))(), String(offset)).toMatchObject({ left: { _tag: 'InvalidOffset' } })
    }
    expect(await reader.commit(0.5 as Offset)()).toMatchObject({ left: { _tag: 'InvalidArgument' } })
    expect(reader.cursor).toBe(endOf(stored, 0))
    // One that was handed out long ago, and is in no batch any more.
    await orThrow(log.append(deposit('a4')))
    await orThrow(reader.next())
    await orThrow(reader.next())
    await orThrow(reader.commit(endOf(stored, 1)))
    expect(reader.cursor).toBe(endOf(stored, 1))
    await orThrow(reader.commit())
    expect(reader.cursor).toBe(log.end)
  })

  it('means what was handed out when it is run, and not what comes while it waits', async () => {
    const { log, stored } = await filled(3)
    const reader = await mailer(log)
    await orThrow(reader.next())
    const both = [reader.commitSync()(), reader.commit()()]
    await orThrow(reader.next())
    await Promise.all(both)
    expect(reader.cursor).toBe(endOf(stored, 0))
  })

  it('leaves the cursor where it was when the disk is full, and works when it is not', async () => {
    const { disk, log, stored } = await filled(2)
    const reader = await mailer(log)
    await orThrow(reader.next())
    disk.arm({ fault: ({ path, operation }) => (path === cursorPath && operation === 'write' ? 'ENOSPC' : undefined) })
    expect(await reader.commit()()).toMatchObject({ left: { _tag: 'DiskFull' } })
    expect(await reader.seek('end')()).toMatchObject({ left: { _tag: 'DiskFull' } })
    expect(reader).toMatchObject({ cursor: 0, position: endOf(stored, 0) })
    disk.arm({})
    await orThrow(reader.commit())
    expect(reader.cursor).toBe(endOf(stored, 0))
  })

  it('does not vouch for what a failed sync has left in doubt', async () => {
    const { disk, log, stored } = await filled(2)
    const reader = await mailer(log)
    await orThrow(reader.next())
    await orThrow(log.sync())
    disk.arm({ fault: ({ path, operation }) => (path === cursorPath && operation === 'sync' ? 'EIO' : undefined) })
    expect(await reader.commitSync()()).toMatchObject({ left: { _tag: 'DiskFailed' } })
    disk.arm({})
    expect((await mailer(await openOn(disk.crash(() => 0)))).cursor).toBe(0)
    expect(await orThrow(reader.commitSync())).toBe(endOf(stored, 0))
    expect((await mailer(await openOn(disk.crash(() => 0)))).cursor).toBe(endOf(stored, 0))
  })

  it('in another process is as certain as the writer has made the log', async () => {
    const { disk, log, stored } = await filled(1)
    await orThrow(log.sync())
    await orThrow(log.append(deposit('a1')))
    const reading = await openOn(disk, { readOnly: true })
    const reader = await mailer(reading)
    await orThrow(reader.next())
    await orThrow(reader.next())
    expect(await orThrow(reader.commitSync())).toBe(endOf(stored, 0))
    expect(await mailer(await openOn(disk.crash(() => 0)))).toMatchObject({
      cursor: endOf(stored, 0),
      recovered: { from: log.end }
    })
    await orThrow(log.sync())
    expect(await orThrow(reader.commitSync())).toBe(log.end)
    expect((await mailer(await openOn(disk.crash(() => 0)))).cursor).toBe(log.end)
  })
})

describe('seek', () => {
  it('goes to an offset, a time or an end, and moves the cursor along', async () => {
    const disk = (await lab()).disk.clone()
    const log = await openOn(disk, { clock: new LabClock([1_000, 2_000, 3_000, 4_000, 5_000, 6_000]) })
    for (const id of ['a0', 'a1', 'a2']) await orThrow(log.append(deposit(id)))
    const stored = await eventsOf(log.replay())
    const reader = await mailer(log)
    const moved = async (target: Parameters<typeof reader.seek>[0], to: Offset): Promise<void> => {
      expect(await orThrow(reader.seek(target))).toBe(to)
      expect(reader).toMatchObject({ cursor: to, position: to })
    }
    await moved('end', log.end)
    await moved('start', Offset(0))
    await moved(endOf(stored, 1), endOf(stored, 1))
    expect(await nextId(reader)).toBe('a2')
    const [, second] = stored as [StoredEvent, StoredEvent]
    await moved({ timestampMs: second.writeTimestampMs }, second.offset)
    expect(await nextId(reader)).toBe('a1')
    await moved({ timestampMs: Infinity }, log.end)
    for (const target of [Offset(1), Offset(log.end + 1)]) {
      expect(await reader.seek(target)()).toMatchObject({ left: { _tag: 'InvalidOffset' } })
    }
    for (const target of [{ timestampMs: Number.NaN }, -1, 'middle', null, undefined]) {
      expect(await reader.seek(target as 'end')()).toMatchObject({ left: { _tag: 'InvalidArgument' } })
    }
    expect(reader.cursor).toBe(log.end)
  })

  it('takes along whoever waits', async () => {
    const { log } = await filled(2)
    const reader = await mailer(log, { from: 'end' })
    const waiting = nextId(reader)
    await turn()
    await orThrow(reader.seek('start'))
    expect(await waiting).toBe('a0')
    expect(await nextId(reader)).toBe('a1')
  })
})
