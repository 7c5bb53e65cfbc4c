// Tiers: the bytes of one, what a lookup reads, what is refused, and which tiers a log of many segments has.

import { describe, expect, test } from 'vitest'
import { Offset } from '../src/core/brand.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { keyKind } from '../src/indexing/format.ts'
import { IndexFile } from '../src/indexing/index-file.ts'
import { IndexWriter, noPostings } from '../src/indexing/index-writer.ts'
import { mergeTier } from '../src/indexing/tier-merge.ts'
import { coverWith, planTiers, type SegmentSpan } from '../src/indexing/tier-plan.ts'
import { bytesOf, indexOf, isDamaged, joinParts, right, type Entry } from './indexing-model.ts'
import {
  openTier,
  questionsAbout,
  segmentsOf,
  sourceOf,
  tierAnswers,
  tierBytes,
  tierModelAnswers,
  tierOf
} from './indexing-tier-model.ts'

const place = { logId: 0x0403_0201, base: 100 }

function event(aggregateId: string, version: number, eventType = 'Made'): Entry {
  const keys = { aggregateId, eventType, namespace: undefined, tags: [] }
  return { kind: 'event', gap: 0, bytes: 250, crc: 0x0807_0605, version, writeTimestampMs: 1_000 + version, keys }
}

const stories = segmentsOf(place, [
  [event('a', 1), event('b', 1)],
  [{ kind: 'damage', bytes: 300, reason: 'zeros' }],
  [event('a', 2), event('a', 3, 'Paid')]
])
const expected = { ...place, end: stories.at(-1)?.end ?? 0 }
const whole = tierBytes(stories.map(sourceOf))

test('three segments in a tier, byte for byte', () => {
  expect(whole.toString('hex').replaceAll(/(.{64})/g, '$1\n')).toMatchInlineSnapshot(`
    "01026103030200020102620101010002084d6164650302000202085061696401
    01027acadac40102610026017752448300e907f40300ac0202ff497a9a5c2f66
    9510009010000c000309800800002414000080001800c08100100e0000210400
    02edc20cc6010203040506070864000000000000007805000000000000040000
    0000000000e903000000000000eb0300000000000026000000000000000a0000
    00000000000d0000000000000004000000000000002400000000000000000000
    00434852490200010073e76b61"
  `)
})

test('every change of a byte is refused by open or verify, and no answer differs', () => {
  const questions = questionsAbout(stories)
  const model = tierModelAnswers(stories, questions)
  for (let at = 0; at < whole.length; at++) {
    for (const mask of [0x01, 0x80, 0xff]) {
      const changed = Buffer.from(whole)
      changed[at] = (changed[at] as number) ^ mask
      const opened = openTier(changed, expected)
      if (opened._tag === 'Left') {
        expect(isDamaged(opened), `byte ${at}`).toBe(true)
        continue
      }
      expect(isDamaged(opened.right.verify()), `byte ${at}`).toBe(true)
      const wrong = tierAnswers(opened.right, questions).filter(
        (answer, number) => answer !== 'damaged' && JSON.stringify(answer) !== JSON.stringify(model[number])
      )
      expect(wrong, `byte ${at}`).toEqual([])
    }
  }
})

test('a file cut short is refused at once', () => {
  for (let length = 0; length < whole.length; length++) {
    expect(isDamaged(openTier(whole.subarray(0, length), expected)), `${length} bytes`).toBe(true)
  }
})

describe('refusal', () => {
  const reason = (bytes: Uint8Array, wanted = expected): string => {
    const opened = openTier(bytes, wanted)
    return opened._tag === 'Left' && opened.left._tag === 'IndexDamaged' ? opened.left.reason : 'opened'
  }

  test('of another log, other segments, and of the index of a segment', () => {
    expect(reason(whole)).toBe('opened')
    expect(reason(whole, { ...expected, logId: 1 })).toMatch(/belongs to log/)
    expect(reason(whole, { ...expected, base: 0 })).toMatch(/begins at 100/)
    expect(reason(whole, { ...expected, end: 1_000 })).toMatch(/ends at 1400/)
    expect(reason(bytesOf(indexOf(place, [event('a', 1)])), { ...place, end: 350 })).toMatch(/it is no tier/)
  })

  test('of a tier in the place of a segment’s index', () => {
    const disk = new MemoryDisk()
    openTier(whole, expected, disk)
    expect(IndexFile.open(disk, 'x.tier', place)).toMatchObject({ left: { reason: 'content: it is a tier' } })
  })

  test('a read error is the disk speaking, not damage', () => {
    const disk = new MemoryDisk()
    const tier = right(openTier(whole, expected, disk))
    disk.arm({ fault: (call) => (call.operation === 'read' ? 'EIO' : undefined) })
    for (const answer of tierAnswers(tier, questionsAbout(stories)).slice(1)) {
      const first: unknown = Array.isArray(answer) ? answer[0] : answer
      expect(first).toMatchObject({ _tag: 'DiskFailed', errno: 'EIO' })
    }
    expect(tier.verify()).toMatchObject({ left: { errno: 'EIO' } })
    expect(joinParts(mergeTier([tier]))).toMatchObject({ left: { errno: 'EIO' } })
  })
})

