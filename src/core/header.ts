// The segment header, 32 bytes, little-endian:
//
//   0        4      6      8              16              24       28       32
//   ┌────────┬──────┬──────┬──────────────┬───────────────┬────────┬────────┐
//   │ "CHRN" │ ver. │flags │ createdAt ms │  baseOffset   │ logId  │ CRC-32 │
//   └────────┴──────┴──────┴──────────────┴───────────────┴────────┴────────┘
//
// The CRC covers the 28 bytes before it. A header is refused in this order, each with its own reason: not ours
// (magic), newer (version), damaged (checksum), wrong (content). So a file of another program is never called
// corrupt, and a newer log is never called damaged.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { crc32 } from './crc.ts'

/** The header's length in bytes; file position = offset − baseOffset + headerBytes. */
export const headerBytes = 32

/** The only format version this code reads and writes. */
export const formatVersion = 1

const magic = 0x4e524843 // "CHRN", read as a little-endian u32

export interface SegmentHeader {
  /** When the segment was made, in ms since the epoch. */
  readonly createdAt: number
  /** The offset of the segment's first frame. */
  readonly baseOffset: number
  /** Random u32, the same in every segment of a log. */
  readonly logId: number
}

export type HeaderFault =
  | { readonly kind: 'magic' }
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'checksum' }
  | { readonly kind: 'content'; readonly reason: string }

/** The 32 bytes of a header. */
export function encodeHeader(header: SegmentHeader): Buffer {
  const bytes = Buffer.alloc(headerBytes)
  bytes.writeUInt32LE(magic, 0)
  bytes.writeUInt16LE(formatVersion, 4)
  bytes.writeUInt16LE(0, 6)
  bytes.writeBigUInt64LE(BigInt(header.createdAt), 8)
  bytes.writeBigUInt64LE(BigInt(header.baseOffset), 16)
  bytes.writeUInt32LE(header.logId, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28), 0), 28)
  return bytes
}

/** Reads a header from the first 32 bytes of a segment; fewer bytes are a checksum fault, since a header is torn. */
export function decodeHeader(bytes: Buffer): Either<HeaderFault, SegmentHeader> {
  if (bytes.length >= 4 && bytes.readUInt32LE(0) !== magic) return left({ kind: 'magic' })
  if (bytes.length < headerBytes) return left({ kind: 'checksum' })
  const version = bytes.readUInt16LE(4)
  // Before the checksum: a later version may well keep its checksum elsewhere.
  if (version > formatVersion) return left({ kind: 'version', version })
  if (bytes.readUInt32LE(28) !== crc32(bytes.subarray(0, 28), 0)) return left({ kind: 'checksum' })
  return decodeContent(bytes)
}

function decodeContent(bytes: Buffer): Either<HeaderFault, SegmentHeader> {
  const version = bytes.readUInt16LE(4)
  if (version !== formatVersion) return left({ kind: 'content', reason: `there is no version ${version}` })
  const flags = bytes.readUInt16LE(6)
  if (flags !== 0) return left({ kind: 'content', reason: `unknown flags 0x${flags.toString(16)}` })
  const createdAt = Number(bytes.readBigUInt64LE(8))
  const baseOffset = Number(bytes.readBigUInt64LE(16))
  if (!Number.isSafeInteger(createdAt)) return left({ kind: 'content', reason: 'createdAt is over 2^53' })
  if (!Number.isSafeInteger(baseOffset)) return left({ kind: 'content', reason: 'baseOffset is over 2^53' })
  return right({ createdAt, baseOffset, logId: bytes.readUInt32LE(24) })
}
