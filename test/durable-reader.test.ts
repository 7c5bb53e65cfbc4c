// Durable readers as others see them: names, places, how they are opened, listed and closed, and what stands in the way.

import { right } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { crc32 } from '../src/core/crc.ts'
import { cursorPositions, encodeCursor } from '../src/core/cursor.ts'
import { Offset, orThrow, type ReaderOptions } from '../src/index.ts'
import { verifyLog } from '../src/log/verify.ts'
import { all, bytesAt, deposit, folder, lab, LabClock, labEntropy, openOn, turn } from './log-lab.ts'
import { cursorPath, endOf, filled, mailer, nextId, overwrite, place } from './reader-lab.ts'

describe('a name of a reader', () => {
  it.each(['', '.', '..', '../b', 'a/b', '.a', 'a b', 'x'.repeat(101)])('is refused where it is "%s"', async (name) => {
    const { disk, log } = await lab()
    for (const task of [log.reader(name), log.removeReader(name)]) {
      expect(await task()).toMatchObject({ left: { _tag: 'InvalidArgument', argument: 'name' } })
    }
    expect(disk.list(`${folder}/readers`)).toEqual(right([]))
  })

  it('belongs to one at a time, and to the next when it is closed', async () => {
    const { log } = await filled(1)
    const reader = await mailer(log)
    expect(await log.reader('mailer')()).toMatchObject({ left: { _tag: 'Locked', path: place } })
    expect(await log.removeReader('mailer')()).toMatchObject({ left: { _tag: 'Locked' } })
    expect((await orThrow(log.reader('other'))).name).toBe('other')
    await orThrow(reader.close())
    expect((await mailer(log)).cursor).toBe(0)
  })

  it('is given back, and not registered, by a reader that could not be opened', async () => {
    const { log } = await filled(1)
    expect(await log.reader('mailer', { from: Offset(1) })()).toMatchObject({ left: { _tag: 'InvalidOffset' } })
    expect(await orThrow(log.readers())).toEqual([])
    expect((await mailer(log)).cursor).toBe(0)
  })

  it('is forgotten when it is removed', async () => {
    const { log, stored } = await filled(3)
    const reader = await mailer(log, { from: 'end' })
    expect(reader.cursor).toBe(endOf(stored, 2))
    await orThrow(reader.close())
    await orThrow(log.removeReader('mailer'))
    await orThrow(log.removeReader('nobody'))
    expect(await orThrow(log.readers())).toEqual([])
    expect((await mailer(log)).cursor).toBe(0)
  })
})

