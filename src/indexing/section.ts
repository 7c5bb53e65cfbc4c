// The sections of an index file (see format.ts): records to bytes and back. What stands in a section is checked as
// strictly as if it had no checksum: everything ascends, everything lies in the segment, all bytes are used. A Left
// says in words what does not fit.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Offset } from '../core/brand.ts'
import type { CorruptReason, DamagedRegion } from '../core/read-error.ts'
import { ByteReader, type ByteSpan, type ByteWriter, type KeyBytes } from './bytes.ts'
import { inlineBytesMax, keyKind, type IndexTrailer, type KeyKind, type KindKey } from './format.ts'
import { filterBytesOf, type FilterPart } from './key-filter.ts'
import { Timeline } from './timeline.ts'

/** What a key's entry says. */
export interface KeyEntry extends KindKey {
  readonly events: number
  /** 0 for what is not an aggregate. */
  readonly version: number
  readonly postingsBytes: number
  /** Where postings of up to inlineBytesMax stand in the block's entries. */
  readonly inlineAt: number
  /** The CRC of longer ones, which stand before the block. */
  readonly postingsCrc: number
}

/** A key block whose checksum holds: its entries' bytes, to `entriesEnd`, and how many bytes of postings are before it. */
export interface KeyBlock {
  readonly entries: Buffer
  readonly entriesEnd: number
  readonly postingsBytes: number
}

/** A key's entry, and where its postings stand: in the block's entries, or in the group. */
export interface FoundEntry {
  readonly events: number
  readonly version: number
  readonly postingsBytes: number
  readonly inlineAt: number
  readonly postingsAt: number
  readonly postingsCrc: number
}

/** An entry whose postings stand in `postings` from `start` on; long ones are taken from there, and stay. */
export function writeEntry(
  target: ByteWriter,
  entry: KindKey & { readonly events: number; readonly version: number },
  postings: { readonly from: ByteWriter; readonly start: number; readonly seed: number }
): void {
  const { from, start, seed } = postings
  const postingsBytes = from.length - start
  target.u8(entry.kind)
  target.key(entry.key)
  target.varint(entry.events)
  if (entry.kind === keyKind.aggregate) target.varint(entry.version)
  target.varint(postingsBytes)
  if (postingsBytes > inlineBytesMax) return target.u32(from.crc(start, seed))
  target.tail(from, start)
  from.cut(start)
}

/** The entry of one key, or undefined when the block has none. Makes no string of any key: it is the lookup. */
export function findEntry(block: KeyBlock, kind: KeyKind, key: KeyBytes): Either<string, FoundEntry | undefined> {
  const { entries, entriesEnd } = block
  const source = new ByteReader(entries, 0, entriesEnd)
  let postingsAt = 0
  while (!source.done) {
    const kindHere = source.u8()
    const sameKey = source.isKey(key)
    const events = source.varint()
    const version = kindHere === keyKind.aggregate ? source.varint() : 0
    const postingsBytes = source.varint()
    const isInline = postingsBytes <= inlineBytesMax
    const inlineAt = isInline ? source.skip(postingsBytes) : 0
    const postingsCrc = isInline ? 0 : source.u32()
    const end = isInline ? postingsAt : postingsAt + postingsBytes
    if (source.failed || end > block.postingsBytes) return left('content: a key block')
    if (sameKey && kindHere === kind) {
      return right({ events, version, postingsBytes, inlineAt, postingsAt, postingsCrc })
    }
    postingsAt = end
  }
  return right(undefined)
}

/** All entries of a block. */
export function readEntries(block: KeyBlock): Either<string, KeyEntry[]> {
  const source = new ByteReader(block.entries, 0, block.entriesEnd)
  const entries: KeyEntry[] = []
  let bytes = 0
  while (!source.done) {
    const kind = source.u8()
    const key = source.key()
    const events = source.varint()
    const version = kind === keyKind.aggregate ? source.varint() : 0
    const postingsBytes = source.varint()
    const isInline = postingsBytes <= inlineBytesMax
    const inlineAt = isInline ? source.skip(postingsBytes) : 0
    const postingsCrc = isInline ? 0 : source.u32()
    // Written out: a spread would cost more than reading the entry.
    entries.push({ kind: kind as KeyKind, key, events, version, postingsBytes, inlineAt, postingsCrc })
    if (!isInline) bytes += postingsBytes
    if (source.failed || !isKeyKind(kind)) return left('content: a key block')
  }
  return bytes === block.postingsBytes ? right(entries) : left('content: a key block and its postings differ')
}

