// The segments of a log: their names, their files, and what is known of each. A segment's frames cover the offsets
// [base, end); the end of a sealed one is the base of the next, whatever its file says.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { BadSegment, ForeignSegment, UnsupportedVersion, type DiskError } from '../core/error.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import { segmentFileBytesMax } from '../core/limit.ts'
import { decodeHeader, encodeHeader, formatVersion, headerBytes, type SegmentHeader } from '../core/header.ts'
import type { SegmentIndex } from '../indexing/segment-index.ts'
import type { Disk, DiskFile } from '../port/disk.ts'

const digits = 20
const segmentPattern = /^\d{20}\.log$/

/** The file name of the segment whose first frame is at `base`. */
export function segmentName(base: number): string {
  return `${String(base).padStart(digits, '0')}.log`
}

/** The file name of that segment's index. */
export function indexName(base: number): string {
  return `${String(base).padStart(digits, '0')}.idx`
}

/** The base that a segment's file name says, or undefined for a file that is no segment. */
export function baseOfName(name: string): number | undefined {
  if (!segmentPattern.test(name)) return undefined
  const base = Number(name.slice(0, digits))
  return Number.isSafeInteger(base) ? base : undefined
}

/** The same of an index. */
export function indexBaseOfName(name: string): number | undefined {
  const base = baseOfName(`${name.slice(0, digits)}.log`)
  return base !== undefined && name === indexName(base) ? base : undefined
}

/** The bases of the segments in a folder, in order. Files with other names are none of the log's business. */
export function listSegments(disk: Disk, folder: string): Either<DiskError, readonly number[]> {
  const entries = disk.list(folder)
  if (entries._tag === 'Left') return entries
  const bases = entries.right.map((entry) => baseOfName(entry.name)).filter((base) => base !== undefined)
  return right(bases.sort((a, b) => a - b))
}

/** One segment of an open log. */
export interface Segment {
  readonly base: number
  readonly path: string
  /** The offset behind the last frame. Grows while the segment is active; set by the writer (or by a reader's refresh). */
  end: number
  /** What the frames are found by. A MemoryIndex while the segment is active, then the file; set by the index keeper. */
  index: SegmentIndex
  /** Damage that shows without reading frames: a missing segment before this one, a file that is too short. */
  readonly damage: readonly DamagedRegion[]
  /** Set when the segment was trimmed, for those who hold it still: its files are going, and no index of it is saved. */
  trimmed?: boolean
}

/** What the folder says of a segment before its frames are read. */
export interface SegmentFile {
  readonly base: number
  readonly path: string
  readonly header: SegmentHeader
  /** The bytes of frames that the file has room for: its size less the header. */
  readonly frameBytes: number
}

export type SegmentFault = BadSegment | UnsupportedVersion | ForeignSegment | DiskError

/**
 * Opens the segment file at `base` and checks its header against its name.
 * @returns undefined for a file whose creation was cut off: no more than a header's room, and no header in it
 */
export function inspectSegment(disk: Disk, path: string, base: number): Either<SegmentFault, SegmentFile | undefined> {
  const opened = disk.open(path, 'read')
  if (opened._tag === 'Left') return left(asBadSegment(opened.left))
  const file = opened.right
  try {
    const size = file.size()
    if (size._tag === 'Left') return size
    if (size.right > segmentFileBytesMax) {
      return left(new BadSegment(path, `it has ${size.right} bytes, more than a segment can have`))
    }
    const bytes = Buffer.alloc(headerBytes)
    const got = file.readSync(bytes, 0)
    if (got._tag === 'Left') return got
    const head = bytes.subarray(0, got.right)
    if (size.right <= headerBytes && creationWasCutOff(head, base)) return right(undefined)
    const header = decodeHeader(head)
    if (header._tag === 'Left') return left(headerError(path, header.left))
    if (header.right.baseOffset !== base) {
      return left(new BadSegment(path, `its header says base ${header.right.baseOffset}, its name ${base}`))
    }
    return right({ base, path, header: header.right, frameBytes: size.right - headerBytes })
  } finally {
    file.close()
  }
}