describe('opening a reader', () => {
  it.each<[ReaderOptions, string]>([
    [{ from: -1 as Offset }, 'offset'],
    [{ from: 0.5 as Offset }, 'offset'],
    [{ from: { timestampMs: Number.NaN } as unknown as Offset }, 'timestampMs'],
    [{ heartbeatMs: 0 }, 'heartbeatMs'],
    [{ heartbeatMs: 2 ** 31 }, 'heartbeatMs'],
    [{ writerLostMs: Number.NaN }, 'writerLostMs'],
    [{ query: { type: 'x' } as object }, 'query']
  ])('refuses %o', async (options, argument) => {
    const { log } = await lab()
    expect(await log.reader('mailer', options)()).toMatchObject({ left: { _tag: 'InvalidArgument', argument } })
  })

  it('begins a new one where it is told to, and a known one where it was', async () => {
    const { log, stored } = await filled(3)
    const reader = await mailer(log, { from: endOf(stored, 0) })
    expect(await nextId(reader)).toBe('a1')
    await orThrow(reader.commit())
    await orThrow(reader.close())
    const again = await mailer(log, { from: 'start' })
    expect(again).toMatchObject({ cursor: endOf(stored, 1), position: endOf(stored, 1), recovered: undefined })
    expect(await nextId(again)).toBe('a2')
  })

  it('keeps a beginning at the end, also where a power cut takes the log back', async () => {
    const { disk, log } = await filled(3)
    const { cursor } = await mailer(log, { from: 'end' })
    const again = await openOn(disk.crash(() => 0))
    expect(await mailer(again)).toMatchObject({ cursor, recovered: undefined })
    expect(again.end).toBe(cursor)
  })

  it('refuses a place that cannot be read, lists it with the error, and lets it be removed', async () => {
    const { disk, log } = await filled(1)
    await orThrow((await mailer(log)).close())
    for (const position of cursorPositions) overwrite(disk, cursorPath, Buffer.alloc(8), position)
    const error = { _tag: 'BadCursor', path: cursorPath }
    expect(await log.reader('mailer')()).toMatchObject({ left: error })
    expect(await orThrow(log.readers())).toMatchObject([{ name: 'mailer', error }])
    await orThrow(log.removeReader('mailer'))
    expect((await mailer(log)).cursor).toBe(0)
  })

  it('refuses the place of another log, and of a later version', async () => {
    const { disk, log } = await filled(1)
    await orThrow((await mailer(log)).close())
    const other = { cursor: 0, certain: 0, floor: 0, cursorPrint: undefined, certainPrint: undefined }
    const alive = { sequence: 99, heartbeatMs: 0, heartbeatEveryMs: 1, pid: 0, logId: 7 }
    overwrite(disk, cursorPath, encodeCursor({ ...other, ...alive }))
    expect(await log.reader('mailer')()).toMatchObject({ left: { _tag: 'BadCursor', reason: 'it belongs to log 7' } })
    const later = encodeCursor({ ...other, ...alive })
    later.writeUInt16LE(2, 4)
    later.writeUInt32LE(crc32(later.subarray(0, 68), 0), 68)
    overwrite(disk, cursorPath, later)
    const error = { _tag: 'UnsupportedVersion', path: cursorPath, version: 2 }
    expect(await log.reader('mailer')()).toMatchObject({ left: error })
  })

  it('answers Closed on a log that is closed, and makes no folder there', async () => {
    const { disk, log } = await filled(1)
    await orThrow(log.close())
    for (const task of [log.reader('mailer'), log.removeReader('mailer'), log.readers()]) {
      expect(await task()).toMatchObject({ left: { _tag: 'Closed' } })
    }
    expect(disk.list(`${folder}/readers`)).toEqual(right([]))
  })

  it('stays where it is when the event before it is damaged, and begins anew when the log is an older one', async () => {
    const { disk, log } = await filled(2)
    const older = disk.clone()
    await orThrow(log.append(deposit('a2')))
    const reader = await mailer(log)
    for (const id of ['a0', 'a1', 'a2']) expect(await nextId(reader)).toBe(id)
    const cursor = await orThrow(reader.commitSync())
    await orThrow(log.append(deposit('a3')))
    await orThrow(log.close())
    const record = bytesAt(disk, cursorPath)
    disk.corrupt(`${folder}/00000000000000000000.log`, 32 + cursor - 2, 1)
    const damaged = await mailer(await openOn(disk))
    expect(damaged).toMatchObject({ cursor, recovered: undefined })
    expect(await nextId(damaged)).toBe('a3')
    // Put back from a copy of before, the log goes on with other events.
    const copied = older.processCrash()
    const replaced = await openOn(copied)
    await orThrow((await mailer(replaced)).close())
    for (const id of ['b2', 'b3']) await orThrow(replaced.append(deposit(id)))
    overwrite(copied, cursorPath, record)
    const again = await mailer(replaced)
    expect(again).toMatchObject({ cursor: 0, recovered: { from: cursor, to: 0 } })
    expect(await nextId(again)).toBe('a0')
  })

  it('tells that it went back, and where from', async () => {
    const { disk, log } = await filled(2)
    const reader = await mailer(log)
    const to = log.end
    await orThrow(log.append(deposit('lost')))
    for (let count = 0; count < 3; count++) await orThrow(reader.next())
    await orThrow(reader.commit())
    const from = reader.cursor
    expect(await mailer(await openOn(disk.processCrash()))).toMatchObject({ cursor: from, recovered: undefined })
    // Of what was not synced, a power cut keeps the record and takes the event.
    const cut = disk.crash(() => 0)
    overwrite(cut, cursorPath, bytesAt(disk, cursorPath))
    const again = await openOn(cut.clone())
    expect(again.end).toBe(to)
    expect(await mailer(again)).toMatchObject({ cursor: to, recovered: { from, to } })
    // And so it does where another event, as long, has come in its place.
    const replaced = await openOn(cut)
    const { nextOffset } = await orThrow(replaced.append(deposit('else')))
    expect(nextOffset).toBe(from)
    expect(await mailer(replaced)).toMatchObject({ cursor: to, recovered: { from, to } })
  })
})

