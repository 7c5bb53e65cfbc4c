// Reads the parts of an index file. No byte is believed before its checksum holds, at every read, and what a checksum
// proves is still checked to make sense. Keeps nothing but the trailer: caching is the business of index-file.ts.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { crc32 } from '../core/crc.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import type { DiskFile } from '../port/disk.ts'
import type { ByteSpan } from './bytes.ts'
import {
  decodeTrailer,
  fileSeed,
  inlineBytesMax,
  keyOrder,
  seedAt,
  trailerBytes,
  type IndexTrailer,
  type KindKey
} from './format.ts'
import type { FilterMemory } from './key-filter.ts'
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
  /** Where lookups keep what they need of filters; without it the file has one of its own. */
  readonly memory?: FilterMemory
}

/** A key of the file with everything that stands under it. */
export interface IndexedKey extends KindKey {
  readonly events: number
  /** 0 for what is not an aggregate. */
  readonly version: number
  /** Relative to the base, ascending. */
  readonly offsets: readonly number[]
}

/** A key of the file with its postings, whose checksum holds. */
export interface RawKey extends KindKey {
  readonly events: number
  /** 0 for what is not an aggregate. */
  readonly version: number
  readonly postings: ByteSpan
}

/** A key's postings where they are short, or where they stand in the file and what they must be. */
export interface PostingsPlace {
  readonly inline: ByteSpan | undefined
  readonly position: number
  readonly postingsBytes: number
  readonly postingsCrc: number
}

const crcBytes = 4

const nothing = Buffer.alloc(0)

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
    return section._tag === 'Left' ? section : this.checked(readDirectory(section.right, this.trailer))
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

  /** The key block of a group, in `scratch` where that is large enough. */
  block(directory: Directory, group: number, scratch?: Buffer): Either<IndexError, KeyBlock> {
    const postingsBytes = directory.postingsBytes[group] as number
    const start = (directory.starts[group] as number) + postingsBytes
    const length = (directory.starts[group + 1] as number) - start
    const bytes = this.#sealedInto(
      scratch !== undefined && length <= scratch.length ? scratch : undefined,
      start,
      length
    )
    return bytes._tag === 'Left' ? bytes : right({ entries: bytes.right, entriesEnd: length - crcBytes, postingsBytes })
  }

  /** A page of a filter. */
  filterPage(position: number, length: number): Either<IndexError, Buffer> {
    return this.#sealed(position, length)
  }

  /** One key's postings, whose checksum holds. */
  postings(place: PostingsPlace): Either<IndexError, ByteSpan> {
    if (place.inline !== undefined) return right(place.inline)
    const { position, postingsBytes, postingsCrc } = place
    const bytes = readExactly(this.#file, position, postingsBytes)
    return bytes._tag === 'Left' ? bytes : this.#intact(spanOf(bytes.right), position, postingsCrc)
  }

  /** One key's offsets, absolute. */
  offsets(place: PostingsPlace, events: number): Either<IndexError, number[]> {
    const bytes = this.postings(place)
    if (bytes._tag === 'Left') return bytes
    const { base, end } = this.trailer
    return this.checked(readPostings(bytes.right, { events, base, limit: end - base }))
  }

  /** The offsets of a key whose postings were read, absolute. */
  offsetsOf({ postings, events }: RawKey): Either<IndexError, number[]> {
    const { base, end } = this.trailer
    return this.checked(readPostings(postings, { events, base, limit: end - base }))
  }

  /** All keys of a group, without their postings. */
  heads(directory: Directory, group: number): Either<IndexError, readonly KeyEntry[]> {
    const block = this.block(directory, group)
    if (block._tag === 'Left') return block
    return this.#entries(directory, group, block.right)
  }

  /** All keys of a group with the bytes of their postings. */
  rawGroup(directory: Directory, group: number): Either<IndexError, readonly RawKey[]> {
    const block = this.block(directory, group)
    if (block._tag === 'Left') return block
    const entries = this.#entries(directory, group, block.right)
    if (entries._tag === 'Left') return entries
    const start = directory.starts[group] as number
    const long = readExactly(this.#file, start, block.right.postingsBytes)
    if (long._tag === 'Left') return long
    const keys: RawKey[] = []
    let at = 0
    for (const { kind, key, events, version, postingsBytes, inlineAt, postingsCrc } of entries.right) {
      if (postingsBytes <= inlineBytesMax) {
        const postings = { bytes: block.right.entries, start: inlineAt, end: inlineAt + postingsBytes }
        keys.push({ kind, key, events, version, postings })
        continue
      }
      const postings = { bytes: long.right, start: at, end: at + postingsBytes }
      const intact = this.#intact(postings, start + at, postingsCrc)
      if (intact._tag === 'Left') return intact
      keys.push({ kind, key, events, version, postings })
      at += postingsBytes
    }
    return right(keys)
  }

  #entries(directory: Directory, group: number, block: KeyBlock): Either<IndexError, readonly KeyEntry[]> {
    const entries = this.checked(readEntries(block))
    if (entries._tag === 'Left') return entries
    const first = entries.right[0]
    if (first !== undefined && keyOrder(first, directory.firsts[group] as KindKey) === 0) return entries
    return this.damaged('content: the directory and a key block differ')
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

  #intact(span: ByteSpan, position: number, crc: number): Either<IndexError, ByteSpan> {
    const intact = crc32(span.bytes.subarray(span.start, span.end), seedAt(this.#seed, position)) === crc
    return intact ? right(span) : this.damaged(`checksum: the postings at ${position}`)
  }

  #strides(): Either<IndexError, Buffer> {
    const { groupsBytes, directoryBytes, stridesBytes } = this.trailer
    return this.#sealed(groupsBytes + directoryBytes, stridesBytes)
  }

  /** Reads what is closed by a CRC, and hands it over without it. The caller has checked that it lies in the file. */
  #sealed(position: number, length: number): Either<IndexError, Buffer> {
    const bytes = this.#sealedInto(undefined, position, length)
    return bytes._tag === 'Left' ? bytes : right(bytes.right.subarray(0, length - crcBytes))
  }

  /** As `sealed`, with the CRC, and into `target`, which has room for it, if there is one. */
  #sealedInto(target: Buffer | undefined, position: number, length: number): Either<IndexError, Buffer> {
    if (length < crcBytes) return this.damaged('content: a section without its checksum')
    const bytes = readExactly(this.#file, position, length, target)
    if (bytes._tag === 'Left') return bytes
    const body = bytes.right.subarray(0, length - crcBytes)
    const intact = crc32(body, seedAt(this.#seed, position)) === bytes.right.readUInt32LE(length - crcBytes)
    return intact ? bytes : this.damaged(`checksum: the block at ${position}`)
  }
}

/** All of a buffer. */
export function spanOf(bytes: Buffer): ByteSpan {
  return { bytes, start: 0, end: bytes.length }
}

function readExactly(file: DiskFile, position: number, length: number, target?: Buffer): Either<IndexError, Buffer> {
  if (length > readBytesMax) return left(new IndexDamaged(file.path, `content: ${length} bytes in one piece`))
  if (length === 0) return right(nothing)
  const bytes = target?.subarray(0, length) ?? Buffer.allocUnsafe(length)
  const count = file.readSync(bytes, position)
  if (count._tag === 'Left') return count
  return count.right === length ? right(bytes) : left(new IndexDamaged(file.path, 'content: it became shorter'))
}
