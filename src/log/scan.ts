// Reads the frames of one segment in order, proves each by its CRC, and finds the way back behind damage. Recovery,
// indexing and replay all read through here. Nothing is allocated or skipped on the word of an unproven length
// beyond the 16 MiB that a frame can have.
//
// State: `bytes[at, limit)` are read and not yet visited, `bytes[at]` stands at `offset`. While `lostFrom` is set,
// the scan is behind a bad frame and looks for the next one that verifies at its place.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import type { Offset } from '../core/brand.ts'
import type { DiskError } from '../core/error.ts'
import type { CorruptReason, DamagedRegion } from '../core/read-error.ts'
import { checkFrame, frameBytes, framePayloadBytes, frameSeed, seekFrame } from '../core/frame.ts'
import type { FrameFault } from '../core/frame.ts'
import { headerBytes } from '../core/header.ts'
import { chunkBytes } from '../core/limit.ts'
import type { DiskFile } from '../port/disk.ts'

/** A proven frame, its payload at `bytes[at + 4, at + 4 + payloadBytes)`; valid only during the visit. */
export interface FrameVisitor {
  /** Returns false to stop the scan behind this frame. */
  frame(bytes: Buffer, at: number, payloadBytes: number, offset: number): boolean
  /** A region without a readable frame; `nextOffset` is where the next one stands, or the end of the scan. */
  damage(region: DamagedRegion): void
}

export interface ScanRange {
  readonly file: DiskFile
  readonly logId: number
  /** The offset of the segment's first frame. */
  readonly base: number
  /** Where to begin: a frame's offset. */
  readonly from: number
  /** Where to stop: no byte at or behind this offset is read. */
  readonly end: number
  /** How many bytes to read at a time; default chunkBytes (limit.ts). */
  readonly stepBytes?: number
  /** What was written just now is in memory: then handing the read to another thread costs more than the read. */
  readonly isRecent?: boolean
}

/** How much of a recent range is read at once on this thread. */
const recentBytesMax = 16 * 1024

export class SegmentScan {
  private readonly range: ScanRange
  private readonly stepBytes: number
  private bytes: Buffer
  private at = 0
  private limit = 0
  /** Whether the file ended before the range did. */
  private short = false
  /** Set while the scan looks for the next intact frame: where the damage began, and what was wrong there. */
  private lost: { readonly from: number; readonly reason: CorruptReason } | undefined
  /** The offset of `bytes[at]`. */
  offset: number

  constructor(range: ScanRange) {
    assert(range.from >= range.base, 'a scan begins inside its segment')
    this.range = range
    this.offset = range.from
    this.stepBytes = range.stepBytes ?? chunkBytes
    this.bytes = Buffer.allocUnsafe(Math.min(this.stepBytes, Math.max(range.end - range.from, 1)))
  }

  /**
   * Reads one chunk and visits the frames that are whole in it.
   * @returns whether there may be more
   */
  async step(visitor: FrameVisitor): Promise<Either<DiskError, boolean>> {
    if (this.offset >= this.range.end) return right(false)
    const filled = await this.fill()
    if (filled._tag === 'Left') return filled
    return right(this.visit(visitor))
  }

  /** Visits to the end of the range. */
  async drain(visitor: FrameVisitor): Promise<Either<DiskError, void>> {
    for (;;) {
      const more = await this.step(visitor)
      if (more._tag === 'Left') return more
      if (!more.right) return right(undefined)
    }
  }

  /** Moves what is left to the front and reads behind it, into a larger buffer when a frame needs one. */
  private async fill(): Promise<Either<DiskError, void>> {
    const rest = this.limit - this.at
    const needed = Math.min(this.wantedBytes(rest), this.range.end - this.offset)
    if (needed > this.bytes.length) {
      const larger = Buffer.allocUnsafe(needed)
      this.bytes.copy(larger, 0, this.at, this.limit)
      this.bytes = larger
    } else if (this.at > 0) {
      this.bytes.copyWithin(0, this.at, this.limit)
    }
    this.at = 0
    this.limit = rest
    const { file, base, end, isRecent } = this.range
    const room = Math.min(this.bytes.length - rest, end - this.offset - rest)
    if (room === 0) return right(undefined)
    const target = this.bytes.subarray(rest, rest + room)
    const position = this.offset + rest - base + headerBytes
    const isQuick = isRecent === true && room <= recentBytesMax
    const got = isQuick ? file.readSync(target, position) : await file.read(target, position)
    if (got._tag === 'Left') return got
    this.limit = rest + got.right
    if (got.right < room) this.short = true
    return right(undefined)
  }

  private wantedBytes(rest: number): number {
    if (rest < 4) return this.stepBytes
    return Math.max(frameBytes(framePayloadBytes(this.bytes, this.at)), this.stepBytes)
  }

  /** Visits what is whole in the buffer; true when more must be read. */
  private visit(visitor: FrameVisitor): boolean {
    while (this.offset < this.range.end) {
      const fault = checkFrame(this.bytes, this.at, this.limit, frameSeed(this.range.logId, this.offset))
      if (fault === undefined) {
        if (!this.visitFrame(visitor)) return false
      } else if (fault === 'incomplete' && this.canGrow()) {
        return true
      } else {
        this.lost ??= { from: this.offset, reason: this.reasonOf(fault) }
        if (!this.seek()) return this.endOfSearch(visitor)
      }
    }
    return false
  }

  private visitFrame(visitor: FrameVisitor): boolean {
    this.report(visitor, this.offset)
    const { at, offset } = this
    const payloadBytes = framePayloadBytes(this.bytes, at)
    this.advance(frameBytes(payloadBytes))
    return visitor.frame(this.bytes, at, payloadBytes, offset)
  }

  /** Whether more bytes could make the frame at hand whole: its length fits the range and the file goes on. */
  private canGrow(): boolean {
    if (this.short) return false
    const rest = this.limit - this.at
    const remaining = this.range.end - this.offset
    if (rest >= remaining) return false
    return rest < 4 || frameBytes(framePayloadBytes(this.bytes, this.at)) <= remaining
  }

  private reasonOf(fault: FrameFault): CorruptReason {
    switch (fault) {
      case 'incomplete':
        return this.short ? 'missing' : 'framing'
      case 'flags':
        return 'framing'
      default:
        return fault
    }
  }

  /** Goes on to the next place where a frame may begin; false when the buffer holds none. */
  private seek(): boolean {
    const place = seekFrame(this.bytes, this.at + 1, this.limit)
    if (place !== -1) {
      this.advance(place - this.at)
      return true
    }
    // The last four bytes may be a length word whose brace is not read yet.
    this.advance(Math.max(Math.min(1, this.limit - this.at), this.limit - this.at - 4))
    return false
  }

  /** Nothing in the buffer: go on behind it, or close the region at the end of the range. */
  private endOfSearch(visitor: FrameVisitor): boolean {
    if (!this.short && this.offset + (this.limit - this.at) < this.range.end) return true
    this.offset = this.range.end
    this.report(visitor, this.range.end)
    return false
  }

  private advance(bytes: number): void {
    this.at += bytes
    this.offset += bytes
  }

  private report(visitor: FrameVisitor, nextOffset: number): void {
    if (this.lost === undefined) return
    const { from, reason } = this.lost
    this.lost = undefined
    visitor.damage({ offset: from as Offset, nextOffset: nextOffset as Offset, reason })
  }
}
