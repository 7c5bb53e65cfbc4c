// Where the log ends after a crash. Pure: it judges what a scan of the active segment saw.
//
// A bad byte at the end is either the torn end of a write that a crash cut off, or damage to something that was
// safe. Only evidence of durability tells them apart: every frame before `evidence` is known to have been on disk.
//
//        intact          bad            intact          bad          intact
//   ├───────────────┼───────────┼──────────────────┼───────────┼──────────────┤ end of file
//                                        ▲ evidence
//                     damage: stays                  torn: cut here, with all that follows
//
// Below the evidence nothing is ever cut; if the file is shorter than that, the missing part is damage too, and the
// log goes on at the evidence so that no offset is used twice. What is cut goes as whole batches.

import type { Offset } from '../core/brand.ts'
import type { DamagedRegion } from '../core/read-error.ts'

/** A region without an intact frame, and the batch that was open when the scan ran into it. */
export interface SeenDamage {
  readonly region: DamagedRegion
  /** Where the batch began that is still unfinished at the region; undefined when the last one was whole. */
  readonly openBatch: number | undefined
}

export interface TailFindings {
  /** The offset behind the last byte of the file. */
  readonly fileEnd: number
  /** Every frame before this offset is known to have been on disk. */
  readonly evidence: number
  readonly seen: readonly SeenDamage[]
  /** Where the last batch began when it is unfinished at the end of the file. */
  readonly openBatch: number | undefined
}

export interface TailVerdict {
  /** Where the log ends and the next event will stand. */
  readonly end: number
  /** Damage below the evidence; it stays in the log. */
  readonly damage: readonly DamagedRegion[]
}

export function judgeTail(findings: TailFindings): TailVerdict {
  const { evidence, fileEnd, seen } = findings
  const damage: DamagedRegion[] = []
  for (const { region, openBatch } of seen) {
    if (region.offset >= evidence) return { end: batchStart(openBatch, region.offset, evidence), damage }
    // A region that reaches over the evidence is damage as far as that goes; what is behind it is torn.
    const nextOffset = Math.min(evidence, region.nextOffset)
    damage.push({ ...region, nextOffset: nextOffset as Offset })
    if (nextOffset < region.nextOffset) return { end: nextOffset, damage }
  }
  if (fileEnd < evidence) {
    damage.push({ offset: fileEnd as Offset, nextOffset: evidence as Offset, reason: 'missing' })
    return { end: evidence, damage }
  }
  return { end: batchStart(findings.openBatch, fileEnd, evidence), damage }
}

/** An unfinished batch goes as a whole, unless the evidence says that part of it was acknowledged. */
function batchStart(openBatch: number | undefined, cut: number, evidence: number): number {
  return openBatch === undefined || openBatch < evidence ? cut : openBatch
}
