// Reading by query: the index says where the matching frames are, and only those are read and proven.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { Trimmed, type DiskError } from '../core/error.ts'
import { Corrupt, type DamagedRegion } from '../core/read-error.ts'
import { checkFrame, framePayloadBytes, frameSeed } from '../core/frame.ts'
import { headerBytes } from '../core/header.ts'
import type { QueryItem } from '../core/query.ts'
import type { DiskFile } from '../port/disk.ts'
import type { Catalog } from './catalog.ts'
import { Collector, readFrame, type Element } from './collect.ts'
import { damageOf } from './lookup.ts'
import { trimmedAt, type BatchSource, type ReadRange } from './read.ts'
import { SegmentScan } from './scan.ts'
import type { Segment } from './segment.ts'

export interface Selection extends ReadRange {
  readonly query: readonly QueryItem[]
  readonly backwards: boolean
}

/** How many frames are read for one batch. */
const batchFrames = 256

/** Reads this much at a time: frames that stand closer than that share a read. */
const pageBytes = 16 * 1024

/** Reads this much for a frame that shares its read with no other: enough for most, at less than half the cost. */
const aloneBytes = 2 * 1024

const nothing: Either<never, readonly number[]> = right([])

/** A matching frame, or a damaged region that may have held one. */
type Place = number | DamagedRegion

export class SelectiveReader implements BatchSource {
  private readonly catalog: Catalog
  private readonly selection: Selection
  private readonly pages: FramePages
  /** What is left to read of the segment at hand, in the order of reading, from `next` on. */
  private places: readonly Place[] = []
  private nextPlace = 0
  private segment: Segment | undefined
  /** What is not answered for yet is [low, high): whichever way damage is met, each byte of it is reported once. */
  private low: number
  private high: number
  /** Segments that need not be asked; set at the first. */
  private without: ReadonlySet<number> | undefined
  /** No segment from here on was taken yet; backwards, none before here. */
  private at: number

  constructor(catalog: Catalog, selection: Selection) {
    this.catalog = catalog
    this.selection = selection
    this.pages = new FramePages(catalog)
    const { from, until, backwards } = selection
    this.low = from
    this.high = until
    this.at = backwards ? until : from
  }

  trimmed(): Trimmed | undefined {
    const { catalog, segment, selection } = this
    if (segment === undefined || segment.base >= catalog.first) return undefined
    return trimmedAt(catalog, selection.backwards ? selection.from : Math.max(segment.base, selection.from))
  }

  async next(): Promise<Either<DiskError | Trimmed, Element[] | undefined>> {
    while (this.nextPlace >= this.places.length) {
      const advanced = await this.advance()
      if (advanced._tag === 'Left') return advanced
      if (!advanced.right) return right(undefined)
    }
    const segment = this.segment as Segment
    const elements: Element[] = []
    const stop = Math.min(this.nextPlace + batchFrames, this.places.length)
    while (this.nextPlace < stop) {
      const place = this.places[this.nextPlace++] as Place
      if (typeof place !== 'number') this.addDamage(elements, place)
      else if (place >= this.low && place < this.high) {
        const read = this.pages.read(segment, place, this.reachesNext(place))
        const element = read ?? (await this.pages.scan(segment, place))
        if (element._tag === 'Left') return element
        this.add(elements, element.right)
      }
    }
    return right(elements)
  }

  close(): void {
    this.pages.close()
  }

  /** Whether a page from `offset` on reaches to what is read after it. */
  private reachesNext(offset: number): boolean {
    const next = this.places[this.nextPlace]
    return typeof next === 'number' && next > offset && next < offset + pageBytes
  }

  private add(elements: Element[], element: Element): void {
    if (element._tag === 'Left' && element.left._tag === 'Corrupt') return this.addDamage(elements, element.left)
    elements.push(element)
    if (element._tag === 'Right') this.pass(element.right)
  }

  private addDamage(elements: Element[], region: DamagedRegion): void {
    const offset = Math.max(region.offset, this.low) as Offset
    const nextOffset = Math.min(region.nextOffset, this.high) as Offset
    if (offset >= nextOffset) return
    elements.push(left(new Corrupt({ offset, nextOffset, reason: region.reason })))
    this.pass({ offset, nextOffset })
  }

  private pass(range: { readonly offset: number; readonly nextOffset: number }): void {
    if (this.selection.backwards) this.high = range.offset
    else this.low = range.nextOffset
  }

  /** Goes on to the next segment in the direction of reading; false when the range is done. */
  private async advance(): Promise<Either<DiskError | Trimmed, boolean>> {
    const { catalog, selection } = this
    const { from, until, backwards, query } = selection
    const segment = this.nextSegment()
    if (segment === undefined) return right(false)
    if (segment instanceof Trimmed) return left(segment)
    // Behind a segment stands the next one, or nothing; an empty one is not taken again.
    this.at = backwards ? segment.base : Math.max(segment.end, segment.base + 1)
    this.segment = segment
    this.without ??= catalog.without(query)
    const offsets = this.without.has(segment.base)
      ? nothing
      : await catalog.query(segment, (index) => index.select(query, from))
    if (offsets._tag === 'Left') return offsets
    const damage = await damageOf(catalog, segment)
    if (damage._tag === 'Left') return damage
    const inside = offsets.right.filter((offset) => offset < until)
    const regions = damage.right.filter((region) => region.nextOffset > from && region.offset < until)
    const places = regions.length === 0 ? inside : mergePlaces(inside, regions)
    this.places = backwards ? [...places].reverse() : places
    this.nextPlace = 0
    return right(true)
  }

