// The layered index: what it reads, and when; what it keeps through a swap; what it says when the disk fails.

import { expect, test } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import { keyKind } from '../src/indexing/format.ts'
import type { IndexFile } from '../src/indexing/index-file.ts'
import { IndexWriter, noPostings } from '../src/indexing/index-writer.ts'
import { KeyTable } from '../src/indexing/key-table.ts'
import { LayeredIndex } from '../src/indexing/layered-index.ts'
import { MemoryIndex } from '../src/indexing/memory-index.ts'
import { Timeline } from '../src/indexing/timeline.ts'
import {
  addEntries,
  answers,
  bytesOf,
  indexOf,
  isDamaged,
  joinParts,
  modelAnswers,
  openBytes,
  questionsFor,
  right,
  type Entry,
  layered
} from './indexing-model.ts'

const place = { logId: 0xdead_beef, base: 4_096 }

function event(aggregateId: string, version: number, tags: readonly string[] = []): Entry {
  const keys = { aggregateId, eventType: 'Paid', namespace: undefined, tags }
  return { kind: 'event', gap: 0, bytes: 100, crc: version, version, writeTimestampMs: 1_000 + version, keys }
}

/** A thousand aggregates, an event each. */
const many: readonly Entry[] = Array.from({ length: 1_000 }, (_, number) => event(`account-${number}`, 1))

/** The index of `many` in a file, and how much was read of it so far. */
function opened(entries: readonly Entry[] = many): { file: IndexFile; disk: MemoryDisk; reads: () => number } {
  const disk = new MemoryDisk()
  const file = right(openBytes(bytesOf(indexOf(place, entries)), place, disk))
  return { file, disk, reads: () => disk.counts.get('read') ?? 0 }
}

test('opening reads the trailer alone, and so does adding', () => {
  const { file, reads } = opened()
  const index = LayeredIndex.on(file)
  addEntries(index, [event('account-7', 2)])
  expect(reads()).toBe(1)
  expect([index.events, index.end, index.lastFrameCrc]).toEqual([1_001, place.base + 100_100, 2])
})

test('what came since the checkpoint is answered without a read', () => {
  const { file, reads } = opened()
  const index = LayeredIndex.on(file)
  addEntries(index, [event('account-7', 2), event('new', 1)])
  expect(index.version('account-7')).toMatchObject({ right: 2 })
  expect(index.version('new')).toMatchObject({ right: 1 })
  expect(index.select([{ types: ['Paid'] }], file.end)).toMatchObject({ right: [file.end, file.end + 100] })
  expect(reads()).toBe(1)
  expect(index.select([{ types: ['Paid'] }], file.end - 1)).toMatchObject({ right: [file.end, file.end + 100] })
  expect(reads()).toBeGreaterThan(1)
})

test('an aggregate that was written since the last checkpoint is known after the next one without a read', () => {
  const { file } = opened()
  const before = LayeredIndex.on(file)
  addEntries(before, [event('account-7', 2)])
  const written = bytesOf(before)
  addEntries(before, [event('account-8', 2)])
  const next = opened([])
  const disk = next.disk
  disk.remove('x.idx')
  const index = layered(right(openBytes(written, place, disk)), before)
  const reads = next.reads()
  expect(index.version('account-7')).toMatchObject({ right: 2 })
  expect(index.version('account-8')).toMatchObject({ right: 2 })
  expect(next.reads()).toBe(reads)
  expect(index.version('account-9')).toMatchObject({ right: 1 })
  expect(next.reads()).toBeGreaterThan(reads)
})

test('what is added between the steps of a swap is in it', () => {
  const busy = Array.from({ length: 9_000 }, (_, number) =>
    event(`a-${number % 6_000}`, 1 + Math.floor(number / 6_000))
  )
  const index = indexOf(place, busy.slice(0, 100))
  const file = right(openBytes(bytesOf(index), place))
  addEntries(index, busy.slice(100, 7_000))
  let added = 7_000
  const swapped = layered(file, index, () => {
    addEntries(index, busy.slice(added, added + 50))
    added += 50
  })
  expect(added).toBeGreaterThan(7_100)
  addEntries(swapped, busy.slice(added))
  expect(bytesOf(swapped).equals(bytesOf(indexOf(place, busy)))).toBe(true)
})

