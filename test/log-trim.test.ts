// Trimming seen from outside and from below: what goes and what stays in the folder, who is in the middle of reading it,
// what a crash leaves of it, and what becomes of a log whose record of the trim is damaged.

import { isLeft } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { EventLog, Offset, orThrow, type Event, type ReplayElement, type StoredEvent } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import type { MemoryCall } from '../src/disk/memory-calls.ts'
import { trimName } from '../src/indexing/trim-format.ts'
import { segmentName } from '../src/log/segment.ts'
import {
  all,
  deposit,
  diskOf,
  eventsOf,
  filesOf,
  folder,
  HandleDisk,
  lab,
  LabClock,
  namesOf,
  openOn
} from './log-lab.ts'
import { labEntropy, plainAll, putFile, turn, type LabOptions } from './log-lab.ts'

const small: LabOptions = { segmentBytes: 256 }

/** Appends so many events, each to a segment of its own but for the first two. */
async function fill(log: EventLog, count: number): Promise<readonly StoredEvent[]> {
  for (let nth = 0; nth < count; nth++) await orThrow(log.append(deposit(nth === 0 ? 'first' : 'a', 'x'.repeat(90))))
  return eventsOf(log.replay())
}

/** The offset of the event at a place. */
function at(events: readonly StoredEvent[], place: number): Offset {
  const stored = events.at(place)
  if (stored === undefined) throw new Error(`there is no event ${place}`)
  return stored.offset
}

const tagsOf = async (items: AsyncIterable<ReplayElement<Event>>): Promise<string[]> =>
  (await all(items)).map((one) => (one._tag === 'Left' ? one.left._tag : 'Right'))

describe('a trim', () => {
  it('leaves the segments behind it and one file that stands for those before', async () => {
    const { disk, log } = await lab(small)
    const events = await fill(log, 12)
    const middle = at(events, 6)
    const before = filesOf(disk)
    const { first } = await orThrow(log.trim(middle))
    expect(first).toBe(log.first)
    expect(first).toBeLessThanOrEqual(middle)
    const kept = [...before.keys()].filter((name) => /\.(log|idx)$/.test(name) && Number(name.slice(0, 20)) >= first)
    const names = [...filesOf(disk).keys()].filter((name) => !/\.(tier|tmp)$|^LOCK$/.test(name))
    expect(names.sort()).toEqual([...kept, 'MARK', trimName(first)].sort())
    await orThrow(log.trim(log.end))
    expect([...filesOf(disk).keys()].filter((name) => name.endsWith('.trim'))).toEqual([trimName(log.first)])
    await orThrow(log.close())
  })

  it('gives back every file, however often it is done', async () => {
    const disk = new HandleDisk(new MemoryDisk())
    const log = await openOn(disk, small)
    for (let round = 0; round < 6; round++) {
      await fill(log, 6)
      await orThrow(log.trim(log.end))
    }
    const open = disk.handles.filter((name) => !/\.(log|tmp)$|^MARK$|^LOCK$/.test(name))
    expect(open).toEqual([trimName(log.first)])
    await orThrow(log.close())
    expect(disk.handles.filter((name) => name !== 'LOCK')).toEqual([])
  })

  it('writes the same file however many trims it took', async () => {
    const [once, often] = [await lab(small), await lab(small)]
    const events = await fill(once.log, 14)
    await fill(often.log, 14)
    for (const place of [3, 7, 10]) await orThrow(often.log.trim(at(events, place)))
    await orThrow(once.log.trim(once.log.end))
    await orThrow(often.log.trim(often.log.end))
    const name = trimName(once.log.first)
    expect(filesOf(often.disk).get(name)).toEqual(filesOf(once.disk).get(name))
  })

  it('goes on beside appends, and two at a time follow each other', async () => {
    const { log } = await lab(small)
    const events = await fill(log, 10)
    const [early, late] = [log.trim(at(events, 4))(), log.trim(log.end)()]
    const appended = Array.from({ length: 8 }, () => log.append(deposit('a', 'y'.repeat(90)))())
    expect((await Promise.all(appended)).every((one) => one._tag === 'Right')).toBe(true)
    const [one, other] = [await early, await late]
    if (isLeft(one) || isLeft(other)) throw new Error('a trim fails')
    expect(one.right.first).toBeLessThanOrEqual(other.right.first)
    expect(await orThrow(log.version('a'))).toBe(17)
    expect((await eventsOf(log.replay())).at(-1)?.version).toBe(17)
  })

  it('that the close comes into is finished, or answers Closed', async () => {
    const outcomes = new Set<string>()
    for (let turns = 0; turns < 6; turns++) {
      const { disk, log } = await lab(small)
      await fill(log, 8)
      const trimmed = log.trim(log.end)()
      for (let nth = 0; nth < turns; nth++) await turn()
      const closed = log.close()()
      expect(await log.trim(log.end)()).toMatchObject({ left: { _tag: 'Closed' } })
      const answer = await trimmed
      expect((await closed)._tag).toBe('Right')
      outcomes.add(answer._tag === 'Left' ? answer.left._tag : 'Right')
      const again = await openOn(disk, small)
      expect(again.recovery).toMatchObject({ clean: true, damage: [] })
      expect(namesOf(disk, 'log').length === 1).toBe(answer._tag === 'Right')
      expect(await orThrow(again.version('first'))).toBe(1)
      await orThrow(again.close())
    }
    for (const outcome of outcomes) expect(['Closed', 'Right']).toContain(outcome)
  })

  it('keeps the time from falling, though the only segment is empty', async () => {
    const disk = new MemoryDisk()
    const log = await openOn(disk, { ...small, clock: new LabClock([9_000]) })
    await fill(log, 4)
    // A roll that was cut off behind the creation of the segment.
    const crashed = await new Promise<MemoryDisk>((resolve) => {
      disk.arm({
        calls: ({ operation, path }: MemoryCall) => {
          const isNew = operation === 'sync folder' && path === folder
          if (isNew) resolve(disk.processCrash())
        }
      })
      void log.append(deposit('a', 'z'.repeat(90)))()
    })
    const again = await openOn(crashed, { ...small, clock: new LabClock([10]) })
    await orThrow(again.trim(again.end))
    expect(await eventsOf(again.replay())).toEqual([])
    await orThrow(again.close())
    const last = await openOn(crashed, { ...small, clock: new LabClock([10]) })
    await orThrow(last.append(deposit('first')))
    expect(await eventsOf(last.replay())).toMatchObject([{ version: 2, writeTimestampMs: 9_000 }])
  })
})