function isKeyKind(kind: number): kind is KeyKind {
  return kind >= keyKind.aggregate && kind <= keyKind.tag
}

/** Offsets behind `before`, the last one that was written; 0 when there is none. */
export function writePostings(target: ByteWriter, offsets: readonly number[], last = 0): void {
  let before = last
  for (let place = 0; place < offsets.length; place++) {
    const offset = offsets[place] as number
    target.varint(offset - before)
    before = offset
  }
}

/** The offsets in `bytes`, which are `events` many and below `limit`; `base` is added to each. */
export function readPostings(
  bytes: ByteSpan,
  entry: { readonly events: number; readonly base: number; readonly limit: number }
): Either<string, number[]> {
  const offsets: number[] = []
  const last = walkPostings(bytes, entry.limit, (offset) => offsets.push(entry.base + offset))
  if (last._tag === 'Left') return last
  return offsets.length === entry.events ? right(offsets) : left(countDiffers)
}

/** Checks postings as `readPostings` does, without making a list of them, and answers the last one; 0 when none is. */
export function lastPosting(
  bytes: ByteSpan,
  entry: { readonly events: number; readonly limit: number }
): Either<string, number> {
  let count = 0
  const last = walkPostings(bytes, entry.limit, () => count++)
  return last._tag === 'Right' && count !== entry.events ? left(countDiffers) : last
}

/** The numbers of a tier's segments, below `segments`: at least one, and no more than the key has events. */
export function readSegmentNumbers(
  bytes: ByteSpan,
  entry: { readonly events: number; readonly segments: number }
): Either<string, number[]> {
  const numbers: number[] = []
  const last = walkPostings(bytes, entry.segments, (number) => numbers.push(number))
  if (last._tag === 'Left') return last
  return numbers.length > 0 && numbers.length <= entry.events ? right(numbers) : left(countDiffers)
}

const countDiffers = 'content: a count and its postings differ'

function walkPostings(span: ByteSpan, limit: number, visit: (offset: number) => void): Either<string, number> {
  const source = new ByteReader(span.bytes, span.start, span.end)
  let offset = 0
  let first = true
  while (!source.done) {
    const step = source.varint()
    offset += step
    if (source.failed || offset >= limit || (step === 0 && !first)) return left('content: postings')
    first = false
    visit(offset)
  }
  return right(offset)
}

/** Where the groups stand and with which key each begins. */
export interface Directory {
  readonly firsts: readonly KindKey[]
  /** The file position of each group, and behind the last one. */
  readonly starts: readonly number[]
  /** How many of a group's bytes are postings; the key block and its CRC follow. */
  readonly postingsBytes: readonly number[]
  /** The filters, each of the groups behind those of the one before. */
  readonly filters: readonly FilterPart[]
}

export interface DirectoryRecord extends KindKey {
  readonly postingsBytes: number
  /** With its CRC. */
  readonly blockBytes: number
  /** Of the filter that ends with this group; 0 where none does. */
  readonly filterBlocks: number
}

export function writeDirectoryRecord(target: ByteWriter, record: DirectoryRecord): void {
  target.u8(record.kind)
  target.key(record.key)
  target.varint(record.postingsBytes)
  target.varint(record.blockBytes)
  target.varint(record.filterBlocks)
}

/** The directory of the groups and filters of a file with this trailer. */
export function readDirectory(bytes: Buffer, trailer: IndexTrailer): Either<string, Directory> {
  const { groupsBytes, directoryBytes, stridesBytes, damageBytes, filterBytes } = trailer
  const filtersAt = groupsBytes + directoryBytes + stridesBytes + damageBytes
  const source = new ByteReader(bytes, 0, bytes.length)
  const directory = { firsts: [] as KindKey[], starts: [0], postingsBytes: [] as number[], filters: [] as FilterPart[] }
  let position = 0
  let filterPosition = filtersAt
  while (!source.done) {
    const kind = source.u8()
    const key = source.key()
    const postings = source.varint()
    const block = source.varint()
    const blocks = source.varint()
    position += postings + block
    if (source.failed || !isKeyKind(kind) || block < 4 || position > groupsBytes) return left('content: the directory')
    directory.firsts.push({ kind, key })
    directory.postingsBytes.push(postings)
    directory.starts.push(position)
    if (blocks === 0) continue
    directory.filters.push({ position: filterPosition, blocks, groupsEnd: directory.firsts.length })
    filterPosition += filterBytesOf(blocks)
  }
  if (position !== groupsBytes) return left('content: the directory and the groups differ')
  const filtered = directory.filters.at(-1)?.groupsEnd ?? 0
  return filtered === directory.firsts.length && filterPosition === filtersAt + filterBytes
    ? right(directory)
    : left('content: the directory and the filters differ')
}