describe('what a valid checksum proves must still make sense', () => {
  const region = { offset: Offset(200), nextOffset: Offset(300), reason: 'zeros' as const }

  /** A tier of two segments in which one aggregate has two events, with something changed. */
  function verdict(change: {
    readonly numbers?: readonly number[]
    readonly bases?: readonly number[]
    readonly times?: readonly number[]
    readonly damage?: readonly (typeof region)[]
  }): boolean {
    const writer = new IndexWriter({ ...expected, lastFrameCrc: 0 })
    for (const kind of [keyKind.aggregate, keyKind.type]) {
      const offsets = change.numbers ?? [0, 1]
      writer.add({ kind, key: 'a', events: 2, version: 1, head: noPostings, offsets })
    }
    const parts = writer.finish({
      ...{ tier: true, events: 2, firstTimestampMs: 3, lastTimestampMs: 7 },
      strides: { offsets: change.bases ?? [0, 500], times: change.times ?? [3, 7] },
      damage: change.damage ?? []
    })
    return isDamaged(right(openTier(Buffer.concat([...parts]), expected)).verify())
  }

  test('two segments with an event each pass', () => {
    expect(verdict({})).toBe(false)
    expect(verdict({ numbers: [1] })).toBe(false)
  })

  test('numbers of segments that there are none of, or more than events, or none', () => {
    expect(verdict({ numbers: [0, 2] })).toBe(true)
    expect(verdict({ numbers: [1, 1] })).toBe(true)
    expect(verdict({ numbers: [] })).toBe(true)
    expect(verdict({ numbers: [0, 1, 2], bases: [0, 500, 600], times: [3, 7, 7] })).toBe(true)
  })

  test('segments that do not begin with the tier, do not ascend, or lie outside of it', () => {
    expect(verdict({ bases: [1, 500] })).toBe(true)
    expect(verdict({ bases: [0, 0] })).toBe(true)
    expect(verdict({ bases: [0, 1_300] })).toBe(true)
    expect(verdict({ numbers: [0], bases: [], times: [] })).toBe(true)
  })

  test('no segment at all', () => {
    const none = { firstTimestampMs: 0, lastTimestampMs: 0, strides: { offsets: [], times: [] }, damage: [] }
    const parts = new IndexWriter({ ...expected, lastFrameCrc: 0 }).finish({ tier: true, events: 0, ...none })
    expect(isDamaged(right(openTier(Buffer.concat([...parts]), expected)).verify())).toBe(true)
  })

  test('times that do not end with the last one', () => {
    expect(verdict({ times: [3, 6] })).toBe(true)
  })

  test('damage, which is known to the segments', () => {
    expect(verdict({ damage: [region] })).toBe(true)
  })
})

test('sources that do not follow on each other are a programmer’s error', () => {
  const [one, , three] = stories.map(sourceOf)
  if (one === undefined || three === undefined) throw new Error('three segments')
  expect(() => [...mergeTier([one, three])]).toThrow('follow on each other')
  expect(() => [...mergeTier([])]).toThrow('made of something')
})

test('a lookup costs a read of a key block, however many events a key has, and of an unknown one none', () => {
  const histories = Array.from({ length: 4 }, () =>
    Array.from({ length: 2_000 }, (_, number) => event(`a-${number}`, 1))
  )
  const disk = new MemoryDisk()
  const busy = segmentsOf(place, histories)
  const tier = right(openTier(tierBytes(busy.map(sourceOf)), { ...place, end: busy.at(-1)?.end ?? 0 }, disk))
  tier.segmentsOf(keyKind.type, 'Made')
  let bytes = 0
  disk.arm({ calls: (call) => (bytes += call.bytes ?? 0) })
  const reads = (): number => disk.counts.get('read') ?? 0
  const before = reads()
  expect(tier.counts(keyKind.type, 'Made')).toMatchObject({ right: { events: 8_000, segments: 4 } })
  expect(reads() - before).toBe(1)
  expect(tier.version('a-77')).toMatchObject({ right: 1 })
  expect(reads() - before).toBe(2)
  expect(tier.version('none')).toMatchObject({ right: 0 })
  expect(reads() - before).toBe(2)
  expect(bytes).toBeLessThan(2 * 4_400)
})

