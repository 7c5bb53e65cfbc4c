// Laws of the tier plan: a folder's tiers follow from its segments alone, whether they grew with it, are built from
// nothing, or were trimmed; and lookups ask few files.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { coverWith, planTiers, tierName, tierOfName, type SegmentSpan } from '../src/indexing/tier-plan.ts'

/** Segments of like sizes, as one setting makes them, or of sizes that have nothing in common. */
const sizes = fc.oneof(
  fc
    .tuple(fc.constantFrom(256, 4_096, 2 ** 24, 2 ** 26, 10 ** 8), fc.array(fc.nat({ max: 200 }), { maxLength: 300 }))
    .map(([size, slack]) => slack.map((less) => size - less)),
  fc.array(fc.oneof(fc.integer({ min: 1, max: 2_000 }), fc.integer({ min: 1, max: 2 ** 30 })), { maxLength: 100 })
)

const fanOut = fc.constantFrom(2, 3, 8)

const sealed: fc.Arbitrary<readonly SegmentSpan[]> = sizes.map((all) => {
  let end = 0
  return all.map((size) => ({ base: end, end: (end += size) }))
})

const names = (spans: readonly SegmentSpan[]): string[] => spans.map(tierName).sort()

/** Does every step, checks that its sources are there, removes what is obsolete until nothing is left to do. */
function settled(segments: readonly SegmentSpan[], existing: readonly SegmentSpan[], parts: number): SegmentSpan[] {
  const there = new Map(existing.map((tier) => [tierName(tier), tier]))
  const known = new Set(names(segments))
  for (;;) {
    const { steps, obsolete } = planTiers(segments, [...there.values()], parts)
    for (const step of steps) {
      for (const source of step.sources) {
        expect((source.kind === 'tier' ? there : known).has(tierName(source)), tierName(source)).toBe(true)
      }
      expect(step.sources.length).toBeGreaterThan(1)
      expect(step.sources.length).toBeLessThanOrEqual(Math.max(parts, 4))
      expect([step.sources[0]?.base, step.sources.at(-1)?.end]).toEqual([step.base, step.end])
      step.sources.slice(1).forEach((source, place) => expect(source.base).toBe(step.sources[place]?.end))
      there.set(tierName(step), { base: step.base, end: step.end })
    }
    for (const tier of obsolete) there.delete(tierName(tier))
    if (steps.length === 0 && obsolete.length === 0) return [...there.values()]
  }
}

test('tiers that grew with the log are those that are built from nothing', () => {
  fc.assert(
    fc.property(sealed, fanOut, fc.integer({ min: 1, max: 40 }), (segments, parts, stride) => {
      let tiers: SegmentSpan[] = []
      for (let count = 0; count < segments.length; count += stride) {
        tiers = settled(segments.slice(0, count), tiers, parts)
      }
      expect(names(settled(segments, tiers, parts))).toEqual(names(settled(segments, [], parts)))
    }),
    { numRuns: 100 }
  )
})

test('tiers of a trimmed log are those that are built from nothing, and hold no segment that is gone', () => {
  fc.assert(
    fc.property(sealed, fanOut, fc.nat({ max: 300 }), (segments, parts, trimmed) => {
      const kept = segments.slice(trimmed)
      const tiers = settled(kept, settled(segments, [], parts), parts)
      expect(names(tiers)).toEqual(names(settled(kept, [], parts)))
      expect(tiers.every((tier) => tier.base >= (kept[0]?.base ?? 0))).toBe(true)
    }),
    { numRuns: 100 }
  )
})

test('the cover asks for each segment once, with whatever tiers there are', () => {
  fc.assert(
    fc.property(sealed, fanOut, fc.nat({ max: 300 }), fc.array(fc.nat()), (segments, parts, trimmed, lost) => {
      const all = settled(segments, [], parts)
      const tiers = all.filter((_, place) => !lost.includes(place))
      const kept = segments.slice(trimmed)
      const cover = coverWith(kept, tiers)
      const asked = cover.flatMap(({ base, end }) => kept.filter((one) => base <= one.base && one.end <= end))
      expect(asked).toEqual(kept)
      for (const span of cover) {
        const there = span.kind === 'tier' ? tiers : kept
        expect(names(there)).toContain(tierName(span))
      }
    }),
    { numRuns: 200 }
  )
})

test('of n segments of one size a lookup asks at most fanOut − 1 files for each size of cell, trimmed twice that', () => {
  fc.assert(
    fc.property(fc.nat({ max: 700 }), fc.nat({ max: 700 }), fanOut, (count, trimmed, parts) => {
      const size = 4 * parts ** 6
      const segments = Array.from({ length: count }, (_, place) => ({ base: place * size, end: (place + 1) * size }))
      const levels = Math.floor(Math.log(Math.max(count, 2)) / Math.log(parts) + 1e-9) + 1
      expect(coverWith(segments, settled(segments, [], parts)).length).toBeLessThanOrEqual((parts - 1) * levels)
      const kept = segments.slice(trimmed)
      expect(coverWith(kept, settled(kept, [], parts)).length).toBeLessThanOrEqual(2 * (parts - 1) * levels)
    }),
    { numRuns: 60 }
  )
})

test('a tier’s name says what it covers, and no other name does', () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeNat(), (one, other) => {
      const tier = { base: Math.min(one, other), end: Math.max(one, other) }
      fc.pre(tier.base < tier.end)
      expect(tierOfName(tierName(tier))).toEqual(tier)
      expect(tierOfName(tierName({ base: tier.end, end: tier.base }))).toBe(undefined)
      expect(tierOfName(`${tierName(tier)}.tmp`)).toBe(undefined)
    })
  )
})
