// An index file, `<20-digit base>.idx`. It is written from front to back in one pass and says at its end what it is:
//
//   ┌─────────┬─────────┬───┬───────────┬─────────┬────────┬─────────┬─────────┐
//   │ group 0 │ group 1 │ … │ directory │ strides │ damage │ filters │ trailer │
//   └─────────┴─────────┴───┴───────────┴─────────┴────────┴─────────┴─────────┘
//
//   group      long postings of its keys, one after the other · key block
//     postings   per key: offsets − base, ascending; the first, then differences, as varints
//     key block  per key: kind u8 · key · events varint · last version varint (aggregates only) ·
//                postings' length varint · the postings, up to 32 bytes, or of longer ones the CRC u32;
//                then the block's CRC u32
//                Keys ascend by kind, then by UTF-16 code units, through all groups. A block closes at 4 KiB,
//                or when its postings reach 64 KiB.
//   directory  per group: kind u8 and key of its first entry · length of its long postings varint · length of its key
//              block varint · blocks of the filter that ends with this group varint, 0 where none does;   then CRC u32
//   strides    per entry: offset − the one before (first: base) varint · time − the one before (first:
//              firstTimestampMs) varint;   then CRC u32
//   damage     per region: offset − end of the one before (first: base) varint · length varint · reason u8;
//              then CRC u32
//   filters    per filter: blocks of 32 bytes, in pages of 128, the last one shorter; each page then its CRC u32.
//              A filter is of the keys of up to a million entries (key-filter.ts)
//   trailer, 104 bytes, little-endian:
//
//   0      4         8     16    24      32          40         48           56         64       72      80
//   ┌──────┬─────────┬─────┬─────┬───────┬───────────┬──────────┬────────────┬──────────┬────────┬───────┐
//   │logId │last CRC │base │ end │events │first time │last time │groups' len │directory │strides │damage │
//   └──────┴─────────┴─────┴─────┴───────┴───────────┴──────────┴────────────┴──────────┴────────┴───────┘
//   80        88         92     96    98     100        104
//   ┌─────────┬──────────┬──────┬─────┬──────┬──────────┐
//   │ filters │ reserved │"CHRI"│ver. │flags │ CRC-32   │    lengths are those of the sections, their CRCs included
//   └─────────┴──────────┴──────┴─────┴──────┴──────────┘
//
// Every CRC but the trailer's starts from (CRC-32 of the trailer's first 24 bytes) XOR (file position mod 2^32): a
// block of another log, segment, checkpoint or place never verifies. The trailer's starts from 0, so that it can say
// whose it is.
//
// Bit 0 of the flags says that the file is a tier, `<20-digit base>-<20-digit end>.tier`: it covers several whole
// segments and tells which of them hold a key. There
//
//   postings   per key: the numbers of the segments that hold it, counted from 0; an entry's events are those of all
//   strides    per segment: base − the one before (first: the tier's base) varint · greatest time up to its end − the
//              one before (first: 0) varint
//   damage     nothing: it is known to the segments

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { crc32 } from '../core/crc.ts'

export const indexFormatVersion = 2

export const trailerBytes = 104

/** A key block closes when it has this many bytes: what one read brings anyway. One long key may exceed it. */
export const keyBlockBytes = 4_096

/** A group also closes when its postings have this many bytes, so that writing it goes in small steps. */
export const groupPostingsBytes = 65_536

/** Postings of so many bytes stand in the entry itself: most keys of a segment have few events. */
export const inlineBytesMax = 32

/** A filter closes with the group that brings its keys to this many: what is held in memory while a file is written. */
export const filterKeysMax: number = 1024 * 1024

/** What a key is of. The order is the order in the file. */
export const keyKind = { aggregate: 1, type: 2, namespace: 3, tag: 4 } as const

export type KeyKind = (typeof keyKind)[keyof typeof keyKind]

/** A key with its kind; the order of the file is by kind, then by UTF-16 code units. */
export interface KindKey {
  readonly kind: KeyKind
  readonly key: string
}

/** Negative when `one` stands before `other`, 0 when they are the same. */
export function keyOrder(one: KindKey, other: KindKey): number {
  if (one.kind !== other.kind) return one.kind - other.kind
  if (one.key === other.key) return 0
  return one.key < other.key ? -1 : 1
}

/** The flag of a tier. */
const tierFlag = 1

const magic = 0x49524843 // "CHRI", read as a little-endian u32
const identityBytes = 24
const reservedAt = 88
const magicAt = 92
const versionAt = 96
const flagsAt = 98
const crcAt = 100