describe('who is in the middle of reading what is trimmed', () => {
  const ways = [
    { way: 'forwards', options: {} },
    { way: 'backwards', options: { backwards: true } },
    { way: 'by a query', options: { query: { aggregateId: 'a' } } },
    { way: 'by a query, backwards', options: { query: { aggregateId: 'a' }, backwards: true } }
  ]

  it.each(ways)('$way gets events and then Trimmed, and never anything else', async ({ options }) => {
    for (let taken = 1; taken < 9; taken++) {
      for (const elsewhere of [false, true]) {
        const { disk, log } = await lab(small)
        const events = await fill(log, 10)
        const reading = elsewhere ? await openOn(disk, { readOnly: true }) : log
        const iterator = reading.replay(undefined, options)[Symbol.asyncIterator]()
        const seen: unknown[] = []
        for (let nth = 0; nth < taken; nth++) seen.push((await iterator.next()).value)
        await orThrow(log.trim(log.end))
        for (let next = await iterator.next(); next.done !== true; next = await iterator.next()) seen.push(next.value)
        const tags = (seen as ReplayElement<Event>[]).map((one) => (one._tag === 'Left' ? one.left._tag : 'Right'))
        expect(tags.slice(0, -1).every((tag) => tag === 'Right')).toBe(true)
        const wanted = events.filter((one) => !('query' in options) || one.event.aggregateId === 'a')
        expect(tags.at(-1)).toBe(tags.length > wanted.length || tags.at(-1) === 'Trimmed' ? 'Trimmed' : 'Right')
        // Without Trimmed it has seen everything.
        if (tags.at(-1) === 'Right') expect(tags).toHaveLength(wanted.length)
      }
    }
  })

  it('as a reader that has not looked for long goes on from where the log begins', async () => {
    const { disk, log } = await lab(small)
    await fill(log, 3)
    const reader = await openOn(disk, { readOnly: true })
    const events = await fill(log, 12)
    await orThrow(log.trim(log.end))
    await orThrow(log.append(deposit('b')))
    expect(await tagsOf(reader.replay(Offset(0)))).toEqual(['Trimmed'])
    expect(await eventsOf(reader.replay())).toEqual(await eventsOf(log.replay()))
    expect(await orThrow(reader.version('first'))).toBe(2)
    expect(await reader.load('first', { initial: 0, evolve: (n) => n + 1 })()).toMatchObject({
      left: { _tag: 'Trimmed' }
    })
    expect(reader.first).toBe(log.first)
    expect(events.at(-1)?.offset).toBeGreaterThanOrEqual(reader.first)
  })

  it('as a list of aggregates goes on with what it has begun', async () => {
    const { log } = await lab(small)
    for (let nth = 0; nth < 9; nth++) await orThrow(log.append(deposit(`a-${nth}`, 'x'.repeat(90))))
    const ids: string[] = []
    for await (const item of log.aggregates()) {
      if (item._tag === 'Left') throw item.left
      ids.push(item.right.aggregateId)
      if (ids.length === 2) await orThrow(log.trim(log.end))
    }
    expect(ids).toEqual(Array.from({ length: 9 }, (_, nth) => `a-${nth}`))
  })
})

