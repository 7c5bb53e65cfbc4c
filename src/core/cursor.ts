// A reader's cursor: how far it has got, and what that rests on. The file CURSOR has room for three records, a page each,
// at 0, 4096 and 8192:
//
//   0        4      6      8          16       24        32      40          48       52    56      60      64      68     72
//   ┌────────┬──────┬──────┬──────────┬────────┬─────────┬───────┬───────────┬────────┬─────┬───────┬───────┬───────┬──────┐
//   │ "CHRC" │ ver. │flags │ sequence │ cursor │ certain │ floor │ heartbeat │ period │ pid │ logId │ f(cu) │ f(ce) │ CRC  │
//   └────────┴──────┴──────┴──────────┴────────┴─────────┴───────┴───────────┴────────┴─────┴───────┴───────┴───────┴──────┘
//
// Of the records that verify, the one with the highest sequence counts. Three, so that a write can spare two: the newest
// one, should a kill tear the write, and the one that was synced last, should a power cut tear all others.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { crc32 } from './crc.ts'

export const cursorName = 'CURSOR'
/** Where the records begin: a page each, so that no write touches the page of another record. */
export const cursorPositions: readonly number[] = [0, 4_096, 8_192]
export const cursorRecordBytes = 72
export const cursorFileBytes: number = 8_192 + cursorRecordBytes
export const cursorVersion = 1

const magic = 0x43524843 // "CHRC", read as a little-endian u32
const cursorFlag = 1
const certainFlag = 2
/** More updates than any reader makes; behind a greater number there would be no room to count on. */
const sequenceMax = 2 ** 52

/** What a reader says of itself. */
export interface CursorNote {
  /** Everything before this offset is handled. */
  readonly cursor: number
  /** The least of the cursor and what was known to be on disk in the log: no power cut takes what is before it. */
  readonly certain: number
  /** What tells the events before the cursor from others in their place; undefined where nothing is before it. */
  readonly cursorPrint: number | undefined
  /** The same of `certain`. */
  readonly certainPrint: number | undefined
  /** When the reader was last known to be alive, in ms since the epoch. */
  readonly heartbeatMs: number
  /** How often it says so, in ms. */
  readonly heartbeatEveryMs: number
  /** The process that has the reader open; 0 when it was closed. */
  readonly pid: number
}

export interface CursorRecord extends CursorNote {
  /** Counts the updates. */
  readonly sequence: number
  /** Wherever a power cut sets the reader back to, it is not before this offset: a synced record says so. */
  readonly floor: number
  readonly logId: number
}

/** Why a file tells no cursor. */
export type CursorFault =
  | { readonly kind: 'damaged' }
  | { readonly kind: 'version'; readonly version: number }
  | { readonly kind: 'foreign'; readonly logId: number }

/** The newest record of a file, and which of the places it stands in. */
export interface FoundCursor {
  readonly record: CursorRecord
  readonly place: number
}

/** The 72 bytes of a record. */
export function encodeCursor(record: CursorRecord): Buffer {
  const { cursorPrint, certainPrint } = record
  const bytes = Buffer.alloc(cursorRecordBytes)
  bytes.writeUInt32LE(magic, 0)
  bytes.writeUInt16LE(cursorVersion, 4)
  bytes.writeUInt16LE((cursorPrint === undefined ? 0 : cursorFlag) | (certainPrint === undefined ? 0 : certainFlag), 6)
  const wide = [record.sequence, record.cursor, record.certain, record.floor, record.heartbeatMs]
  for (const [index, value] of wide.entries()) bytes.writeBigUInt64LE(BigInt(value), 8 + 8 * index)
  const narrow = [record.heartbeatEveryMs, record.pid, record.logId, cursorPrint ?? 0, certainPrint ?? 0]
  for (const [index, value] of narrow.entries()) bytes.writeUInt32LE(value, 48 + 4 * index)
  bytes.writeUInt32LE(crc32(bytes.subarray(0, 68), 0), 68)
  return bytes
}

/**
 * The newest record of a file. One record may always be torn or rotten, so what does not verify is passed over, whatever
 * version it claims; what verifies and is of a later version refuses the file, and so does another log's.
 */
export function decodeCursor(file: Buffer, logId: number): Either<CursorFault, FoundCursor> {
  let found: FoundCursor | undefined
  for (const [place, position] of cursorPositions.entries()) {
    const bytes = file.subarray(position, position + cursorRecordBytes)
    if (!verifies(bytes)) continue
    const version = bytes.readUInt16LE(4)
    if (version > cursorVersion) return left({ kind: 'version', version })
    const record = decodeRecord(bytes)
    if (record !== undefined && record.sequence > (found?.record.sequence ?? -1)) found = { record, place }
  }
  if (found === undefined) return left({ kind: 'damaged' })
  return found.record.logId === logId ? right(found) : left({ kind: 'foreign', logId: found.record.logId })
}

function verifies(bytes: Buffer): boolean {
  if (bytes.length < cursorRecordBytes || bytes.readUInt32LE(0) !== magic) return false
  return bytes.readUInt32LE(68) === crc32(bytes.subarray(0, 68), 0)
}

function decodeRecord(bytes: Buffer): CursorRecord | undefined {
  const flags = bytes.readUInt16LE(6)
  const u64 = (position: number): number => Number(bytes.readBigUInt64LE(position))
  const u32 = (position: number): number => bytes.readUInt32LE(position)
  const record = {
    sequence: u64(8),
    cursor: u64(16),
    certain: u64(24),
    floor: u64(32),
    heartbeatMs: u64(40),
    heartbeatEveryMs: u32(48),
    pid: u32(52),
    logId: u32(56),
    cursorPrint: (flags & cursorFlag) === 0 ? undefined : u32(60),
    certainPrint: (flags & certainFlag) === 0 ? undefined : u32(64)
  }
  const { sequence, cursor, certain, floor, heartbeatMs } = record
  const ordered = floor <= certain && certain <= cursor
  const sound = sequence <= sequenceMax && [cursor, heartbeatMs].every(Number.isSafeInteger) && ordered
  return bytes.readUInt16LE(4) === cursorVersion && flags <= (cursorFlag | certainFlag) && sound ? record : undefined
}

const namePattern = /^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/

/** What is wrong with the name of a reader, which becomes a folder's; undefined when nothing is. */
export function readerNameFault(name: unknown): string | undefined {
  if (typeof name === 'string' && namePattern.test(name)) return undefined
  return 'is no name of a reader: 1 to 100 of the characters A to Z, a to z, 0 to 9, ".", "_", "-", not beginning with "."'
}