describe('the list of readers', () => {
  it('tells of each how far it is, and whether it is alive, by its heartbeat', async () => {
    const { disk } = await filled(0)
    const times = [0]
    const clock = new LabClock(times)
    const log = await openOn(disk.clone(), { clock, entropy: labEntropy() })
    for (let count = 0; count < 3; count++) await orThrow(log.append(deposit(`a${count}`)))
    const slow = await orThrow(log.reader('slow', { heartbeatMs: 1_000 }))
    await orThrow((await orThrow(log.reader('done', { from: 'end', heartbeatMs: 1_000 }))).close())
    await orThrow(slow.next())
    await orThrow(slow.commit())
    const lag = { events: 2, bytes: log.end - slow.cursor }
    const known = { name: 'slow', cursor: slow.cursor, pid: process.pid, heartbeatEveryMs: 1_000, lag }
    const [done, first] = await orThrow(log.readers())
    expect(done).toMatchObject({ name: 'done', pid: undefined, live: false, lag: { events: 0, bytes: 0 } })
    expect(first).toMatchObject({ ...known, heartbeatMs: 0, live: true, error: undefined })
    times[0] = 3_000
    expect(await orThrow(log.readers())).toMatchObject([{}, { ...known, heartbeatMs: 0, live: true }])
    times[0] = 3_001
    expect(await orThrow(log.readers())).toMatchObject([{}, { ...known, heartbeatMs: 0, live: false }])
    clock.ring()
    await turn()
    expect(await orThrow(log.readers())).toMatchObject([{}, { ...known, heartbeatMs: 3_001, live: true }])
  })

  it('says what retention may go by once a heartbeat has made it sure', async () => {
    const { disk } = await lab()
    const clock = new LabClock()
    const log = await openOn(disk.clone(), { clock })
    await orThrow(log.append(deposit('a0')))
    const reader = await mailer(log)
    await orThrow(reader.next())
    await orThrow(reader.commit())
    expect(await orThrow(log.readers())).toMatchObject([{ cursor: log.end, floor: 0 }])
    await orThrow(log.sync())
    clock.ring()
    await turn()
    expect(await orThrow(log.readers())).toMatchObject([{ cursor: log.end, floor: log.end }])
    await orThrow(reader.seek('start'))
    expect(await orThrow(log.readers())).toMatchObject([{ cursor: 0, floor: 0 }])
  })

  it('is of files that a verification knows as its own', async () => {
    const { disk, log } = await filled(3)
    await mailer(log)
    await orThrow(log.close())
    const verified = await verifyLog(disk, folder)
    expect(verified).toMatchObject({ right: { findings: [] } })
  })

  it('leaves out what is no reader: files, odd names, and a registration that was cut off', async () => {
    const { disk, log } = await lab()
    await disk.makeFolder(`${folder}/readers/begun`)
    await disk.makeFolder(`${folder}/readers/.odd`)
    const file = disk.open(`${folder}/readers/file`, 'create')
    if (file._tag === 'Right') file.right.close()
    expect(await orThrow(log.readers())).toEqual([])
    expect((await orThrow(log.reader('begun'))).cursor).toBe(0)
  })
})

describe('close', () => {
  it('ends a reader for whoever waits or comes later, and says on disk where it was', async () => {
    const { disk, log } = await filled(1)
    const reader = await mailer(log)
    await orThrow(reader.next())
    await orThrow(reader.commit())
    const waiting = all(reader)
    const committing = reader.commit()()
    await turn()
    const closing = [reader.close()(), reader.close()()]
    expect((await Promise.all(closing)).map(({ _tag }) => _tag)).toEqual(['Right', 'Right'])
    expect((await committing)._tag).toBe('Right')
    expect(await waiting).toMatchObject([{ left: { _tag: 'Closed', message: 'the reader is closed; open it again' } }])
    for (const task of [reader.next(), reader.commit(), reader.commitSync(), reader.seek('end'), reader.lag()]) {
      expect(await task()).toMatchObject({ left: { _tag: 'Closed' } })
    }
    await orThrow(log.sync())
    const again = await openOn(disk.crash(() => 0))
    expect(await orThrow(again.readers())).toMatchObject([{ cursor: reader.cursor, pid: undefined }])
  })

  it('of the log closes its readers, and with what is on disk then', async () => {
    const { disk, log } = await filled(1)
    const reader = await mailer(log)
    await orThrow(reader.next())
    await orThrow(reader.commit())
    const end = log.end
    await orThrow(log.close())
    expect(await reader.next()()).toMatchObject({ left: { _tag: 'Closed' } })
    const cut = disk.crash(() => 0)
    expect(await orThrow((await openOn(disk)).readers())).toMatchObject([{ cursor: end, floor: end, pid: undefined }])
    expect(await mailer(await openOn(cut))).toMatchObject({ cursor: end, recovered: undefined })
  })

  it('comes by itself with await using', async () => {
    const { log } = await filled(1)
    {
      await using reader = await mailer(log)
      expect(await nextId(reader)).toBe('a0')
    }
    expect((await mailer(log)).cursor).toBe(0)
  })

  it('writes the file of a cursor that a killed process would have left behind readable', async () => {
    const { disk, log } = await filled(1)
    const reader = await mailer(log)
    await orThrow(reader.next())
    await orThrow(reader.commit())
    expect(bytesAt(disk, cursorPath).length).toBeGreaterThan(cursorPositions[2] as number)
    const killed = await openOn(disk.processCrash())
    expect(await orThrow(killed.readers())).toMatchObject([{ cursor: reader.cursor, pid: process.pid }])
    expect((await mailer(killed)).cursor).toBe(reader.cursor)
  })
})