/** A folder or a link in a segment's place is not the disk's fault. */
function asBadSegment(error: DiskError): DiskError | BadSegment {
  const reasons: Readonly<Record<string, string>> = {
    EISDIR: 'it is a folder',
    ELOOP: 'it is a symbolic link',
    ENXIO: 'it is not a regular file'
  }
  const reason = reasons[error.errno]
  return reason === undefined ? error : new BadSegment(error.path, reason)
}

/**
 * Whether these are the remains of a header whose write a crash cut off: any of its bytes may be missing or zero, and
 * what is there of those that are known beforehand is right. Any other small file was put here by somebody else and is
 * refused.
 */
function creationWasCutOff(head: Buffer, base: number): boolean {
  if (decodeHeader(head)._tag === 'Right') return false
  const whole = encodeHeader({ createdAt: 0, baseOffset: base, logId: 0 })
  return head.every((byte, place) => byte === 0 || !isKnownBefore(place) || byte === whole[place])
}

/** Magic, version and flags, and the base; not the time, the log's id and the checksum. */
function isKnownBefore(place: number): boolean {
  return place < 8 || (place >= 16 && place < 24)
}

type HeaderLeft = Extract<ReturnType<typeof decodeHeader>, { readonly _tag: 'Left' }>['left']

function headerError(path: string, fault: HeaderLeft): BadSegment | UnsupportedVersion {
  switch (fault.kind) {
    case 'magic':
      return new BadSegment(path, 'it does not begin with CHRN, so it is not a segment')
    case 'version':
      return new UnsupportedVersion({ path, version: fault.version, supported: formatVersion })
    case 'checksum':
      return new BadSegment(path, 'the checksum of its header does not hold')
    case 'content':
      return new BadSegment(path, `its header does not make sense: ${fault.reason}`)
  }
}

/** Checks that all segments are of one log; answers its id. */
export function commonLogId(files: readonly SegmentFile[]): Either<ForeignSegment, number> {
  const expectedLogId = files[0]?.header.logId ?? 0
  const foreign = files.find((file) => file.header.logId !== expectedLogId)
  if (foreign === undefined) return right(expectedLogId)
  return left(new ForeignSegment({ path: foreign.path, logId: foreign.header.logId, expectedLogId }))
}

/**
 * The damage that shows between a segment and the one behind it: a gap where a segment is missing or too short.
 * A file that runs into the next one claims offsets twice; that is no crash's doing and is refused.
 */
export function checkNeighbours(file: SegmentFile, next: SegmentFile): Either<BadSegment, readonly DamagedRegion[]> {
  const fileEnd = file.base + file.frameBytes
  if (fileEnd > next.base) {
    return left(new BadSegment(file.path, `it runs ${fileEnd - next.base} bytes into ${segmentName(next.base)}`))
  }
  if (fileEnd === next.base) return right([])
  return right([{ offset: fileEnd as Offset, nextOffset: next.base as Offset, reason: 'missing' }])
}

/**
 * Creates a segment file with its header; both are durable when this resolves. On Left no such file is there, unless
 * `poisons` says that nobody knows.
 */
export async function createSegment(
  disk: Disk,
  folder: string,
  header: SegmentHeader
): Promise<Either<{ readonly error: DiskError; readonly poisons: boolean }, DiskFile>> {
  const path = `${folder}/${segmentName(header.baseOffset)}`
  const opened = disk.open(path, 'create')
  if (opened._tag === 'Left') return left({ error: opened.left, poisons: false })
  const file = opened.right
  const written = file.writeSync(encodeHeader(header), 0)
  if (written._tag === 'Left') {
    file.close()
    // The name must be gone for good before frames may stand at its offset in the segment before.
    const removed = disk.remove(path)
    const unnamed = removed._tag === 'Left' ? removed : await disk.syncFolder(folder)
    return left({ error: written.left, poisons: unnamed._tag === 'Left' })
  }
  const synced = await file.sync()
  const named = synced._tag === 'Left' ? synced : await disk.syncFolder(folder)
  if (named._tag === 'Right') return right(file)
  file.close()
  return left({ error: named.left, poisons: true })
}
