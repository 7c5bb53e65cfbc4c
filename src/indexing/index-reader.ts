// Reads the parts of an index file. No byte is believed before its checksum holds, at every read, and what a checksum
// proves is still checked to make sense. Keeps nothing but the trailer: caching is the business of index-file.ts.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { crc32 } from '../core/crc.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import type { DiskFile } from '../port/disk.ts'
import { decodeTrailer, fileSeed, keyOrder, seedAt, trailerBytes, type IndexTrailer, type KindKey } from './format.ts'
import {
  readDamage,
  readDirectory,
  readEntries,
  readPostings,
  readSegments,
  readStrides,
  type Directory,
  type KeyBlock,
  type KeyEntry,
  type TimedOffsets
} from './section.ts'
import { IndexDamaged, type IndexError } from './segment-index.ts'
import type { Timeline } from './timeline.ts'

/** What the caller knows of the segment that the file stands beside, or of the segments that a tier covers. */
export interface ExpectedIdentity {
  readonly logId: number
  readonly base: number
}

/** A key of the file with everything that stands under it. */
export interface IndexedKey extends KindKey {
  readonly events: number
  /** 0 for what is not an aggregate. */
  readonly version: number
  /** Relative to the base, ascending. */
  readonly offsets: readonly number[]
}

/** A key of the file with the bytes of its postings, whose checksum holds. */
export interface RawKey extends KindKey {
  readonly events: number
  /** 0 for what is not an aggregate. */
  readonly version: number
  readonly postings: Buffer
}

/** Where a key's postings stand in the file, and what they must be. */
export interface PostingsPlace {
  readonly position: number
  readonly postingsBytes: number
  readonly postingsCrc: number
}

const crcBytes = 4

/** Nothing that is read at once is larger in a file of our own; a file that says so has no claim to the memory. */
const readBytesMax: number = 1024 * 1024 * 1024

export class IndexReader {
  readonly trailer: IndexTrailer
  readonly #file: DiskFile
  readonly #seed: number

  private constructor(file: DiskFile, trailer: IndexTrailer) {
    this.trailer = trailer
    this.#file = file
    this.#seed = fileSeed(trailer)
  }

  /**
   * Reads the trailer and checks that the file is of this kind and this log and begins at this base. The file stays
   * the caller's.
   */
  static read(file: DiskFile, expected: ExpectedIdentity, tier: boolean): Either<IndexError, IndexReader> {
    const size = file.size()
    if (size._tag === 'Left') return size
    const length = Math.min(trailerBytes, size.right)
    const bytes = readExactly(file, size.right - length, length)
    if (bytes._tag === 'Left') return bytes
    const trailer = decodeTrailer(bytes.right, size.right, tier)
    if (trailer._tag === 'Left') return left(new IndexDamaged(file.path, trailer.left))
    const { logId, base } = trailer.right
    if (logId !== expected.logId) return left(new IndexDamaged(file.path, `content: it belongs to log ${logId}`))
    if (base !== expected.base) return left(new IndexDamaged(file.path, `content: it begins at ${base}`))
    return right(new IndexReader(file, trailer.right))
  }

  directory(): Either<IndexError, Directory> {
    const { groupsBytes, directoryBytes } = this.trailer
    const section = this.#sealed(groupsBytes, directoryBytes)
    return section._tag === 'Left' ? section : this.checked(readDirectory(section.right, groupsBytes))
  }

  timeline(): Either<IndexError, Timeline> {
    const section = this.#strides()
    return section._tag === 'Left' ? section : this.checked(readStrides(section.right, this.trailer))
  }

  /** The segments of a tier. */
  segments(): Either<IndexError, TimedOffsets> {
    const section = this.#strides()
    return section._tag === 'Left' ? section : this.checked(readSegments(section.right, this.trailer))
  }

  damage(): Either<IndexError, readonly DamagedRegion[]> {
    const { groupsBytes, directoryBytes, stridesBytes, damageBytes } = this.trailer
    const section = this.#sealed(groupsBytes + directoryBytes + stridesBytes, damageBytes)
    return section._tag === 'Left' ? section : this.checked(readDamage(section.right, this.trailer))
  }

  /** The key block of a group. */
  block(directory: Directory, group: number): Either<IndexError, KeyBlock> {
    const postingsBytes = directory.postingsBytes[group] as number
    const start = (directory.starts[group] as number) + postingsBytes
    const entries = this.#sealed(start, (directory.starts[group + 1] as number) - start)
    return entries._tag === 'Left' ? entries : right({ entries: entries.right, postingsBytes })
  }

