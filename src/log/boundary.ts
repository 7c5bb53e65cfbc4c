// Whether an offset is where a frame begins. The index knows some of them, and the bytes tell the others; but whoever
// follows the log asks for the offsets where he saw it end, and those are remembered.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { InvalidOffset } from '../core/read-error.ts'
import { frameBytes } from '../core/frame.ts'
import { strideBytes } from '../core/limit.ts'
import type { Catalog } from './catalog.ts'
import { SegmentScan, type FrameVisitor } from './scan.ts'
import type { Segment } from './segment.ts'

/** How many ends are remembered of a log: as many as there may be followers that stand at different ones. */
const endsMax = 64

/** Where each log was seen to end, the oldest first. */
const seenEnds = new WeakMap<Catalog, Set<number>>()

/** Remembers where the log ends: a frame will begin there. */
export function noteEnd(catalog: Catalog): void {
  const ends = seenEnds.get(catalog) ?? new Set()
  seenEnds.set(catalog, ends)
  ends.add(catalog.end())
  if (ends.size > endsMax) ends.delete(ends.values().next().value as number)
}

/** Forgets it: the writer has taken back what a reader in another process had seen. */
export function forgetEnds(catalog: Catalog): void {
  seenEnds.delete(catalog)
}

/** Whether a frame begins at `offset`, the log ends there, or damage makes the question moot. */
export async function checkOffset(catalog: Catalog, offset: number): Promise<Either<DiskError | InvalidOffset, void>> {
  const segment = catalog.segments[catalog.placeOf(offset)] as Segment
  if (offset <= segment.base || offset === segment.end) return right(undefined)
  if (seenEnds.get(catalog)?.has(offset) === true) return right(undefined)
  const start = await catalog.query(segment, (index) => index.frameBefore(offset))
  if (start._tag === 'Left') return start
  if (start.right === offset) return right(undefined)
  const opened = catalog.options.disk.open(segment.path, 'read')
  if (opened._tag === 'Left') return opened
  const probe = new BoundaryProbe(offset)
  const { logId } = catalog.options
  const range = { file: opened.right, logId, base: segment.base, from: start.right, end: segment.end }
  const scanned = await new SegmentScan({ ...range, stepBytes: 2 * strideBytes }).drain(probe)
  opened.right.close()
  if (scanned._tag === 'Left') return scanned
  return probe.inside ? left(new InvalidOffset(offset, 'lies inside an event')) : right(undefined)
}

/** Walks up to an offset and sees whether a frame reaches over it. What lies in damage cannot be told, and passes. */
class BoundaryProbe implements FrameVisitor {
  private readonly target: number
  inside = false

  constructor(target: number) {
    this.target = target
  }

  frame(_bytes: Buffer, _at: number, payloadBytes: number, offset: number): boolean {
    if (offset + frameBytes(payloadBytes) <= this.target) return true
    this.inside = offset < this.target
    return false
  }

  damage(): void {
    this.inside = false
  }
}