test('a merge reads no posting of a segment: what is damaged there changes nothing', () => {
  const story = segmentsOf(place, [Array.from({ length: 100 }, () => event('a', 1))])[0]
  if (story === undefined) throw new Error('one segment')
  const bytes = bytesOf(indexOf(story, story.entries))
  const disk = new MemoryDisk()
  const created = disk.open('x.idx', 'create')
  if (created._tag === 'Left') throw new Error('no file')
  created.right.writeSync(bytes, 0)
  created.right.writeSync(Buffer.alloc(10, 0xff), 5)
  const damaged = right(IndexFile.open(disk, 'x.idx', place))
  expect(isDamaged(damaged.aggregateOffsets('a'))).toBe(true)
  expect(tierBytes([damaged]).equals(tierBytes([sourceOf(story)]))).toBe(true)
})

test('a retired tier is closed when the last iteration over it ends', () => {
  const tier = tierOf(stories.map(sourceOf))
  const list = tier.aggregates('')[Symbol.iterator]()
  list.next()
  tier.retire()
  expect(tier.version('a')).toMatchObject({ right: 3 })
  while (list.next().done !== true);
  expect(tier.version('a')).toMatchObject({ left: { errno: 'EBADF' } })
})

describe('the plan', () => {
  const size = 64 * 1024 * 1024
  const log = (count: number, from = 0): readonly SegmentSpan[] =>
    Array.from({ length: count }, (_, number) => ({ base: (from + number) * size, end: (from + number + 1) * size }))
  const inSegments = (spans: readonly SegmentSpan[]): string[] =>
    spans.map(({ base, end }) => `${base / size}-${end / size}`)

  test('eight segments make a tier, eight of those a larger one', () => {
    expect(planTiers(log(7), [])).toEqual({ steps: [], obsolete: [] })
    expect(inSegments(planTiers(log(8), []).steps)).toEqual(['0-8'])
    const { steps } = planTiers(log(65), [])
    expect(inSegments(steps)).toEqual(['0-8', '8-16', '16-24', '24-32', '32-40', '40-48', '48-56', '56-64', '0-64'])
    expect(steps.at(-1)?.sources.map((source) => source.kind)).toEqual(Array.from({ length: 8 }, () => 'tier'))
    expect(inSegments(planTiers(log(65), steps).obsolete)).toEqual(inSegments(steps.slice(0, 8)))
  })

  test('only what is missing is merged, and a tier that is a source is kept until then', () => {
    const existing = planTiers(log(63), []).steps
    expect(inSegments(existing)).toHaveLength(7)
    expect(inSegments(planTiers(log(64), existing).steps)).toEqual(['56-64', '0-64'])
    expect(planTiers(log(64), existing).obsolete).toEqual([])
  })

  test('a trimmed tier leaves its parts, which can be merged before the segments go', () => {
    const existing = [{ base: 0, end: 64 * size }]
    const { steps, obsolete } = planTiers(log(60, 5), existing)
    expect(inSegments(steps)).toEqual(['8-16', '16-24', '24-32', '32-40', '40-48', '48-56', '56-64'])
    expect(inSegments(obsolete)).toEqual(['0-64'])
    expect(inSegments(coverWith(log(60, 5), steps))).toEqual(['5-6', '6-7', '7-8', ...inSegments(steps), '64-65'])
  })

  test('of nested tiers a lookup asks the largest whose segments are all there', () => {
    const nested = [{ base: 0, end: 64 * size }, ...planTiers(log(63), []).steps]
    for (const existing of [nested, [...nested].reverse()]) {
      expect(inSegments(coverWith(log(65), existing))).toEqual(['0-64', '64-65'])
      expect(inSegments(coverWith(log(17), existing))).toEqual(['0-8', '8-16', '16-17'])
    }
  })

  test('segments that end a little before the size still make tiers of about eight', () => {
    let end = 0
    const short = Array.from({ length: 80 }, () => ({ base: end, end: (end += size - 100_000) }))
    const { steps } = planTiers(short, [])
    const first = coverWith(short, steps)[0]
    expect(first).toMatchObject({ base: 0, kind: 'tier' })
    expect(coverWith(short, steps).length).toBeLessThan(20)
    expect(steps.every((step) => step.sources.length <= 8)).toBe(true)
  })

  test('a name that is no tier’s is not among them, and gaps are a programmer’s error', () => {
    expect(() => planTiers([...log(2), ...log(1, 5)], [])).toThrow('follow on each other')
    expect(() => planTiers(log(2), [], 1)).toThrow('at least two parts')
  })
})
