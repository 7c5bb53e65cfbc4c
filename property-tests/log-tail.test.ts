// The verdict on a tail, which decides what is cut: laws for every sequence of intact and bad stretches and every
// evidence, since here a wrong comparison loses an acknowledged event.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import type { Offset } from '../src/core/brand.ts'
import { judgeTail, type SeenDamage, type TailFindings } from '../src/log/tail.ts'

/** Stretches of a file: a whole batch, a bad region, or the beginning of a batch. */
const stretch = fc.record({
  kind: fc.constantFrom('batch' as const, 'bad' as const, 'begun' as const),
  bytes: fc.integer({ min: 1, max: 9 })
})

const findings = fc.tuple(fc.array(stretch, { maxLength: 8 }), fc.nat({ max: 90 })).map(([stretches, evidence]) => {
  const seen: SeenDamage[] = []
  let at = 0
  let openBatch: number | undefined
  for (const { kind, bytes } of stretches) {
    const last = seen.at(-1)
    if (kind === 'bad' && last !== undefined && last.region.nextOffset === at) {
      // Two bad stretches are one region.
      seen[seen.length - 1] = { ...last, region: { ...last.region, nextOffset: (at + bytes) as Offset } }
    } else if (kind === 'bad') {
      seen.push({ region: { offset: at as Offset, nextOffset: (at + bytes) as Offset, reason: 'checksum' }, openBatch })
      openBatch = undefined
    } else if (kind === 'begun') openBatch ??= at
    else openBatch = undefined
    at += bytes
  }
  const found: TailFindings = { fileEnd: at, evidence, seen, openBatch }
  return found
})

it('nothing below the evidence is cut, and no offset below it is given out again', () => {
  const property = fc.property(findings, (found) => {
    expect(judgeTail(found).end).toBeGreaterThanOrEqual(found.evidence)
  })
  fc.assert(property)
})

it('exactly the bad bytes below the evidence, and what is missing below it, are damage', () => {
  const property = fc.property(findings, (found) => {
    const { damage } = judgeTail(found)
    const isDamaged = (offset: number): boolean =>
      damage.some((region) => region.offset <= offset && offset < region.nextOffset)
    const isBad = (offset: number): boolean =>
      offset >= found.fileEnd || found.seen.some(({ region }) => region.offset <= offset && offset < region.nextOffset)
    for (let offset = 0; offset < 100; offset++) {
      expect(isDamaged(offset)).toBe(offset < found.evidence && isBad(offset))
    }
  })
  fc.assert(property)
})

it('above the evidence the log ends before the first bad byte and before a batch that is not whole', () => {
  const property = fc.property(findings, (found) => {
    const { end } = judgeTail(found)
    const { evidence, fileEnd, seen } = found
    const bad = seen.find(({ region }) => region.nextOffset > evidence)
    const firstBad = bad === undefined ? Math.max(fileEnd, evidence) : Math.max(bad.region.offset, evidence)
    const begun = bad === undefined ? found.openBatch : bad.region.offset >= evidence ? bad.openBatch : undefined
    expect(end).toBe(begun === undefined || begun < evidence ? firstBad : begun)
  })
  fc.assert(property)
})
