// Makes a new record of what was trimmed in the place of a damaged one: of its blocks that can be read, or of the trim
// before it, and of the events that are kept, whose versions tell how many came before them. What is lost are versions of
// aggregates that have no event left: they begin again at 1. Memory: one entry per aggregate.

import { right, type Either, type Left } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { decodeRecord } from '../core/event.ts'
import { headerBytes } from '../core/header.ts'
import type { IndexError } from '../indexing/segment-index.ts'
import type { TrimFile } from '../indexing/trim-file.ts'
import { trimName, type TrimEntry, type TrimIdentity } from '../indexing/trim-format.ts'
import { mergeTrim, type TrimSource } from '../indexing/trim-merge.ts'
import type { Disk } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import type { Keeper } from './repair-keep.ts'
import { SegmentScan, type FrameVisitor } from './scan.ts'
import { listSegments, segmentName } from './segment.ts'
import { findTrim } from './trim-find.ts'
import { readable } from './trim-record.ts'
import type { VerifyReport } from './verify-finding.ts'

export interface TrimRepair {
  readonly disk: Disk
  readonly slot: Slot
  readonly folder: string
  readonly keeper: Keeper
  /** What the log is like before the repair. */
  readonly before: VerifyReport
}

/** `name` is the damaged file's. */
export async function rewriteTrim(repair: TrimRepair, name: string): Promise<Either<DiskError, void>> {
  const { disk, slot, folder, keeper, before } = repair
  const copied = await keeper.copy(name, name)
  if (copied._tag === 'Left') return copied
  const bases = listSegments(disk, folder)
  if (bases._tag === 'Left') return bases
  const found = findTrim(disk, folder)
  if (found._tag === 'Left') return found
  const { file, first: known, bad } = found.right
  try {
    const kept = bases.right.filter((base) => base >= known)
    const first = bad === undefined ? known : (kept[0] ?? known)
    const versions = await versionsAt(repair, kept, file)
    if (versions._tag === 'Left') return versions
    const lastFrameCrc = file?.trailer.first === first ? file.trailer.lastFrameCrc : 0
    const parts = partsOf({ logId: before.logId ?? 0, lastFrameCrc, first }, versions.right)
    const saved = readable(await slot.save<IndexError>(`${folder}/${trimName(first)}`, parts))
    if (saved._tag === 'Left' || name === trimName(first)) return saved
    return await keeper.move(name)
  } finally {
    file?.close()
  }
}

function* partsOf(identity: TrimIdentity, source: TrimSource): Generator<Uint8Array | Left<IndexError>> {
  for (const part of mergeTrim(identity, [source])) yield part._tag === 'Right' ? part.right : part
}

/** What the record says as far as it can be read, and what the kept events tell of those before them. */
async function versionsAt(
  { disk, folder, before }: TrimRepair,
  bases: readonly number[],
  file: TrimFile | undefined
): Promise<Either<DiskError, TrimSource>> {
  const versions = new TrimmedVersions(file?.salvage() ?? [])
  for (const base of bases) {
    const opened = disk.open(`${folder}/${segmentName(base)}`, 'read')
    if (opened._tag === 'Left') return opened
    const size = opened.right.size()
    const end = size._tag === 'Left' ? base : base + Math.max(0, size.right - headerBytes)
    const range = { file: opened.right, logId: before.logId ?? 0, base, from: base, end }
    const scanned = size._tag === 'Left' ? size : await new SegmentScan(range).drain(versions)
    opened.right.close()
    if (scanned._tag === 'Left') return scanned
  }
  return right({ entries: versions.entries(), lastTimestampMs: file?.trailer.lastTimestampMs ?? 0 })
}

class TrimmedVersions implements FrameVisitor {
  private readonly known = new Map<string, TrimEntry>()
  private readonly seen = new Set<string>()

  constructor(readableEntries: Iterable<Either<never, TrimEntry>>) {
    for (const entry of readableEntries)
      if (entry._tag === 'Right') this.known.set(entry.right.aggregateId, entry.right)
  }

  frame(bytes: Buffer, at: number, payloadBytes: number): boolean {
    const record = decodeRecord(bytes, at + 4, at + 4 + payloadBytes)
    if (record._tag === 'Left') return true
    const { aggregateId } = record.right.event
    if (this.seen.has(aggregateId)) return true
    this.seen.add(aggregateId)
    const version = record.right.version - 1
    if (version > 0 && !this.known.has(aggregateId))
      this.known.set(aggregateId, { aggregateId, events: version, version })
    return true
  }

  damage(): void {}

  *entries(): Generator<Either<never, TrimEntry>, void, undefined> {
    for (const aggregateId of [...this.known.keys()].sort()) yield right(this.known.get(aggregateId) as TrimEntry)
  }
}
