// The index file: refused in the right order and for the right reason, believed nowhere without its checksum.

import { right } from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import type { Offset } from '../src/core/brand.ts'
import { crc32 } from '../src/core/crc.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { encodeTrailer, keyKind, trailerBytes } from '../src/indexing/format.ts'
import { IndexFile } from '../src/indexing/index-file.ts'
import { indexParts } from '../src/indexing/index-writer.ts'
import type { FrozenKeys } from '../src/indexing/key-table.ts'
import { Timeline } from '../src/indexing/timeline.ts'
import { MemoryIndex } from '../src/indexing/memory-index.ts'
import type { SegmentIndex } from '../src/indexing/segment-index.ts'
import type { Disk, DiskFile } from '../src/port/disk.ts'
import {
  answers,
  bytesOf,
  fileOf,
  indexOf,
  isDamaged,
  modelAnswers,
  openBytes,
  questionsFor,
  type Entry
} from './indexing-model.ts'

const place = { logId: 0xdead_beef, base: 4_096 }

/** A few of everything: several strides, keys in common, all kinds of keys, a damaged region. */
const entries: readonly Entry[] = [
  event('account-1', 'Opened', { namespace: 'bank', tags: ['new', 'vip'] }),
  event('account-2', 'Opened', { namespace: 'bank', tags: ['new'] }),
  { kind: 'damage', bytes: 5_000, reason: 'checksum' },
  event('account-1', 'Deposited', { tags: ['vip'] }),
  event('\u{10000}', 'Opened', { namespace: '\uffff', tags: [] }),
  event('\uffff', 'Deposited', { tags: [] })
]

function event(aggregateId: string, eventType: string, more: { namespace?: string; tags: readonly string[] }): Entry {
  const keys = { aggregateId, eventType, namespace: more.namespace, tags: more.tags }
  return {
    kind: 'event',
    gap: 0,
    bytes: 1_000,
    crc: 0x0102_0304,
    version: 1,
    writeTimestampMs: 1_700_000_000_000,
    keys
  }
}

function open(bytes: Uint8Array): IndexFile {
  const opened = openBytes(bytes, place)
  if (opened._tag === 'Left') throw new Error('the file was refused')
  return opened.right
}

function reasonOf(bytes: Uint8Array, expected = place): string {
  const opened = openBytes(bytes, expected)
  return opened._tag === 'Left' && opened.left._tag === 'IndexDamaged' ? opened.left.reason : 'opened'
}

const whole = bytesOf(indexOf(place, entries))
const questions = questionsFor(place.base, entries)
const expected = modelAnswers(place.base, entries, questions)

describe('damage', () => {
  test('every change of a byte is refused by open or verify, and no answer differs', () => {
    for (let at = 0; at < whole.length; at++) {
      for (const mask of [0x01, 0x80, 0xff]) {
        const changed = Buffer.from(whole)
        changed[at] = (changed[at] as number) ^ mask
        const opened = openBytes(changed, place)
        if (opened._tag === 'Left') {
          expect(isDamaged(opened), `byte ${at}`).toBe(true)
          continue
        }
        expect(isDamaged(opened.right.verify()), `byte ${at}`).toBe(true)
        // A filter is not read there.
        const restored = MemoryIndex.from(opened.right)
        const same = restored._tag === 'Right' && bytesOf(restored.right).equals(whole)
        expect(same || isDamaged(restored), `byte ${at}`).toBe(true)
        const wrong = answers(opened.right, questions).filter(
          (answer, number) => answer !== 'damaged' && JSON.stringify(answer) !== JSON.stringify(expected[number])
        )
        expect(wrong, `byte ${at}`).toEqual([])
      }
    }
  })

  test('a file cut short or made longer is refused at once', () => {
    for (let length = 0; length < whole.length; length++) {
      expect(isDamaged(openBytes(whole.subarray(0, length), place)), `${length} bytes`).toBe(true)
    }
    expect(isDamaged(openBytes(Buffer.concat([whole, Buffer.alloc(1)]), place))).toBe(true)
  })

  test('a file that became shorter after it was opened is damaged', () => {
    const disk = new MemoryDisk()
    const opened = openBytes(whole, place, disk)
    if (opened._tag === 'Left') throw new Error('the file was refused')
    const file = disk.open('x.idx', 'write')
    if (file._tag === 'Left') throw new Error('the file is gone')
    file.right.truncate(10)
    expect(isDamaged(opened.right.version('account-1'))).toBe(true)
    expect(isDamaged(opened.right.verify())).toBe(true)
  })
})

