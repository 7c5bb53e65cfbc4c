// Checks what the frames of a log say, segment after segment: that they decode, are canonical, come in whole batches,
// and that versions, timestamps and claims of durability follow each other as a log writes them.
//
// Memory: one entry per aggregate (its last version and where that stood), the only part of verifying that grows with
// the log; a dense count cannot be checked without it.

import type { DamagedRegion } from '../core/read-error.ts'
import { decodeRecord, encodeEvent, recordJson, type FrameRecord } from '../core/event.ts'
import { frameBytes, frameContinues } from '../core/frame.ts'
import type { FrameVisitor } from './scan.ts'
import type { FindingCode, Findings, VerifyCounts } from './verify-finding.ts'

/** The segment that is checked. */
export interface CheckedSegment {
  /** The file's name. */
  readonly name: string
  /** Where its frames end, and where its file does; before that when bytes are missing. */
  readonly end: number
  readonly fileEnd: number
  readonly sealed: boolean
  /** Also told of every frame and damage: it builds the index anew. */
  readonly index: FrameVisitor | undefined
}

interface Seen {
  readonly version: number
  readonly offset: number
}

export class FrameCheck implements FrameVisitor {
  private readonly findings: Findings
  private readonly versionAt: (aggregateId: string) => number | undefined
  private readonly aggregates = new Map<string, Seen>()
  private segment: CheckedSegment = { name: '', end: 0, fileEnd: 0, sealed: true, index: undefined }
  private frames = 0
  private batches = 0
  private bytes = 0
  private lastTimestampMs = 0
  /** The `durableBefore` that was stated last. */
  private stated = 0
  /** Behind the last damage so far: what was lost there explains a gap in the versions. */
  private damagedUntil = -1
  /** Where the batch began that is not complete yet. */
  private openBatch: number | undefined

  /** `versionAt` tells an aggregate's version where the log begins; undefined when that cannot be known. */
  constructor(findings: Findings, versionAt: (aggregateId: string) => number | undefined) {
    this.findings = findings
    this.versionAt = versionAt
  }

  begin(segment: CheckedSegment): void {
    this.segment = segment
  }

  /** The segment's last frame was visited. */
  finish(): void {
    this.endBatch(this.segment.end)
  }

  /** Frames were lost without a segment that tells. */
  missing(until: number): void {
    this.damagedUntil = until
  }

  counts(segments: number): VerifyCounts {
    const { frames, batches, bytes } = this
    return { segments, frames, batches, aggregates: this.aggregates.size, bytes }
  }

  frame(bytes: Buffer, at: number, payloadBytes: number, offset: number): boolean {
    this.segment.index?.frame(bytes, at, payloadBytes, offset)
    const length = frameBytes(payloadBytes)
    this.frames++
    this.bytes += length
    this.checkRecord(bytes, at, { offset, nextOffset: offset + length })
    if (frameContinues(bytes, at)) this.openBatch ??= offset
    else {
      this.openBatch = undefined
      this.batches++
    }
    return true
  }

  damage(region: DamagedRegion): void {
    const { index, sealed, end, fileEnd } = this.segment
    index?.damage(region)
    this.endBatch(region.offset)
    this.damagedUntil = region.nextOffset
    const missing = sealed && fileEnd < end && region.nextOffset === end
    const message = missing
      ? `the file ends at ${fileEnd} and the next segment begins at ${end}; a segment is missing, or this one was cut`
      : `no frame can be read here (${region.reason})`
    this.add(missing ? 'frames-missing' : 'frames-damaged', region, message)
  }

  /** A batch that ends here without its last frame. */
  private endBatch(offset: number): void {
    const { openBatch } = this
    this.openBatch = undefined
    if (openBatch === undefined) return
    this.add('batch-unfinished', { offset: openBatch, nextOffset: offset }, 'the rest of this batch is missing')
  }

  private checkRecord(bytes: Buffer, at: number, region: Region): void {
    const start = at + 4
    const end = at + region.nextOffset - region.offset - 4
    const record = decodeRecord(bytes, start, end)
    if (record._tag === 'Left') {
      const { path, reason } = record.left
      this.damagedUntil = region.nextOffset
      this.add('record-invalid', region, `its checksum holds and it is no event: ${path}: ${reason}`)
      return
    }
    const fault = canonicalFault(record.right, bytes.toString('utf8', start, end))
    if (fault !== undefined) this.add('not-canonical', region, fault)
    this.checkVersion(record.right, region)
    this.checkTime(record.right, region)
    this.checkClaim(record.right, region)
  }

  private checkVersion(record: FrameRecord, region: Region): void {
    const { version } = record
    const { aggregateId } = record.event
    const before = this.aggregates.get(aggregateId) ?? this.trimmed(aggregateId, version)
    this.aggregates.set(aggregateId, { version, offset: region.offset })
    if (version === before.version + 1) return
    const text = `version ${version} of ${JSON.stringify(aggregateId)} follows version ${before.version}`
    if (version > before.version && this.damagedUntil > before.offset) {
      this.add('version-gap', region, `${text}; what is between was lost in the damage before`)
    } else this.add('version-wrong', region, `${text}, and no damage explains it`)
  }

  private trimmed(aggregateId: string, version: number): Seen {
    return { version: this.versionAt(aggregateId) ?? version - 1, offset: -1 }
  }

  private checkTime(record: FrameRecord, region: Region): void {
    const { writeTimestampMs } = record
    if (writeTimestampMs < this.lastTimestampMs) {
      this.add(
        'time-falls',
        region,
        `its time ${writeTimestampMs} is before ${this.lastTimestampMs}, that of one before`
      )
    }
    this.lastTimestampMs = Math.max(this.lastTimestampMs, writeTimestampMs)
  }

  private checkClaim({ durableBefore }: FrameRecord, region: Region): void {
    if (durableBefore === undefined) return
    if (durableBefore > region.offset) {
      this.add('durability-claim', region, `it claims that ${durableBefore} was on disk, which lies behind it`)
    } else if (durableBefore < this.stated) {
      this.add('durability-claim', region, `it claims that ${durableBefore} was on disk, after ${this.stated} was`)
    }
    if (durableBefore <= region.offset) this.stated = Math.max(this.stated, durableBefore)
  }

  private add(code: FindingCode, region: Region, message: string): void {
    const { offset, nextOffset } = region
    this.findings.add(code, { path: this.segment.name, offset, nextOffset, message })
  }
}

interface Region {
  readonly offset: number
  readonly nextOffset: number
}

/** Why a record's text is not what a log would write for it. */
function canonicalFault(record: FrameRecord, text: string): string | undefined {
  const encoded = encodeEvent(record.event, 0, () => '')
  if (encoded._tag === 'Left') return `a log would not have written it: ${encoded.left.path}: ${encoded.left.reason}`
  const { durableBefore, version, writeTimestampMs } = record
  const canonical = recordJson(encoded.right.json, { durableBefore, version, writeTimestampMs })
  return canonical === text ? undefined : 'its JSON is not in the canonical form'
}
