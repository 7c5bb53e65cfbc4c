// Scans the active segment at opening: indexes what is intact from the start, gathers what the verdict on the tail
// needs, and lets go of what is not decided yet. Memory holds one unfinished batch at most.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import { decodeRecord } from '../core/event.ts'
import type { EventKeys } from '../core/query.ts'
import { frameBytes, frameContinues } from '../core/frame.ts'
import type { ActiveIndex, IndexedFrame } from '../indexing/memory-index.ts'
import { keysOf } from './index-scan.ts'
import { SegmentScan, type FrameVisitor, type ScanRange } from './scan.ts'
import { judgeTail, type SeenDamage, type TailFindings, type TailVerdict } from './tail.ts'

/**
 * Scans from the index's end to the end of the file. What is intact up to the first bad byte is indexed; the rest of
 * what the verdict keeps is the caller's to index (`extendIndex`), when the file is as the verdict wants it.
 */
export async function scanTail(
  index: ActiveIndex,
  range: Omit<ScanRange, 'from'>,
  evidence: number
): Promise<Either<DiskError, TailVerdict & Pick<TailFindings, 'evidence'>>> {
  const from = index.end
  const visitor = new TailVisitor(index, evidence)
  const scanned = await new SegmentScan({ ...range, from }).drain(visitor)
  if (scanned._tag === 'Left') return scanned
  const findings = visitor.findings()
  return right({ ...judgeTail({ fileEnd: range.end, ...findings }), evidence: findings.evidence })
}

class TailVisitor implements FrameVisitor {
  private readonly index: ActiveIndex
  private readonly seen: SeenDamage[] = []
  /** The frames of the batch that has not ended yet, and where it began. */
  private batch: { readonly frame: IndexedFrame; readonly keys: EventKeys }[] = []
  private openBatch: number | undefined
  /** Unset once a frame could not be indexed, or it is not yet clear what stays: from there on a second pass does it. */
  private indexing = true
  private evidence: number

  constructor(index: ActiveIndex, evidence: number) {
    this.index = index
    this.evidence = evidence
  }

  findings(): { evidence: number; seen: readonly SeenDamage[]; openBatch: number | undefined } {
    return { evidence: this.evidence, seen: this.seen, openBatch: this.openBatch }
  }

  frame(bytes: Buffer, at: number, payloadBytes: number, offset: number): boolean {
    const payloadEnd = at + 4 + payloadBytes
    const record = decodeRecord(bytes, at + 4, payloadEnd)
    if (record._tag === 'Left') this.indexing = false
    else {
      const { event, version, writeTimestampMs, durableBefore } = record.right
      // No frame can vouch for itself or for what is behind it: such a claim was not written by a log.
      if (durableBefore !== undefined && durableBefore <= offset) this.evidence = Math.max(this.evidence, durableBefore)
      const crc = bytes.readUInt32LE(payloadEnd)
      const nextOffset = offset + frameBytes(payloadBytes)
      if (this.indexing) {
        this.batch.push({ frame: { offset, nextOffset, crc, version, writeTimestampMs }, keys: keysOf(event) })
      }
    }
    if (frameContinues(bytes, at)) this.openBatch ??= offset
    else this.endBatch()
    return true
  }

  damage(region: DamagedRegion): void {
    this.seen.push({ region, openBatch: this.openBatch })
    this.indexing = false
    this.batch = []
    this.openBatch = undefined
  }

  private endBatch(): void {
    this.openBatch = undefined
    if (!this.indexing) return
    for (const { frame, keys } of this.batch) this.index.add(frame, keys)
    this.batch = []
  }
}