test('a file that claims terabytes is refused before memory is taken', () => {
  const lengths = { groupsBytes: 2 ** 42, directoryBytes: 2 ** 41, stridesBytes: 2 ** 40, damageBytes: 2 ** 39 }
  const filterBytes = 2 ** 39
  const size = 2 ** 43 + trailerBytes
  const trailer = encodeTrailer({
    ...place,
    ...lengths,
    filterBytes,
    lastFrameCrc: 0,
    end: 5_000,
    events: 1,
    firstTimestampMs: 0,
    lastTimestampMs: 0
  })
  const file: Pick<DiskFile, 'path' | 'size' | 'readSync' | 'close'> = {
    path: 'x.idx',
    size: () => right(size),
    readSync: (target, position) => {
      expect(position).toBe(size - trailerBytes)
      target.set(trailer)
      return right(target.length)
    },
    close: () => undefined
  }
  const disk: Pick<Disk, 'open'> = { open: () => right(file as DiskFile) }
  const opened = IndexFile.open(disk as Disk, 'x.idx', place)
  if (opened._tag === 'Left') throw new Error('the trailer is whole')
  for (const answer of answers(opened.right, questionsFor(place.base, [])).slice(1)) expect(answer).toBe('damaged')
  expect(isDamaged(opened.right.verify())).toBe(true)
})

describe('what a valid checksum proves must still make sense', () => {
  interface Key {
    readonly key: string
    readonly offsets: number[]
  }

  /** A file of these aggregates and types, whatever they say, all checksums valid. */
  function written(aggregates: readonly Key[], types: readonly Key[], events: number): IndexFile {
    const table = (keys: readonly Key[]): FrozenKeys => ({
      keys: () => keys.map(({ key }) => key),
      id: (key) => keys.findIndex((known) => known.key === key),
      count: (id) => keys[id]?.offsets.length ?? 0,
      version: () => 1,
      offsets: (id) => keys[id]?.offsets ?? []
    })
    const parts = indexParts({
      ...{ ...place, lastFrameCrc: 0, end: place.base + 100, events, firstTimestampMs: 0, lastTimestampMs: 0 },
      tables: [
        { kind: keyKind.aggregate, frozen: table(aggregates) },
        { kind: keyKind.type, frozen: table(types) }
      ],
      timeline: new Timeline(),
      damage: []
    })
    return open(Buffer.concat([...parts]))
  }

  function refusals(file: IndexFile): readonly boolean[] {
    return [isDamaged(file.verify()), isDamaged(MemoryIndex.from(file))]
  }

  const type = { key: 'Made', offsets: [0, 50] }

  test('two events in their order pass', () => {
    expect(refusals(written([{ key: 'a', offsets: [0, 50] }], [type], 2))).toEqual([false, false])
  })

  test('an offset beyond the end, or twice the same', () => {
    for (const offsets of [
      [0, 100],
      [50, 50]
    ]) {
      const file = written([{ key: 'a', offsets }], [type], 2)
      expect(refusals(file)).toEqual([true, true])
      expect(isDamaged(file.aggregateOffsets('a'))).toBe(true)
    }
  })

  test('keys that do not ascend', () => {
    const one = { key: 'b', offsets: [0] }
    const other = { key: 'a', offsets: [50] }
    expect(refusals(written([other, one], [type], 2))).toEqual([false, false])
    expect(refusals(written([one, other], [type], 2))).toEqual([true, true])
  })

  test('a count of events that the keys do not add up to', () => {
    const aggregate = { key: 'a', offsets: [0, 50] }
    expect(refusals(written([aggregate], [type], 3))).toEqual([true, true])
    expect(refusals(written([aggregate], [], 2))).toEqual([true, true])
    expect(refusals(written([], [type], 2))).toEqual([true, true])
  })
})

