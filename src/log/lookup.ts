// Questions that the index answers across segments: an aggregate's version to an offset, a time to an offset; and the
// rebuilding of that index in the open.

import { left, map, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { Closed, type DiskError } from '../core/error.ts'
import { Aborted, Corrupt, type DamagedRegion } from '../core/read-error.ts'
import { decodeRecord } from '../core/event.ts'
import { frameOverheadBytes } from '../core/frame.ts'
import { headerBytes } from '../core/header.ts'
import { strideBytes } from '../core/limit.ts'
import type { QueryItem } from '../core/query.ts'
import type { RebuildOptions } from '../port/store.ts'
import type { Catalog, StaleIndex } from './catalog.ts'
import { trailingDamage } from './index-scan.ts'
import { SegmentScan, type FrameVisitor } from './scan.ts'
import type { Segment } from './segment.ts'

/**
 * The aggregate's first event of `version` or a later one, or the end. Where events were lost, versions have gaps and
 * the answer may be an event or two too early, never too late.
 */
export async function seekVersion(
  catalog: Catalog,
  aggregateId: string,
  version: number
): Promise<Either<DiskError, Offset>> {
  const end = catalog.end()
  const without = catalog.without([{ aggregateId }])
  for (const segment of catalog.segments) {
    if (without.has(segment.base)) continue
    const last = await catalog.query(segment, (index) => index.version(aggregateId))
    if (last._tag === 'Left') return last
    if (last.right < version || last.right === 0) continue
    const offsets = await catalog.query(segment, (index) => index.aggregateOffsets(aggregateId))
    if (offsets._tag === 'Left') return offsets
    const first = last.right - offsets.right.length + 1
    return right((offsets.right[Math.max(0, version - first)] ?? end) as Offset)
  }
  return right(end as Offset)
}

/** The last place at or before `offset` that the index knows an event to begin at. */
export async function boundaryBefore(catalog: Catalog, offset: number): Promise<Either<DiskError, Offset>> {
  const segment = catalog.segments[catalog.placeOf(offset)] as Segment
  // Between segments, and at the ends of the log, the offset is as good as any.
  if (offset <= segment.base || offset >= segment.end) return right(offset as Offset)
  const start = await catalog.query(segment, (index) => index.frameBefore(offset))
  return start._tag === 'Left' ? start : right(start.right as Offset)
}

/**
 * How many events from `from` on match one of the items; the index knows, and no event is read, but for those of one
 * segment when all that stand behind a place in it are counted.
 */
export async function countMatches(
  catalog: Catalog,
  items: readonly QueryItem[],
  from: number
): Promise<Either<DiskError, number>> {
  const without = items.length === 0 ? undefined : catalog.without(items)
  let count = 0
  for (const segment of catalog.segments.slice(catalog.placeOf(from))) {
    if (without?.has(segment.base) === true || segment.end <= from) continue
    const found = await countIn(catalog, segment, { items, from })
    if (found._tag === 'Left') return found
    count += found.right
  }
  return right(count)
}

async function countIn(
  catalog: Catalog,
  segment: Segment,
  wanted: { readonly items: readonly QueryItem[]; readonly from: number }
): Promise<Either<DiskError, number>> {
  const { items, from } = wanted
  if (items.length > 0) {
    const found = await catalog.query(segment, (index) => index.select(items, from))
    return map((offsets: readonly number[]) => offsets.length)(found)
  }
  if (from <= segment.base) return right(segment.index.events)
  const { disk, logId } = catalog.options
  const opened = disk.open(segment.path, 'read')
  if (opened._tag === 'Left') return opened
  let count = 0
  const counter: FrameVisitor = {
    frame: (bytes, at, payloadBytes) => {
      if (decodeRecord(bytes, at + 4, at + 4 + payloadBytes)._tag === 'Right') count++
      return true
    },
    damage: () => {}
  }
  const { base, end } = segment
  const scanned = await new SegmentScan({ file: opened.right, logId, base, from, end }).drain(counter)
  opened.right.close()
  return map(() => count)(scanned)
}

/** The CRC of the frame that ends at `offset`, or whatever stands in its place; undefined where no frame can. */
export function crcBefore(catalog: Catalog, offset: number): Either<DiskError, number | undefined> {
  const { file } = catalog.trimmed
  // The frame before the first one is remembered: a reader may have stopped there.
  if (file?.trailer.first === offset) return right(file.trailer.lastFrameCrc)
  const segment = catalog.segments[catalog.placeOf(offset - 1)] as Segment
  if (offset < segment.base + frameOverheadBytes || offset > segment.end) return right(undefined)
  const opened = catalog.options.disk.open(segment.path, 'read')
  if (opened._tag === 'Left') return opened
  const crc = Buffer.alloc(4)
  const got = opened.right.readSync(crc, offset - 4 - segment.base + headerBytes)
  opened.right.close()
  return map((bytes: number) => (bytes === 4 ? crc.readUInt32LE(0) : undefined))(got)
}

/**
 * The first event written at `timestampMs` or later, or the end. Damage behind the last event that is known to be
 * older may have held the answer, so there is none then.
 */
export async function offsetAtTime(
  catalog: Catalog,
  timestampMs: number
): Promise<Either<DiskError | Corrupt, Offset>> {
  let lost: DamagedRegion | undefined
  for (const segment of catalog.segments) {
    const { index, base, end } = segment
    lost ??= segment.damage.find((region) => region.nextOffset <= base)
    if (index.events > 0 && index.lastTimestampMs >= timestampMs) {
      const start = await catalog.query(segment, (one) => one.frameBeforeTime(timestampMs))
      return start._tag === 'Left' ? start : firstSince(catalog, segment, new TimeProbe(timestampMs, start.right, lost))
    }
    const damage = await catalog.query(segment, (one) => one.damage())
    if (damage._tag === 'Left') return damage
    const trailing = trailingDamage(damage.right, end)
    lost = index.events > 0 ? trailing : (lost ?? trailing)
  }
  return lost === undefined ? right(catalog.end() as Offset) : left(new Corrupt(lost))
}

async function firstSince(
  catalog: Catalog,
  segment: Segment,
  probe: TimeProbe
): Promise<Either<DiskError | Corrupt, Offset>> {
  const opened = catalog.options.disk.open(segment.path, 'read')
  if (opened._tag === 'Left') return opened
  const { logId } = catalog.options
  const range = { file: opened.right, logId, base: segment.base, from: probe.from, end: segment.end }
  const scanned = await new SegmentScan({ ...range, stepBytes: 2 * strideBytes }).drain(probe)
  opened.right.close()
  if (scanned._tag === 'Left') return scanned
  if (probe.lost !== undefined) return left(new Corrupt(probe.lost))
  return right((probe.found ?? segment.end) as Offset)
}

/** Finds the first frame at or after a time. */
class TimeProbe implements FrameVisitor {
  private readonly timestampMs: number
  /** Where to begin. */
  readonly from: number
  found: number | undefined
  /** The first damage behind the last frame from before the time. */
  lost: DamagedRegion | undefined

  constructor(timestampMs: number, from: number, lost: DamagedRegion | undefined) {
    this.timestampMs = timestampMs
    this.from = from
    this.lost = lost
  }

  frame(bytes: Buffer, at: number, payloadBytes: number, offset: number): boolean {
    const record = decodeRecord(bytes, at + 4, at + 4 + payloadBytes)
    if (record._tag === 'Left' || record.right.writeTimestampMs < this.timestampMs) {
      // An event before the time proves that nothing lost before it was after the time.
      if (record._tag === 'Right') this.lost = undefined
      return true
    }
    this.found = offset
    return false
  }

  damage(region: DamagedRegion): void {
    this.lost ??= region
  }
}

/** Rebuilds the index of every segment that ends behind `options.from`, from its frames alone. */
export async function rebuildFrom(
  catalog: Catalog,
  options: RebuildOptions,
  isClosed: () => boolean
): Promise<Either<DiskError | Closed | Aborted, void>> {
  const from = options.from ?? 0
  const segments = catalog.segments.filter((segment) => segment.end > from)
  const totalBytes = catalog.end() - (segments[0]?.base ?? catalog.end())
  let doneBytes = 0
  for (const segment of segments) {
    if (options.signal?.aborted === true) return left(new Aborted(options.signal.reason))
    // One segment a turn: a trim needs the indexes of what goes to stay what they are, and comes between two of them.
    const done = await catalog.inTurn(async (): Promise<Either<DiskError | Closed, void>> => {
      if (isClosed()) return left(new Closed())
      return segment.trimmed === true ? right(undefined) : catalog.rebuild(segment)
    })
    if (done._tag === 'Left') return done
    doneBytes += segment.end - segment.base
    options.onProgress?.(doneBytes, Math.max(totalBytes, doneBytes))
  }
  const merged = await catalog.mergeTiers({ isStopped: isClosed })
  if (merged !== undefined) return left(merged)
  return right(undefined)
}

/**
 * The newest event from `since` on that matches one of the items, or undefined; segments are asked from the newest
 * to the oldest. StaleIndex: rebuild that segment's index, then ask again.
 */
export function lastMatch(
  catalog: Catalog,
  items: readonly QueryItem[],
  since: number
): Either<DiskError | StaleIndex, number | undefined> {
  // Mostly the answer lies in the active segment, and nobody else need be asked.
  let without: ReadonlySet<number> | undefined
  for (let place = catalog.segments.length - 1; place >= 0; place--) {
    const segment = catalog.segments[place] as Segment
    if (segment.end <= since) break
    if (segment !== catalog.active()) without ??= catalog.without(items)
    if (without?.has(segment.base) === true) continue
    const found = catalog.ask(segment, (index) => index.select(items, since))
    if (found._tag === 'Left') return found
    if (found.right.length > 0) return right(found.right.at(-1))
  }
  return right(undefined)
}

/** The damage of a segment that is known without reading its frames. */
export async function damageOf(
  catalog: Catalog,
  segment: Segment
): Promise<Either<DiskError, readonly DamagedRegion[]>> {
  const indexed = await catalog.query(segment, (index) => index.damage())
  if (indexed._tag === 'Left') return indexed
  const known = new Set(indexed.right.map((region) => region.offset))
  const all = [...indexed.right, ...segment.damage.filter((region) => !known.has(region.offset))]
  return right(all.sort((a, b) => a.offset - b.offset))
}
