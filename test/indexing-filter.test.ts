// The filters of index files: what is there always passes, few others do, and what they take of memory is bounded.

import fc from 'fast-check'
import { right as rightOf } from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { crc32 } from '../src/core/crc.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { decodeTrailer, fileSeed, keyKind, seedAt, trailerBytes, type KeyKind } from '../src/indexing/format.ts'
import { IndexWriter, noPostings } from '../src/indexing/index-writer.ts'
import {
  FilterBuilder,
  filterBlockBytes,
  filterBlockOf,
  filterBytesOf,
  filterPageBlocks,
  FilterMemory,
  FilterPages,
  keyHash,
  mayHold
} from '../src/indexing/key-filter.ts'
import { Timeline } from '../src/indexing/timeline.ts'
import { isDamaged, openBytes, right } from './indexing-model.ts'

const place = { logId: 0x01020304, base: 4_096 }

function filterOf(keys: readonly string[]): Buffer {
  const builder = new FilterBuilder()
  for (const key of keys) builder.add(keyHash(keyKind.aggregate, key))
  return builder.take()
}

function passes(filter: Buffer, kind: KeyKind, key: string): boolean {
  const hash = keyHash(kind, key)
  return mayHold(filter, filterBlockOf(hash, filter.length / filterBlockBytes) * filterBlockBytes, hash)
}

const numbered = (count: number, name: string): string[] => Array.from({ length: count }, (_, n) => `${name}-${n}`)

describe('a filter', () => {
  test('never denies a key that is there', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary' }), { minLength: 1, maxLength: 200 }), (keys) => {
        const filter = filterOf(keys)
        expect(keys.filter((key) => !passes(filter, keyKind.aggregate, key))).toEqual([])
      })
    )
  })

  test('lets few others pass: of ten thousand keys, and of another kind, less than two in a hundred', () => {
    const filter = filterOf(numbered(10_000, 'account'))
    const others = numbered(10_000, 'nobody').filter((key) => passes(filter, keyKind.aggregate, key))
    expect(others.length).toBeLessThan(200)
    const kinds = numbered(10_000, 'account').filter((key) => passes(filter, keyKind.tag, key))
    expect(kinds.length).toBeLessThan(200)
  })

  test('takes the bytes that it says, in blocks and pages', () => {
    expect(filterOf([]).length).toBe(0)
    expect(filterOf(numbered(24, 'a')).length).toBe(filterBlockBytes)
    expect(filterOf(numbered(25, 'a')).length).toBe(2 * filterBlockBytes)
    expect(filterBytesOf(filterPageBlocks + 1)).toBe((filterPageBlocks + 1) * filterBlockBytes + 8)
  })
})

/** A file of aggregates `a-…`, with a filter for every so many keys. */
function fileBytes(count: number, keysMax: number): Buffer {
  const end = place.base + count
  const writer = new IndexWriter({ ...place, end, lastFrameCrc: 0 }, keysMax)
  const parts: Uint8Array[] = []
  const offsets = Array.from({ length: count }, (_, offset) => offset)
  const keys = numbered(count, 'a').sort()
  for (const [offset, key] of keys.entries()) {
    writer.add({ kind: keyKind.aggregate, key, events: 1, version: offset + 1, head: noPostings, offsets: [offset] })
    if (writer.full) parts.push(writer.closeGroup())
  }
  writer.add({ kind: keyKind.type, key: 'Made', events: count, version: 0, head: noPostings, offsets })
  const times = { firstTimestampMs: 0, lastTimestampMs: 0 }
  parts.push(...writer.finish({ tier: false, events: count, ...times, strides: new Timeline(), damage: [] }))
  return Buffer.concat(parts)
}

describe('a file', () => {
  test('of several filters finds every key and no other', () => {
    const file = right(openBytes(fileBytes(2_000, 300), place))
    const versions = numbered(2_000, 'a')
      .sort()
      .map((key) => right(file.version(key)))
    expect(versions).toEqual(Array.from({ length: 2_000 }, (_, n) => n + 1))
    for (const key of ['', 'a', 'a-2000', 'b', '\uffff']) expect(right(file.version(key))).toBe(0)
    expect(right(file.find(keyKind.type, 'Made'))?.count).toBe(2_000)
    expect(file.verify()._tag).toBe('Right')
  })

  test('reads a key block for few of a hundred unknown keys', () => {
    const disk = new MemoryDisk()
    const file = right(openBytes(fileBytes(2_000, 10_000), place, disk))
    file.version('a-7')
    const before = disk.counts.get('read') ?? 0
    for (const key of numbered(100, 'nobody')) expect(right(file.version(key))).toBe(0)
    expect((disk.counts.get('read') ?? 0) - before).toBeLessThan(10)
  })

  test('whose filter denies a key, under a valid checksum, does not verify', () => {
    const whole = fileBytes(100, 300)
    expect(right(openBytes(whole, place)).verify()._tag).toBe('Right')
    const denying = right(openBytes(denied(whole), place))
    expect(denying.version('a-7')).toMatchObject({ right: 0 })
    expect(isDamaged(denying.verify())).toBe(true)
  })
})

/** The same file with one page of a filter in which nothing is. */
function denied(whole: Buffer): Buffer {
  const trailer = decodeTrailer(whole.subarray(-trailerBytes), whole.length)
  if (trailer._tag === 'Left') throw new Error(trailer.left)
  const end = whole.length - trailerBytes
  const start = end - trailer.right.filterBytes
  const changed = Buffer.from(whole).fill(0, start, end)
  changed.writeUInt32LE(crc32(changed.subarray(start, end - 4), seedAt(fileSeed(trailer.right), start)), end - 4)
  return changed
}

describe('the memory of filters', () => {
  const page = Buffer.alloc(100, 0xff)

  /** Pages of a file, and how many reads they took. */
  function pagesIn(memory: FilterMemory): { readonly ask: (part: number) => void; readonly reads: () => number } {
    let reads = 0
    const pages = new FilterPages<never>(memory, () => {
      reads++
      return rightOf(page)
    })
    const ask = (part: number): void => {
      expect(pages.mayHold({ position: part * 1_000, blocks: 1, groupsEnd: 1 }, 7)).toMatchObject({ right: true })
    }
    return { ask, reads: () => reads }
  }

  test('keeps what was read while there is room', () => {
    const memory = new FilterMemory(1_000)
    const { ask, reads } = pagesIn(memory)
    for (let round = 0; round < 3; round++) for (let part = 0; part < 10; part++) ask(part)
    expect(reads()).toBe(10)
  })

  test('lets go of everything, of all files, when it would be too much', () => {
    const memory = new FilterMemory(1_000)
    const [one, other] = [pagesIn(memory), pagesIn(memory)]
    for (let part = 0; part < 5; part++) one.ask(part)
    for (let part = 0; part < 6; part++) other.ask(part)
    expect([one.reads(), other.reads()]).toEqual([5, 6])
    one.ask(0)
    other.ask(5)
    expect([one.reads(), other.reads()]).toEqual([6, 6])
  })
})
