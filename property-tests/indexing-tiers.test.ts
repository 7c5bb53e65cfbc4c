// Laws of tiers: they answer what a filter over their segments answers, whatever they were merged from their bytes are
// the same, and no byte that changed is ever believed.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { decodeTrailer, trailerBytes } from '../src/indexing/format.ts'
import type { TierFile } from '../src/indexing/tier-file.ts'
import { mergeTier } from '../src/indexing/tier-merge.ts'
import type { TierSource } from '../src/indexing/tier-source.ts'
import { bytes, forge, history, segment } from '../test/indexing-arbitraries.ts'
import { bytesOf, indexOf, isDamaged, joinParts, openBytes, questionsFor, right } from '../test/indexing-model.ts'
import {
  openTier,
  questionsAbout,
  segmentsOf,
  sourceOf,
  tierAnswers,
  tierBytes,
  tierModelAnswers,
  tierOf,
  type SegmentStory
} from '../test/indexing-tier-model.ts'

const stories: fc.Arbitrary<readonly SegmentStory[]> = fc
  .tuple(
    segment,
    fc.array(
      history.filter((entries) => entries.length > 0),
      { minLength: 1, maxLength: 7, size: 'max' }
    )
  )
  .map(([place, histories]) =>
    segmentsOf(
      place,
      histories.map((entries) => entries.slice(0, 25))
    )
  )

test('a tier answers what a filter over the events of its segments answers', () => {
  fc.assert(
    fc.property(stories, (segments) => {
      const tier = tierOf(segments.map(sourceOf))
      const questions = questionsAbout(segments)
      expect(tierAnswers(tier, questions)).toEqual(tierModelAnswers(segments, questions))
      expect(tier.verify()._tag).toBe('Right')
    }),
    { numRuns: 100 }
  )
})

/** Merges neighbours into tiers, again and again, as the numbers say, and all that is left at the end. */
function mergedInSteps(sources: readonly TierSource[], steps: readonly number[]): Buffer {
  let parts = sources
  for (const step of steps) {
    const first = step % parts.length
    const count = 1 + (Math.floor(step / 64) % 4)
    const merged = tierOf(parts.slice(first, first + count))
    parts = [...parts.slice(0, first), merged, ...parts.slice(first + count)]
  }
  return tierBytes(parts)
}

test('merged in one go, or from tiers of tiers of any shape: the bytes are the same', () => {
  fc.assert(
    fc.property(stories, fc.array(fc.nat({ max: 255 }), { maxLength: 5 }), (segments, steps) => {
      const sources = segments.map(sourceOf)
      expect(mergedInSteps(sources, steps).equals(tierBytes(sources))).toBe(true)
    }),
    { numRuns: 200 }
  )
})

test('a tier with changed bytes is IndexDamaged or answers the same, never anything else', () => {
  const patch = fc.uint8Array({ minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(stories, fc.nat(), patch, (segments, at, changes) => {
      const whole = tierBytes(segments.map(sourceOf))
      const changed = Buffer.from(whole)
      changed.set(changes.subarray(0, whole.length - (at % whole.length)), at % whole.length)
      fc.pre(!changed.equals(whole))
      const opened = openTier(changed, placeOf(segments))
      expect(opened._tag === 'Right' || isDamaged(opened)).toBe(true)
      if (opened._tag === 'Left') return
      const questions = questionsAbout(segments)
      const expected = tierModelAnswers(segments, questions)
      tierAnswers(opened.right, questions).forEach((answer, number) => {
        if (answer !== 'damaged') expect(answer).toEqual(expected[number])
      })
      expect(isDamaged(opened.right.verify())).toBe(true)
      expect(isDamaged(joinParts(mergeTier([opened.right])))).toBe(damageShowsInMerge(changed, whole))
    }),
    { numRuns: 150 }
  )
})

/** The damage section says nothing in a tier, and a merge reads neither it nor the filters. */
function damageShowsInMerge(changed: Buffer, whole: Buffer): boolean {
  const trailerAt = whole.length - trailerBytes
  const trailer = decodeTrailer(whole.subarray(trailerAt), whole.length, true)
  if (trailer._tag === 'Left') throw new Error(trailer.left)
  const damageAt = trailerAt - trailer.right.filterBytes - trailer.right.damageBytes
  const equal = (from: number, to: number): boolean => changed.subarray(from, to).equals(whole.subarray(from, to))
  return !(equal(0, damageAt) && equal(trailerAt, whole.length))
}

test('merging a segment’s index with changed bytes ends in IndexDamaged, or where postings changed gives the same', () => {
  fc.assert(
    fc.property(stories, fc.nat(), fc.nat(), fc.integer({ min: 1, max: 255 }), (segments, which, at, mask) => {
      const place = which % segments.length
      const story = segments[place] as SegmentStory
      const changed = bytesOf(indexOf(story, story.entries))
      changed[at % changed.length] = (changed[at % changed.length] as number) ^ mask
      const opened = openBytes(changed, story)
      if (opened._tag === 'Left') return
      const whole = segments.map(sourceOf)
      const merged = joinParts(mergeTier(whole.map((source, number) => (number === place ? opened.right : source))))
      if (merged._tag === 'Left') expect(isDamaged(merged)).toBe(true)
      else expect(merged.right.equals(tierBytes(whole))).toBe(true)
    }),
    { numRuns: 200 }
  )
})

test('sections of any bytes under valid checksums are refused or answered, without a throw', () => {
  const sections = fc.record({ block: bytes, directory: fc.option(bytes), strides: bytes, damaged: bytes })
  const place = { logId: 7, base: 64, end: 2 ** 40 }
  fc.assert(
    fc.property(sections, fc.nat({ max: 40 }), ({ block, directory, strides, damaged }, postingsBytes) => {
      const found = directory ?? Buffer.from([1, 0, postingsBytes, block.length + 4, 1])
      const opened = openTier(forge([block, found, strides, damaged], postingsBytes, true), place)
      const tier: TierFile = right(opened)
      for (const answer of tierAnswers(tier, questionsFor(64, []))) {
        if (Array.isArray(answer)) expect(answer.length).toBeLessThan(1_000)
      }
      expect(isDamaged(tier.verify())).toBe(true)
      expect(isDamaged(joinParts(mergeTier([tier])))).toBe(true)
    }),
    { numRuns: 1_000 }
  )
})

function placeOf(segments: readonly SegmentStory[]): { logId: number; base: number; end: number } {
  const { logId, base } = segments[0] as SegmentStory
  return { logId, base, end: (segments.at(-1) as SegmentStory).end }
}