describe('refusal', () => {
  const trailerAt = whole.length - trailerBytes

  /** The file with one field of its trailer changed, its checksum made to hold or left as it was. */
  function patched(at: number, bytes: readonly number[], resealed: boolean): Buffer {
    const changed = Buffer.from(whole)
    changed.set(bytes, trailerAt + at)
    if (resealed) changed.writeUInt32LE(crc32(changed.subarray(trailerAt, changed.length - 4), 0), changed.length - 4)
    return changed
  }

  test('names the first thing wrong: magic, then version, then checksum, then content', () => {
    expect(reasonOf(Buffer.from('not an index'))).toMatch(/^magic/)
    expect(reasonOf(patched(92, [0x58], false))).toMatch(/^magic/)
    expect(reasonOf(patched(96, [3], false))).toMatch(/^version: 3 is newer/)
    expect(reasonOf(patched(96, [1], false))).toMatch(/^version: 1 is not written any more/)
    expect(reasonOf(patched(98, [1], false))).toMatch(/^checksum/)
    expect(reasonOf(patched(98, [2], true))).toMatch(/^content: unknown flags/)
    expect(reasonOf(patched(98, [1], true))).toMatch(/^content: it is a tier/)
    expect(reasonOf(patched(88, [1], true))).toMatch(/^content: unknown flags/)
    expect(reasonOf(patched(47, [0xff], true))).toMatch(/^content: a number over 2\^53/)
    expect(reasonOf(patched(48, [0xff], true))).toMatch(/^content: the sections do not fill the file/)
    expect(reasonOf(patched(16, [0, 0], true))).toMatch(/^content: it ends before its base/)
  })

  test('a file of another log or of another segment is refused', () => {
    expect(reasonOf(whole)).toBe('opened')
    expect(reasonOf(whole, { ...place, logId: 1 })).toMatch(/^content: it belongs to log/)
    expect(reasonOf(whole, { ...place, base: 0 })).toMatch(/^content: it begins at 4096/)
  })

  test('a missing file and a read error are the disk speaking, not damage', () => {
    const disk = new MemoryDisk()
    expect(IndexFile.open(disk, 'none.idx', place)).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'ENOENT' } })
    const opened = openBytes(whole, place, disk)
    if (opened._tag === 'Left') throw new Error('the file was refused')
    disk.arm({ fault: (call) => (call.operation === 'read' ? 'EIO' : undefined) })
    for (const answer of answers(opened.right, questions).slice(1)) {
      const first: unknown = Array.isArray(answer) ? answer[0] : answer
      expect(first).toMatchObject({ _tag: 'DiskFailed', errno: 'EIO' })
    }
    expect(opened.right.verify()).toMatchObject({ left: { errno: 'EIO' } })
    expect(MemoryIndex.from(opened.right)).toMatchObject({ left: { errno: 'EIO' } })
    expect(IndexFile.open(disk, 'x.idx', place)).toMatchObject({ left: { errno: 'EIO' } })
  })

  test('a refused file is closed again, an opened one when its owner closes it', () => {
    const disk = new MemoryDisk()
    openBytes(whole, place, disk)
    const opened: DiskFile[] = []
    const watched: Pick<Disk, 'open'> = {
      open: (path, mode) => {
        const file = disk.open(path, mode)
        if (file._tag === 'Right') opened.push(file.right)
        return file
      }
    }
    const isClosed = (file: DiskFile | undefined): boolean => file?.size()._tag === 'Left'
    expect(IndexFile.open(watched as Disk, 'x.idx', { ...place, base: 0 })._tag).toBe('Left')
    expect(isClosed(opened[0])).toBe(true)
    const file = IndexFile.open(watched as Disk, 'x.idx', place)
    expect(isClosed(opened[1])).toBe(false)
    if (file._tag === 'Right') file.right.close()
    if (file._tag === 'Right') file.right.close()
    expect(isClosed(opened[1])).toBe(true)
  })
})

