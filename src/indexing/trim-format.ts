// A trim file, `<20-digit first>.trim`: everything before `first` was removed from the log, and these were the versions
// of its aggregates. It is no cache: once the segments are gone nothing else tells what stands in it, so its format has
// a version of its own and changes for no index's sake.
//
//   ┌─────────┬─────────┬───┬───────────┬─────────┐
//   │ block 0 │ block 1 │ … │ directory │ trailer │      written from front to back in one pass
//   └─────────┴─────────┴───┴───────────┴─────────┘
//
//   block      per aggregate: key of its id · events that were removed varint · version of the last one varint;
//              then the block's CRC u32. Ids ascend by UTF-16 code units, through all blocks. A block closes at 4 KiB.
//   directory  per block: key of its first id · length of the block with its CRC varint;   then CRC u32
//   trailer, 68 bytes, little-endian:
//
//   0      4          8       16       24           32          40        48          56     60     62      64       68
//   ┌──────┬──────────┬───────┬────────┬────────────┬───────────┬─────────┬───────────┬──────┬──────┬───────┬────────┐
//   │logId │ last CRC │ first │ events │ aggregates │ last time │ blocks' │directory's│"CHRT"│ ver. │ flags │ CRC-32 │
//   └──────┴──────────┴───────┴────────┴────────────┴───────────┴─────────┴───────────┴──────┴──────┴───────┴────────┘
//
// Every CRC but the trailer's starts from (CRC-32 of the trailer's first 16 bytes) XOR (file position mod 2^32), so that
// a block of another log, trim or place never verifies. Varints and keys are those of bytes.ts.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { crc32 } from '../core/crc.ts'
import { ByteReader, type ByteWriter } from './bytes.ts'

export const trimFormatVersion = 1

export const trimTrailerBytes = 68

/** A block closes when it has this many bytes: what one read brings anyway. One long id may exceed it. */
export const trimBlockBytes = 4_096

const magic = 0x54524843 // "CHRT", read as a little-endian u32
const identityBytes = 16
const magicAt = 56
const versionAt = 60
const flagsAt = 62
const crcAt = 64

/** What a file is about. */
export interface TrimIdentity {
  readonly logId: number
  /** The CRC word that stood before `first`, in the last frame that was removed. */
  readonly lastFrameCrc: number
  /** Where the log begins. */
  readonly first: number
}

export interface TrimTrailer extends TrimIdentity {
  /** How many events were removed, ever. */
  readonly events: number
  readonly aggregates: number
  /** The greatest time of all that were removed. */
  readonly lastTimestampMs: number
  readonly blocksBytes: number
  readonly directoryBytes: number
}

/** What is kept of an aggregate. */
export interface TrimEntry {
  readonly aggregateId: string
  /** How many of its events were removed. */
  readonly events: number
  /** The version of the last of them. */
  readonly version: number
}

/** Where the blocks stand and with which id each begins. */
export interface TrimDirectory {
  readonly firsts: readonly string[]
  /** The file position of each block, and behind the last one. */
  readonly starts: readonly number[]
}

const digits = 20

export function trimName(first: number): string {
  return `${String(first).padStart(digits, '0')}.trim`
}

/** The `first` that a trim file's name says, or undefined for a file that is none. */
export function firstOfName(name: string): number | undefined {
  if (!/^\d{20}\.trim$/.test(name)) return undefined
  const first = Number(name.slice(0, digits))
  return Number.isSafeInteger(first) ? first : undefined
}

/** The value that the CRCs of a file start from, before the position is added. */
export function trimSeed(identity: TrimIdentity): number {
  const bytes = Buffer.alloc(identityBytes)
  writeIdentity(bytes, identity)
  return crc32(bytes, 0)
}

export function encodeTrimTrailer(trailer: TrimTrailer): Buffer {
  const bytes = Buffer.alloc(trimTrailerBytes)
  writeIdentity(bytes, trailer)
  const { events, aggregates, lastTimestampMs, blocksBytes, directoryBytes } = trailer
  let at = identityBytes
  for (const value of [events, aggregates, lastTimestampMs, blocksBytes, directoryBytes]) {
    at = bytes.writeBigUInt64LE(BigInt(value), at)
  }
  bytes.writeUInt32LE(magic, magicAt)
  bytes.writeUInt16LE(trimFormatVersion, versionAt)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, crcAt), 0), crcAt)
  return bytes
}