test('a checkpoint of something else is not put under an index', () => {
  const index = LayeredIndex.on(opened().file)
  expect(() => layered(opened(many.slice(0, 10)).file, index)).toThrow('the one before it')
  const ahead = opened([...many, event('a', 1)]).file
  expect(() => layered(ahead, index)).toThrow('it is put under')
  const elsewhere = { ...place, base: 0 }
  const other = right(openBytes(bytesOf(new MemoryIndex(elsewhere)), elsewhere))
  expect(() => layered(other, new MemoryIndex(place))).toThrow('it is put under')
})

test('a read error is the disk speaking: it comes through, from lookups and from the next checkpoint', () => {
  const { file, disk } = opened()
  const index = LayeredIndex.on(file)
  disk.arm({ fault: (call) => (call.operation === 'read' ? 'EIO' : undefined) })
  addEntries(index, [event('new', 1)])
  expect(index.version('account-7')).toMatchObject({ left: { errno: 'EIO' } })
  expect([...index.aggregates('')]).toMatchObject([{ left: { errno: 'EIO' } }])
  expect(index.damage()).toMatchObject({ left: { errno: 'EIO' } })
  expect(joinParts(index.checkpoint())).toMatchObject({ left: { errno: 'EIO' } })
  expect(index.version('new')).toMatchObject({ right: 1 })
})

test('postings below that do not ascend, though their checksum holds, are not taken over', () => {
  const writer = new IndexWriter({ ...place, end: place.base + 100, lastFrameCrc: 0 })
  for (const kind of [keyKind.aggregate, keyKind.type]) {
    writer.add({ kind, key: 'a', events: 2, version: 1, head: noPostings, offsets: [50, 50] })
  }
  const times = { firstTimestampMs: 0, lastTimestampMs: 0 }
  const parts = writer.finish({ tier: false, events: 2, ...times, strides: new Timeline(), damage: [] })
  const index = LayeredIndex.on(right(openBytes(Buffer.concat([...parts]), place)))
  expect(isDamaged(joinParts(index.checkpoint()))).toBe(true)
})

test('a checkpoint of a checkpoint is taken in pieces, also where one key has very many events', () => {
  const tags = Array.from({ length: 40 }, (_, number) => `tag-${number}`)
  const busy = Array.from({ length: 2_000 }, (_, number) => event('a', number + 1, tags))
  const index = LayeredIndex.on(opened(busy.slice(0, 1_000)).file)
  addEntries(index, busy.slice(1_000))
  const sizes = [...index.checkpoint()].map((part) => right(part).length)
  expect(sizes.length).toBeGreaterThan(2)
  expect(Math.max(...sizes)).toBeLessThan(75_000)
  expect(bytesOf(index).equals(bytesOf(indexOf(place, busy)))).toBe(true)
})

test('keys that fill many blocks and runs are merged, in order', () => {
  const more = Array.from({ length: 2_400 }, (_, number) => event(`account-${number * 7}`, 2))
  const index = LayeredIndex.on(opened().file)
  addEntries(index, more)
  const entries = [...many, ...more]
  const some = {
    ...questionsFor(place.base, many.slice(0, 2)),
    prefixes: ['account-9'],
    names: ['account-0', 'account-1', 'account-16793']
  }
  expect(answers(index, some)).toEqual(modelAnswers(place.base, entries, some))
  expect(bytesOf(index).equals(bytesOf(indexOf(place, entries)))).toBe(true)
})

test('keys of a table come in order, from any prefix on, however many runs they make', () => {
  const table = new KeyTable()
  const keys = Array.from({ length: 9_000 }, (_, number) => `key-${(number * 7_919) % 9_000}`)
  keys.forEach((key, offset) => table.add(key, offset))
  const frozen = table.freeze()
  table.add('key-later', 9_000)
  expect([...frozen.keys('')]).toEqual([...keys].sort())
  expect([...frozen.keys('key-50')]).toEqual([...keys].sort().filter((key) => key >= 'key-50'))
})

test('a retired file is closed when the last iteration over it ends, however it ends', () => {
  const { file } = opened()
  const isClosed = (): boolean => file.version('account-1')._tag === 'Left'
  const broken = file.aggregates('')[Symbol.iterator]()
  const finished = file.keys()[Symbol.iterator]()
  broken.next()
  finished.next()
  file.retire()
  expect(isClosed()).toBe(false)
  broken.return?.()
  expect(isClosed()).toBe(false)
  for (let next = finished.next(); next.done !== true; next = finished.next()) expect(next.value._tag).toBe('Right')
  expect(isClosed()).toBe(true)
  const idle = opened().file
  idle.retire()
  expect(idle.version('account-1')).toMatchObject({ left: { errno: 'EBADF' } })
})