  /** The segment to take next, by its offsets: places in the catalog change when segments are trimmed. */
  private nextSegment(): Segment | Trimmed | undefined {
    const { catalog, selection, at } = this
    const { from, until, backwards } = selection
    if (backwards ? at <= from : at >= until) return undefined
    if (backwards ? from < catalog.first && at <= catalog.first : at < catalog.first) {
      return trimmedAt(catalog, backwards ? from : at)
    }
    const segment = catalog.segments[catalog.placeOf(backwards ? at - 1 : at)] as Segment
    const isNext = backwards ? segment.base < at : segment.base >= at
    // The first one is taken wherever it begins: what is missing before it is told with it.
    return isNext || this.segment === undefined ? segment : undefined
  }
}

function mergePlaces(offsets: readonly number[], regions: readonly DamagedRegion[]): readonly Place[] {
  const start = (place: Place): number => (typeof place === 'number' ? place : place.offset)
  return [...offsets, ...regions].sort((a, b) => start(a) - start(b))
}

/** Reads single frames through a page, synchronously: what is near is read once, and a warm read costs 1 to 2 µs. */
class FramePages {
  private readonly catalog: Catalog
  private readonly page = Buffer.allocUnsafe(pageBytes)
  private segment: Segment | undefined
  private file: DiskFile | undefined
  /** The page holds the segment's frames of [pageFrom, pageEnd). */
  private pageFrom = 0
  private pageEnd = 0

  constructor(catalog: Catalog) {
    this.catalog = catalog
  }

  /** The event at `offset`, or undefined when only `scan` can tell; `isShared` when the next one is near. */
  read(segment: Segment, offset: number, isShared: boolean): Either<DiskError, Element> | undefined {
    const opened = this.openSegment(segment)
    if (opened._tag === 'Left') return opened
    const seed = frameSeed(this.catalog.options.logId, offset)
    if (offset < this.pageFrom || offset + 4 > this.pageEnd) {
      const filled = this.fill(opened.right, segment, { offset, bytes: isShared ? pageBytes : aloneBytes })
      if (filled._tag === 'Left') return filled
    }
    let at = offset - this.pageFrom
    let fault = checkFrame(this.page, at, this.pageEnd - this.pageFrom, seed)
    if (fault === 'incomplete') {
      const filled = this.fill(opened.right, segment, { offset, bytes: pageBytes })
      if (filled._tag === 'Left') return filled
      at = 0
      fault = checkFrame(this.page, at, this.pageEnd - this.pageFrom, seed)
    }
    return fault === undefined ? right(readFrame(this.page, at, framePayloadBytes(this.page, at), offset)) : undefined
  }

  close(): void {
    this.file?.close()
    this.file = undefined
    this.segment = undefined
  }

  private openSegment(segment: Segment): Either<DiskError, DiskFile> {
    if (this.file !== undefined && this.segment === segment) return right(this.file)
    this.close()
    const opened = this.catalog.options.disk.open(segment.path, 'read')
    if (opened._tag === 'Left') return opened
    this.file = opened.right
    this.segment = segment
    this.pageFrom = 0
    this.pageEnd = 0
    return opened
  }

  private fill(
    file: DiskFile,
    segment: Segment,
    { offset, bytes }: { readonly offset: number; readonly bytes: number }
  ): Either<DiskError, void> {
    const target = this.page.subarray(0, Math.min(bytes, segment.end - offset))
    const got = file.readSync(target, offset - segment.base + headerBytes)
    this.pageFrom = offset
    this.pageEnd = got._tag === 'Left' ? offset : offset + got.right
    return got._tag === 'Left' ? got : right(undefined)
  }

  /** A frame longer than a page, or the damage that stands there now and ends where reading can go on. */
  async scan(segment: Segment, offset: number): Promise<Either<DiskError, Element>> {
    const opened = this.openSegment(segment)
    if (opened._tag === 'Left') return opened
    const collector = new (class extends Collector {
      override frame(bytes: Buffer, at: number, payloadBytes: number, place: number): boolean {
        // Behind damage this frame only closes the region.
        if (this.elements.length === 0) super.frame(bytes, at, payloadBytes, place)
        return false
      }
    })()
    const { logId } = this.catalog.options
    const range = { file: opened.right, logId, base: segment.base, from: offset, end: segment.end }
    const scanned = await new SegmentScan(range).drain(collector)
    if (scanned._tag === 'Left') return scanned
    return right(collector.elements[0] as Element)
  }
}