/** Offsets relative to the base, ascending, and a time for each, never falling. */
export interface TimedOffsets {
  readonly offsets: readonly number[]
  readonly times: readonly number[]
}

/** Writes the strides of a segment, or the segments of a tier: there no time stands before the first. */
export function writeStrides(target: ByteWriter, strides: TimedOffsets, firstTimestampMs: number): void {
  let offsetBefore = 0
  let timeBefore = firstTimestampMs
  for (let place = 0; place < strides.offsets.length; place++) {
    const offset = strides.offsets[place] as number
    const time = strides.times[place] as number
    target.varint(offset - offsetBefore)
    target.varint(time - timeBefore)
    offsetBefore = offset
    timeBefore = time
  }
}

export function readStrides(bytes: Buffer, trailer: IndexTrailer): Either<string, Timeline> {
  const source = new ByteReader(bytes, 0, bytes.length)
  const timeline = new Timeline()
  let offset = 0
  let time = trailer.firstTimestampMs
  for (let count = 1; !source.done; count++) {
    offset += source.varint()
    time += source.varint()
    if (source.failed || offset >= trailer.end - trailer.base || time > trailer.lastTimestampMs) {
      return left('content: the strides')
    }
    timeline.add(offset, time)
    if (timeline.offsets.length !== count) return left('content: two entries in one stride')
  }
  return right(timeline)
}

/** The segments of a tier: their bases, relative to its own, and the greatest time up to the end of each. */
export function readSegments(bytes: Buffer, trailer: IndexTrailer): Either<string, TimedOffsets> {
  const source = new ByteReader(bytes, 0, bytes.length)
  const offsets: number[] = []
  const times: number[] = []
  let offset = 0
  let time = 0
  while (!source.done) {
    const step = source.varint()
    offset += step
    time += source.varint()
    const ascends = offsets.length === 0 ? step === 0 : step > 0
    if (source.failed || !ascends || offset >= trailer.end - trailer.base) return left('content: the segments')
    offsets.push(offset)
    times.push(time)
  }
  return time === trailer.lastTimestampMs && offsets.length > 0
    ? right({ offsets, times })
    : left('content: the segments and the trailer differ')
}

/** The byte that stands for a reason. A code once used keeps its meaning. */
const reasonCodes: Readonly<Record<CorruptReason, number>> = {
  checksum: 1,
  framing: 2,
  zeros: 3,
  missing: 4,
  content: 5
}

const reasonOfCode: ReadonlyMap<number, CorruptReason> = new Map(
  Object.entries(reasonCodes).map(([reason, code]) => [code, reason as CorruptReason])
)

export function writeDamage(target: ByteWriter, regions: readonly DamagedRegion[], base: number): void {
  let before = base
  for (const { offset, nextOffset, reason } of regions) {
    target.varint(offset - before)
    target.varint(nextOffset - offset)
    target.u8(reasonCodes[reason])
    before = nextOffset
  }
}

export function readDamage(bytes: Buffer, trailer: IndexTrailer): Either<string, DamagedRegion[]> {
  const source = new ByteReader(bytes, 0, bytes.length)
  const regions: DamagedRegion[] = []
  let before = trailer.base
  while (!source.done) {
    const offset = before + source.varint()
    const nextOffset = offset + source.varint()
    const reason = reasonOfCode.get(source.u8())
    if (source.failed || reason === undefined || nextOffset > trailer.end) return left('content: the damage')
    regions.push({ offset: Offset(offset), nextOffset: Offset(nextOffset), reason })
    before = nextOffset
  }
  return right(regions)
}