describe('a trim that is interrupted', () => {
  it('at any call leaves the log as it was or trimmed, and the next opening ends it', async () => {
    const states: MemoryDisk[] = []
    const { disk, log } = await lab(small)
    const events = await fill(log, 9)
    await orThrow(log.sync())
    disk.arm({
      calls: ({ operation }) =>
        void (
          operation !== 'read' &&
          states.push(
            disk.processCrash(),
            disk.crash(() => 0)
          )
        )
    })
    await orThrow(log.trim(at(events, 6)))
    disk.arm({})
    const firsts = new Set<number>()
    for (const state of states) {
      const again = await openOn(state, small)
      firsts.add(again.first)
      expect(again.recovery.damage).toEqual([])
      expect(await eventsOf(again.replay())).toEqual(events.filter(({ offset }) => offset >= again.first))
      expect(await orThrow(again.version('first'))).toBe(1)
      const names = [...filesOf(state).keys()].filter((name) => /\.(log|idx|tier|trim)$/.test(name))
      expect(
        names.every((name) => Number(name.slice(0, 20)) >= again.first),
        names.join()
      ).toBe(true)
      await orThrow(again.close())
    }
    expect([...firsts].sort((a, b) => a - b)).toEqual([0, log.first])
  })

  it('leaves alone what is not known to be its own', async () => {
    const { disk, log } = await lab(small)
    await fill(log, 6)
    await orThrow(log.trim(log.end))
    await orThrow(log.close())
    const foreign = Buffer.from('not a segment, and longer than the header of one would be')
    await putFile(disk, segmentName(7), foreign)
    const again = await openOn(disk, small)
    await fill(again, 3)
    await orThrow(again.trim(again.end))
    expect(filesOf(disk).get(segmentName(7))).toEqual(foreign)
  })

  it('by a full disk changes nothing, and by a failed sync of the folder poisons the log', async () => {
    const { disk, log } = await lab(small)
    const events = await fill(log, 6)
    disk.arm({
      fault: ({ operation, path }) => (operation === 'write' && path.includes('.trim') ? 'ENOSPC' : undefined)
    })
    expect(await log.trim(log.end)()).toMatchObject({ left: { _tag: 'DiskFull' } })
    disk.arm({})
    expect(await eventsOf(log.replay())).toEqual(events)
    disk.arm({ fault: ({ operation }) => (operation === 'sync folder' ? 'EIO' : undefined) })
    expect(isLeft(await log.trim(log.end)())).toBe(true)
    disk.arm({})
    expect(await log.append(deposit('a'))()).toMatchObject({ left: { _tag: 'Poisoned' } })
    expect(await log.trim(log.end)()).toMatchObject({ left: { _tag: 'Poisoned' } })
    await log.close()()
    const again = await openOn(disk, small)
    expect(await orThrow(again.version('first'))).toBe(1)
    expect(await orThrow(again.version('a'))).toBe(5)
  })
})