describe('lookups', () => {
  const many: readonly Entry[] = Array.from({ length: 5_000 }, (_, number) =>
    event(`account-${number % 2_500}`, `Type${number % 3}`, { namespace: 'bank', tags: [] })
  )

  test('a key costs a read of its block, one of many events another, however many keys there are', () => {
    const disk = new MemoryDisk()
    const opened = openBytes(bytesOf(indexOf(place, many)), place, disk)
    if (opened._tag === 'Left') throw new Error('the file was refused')
    const file = opened.right
    file.version('account-7')
    let bytes = 0
    disk.arm({ calls: (call) => (bytes += call.bytes ?? 0) })
    const reads = (): number => disk.counts.get('read') ?? 0
    const before = reads()
    expect(file.version('account-1234')).toEqual({ _tag: 'Right', right: 1 })
    expect(reads() - before).toBe(1)
    expect(file.aggregateOffsets('account-1234')).toMatchObject({
      right: [place.base + 1_234_000, place.base + 3_734_000]
    })
    // The block, and for the second key its page of the filter was there already.
    expect(reads() - before).toBe(2)
    expect(file.find(keyKind.type, 'Type1')).toMatchObject({ right: { count: 1_667 } })
    expect(reads() - before).toBe(3)
    expect(bytes).toBeLessThan(3 * 4_400)
  })

  test('released caches are read again', () => {
    const disk = new MemoryDisk()
    const opened = openBytes(bytesOf(indexOf(place, many)), place, disk)
    if (opened._tag === 'Left') throw new Error('the file was refused')
    const file = opened.right
    const before = [file.version('account-9'), file.frameBefore(place.base + 70_000)]
    const reads = disk.counts.get('read') ?? 0
    file.releaseCaches()
    expect([file.version('account-9'), file.frameBefore(place.base + 70_000)]).toEqual(before)
    expect((disk.counts.get('read') ?? 0) - reads).toBe(4)
  })

  test('keys and offsets that fill many blocks and groups are found, in order', () => {
    const index = indexOf(place, many)
    const some = {
      ...questionsFor(place.base, many.slice(0, 3)),
      names: ['account-0', 'account-999', 'account-2499', 'Type1']
    }
    const model = modelAnswers(place.base, many, some)
    expect(answers(index, some)).toEqual(model)
    expect(answers(fileOf(index, place), some)).toEqual(model)
  })

  test('aggregates come in the order of UTF-16 code units, where astral characters stand before U+FFFF', () => {
    const ids = (index: SegmentIndex): unknown[] =>
      [...index.aggregates('')].map((next) => (next._tag === 'Right' ? next.right.aggregateId : next.left))
    const sorted = ['account-1', 'account-2', '\u{10000}', '\uffff']
    expect(ids(open(whole))).toEqual(sorted)
    expect(ids(indexOf(place, entries))).toEqual(sorted)
  })

  test('halves of surrogate pairs stay apart, though UTF-8 cannot tell them', () => {
    const file = fileOf(indexOf(place, [event('\ud800', 'a', { tags: [] }), event('\ud801', 'a', { tags: [] })]), place)
    expect(file.aggregateOffsets('\ud800')).toMatchObject({ right: [place.base] })
    expect(file.aggregateOffsets('\ud801')).toMatchObject({ right: [place.base + 1_000] })
    expect(file.version('\ufffd')).toMatchObject({ right: 0 })
  })

  test('an index without events is a file like any other', () => {
    const file = fileOf(new MemoryIndex(place), place)
    expect(file.verify()._tag).toBe('Right')
    expect(file.version('a')).toMatchObject({ right: 0 })
    expect(file.select([{ types: ['a'] }])).toMatchObject({ right: [] })
    expect([...file.aggregates('')]).toEqual([])
    expect(file.frameBefore(place.base + 5)).toMatchObject({ right: place.base })
  })
})

describe('the index in memory', () => {
  const keys = { aggregateId: 'a', eventType: 'b', namespace: undefined, tags: [] }
  const frame = { offset: 4_096, nextOffset: 4_196, crc: 1, version: 1, writeTimestampMs: 1 }

  test('takes frames and damage in the order of the log only', () => {
    const index = new MemoryIndex(place)
    index.add(frame, keys)
    expect(() => index.add(frame, keys)).toThrow('in the order of the log')
    const region = { offset: 4_100 as Offset, nextOffset: 4_200 as Offset, reason: 'zeros' as const }
    expect(() => index.addDamage(region)).toThrow('in the order of the log')
    expect(index.end).toBe(4_196)
  })

  test('asks for at least one item, and at least one term in each', () => {
    expect(() => new MemoryIndex(place).select([])).toThrow('at least one item')
    expect(() => new MemoryIndex(place).select([{ types: [], tags: [] }])).toThrow('at least one term')
  })

  test('gives its bytes in pieces, so that other work can run in between', () => {
    const tags = Array.from({ length: 60 }, (_, number) => `tag-${number}`)
    const busy = Array.from({ length: 1_500 }, () => event('a', 'b', { tags }))
    const sizes = [...indexOf(place, busy).parts()].map((part) => part.length)
    expect(sizes.length).toBeGreaterThan(6)
    expect(Math.max(...sizes)).toBeLessThan(75_000)
  })

  test('one event in a file, byte for byte', () => {
    const index = new MemoryIndex({ logId: 0x0403_0201, base: 100 })
    const tagged = { aggregateId: 'acc', eventType: 'Made', namespace: 'n', tags: ['t'] }
    index.add({ offset: 100, nextOffset: 350, crc: 0x0807_0605, version: 3, writeTimestampMs: 1_000 }, tagged)
    expect(
      bytesOf(index)
        .toString('hex')
        .replaceAll(/(.{64})/g, '$1\n')
    ).toMatchInlineSnapshot(`
      "01066163630103010002084d61646501010003026e01010004027401010011be
      2b54010661636300220152aa3ab9000091cb46829760305e5000000580240001
      00a0120020a0000010480010804008020412000881002004fe704b1b01020304
      0506070864000000000000005e010000000000000100000000000000e8030000
      00000000e80300000000000022000000000000000c0000000000000006000000
      0000000004000000000000002400000000000000000000004348524902000000
      18a64d52"
    `)
  })
})
