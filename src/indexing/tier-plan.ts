// Which tiers a log has: a pure function of its segments' bases, so that the same folder has the same tiers whether
// they grew with it or are built from nothing, and whatever was trimmed in front.
//
// Offsets are divided into cells: of 4 bytes, of fanOut times as many, and so on, each beginning at a multiple of its
// size; with a fan-out of 8, 64 MiB is one of the sizes. A segment is in the cell that its base is in. A cell has a
// tier when
// - it holds at least two segments,
// - it is complete: the active segment begins behind it, so no other segment can come to lie in it,
// - it is untouched: it does not begin before the log's first segment, so trimming took nothing of it.
// A cell's tier is merged from what its fanOut parts have, and stands for them: only the largest tiers are kept. So a
// lookup asks at most fanOut − 1 files for each size of cell at the growing end, and as many at a trimmed front.
//
// The number of a segment, counted from the log's first one ever, would divide more evenly, but no folder tells it
// once segments were trimmed. Trimming the front of a large cell leaves its parts, which have to be merged again from
// the segments: no more work than they cost at first, and once for each size. Whoever plans without the segments that
// are to go, and merges before they go, never asks more files in between.

import { assert } from '../core/assert.ts'

/** A sealed segment, or whole ones that follow on each other. */
export interface SegmentSpan {
  readonly base: number
  readonly end: number
}

export interface MergeSource extends SegmentSpan {
  readonly kind: 'segment' | 'tier'
}

/** A tier to make of others, or of segments, that follow on each other; at most fanOut. */
export interface MergeStep extends SegmentSpan {
  readonly sources: readonly MergeSource[]
}

export interface TierPlan {
  /** In an order in which each finds its sources. */
  readonly steps: readonly MergeStep[]
  /** Tiers that nothing needs, neither a lookup nor a step: they may be removed now. */
  readonly obsolete: readonly SegmentSpan[]
}

const fanOutDefault = 8

/** No segment with a frame in it is as small. */
const leastCellBytes = 4

/** The file name of a tier. */
export function tierName({ base, end }: SegmentSpan): string {
  return `${digits(base)}-${digits(end)}.tier`
}

/** What a tier's file name says, or undefined for a file that is no tier. */
export function tierOfName(name: string): SegmentSpan | undefined {
  const [, base, end] = /^(\d{20})-(\d{20})\.tier$/.exec(name)?.map(Number) ?? []
  if (base === undefined || end === undefined || !Number.isSafeInteger(end) || base >= end) return undefined
  return { base, end }
}

function digits(offset: number): string {
  return String(offset).padStart(20, '0')
}

/**
 * @param sealed the sealed segments in order, each ending where the next begins and the last where the active one does
 * @param existing the tiers that there are, in any order
 */
export function planTiers(
  sealed: readonly SegmentSpan[],
  existing: readonly SegmentSpan[],
  fanOut: number = fanOutDefault
): TierPlan {
  assert(fanOut >= 2, 'a tier is made of at least two parts')
  for (let place = 1; place < sealed.length; place++) {
    assert(sealed[place - 1]?.end === sealed[place]?.base, 'sealed segments follow on each other')
  }
  const there = new Set(existing.map(tierName))
  const kept = new Set<string>()
  const steps: MergeStep[] = []
  const need = (node: Node): void => {
    const name = tierName(node)
    if (node.parts.length === 0 || kept.has(name)) return
    kept.add(name)
    if (there.has(name)) return
    node.parts.forEach(need)
    steps.push({ base: node.base, end: node.end, sources: node.parts.map(sourceOf) })
  }
  largestTiers(sealed, fanOut).forEach(need)
  return { steps, obsolete: existing.filter((tier) => !kept.has(tierName(tier))) }
}

/**
 * What to ask instead of all sealed segments, oldest first, with the tiers that there are: each segment is in one
 * span. A tier counts only when its segments are all there.
 */
export function coverWith(sealed: readonly SegmentSpan[], existing: readonly SegmentSpan[]): readonly MergeSource[] {
  const ends = new Map(sealed.map((segment, place) => [segment.end, place]))
  const longest = new Map<number, number>()
  for (const { base, end } of existing) {
    const place = ends.get(end)
    if (place !== undefined && place > (longest.get(base) ?? -1)) longest.set(base, place)
  }
  const cover: MergeSource[] = []
  for (let place = 0; place < sealed.length; place++) {
    const { base, end } = sealed[place] as SegmentSpan
    const last = longest.get(base) ?? place
    if (last <= place) cover.push({ base, end, kind: 'segment' })
    else cover.push({ base, end: (sealed[last] as SegmentSpan).end, kind: 'tier' })
    place = Math.max(place, last)
  }
  return cover
}

/** A segment, or a tier with what it is made of. */
interface Node extends SegmentSpan {
  readonly parts: readonly Node[]
}

interface Cell {
  readonly start: number
  readonly size: number
  readonly segments: SegmentSpan[]
}

function sourceOf({ base, end, parts }: Node): MergeSource {
  return { base, end, kind: parts.length === 0 ? 'segment' : 'tier' }
}

/** The tiers that are to be, and the segments outside of them. */
function largestTiers(sealed: readonly SegmentSpan[], fanOut: number): readonly Node[] {
  const first = sealed[0]?.base ?? 0
  const end = sealed.at(-1)?.end ?? 0
  let size = leastCellBytes
  while (size < end) size *= fanOut
  return nodesOf({ start: 0, size, segments: [...sealed] })

  function nodesOf(cell: Cell): readonly Node[] {
    const [only, ...more] = cell.segments
    if (only === undefined) return []
    if (more.length === 0) return [{ base: only.base, end: only.end, parts: [] }]
    const parts = divided(cell, fanOut).flatMap(nodesOf)
    const complete = cell.start >= first && cell.start + cell.size <= end
    // A cell whose segments all lie in one of its parts is that part over again.
    if (!complete || parts.length === 1) return parts
    return [{ base: only.base, end: (more.at(-1) as SegmentSpan).end, parts }]
  }
}

/** The parts of a cell that hold segments; a cell of the least size is divided into its segments. */
function divided(cell: Cell, fanOut: number): readonly Cell[] {
  const size = cell.size / fanOut
  const parts: Cell[] = []
  for (const segment of cell.segments) {
    if (cell.size === leastCellBytes) {
      parts.push({ start: segment.base, size: 0, segments: [segment] })
      continue
    }
    const start = cell.start + Math.floor((segment.base - cell.start) / size) * size
    if (parts.at(-1)?.start !== start) parts.push({ start, size, segments: [] })
    parts.at(-1)?.segments.push(segment)
  }
  return parts
}