describe('a trim whose name a failed sync has lost', () => {
  it('is written anew before anything goes on its word', async () => {
    const { disk, log } = await lab(small)
    const events = await fill(log, 8)
    await orThrow(log.sync())
    disk.arm({ fault: ({ operation }) => (operation === 'sync folder' ? 'EIO' : undefined) })
    expect(isLeft(await log.trim(log.end)())).toBe(true)
    disk.arm({})
    await log.close()()
    const states: MemoryDisk[] = []
    disk.arm({
      calls: ({ operation }) =>
        void (
          operation === 'remove' &&
          states.push(
            disk.crash((count) => count - 1),
            disk.crash(() => 0)
          )
        )
    })
    await orThrow((await openOn(disk, small)).close())
    disk.arm({})
    for (const state of [...states, disk.crash(() => 0)]) {
      const again = await openOn(state, small)
      expect(again.recovery.damage).toEqual([])
      expect(await eventsOf(again.replay())).toEqual(events.filter(({ offset }) => offset >= again.first))
      expect(await orThrow(again.version('first'))).toBe(1)
    }
  })
})

describe('a damaged record of a trim', () => {
  const id = (nth: number): string => `${'aggregate'.repeat(6)}-${nth}`

  async function trimmed(
    logId = 1
  ): Promise<{ readonly files: Map<string, Buffer>; readonly name: string; readonly first: number }> {
    const { disk, log } = await lab({ ...small, entropy: labEntropy(logId) })
    // So many that they fill some blocks.
    for (let nth = 0; nth < 200; nth++) await orThrow(log.append(deposit(id(nth))))
    const { first } = await orThrow(log.trim(log.end))
    await orThrow(log.close())
    return { files: filesOf(disk), name: trimName(first), first }
  }

  it('keeps a writer from opening, whose versions would begin again, and is told to a reader', async () => {
    const { files, name, first } = await trimmed()
    const bytes = Buffer.from(files.get(name) ?? [])
    bytes[bytes.length - 5] = (bytes.at(-5) ?? 0) ^ 1
    const disk = await diskOf(files.set(name, bytes))
    expect(await EventLog.open(folder, { disk })()).toMatchObject({
      left: { _tag: 'BadTrim', path: `${folder}/${name}` }
    })
    const reader = await openOn(disk, { readOnly: true })
    expect(reader.recovery.damage).toMatchObject([{ offset: 0, nextOffset: first, reason: 'missing' }])
    expect((await plainAll(reader.replay())).length).toBeGreaterThan(0)
  })

  it('in a block fails the questions that need it, and no other', async () => {
    const { files, name } = await trimmed()
    const bytes = Buffer.from(files.get(name) ?? [])
    bytes[10] = (bytes[10] ?? 0) ^ 1
    const log = await openOn(await diskOf(files.set(name, bytes)), small)
    expect(await log.version(id(0))()).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'EBADMSG' } })
    expect(await log.append(deposit(id(0)))()).toMatchObject({ left: { _tag: 'DiskFailed' } })
    expect(await orThrow(log.version(id(99)))).toBe(1)
    expect((await orThrow(log.append(deposit(id(99))))).versions).toEqual([2])
    expect(await log.trim(log.end)()).toMatchObject({ left: { _tag: 'DiskFailed' } })
  })

  it('counts for nothing while the segments are there', async () => {
    const { disk, log } = await lab(small)
    const events = await fill(log, 6)
    await orThrow(log.close())
    await putFile(disk, trimName(at(events, -1)), Buffer.from('half of a trim file'))
    const again = await openOn(disk, small)
    expect(await eventsOf(again.replay())).toEqual(events)
    await orThrow(again.trim(again.end))
    expect(await orThrow(again.version('first'))).toBe(1)
    await orThrow(again.close())
  })

  it('of another log is refused', async () => {
    const { files, name } = await trimmed()
    const other = await trimmed(2)
    expect(other.name).toBe(name)
    const disk = await diskOf(files.set(name, other.files.get(name) ?? Buffer.alloc(0)))
    const refused = { left: { _tag: 'BadTrim', reason: 'it belongs to log 2' } }
    expect(await EventLog.open(folder, { disk })()).toMatchObject(refused)
    expect(await EventLog.open(folder, { disk, readOnly: true })()).toMatchObject(refused)
  })

  it('without any segment behind it is no log to begin anew', async () => {
    const { files, name } = await trimmed()
    const disk = await diskOf(new Map([[name, files.get(name) ?? Buffer.alloc(0)]]))
    expect(await EventLog.open(folder, { disk })()).toMatchObject({ left: { _tag: 'BadTrim' } })
  })
})
