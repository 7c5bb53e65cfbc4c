// The mark: how far the log is known to be on disk. Recovery needs it to tell a torn tail from damage (a bad byte
// below the mark was once read back as good by the disk). It is a hint that may lag and is never ahead of the truth.
//
// The file MARK holds two records, at 0 and at 512, written in turn, so that a torn write leaves the other one:
//
//   0        4      6      8            16            24       28       32
//   ┌────────┬──────┬──────┬────────────┬─────────────┬────────┬────────┐
//   │ "CHRM" │ ver. │flags │  sequence  │   durable   │ logId  │ CRC-32 │     little-endian
//   └────────┴──────┴──────┴────────────┴─────────────┴────────┴────────┘
//
// Flag bit 0, clean: the log was closed at `durable` and its index was saved. Either record is true for ever, since
// a log never shrinks below what was synced; the one with the higher sequence is the newer.

import { crc32 } from './crc.ts'

export const markName = 'MARK'
/** Where the two records begin. */
export const markPositions: readonly [number, number] = [0, 512]
export const markRecordBytes = 32
export const markFileBytes: number = 512 + markRecordBytes

const magic = 0x4d524843 // "CHRM", read as a little-endian u32
const version = 1
const cleanFlag = 1

export interface Mark {
  /** Counts the updates; even sequences stand in the first record, odd ones in the second. */
  readonly sequence: number
  /** All frames before this offset are on disk. */
  readonly durable: number
  readonly clean: boolean
  readonly logId: number
}

/** What is known where there is no mark: nothing. */
function noMark(logId: number): Mark {
  return { sequence: 0, durable: 0, clean: false, logId }
}

/** Where in the file a mark is written. */
export function markPosition(mark: Mark): number {
  return markPositions[mark.sequence % 2 === 0 ? 0 : 1]
}

/** The 32 bytes of a mark. */
export function encodeMark(mark: Mark): Buffer {
  const bytes = Buffer.alloc(markRecordBytes)
  bytes.writeUInt32LE(magic, 0)
  bytes.writeUInt16LE(version, 4)
  bytes.writeUInt16LE(mark.clean ? cleanFlag : 0, 6)
  bytes.writeBigUInt64LE(BigInt(mark.sequence), 8)
  bytes.writeBigUInt64LE(BigInt(mark.durable), 16)
  bytes.writeUInt32LE(mark.logId, 24)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 28), 0), 28)
  return bytes
}

/**
 * The newer of the file's valid records, or noMark. A mark of another log says nothing about this one; where the log
 * has no segment left that could tell its id, `logId` is undefined and any mark counts.
 */
export function decodeMark(file: Buffer, logId: number | undefined): Mark {
  let newest = noMark(logId ?? 0)
  for (const position of markPositions) {
    const mark = decodeRecord(file.subarray(position, position + markRecordBytes))
    const ours = mark !== undefined && (logId === undefined || mark.logId === logId)
    if (ours && mark.sequence >= newest.sequence) newest = mark
  }
  return newest
}

function decodeRecord(bytes: Buffer): Mark | undefined {
  if (bytes.length < markRecordBytes) return undefined
  if (bytes.readUInt32LE(0) !== magic || bytes.readUInt16LE(4) !== version) return undefined
  if (bytes.readUInt32LE(28) !== crc32(bytes.subarray(0, 28), 0)) return undefined
  const flags = bytes.readUInt16LE(6)
  const sequence = Number(bytes.readBigUInt64LE(8))
  const durable = Number(bytes.readBigUInt64LE(16))
  if (flags > cleanFlag || !Number.isSafeInteger(sequence) || !Number.isSafeInteger(durable)) return undefined
  return { sequence, durable, clean: flags === cleanFlag, logId: bytes.readUInt32LE(24) }
}