  /** One key's postings, whose checksum holds. */
  postings(place: PostingsPlace): Either<IndexError, Buffer> {
    const bytes = readExactly(this.#file, place.position, place.postingsBytes)
    return bytes._tag === 'Left' ? bytes : this.#intact(bytes.right, place.position, place.postingsCrc)
  }

  /** One key's offsets, absolute. */
  offsets(place: PostingsPlace, events: number): Either<IndexError, number[]> {
    const bytes = this.postings(place)
    if (bytes._tag === 'Left') return bytes
    const { base, end } = this.trailer
    return this.checked(readPostings(bytes.right, { events, base, limit: end - base }))
  }

  /** All keys of a group, without their postings. */
  heads(directory: Directory, group: number): Either<IndexError, readonly KeyEntry[]> {
    const block = this.block(directory, group)
    if (block._tag === 'Left') return block
    const entries = this.checked(readEntries(block.right))
    if (entries._tag === 'Left') return entries
    const first = entries.right[0]
    if (first !== undefined && keyOrder(first, directory.firsts[group] as KindKey) === 0) return entries
    return this.damaged('content: the directory and a key block differ')
  }

  /** All keys of a group with the bytes of their postings. */
  rawGroup(directory: Directory, group: number): Either<IndexError, readonly RawKey[]> {
    const entries = this.heads(directory, group)
    if (entries._tag === 'Left') return entries
    const start = directory.starts[group] as number
    const postings = readExactly(this.#file, start, directory.postingsBytes[group] as number)
    if (postings._tag === 'Left') return postings
    const keys: RawKey[] = []
    let at = 0
    for (const entry of entries.right) {
      const { kind, key, events, version, postingsBytes, postingsCrc } = entry
      const bytes = postings.right.subarray(at, at + postingsBytes)
      const intact = this.#intact(bytes, start + at, postingsCrc)
      if (intact._tag === 'Left') return intact
      keys.push({ kind, key, events, version, postings: bytes })
      at += postingsBytes
    }
    return right(keys)
  }

  /** All keys of a group with their offsets. */
  group(directory: Directory, group: number): Either<IndexError, readonly IndexedKey[]> {
    const raw = this.rawGroup(directory, group)
    if (raw._tag === 'Left') return raw
    const limit = this.trailer.end - this.trailer.base
    const keys: IndexedKey[] = []
    for (const { kind, key, version, events, postings } of raw.right) {
      const offsets = this.checked(readPostings(postings, { events, base: 0, limit }))
      if (offsets._tag === 'Left') return offsets
      keys.push({ kind, key, version, events, offsets: offsets.right })
    }
    return right(keys)
  }

  /** Gives a decoder's refusal the name of the file. */
  checked<Value>(decoded: Either<string, Value>): Either<IndexError, Value> {
    return decoded._tag === 'Left' ? this.damaged(decoded.left) : decoded
  }

  damaged(reason: string): Either<IndexDamaged, never> {
    return left(new IndexDamaged(this.#file.path, reason))
  }

  #intact(bytes: Buffer, position: number, crc: number): Either<IndexError, Buffer> {
    const intact = crc32(bytes, seedAt(this.#seed, position)) === crc
    return intact ? right(bytes) : this.damaged(`checksum: the postings at ${position}`)
  }

  #strides(): Either<IndexError, Buffer> {
    const { groupsBytes, directoryBytes, stridesBytes } = this.trailer
    return this.#sealed(groupsBytes + directoryBytes, stridesBytes)
  }

  /** Reads what is closed by a CRC, and hands it over without it. The caller has checked that it lies in the file. */
  #sealed(position: number, length: number): Either<IndexError, Buffer> {
    if (length < crcBytes) return this.damaged('content: a section without its checksum')
    const bytes = readExactly(this.#file, position, length)
    if (bytes._tag === 'Left') return bytes
    const body = bytes.right.subarray(0, length - crcBytes)
    const intact = crc32(body, seedAt(this.#seed, position)) === bytes.right.readUInt32LE(length - crcBytes)
    return intact ? right(body) : this.damaged(`checksum: the block at ${position}`)
  }
}

function readExactly(file: DiskFile, position: number, length: number): Either<IndexError, Buffer> {
  if (length > readBytesMax) return left(new IndexDamaged(file.path, `content: ${length} bytes in one piece`))
  const bytes = Buffer.allocUnsafe(length)
  const count = file.readSync(bytes, position)
  if (count._tag === 'Left') return count
  return count.right === length ? right(bytes) : left(new IndexDamaged(file.path, 'content: it became shorter'))
}
