// What stands beside the segments and speaks about them: the mark and the index files. When headers are damaged it
// tells which log this is, how far that reached, and where its segments stood.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { decodeMark, markPositions, markRecordBytes, type Mark } from '../core/mark.ts'
import { decodeTrailer, trailerBytes, type IndexTrailer } from '../indexing/format.ts'
import type { Disk, DiskEntry } from '../port/disk.ts'
import { indexName, segmentName } from './segment.ts'

/** A file of the log's folder that is named after a segment. */
export interface NamedEntry extends DiskEntry {
  readonly base: number
}

/** The entries of a folder, by what their names say that they are. Each list is in the order of base or name. */
export interface FolderEntries {
  readonly segments: readonly NamedEntry[]
  readonly indexes: readonly NamedEntry[]
  readonly others: readonly DiskEntry[]
}

export function sortEntries(entries: readonly DiskEntry[]): FolderEntries {
  const segments: NamedEntry[] = []
  const indexes: NamedEntry[] = []
  const others: DiskEntry[] = []
  for (const entry of entries) {
    const base = Number(entry.name.slice(0, 20))
    if (!Number.isSafeInteger(base)) others.push(entry)
    else if (entry.name === segmentName(base)) segments.push({ ...entry, base })
    else if (entry.name === indexName(base)) indexes.push({ ...entry, base })
    else others.push(entry)
  }
  segments.sort((a, b) => a.base - b.base)
  indexes.sort((a, b) => a.base - b.base)
  others.sort((a, b) => (a.name < b.name ? -1 : 1))
  return { segments, indexes, others }
}

/** One of the mark's two records: 'unwritten' while only the other was ever written. */
export type MarkRecord = Mark | 'unwritten' | 'damaged'

/** The two records of a mark's file. */
export function markRecords(bytes: Buffer): readonly [MarkRecord, MarkRecord] {
  return [recordAt(bytes, markPositions[0]), recordAt(bytes, markPositions[1])]
}

function recordAt(bytes: Buffer, position: number): MarkRecord {
  const record = bytes.subarray(position, position + markRecordBytes)
  if (record.every((byte) => byte === 0)) return 'unwritten'
  // Sequences count from 1, so what answers 0 was refused.
  const mark = decodeMark(record, undefined)
  return mark.sequence === 0 ? 'damaged' : mark
}

/** What an index file says of itself; undefined when it is no whole index file. */
export function readTrailer(disk: Disk, path: string): Either<DiskError, IndexTrailer | undefined> {
  const opened = disk.open(path, 'read')
  if (opened._tag === 'Left') return opened.left.errno === 'ENOENT' ? right(undefined) : opened
  const file = opened.right
  try {
    const size = file.size()
    if (size._tag === 'Left') return size
    const bytes = Buffer.alloc(Math.min(trailerBytes, size.right))
    const got = file.readSync(bytes, size.right - bytes.length)
    if (got._tag === 'Left') return got
    const trailer = decodeTrailer(bytes.subarray(0, got.right), size.right)
    return right(trailer._tag === 'Left' ? undefined : trailer.right)
  } finally {
    file.close()
  }
}

/** All index files that say whose they are, by base. */
export function readTrailers(
  disk: Disk,
  folder: string,
  indexes: readonly NamedEntry[]
): Either<DiskError, ReadonlyMap<number, IndexTrailer>> {
  const trailers = new Map<number, IndexTrailer>()
  for (const { name, base, kind } of indexes) {
    if (kind !== 'file') continue
    const trailer = readTrailer(disk, `${folder}/${name}`)
    if (trailer._tag === 'Left') return left(trailer.left)
    if (trailer.right?.base === base) trailers.set(base, trailer.right)
  }
  return right(trailers)
}