function writeIdentity(bytes: Buffer, { logId, lastFrameCrc, first }: TrimIdentity): void {
  bytes.writeUInt32LE(logId, 0)
  bytes.writeUInt32LE(lastFrameCrc, 4)
  bytes.writeBigUInt64LE(BigInt(first), 8)
}

/** Reads a trailer of a file of `fileBytes`; a Left says in words why it is refused. */
export function decodeTrimTrailer(bytes: Buffer, fileBytes: number): Either<string, TrimTrailer> {
  if (bytes.length < trimTrailerBytes) return left('magic: too short for a trim file')
  if (bytes.readUInt32LE(magicAt) !== magic) return left('magic: not a trim file, or cut short')
  const version = bytes.readUInt16LE(versionAt)
  // Before the checksum: a later version may well keep its checksum elsewhere.
  if (version > trimFormatVersion) return left(`version: ${version} is newer than this release`)
  if (bytes.readUInt32LE(crcAt) !== crc32(bytes.subarray(0, crcAt), 0)) return left('checksum: the trailer')
  if (version !== trimFormatVersion) return left('content: no such version')
  if (bytes.readUInt16LE(flagsAt) !== 0) return left('content: unknown flags')
  const words = [8, 16, 24, 32, 40, 48].map((at) => Number(bytes.readBigUInt64LE(at)))
  if (!words.every(Number.isSafeInteger)) return left('content: a number over 2^53')
  const [first, events, aggregates, lastTimestampMs, blocksBytes, directoryBytes] = words as Words
  if (blocksBytes + directoryBytes + trimTrailerBytes !== fileBytes) {
    return left('content: the sections do not fill the file')
  }
  return right({
    logId: bytes.readUInt32LE(0),
    lastFrameCrc: bytes.readUInt32LE(4),
    first,
    events,
    aggregates,
    lastTimestampMs,
    blocksBytes,
    directoryBytes
  })
}

type Words = [number, number, number, number, number, number]

export function writeTrimEntry(target: ByteWriter, { aggregateId, events, version }: TrimEntry): void {
  target.key(aggregateId)
  target.varint(events)
  target.varint(version)
}

/** The entries of a block whose checksum holds: at least one, ascending. */
export function readTrimBlock(bytes: Buffer): Either<string, readonly TrimEntry[]> {
  const source = new ByteReader(bytes, 0, bytes.length)
  const entries: TrimEntry[] = []
  while (!source.done) {
    const aggregateId = source.key()
    const events = source.varint()
    const version = source.varint()
    const before = entries.at(-1)
    const fits = events > 0 && version > 0 && (before === undefined || before.aggregateId < aggregateId)
    if (source.failed || !fits) return left('content: a block')
    entries.push({ aggregateId, events, version })
  }
  return entries.length > 0 ? right(entries) : left('content: an empty block')
}

export function writeTrimRecord(target: ByteWriter, aggregateId: string, blockBytes: number): void {
  target.key(aggregateId)
  target.varint(blockBytes)
}

/** The directory of blocks that fill `blocksBytes` from the start of the file. */
export function readTrimDirectory(bytes: Buffer, blocksBytes: number): Either<string, TrimDirectory> {
  const source = new ByteReader(bytes, 0, bytes.length)
  const firsts: string[] = []
  const starts = [0]
  let position = 0
  while (!source.done) {
    const aggregateId = source.key()
    const length = source.varint()
    position += length
    const before = firsts.at(-1)
    const fits = length > 4 && position <= blocksBytes && (before === undefined || before < aggregateId)
    if (source.failed || !fits) return left('content: the directory')
    firsts.push(aggregateId)
    starts.push(position)
  }
  return position === blocksBytes ? right({ firsts, starts }) : left('content: the directory and the blocks differ')
}
