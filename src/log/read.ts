// Reading: three ways through the segments, one for each kind of request, all answering in batches.
//
//   SequentialReader  every frame, forwards           scan
//   BackwardReader    every frame, newest first       scan of one window at a time, turned round
//   SelectiveReader   a query, either direction       index, then only the frames it names
//
// Each holds at most one open file, and gives it back when it ends, fails, or is closed. When what it has not read yet
// is trimmed, it answers Trimmed; a file that it has open it reads to the end.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { Trimmed, type DiskError } from '../core/error.ts'
import type { DiskFile } from '../port/disk.ts'
import type { Catalog } from './catalog.ts'
import { ChunkCollector } from './chunk.ts'
import { Collector, type Element } from './collect.ts'
import { SegmentScan } from './scan.ts'
import type { Segment } from './segment.ts'

/** A reader without the checks that all of them share (see reader.ts). */
export interface BatchSource {
  /** The next piece, possibly empty; undefined at the end. */
  next(): Promise<Either<DiskError | Trimmed, Element[] | undefined>>
  /** What to answer instead of an error of the disk: the files that are being read may have been trimmed. */
  trimmed(): Trimmed | undefined
  close(): void
}

/** What is asked for at `offset` is gone. */
export function trimmedAt(catalog: Catalog, offset: number): Trimmed {
  return new Trimmed(offset as Offset, catalog.first as Offset)
}

/** The part of the log that is read, [from, until), inside the log. */
export interface ReadRange {
  readonly from: number
  readonly until: number
}

export class SequentialReader implements BatchSource {
  private readonly catalog: Catalog
  private readonly until: number
  private readonly collector = new ChunkCollector()
  /** Where reading goes on when no scan is under way. */
  private at: number
  private file: DiskFile | undefined
  private scan: SegmentScan | undefined

  constructor(catalog: Catalog, range: ReadRange) {
    this.catalog = catalog
    this.at = range.from
    this.until = range.until
  }

  trimmed(): Trimmed | undefined {
    return this.at < this.catalog.first ? trimmedAt(this.catalog, this.at) : undefined
  }

  async next(): Promise<Either<DiskError | Trimmed, Element[] | undefined>> {
    if (this.scan === undefined) {
      const opened = this.openNext()
      if (opened._tag === 'Left') return opened
      if (!opened.right) return this.collector.elements.length > 0 ? right(this.collector.take()) : right(undefined)
    }
    const { scan } = this
    if (scan === undefined) return right(this.collector.take())
    const more = await scan.step(this.collector)
    if (more._tag === 'Left') return more
    this.at = scan.offset
    if (!more.right) this.close()
    return right(this.collector.take())
  }

  close(): void {
    this.file?.close()
    this.file = undefined
    this.scan = undefined
  }

  /** Begins the segment that holds `at`; false at the end of the range. */
  private openNext(): Either<DiskError | Trimmed, boolean> {
    const { catalog, at, until } = this
    if (at >= until) return right(false)
    if (at < catalog.first) return left(trimmedAt(catalog, at))
    const segment = catalog.segments[catalog.placeOf(at)] as Segment
    if (at < segment.base) {
      this.skipTo(Math.min(segment.base, until))
      return right(true)
    }
    const opened = catalog.options.disk.open(segment.path, 'read')
    if (opened._tag === 'Left') return opened
    this.file = opened.right
    const end = Math.min(segment.end, until)
    const { logId } = catalog.options
    const isRecent = end === catalog.end()
    this.scan = new SegmentScan({ file: opened.right, logId, base: segment.base, from: at, end, isRecent })
    return right(true)
  }

  /** No segment holds what stands before the first one. */
  private skipTo(base: number): void {
    this.collector.damage({ offset: this.at as Offset, nextOffset: base as Offset, reason: 'missing' })
    this.at = base
  }
}

/** How many bytes a backward reader turns round at a time; frames may make it more. */
const windowBytes = 128 * 1024

export class BackwardReader implements BatchSource {
  private readonly catalog: Catalog
  private readonly lowest: number
  /** Everything from here on was read. */
  private at: number
  private file: DiskFile | undefined

  constructor(catalog: Catalog, range: ReadRange) {
    this.catalog = catalog
    this.lowest = range.from
    this.at = range.until
  }

  async next(): Promise<Either<DiskError | Trimmed, Element[] | undefined>> {
    const { catalog, at, lowest } = this
    if (at <= lowest) return right(undefined)
    const trimmed = this.trimmed()
    if (trimmed !== undefined) return left(trimmed)
    const segment = catalog.segments[catalog.placeOf(at - 1)] as Segment
    const collector = new Collector()
    if (at <= segment.base) {
      this.at = lowest
      collector.damage({ offset: lowest as Offset, nextOffset: at as Offset, reason: 'missing' })
      return right(collector.take())
    }
    const start = await this.windowStart(segment, at)
    if (start._tag === 'Left') return start
    const scanned = await this.scanWindow(segment, start.right, collector)
    if (scanned._tag === 'Left') return scanned
    this.at = start.right
    if (this.at <= segment.base) this.close()
    return right(collector.take().reverse())
  }

  trimmed(): Trimmed | undefined {
    return this.at <= this.catalog.first ? trimmedAt(this.catalog, this.lowest) : undefined
  }

  close(): void {
    this.file?.close()
    this.file = undefined
  }

  /** A frame's offset before `at`, about a window back. */
  private async windowStart(segment: Segment, at: number): Promise<Either<DiskError, number>> {
    const { lowest } = this
    const wanted = Math.max(segment.base, lowest, at - windowBytes)
    if (wanted === lowest || wanted === segment.base) return right(wanted)
    return this.catalog.query(segment, (index) => index.frameBefore(wanted))
  }

  private async scanWindow(segment: Segment, from: number, collector: Collector): Promise<Either<DiskError, void>> {
    const { disk, logId } = this.catalog.options
    if (this.file === undefined) {
      const opened = disk.open(segment.path, 'read')
      if (opened._tag === 'Left') return opened
      this.file = opened.right
    }
    const { file, at } = this
    const start = Math.max(from, this.lowest)
    return new SegmentScan({ file, logId, base: segment.base, from: start, end: at }).drain(collector)
  }
}
