// Fills a segment's index from the segment's frames: the one way from frames to an index, whether the index was
// missing, damaged or behind.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import type { DiskError } from '../core/error.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import { decodeRecord, type Event } from '../core/event.ts'
import type { EventKeys } from '../core/query.ts'
import { frameBytes } from '../core/frame.ts'
import { headerBytes } from '../core/header.ts'
import type { ActiveIndex } from '../indexing/memory-index.ts'
import type { SegmentIndex } from '../indexing/segment-index.ts'
import type { DiskFile } from '../port/disk.ts'
import { SegmentScan, type FrameVisitor, type ScanRange } from './scan.ts'

const noTags: readonly string[] = []

/** What an event is found by. */
export function keysOf(event: Event): EventKeys {
  const { aggregateId, eventType, namespace, tags } = event
  return { aggregateId, eventType, namespace, tags: tags ?? noTags }
}

/** Adds every frame that is visited to an index, and every damage. */
export class IndexVisitor implements FrameVisitor {
  private readonly index: ActiveIndex

  constructor(index: ActiveIndex) {
    this.index = index
  }

  frame(bytes: Buffer, at: number, payloadBytes: number, offset: number): boolean {
    const payloadEnd = at + 4 + payloadBytes
    const nextOffset = offset + frameBytes(payloadBytes)
    const record = decodeRecord(bytes, at + 4, payloadEnd)
    if (record._tag === 'Left') {
      this.damage({ offset: offset as Offset, nextOffset: nextOffset as Offset, reason: 'content' })
      return true
    }
    const { event, version, writeTimestampMs } = record.right
    const crc = bytes.readUInt32LE(payloadEnd)
    this.index.add({ offset, nextOffset, crc, version, writeTimestampMs }, keysOf(event))
    return true
  }

  damage(region: DamagedRegion): void {
    this.index.addDamage(region)
  }
}

/** Brings an index up to `range.end`, chunk by chunk; `onChunk` is told where it stands and may end it by false. */
export async function extendIndex(
  index: ActiveIndex,
  range: ScanRange,
  onChunk: (offset: number) => boolean = () => true
): Promise<Either<DiskError, boolean>> {
  const scan = new SegmentScan(range)
  const visitor = new IndexVisitor(index)
  for (;;) {
    const more = await scan.step(visitor)
    if (more._tag === 'Left') return more
    if (!onChunk(scan.offset)) return right(false)
    if (!more.right) return right(true)
  }
}

/** Where the damage begins that reaches to `end`; undefined when an event stands last. */
export function trailingDamage(damage: readonly DamagedRegion[], end: number): DamagedRegion | undefined {
  let first: DamagedRegion | undefined
  for (let place = damage.length - 1; damage[place]?.nextOffset === (first?.offset ?? end); place--)
    first = damage[place]
  return first
}

/** Whether the last frame of an index stands in the segment's file where the index has it. */
export function lastFrameStands(index: SegmentIndex, file: DiskFile): Either<DiskError, boolean> {
  const damage = index.damage()
  if (damage._tag === 'Left') return damage.left._tag === 'IndexDamaged' ? right(false) : left(damage.left)
  const trailing = trailingDamage(damage.right, index.end)
  const crc = Buffer.alloc(4)
  const got = file.readSync(crc, (trailing?.offset ?? index.end) - index.base + headerBytes - 4)
  if (got._tag === 'Left') return got
  return right(got.right === 4 && crc.readUInt32LE(0) === index.lastFrameCrc)
}