/** What a file is about. */
export interface IndexIdentity {
  readonly logId: number
  /** The stored CRC word of the last indexed frame, 0 when there is none. */
  readonly lastFrameCrc: number
  readonly base: number
  readonly end: number
}

export interface IndexTrailer extends IndexIdentity {
  readonly events: number
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
  readonly groupsBytes: number
  readonly directoryBytes: number
  readonly stridesBytes: number
  readonly damageBytes: number
  readonly filterBytes: number
}

/** The value that the CRCs of a file start from, before the position is added. */
export function fileSeed(identity: IndexIdentity): number {
  const bytes = Buffer.alloc(identityBytes)
  writeIdentity(bytes, identity)
  return crc32(bytes, 0)
}

/** The value that the CRC of what stands at `position` starts from. */
export function seedAt(seed: number, position: number): number {
  return (seed ^ (position % 0x1_0000_0000)) >>> 0
}

/** `tier`: the file tells segments instead of events. */
export function encodeTrailer(trailer: IndexTrailer, tier = false): Buffer {
  const bytes = Buffer.alloc(trailerBytes)
  writeIdentity(bytes, trailer)
  let at = identityBytes
  for (const value of [
    trailer.events,
    trailer.firstTimestampMs,
    trailer.lastTimestampMs,
    trailer.groupsBytes,
    trailer.directoryBytes,
    trailer.stridesBytes,
    trailer.damageBytes,
    trailer.filterBytes
  ]) {
    at = bytes.writeBigUInt64LE(BigInt(value), at)
  }
  bytes.writeUInt32LE(magic, magicAt)
  bytes.writeUInt16LE(indexFormatVersion, versionAt)
  bytes.writeUInt16LE(tier ? tierFlag : 0, flagsAt)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, crcAt), 0), crcAt)
  return bytes
}

function writeIdentity(bytes: Buffer, identity: IndexIdentity): void {
  bytes.writeUInt32LE(identity.logId, 0)
  bytes.writeUInt32LE(identity.lastFrameCrc, 4)
  bytes.writeBigUInt64LE(BigInt(identity.base), 8)
  bytes.writeBigUInt64LE(BigInt(identity.end), 16)
}

/** Reads a trailer of a file of `fileBytes`, a tier or not; a Left says in words why it is refused. */
export function decodeTrailer(bytes: Buffer, fileBytes: number, tier = false): Either<string, IndexTrailer> {
  if (bytes.length < trailerBytes) return left('magic: too short for an index file')
  if (bytes.readUInt32LE(magicAt) !== magic) return left('magic: not an index file, or cut short')
  const version = bytes.readUInt16LE(versionAt)
  // Before the checksum: a later version may well keep its checksum elsewhere.
  if (version > indexFormatVersion) return left(`version: ${version} is newer than this release`)
  if (version < indexFormatVersion) return left(`version: ${version} is not written any more`)
  if (bytes.readUInt32LE(crcAt) !== crc32(bytes.subarray(0, crcAt), 0)) return left('checksum: the trailer')
  const flags = bytes.readUInt16LE(flagsAt)
  if (flags > tierFlag || bytes.readUInt32LE(reservedAt) !== 0) return left('content: unknown flags')
  if ((flags === tierFlag) !== tier) return left(`content: it is ${tier ? 'no tier' : 'a tier'}`)
  return decodeContent(bytes, fileBytes)
}

function decodeContent(bytes: Buffer, fileBytes: number): Either<string, IndexTrailer> {
  const words: number[] = []
  for (let at = 8; at < reservedAt; at += 8) words.push(Number(bytes.readBigUInt64LE(at)))
  if (!words.every(Number.isSafeInteger)) return left('content: a number over 2^53')
  const [base, end, events, firstTimestampMs, lastTimestampMs, ...lengths] = words as Words
  if (end < base) return left('content: it ends before its base')
  const sections = lengths.reduce((sum, length) => sum + length, 0)
  if (sections + trailerBytes !== fileBytes) return left('content: the sections do not fill the file')
  const [groupsBytes, directoryBytes, stridesBytes, damageBytes, filterBytes] = lengths
  return right({
    logId: bytes.readUInt32LE(0),
    lastFrameCrc: bytes.readUInt32LE(4),
    base,
    end,
    events,
    firstTimestampMs,
    lastTimestampMs,
    groupsBytes,
    directoryBytes,
    stridesBytes,
    damageBytes,
    filterBytes
  })
}

/** The trailer's u64 fields from base on. */
type Words = [number, number, number, number, number, ...Lengths]
type Lengths = [number, number, number, number, number]
