// The index of a sealed segment, or the checkpoint of the active one: looked up in its file. Memory holds the trailer
// and, once a lookup has asked for them, the directory (a key per 4 KiB of keys) and the strides; a lookup reads one
// key block and the postings it needs. No byte is believed before its checksum holds, at every read, and what a
// checksum proves is still checked to make sense.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Version } from '../core/brand.ts'
import { crc32 } from '../core/crc.ts'
import type { DamagedRegion, DiskError } from '../core/error.ts'
import type { QueryItem } from '../core/query.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { AggregateSummary } from '../port/store.ts'
import { encodeKey } from './bytes.ts'
import {
  decodeTrailer,
  fileSeed,
  keyKind,
  keyOrder,
  seedAt,
  trailerBytes,
  type IndexTrailer,
  type KeyKind,
  type KindKey
} from './format.ts'
import {
  findEntry,
  readDamage,
  readDirectory,
  readEntries,
  readPostings,
  readStrides,
  type Directory,
  type KeyBlock,
  type KeyEntry
} from './section.ts'
import { IndexDamaged, type IndexError, type SegmentIndex } from './segment-index.ts'
import { selectOffsets, type Postings } from './select.ts'
import type { Timeline } from './timeline.ts'

const crcBytes = 4

/** A key of the file with everything that stands under it. */
export interface IndexedKey extends KindKey {
  /** 0 for what is not an aggregate. */
  readonly version: number
  /** Relative to the base, ascending. */
  readonly offsets: readonly number[]
}

/** A key's events, found but not read. */
interface Found extends Postings {
  readonly version: number
}

export class IndexFile implements SegmentIndex {
  readonly base: number
  readonly end: number
  readonly logId: number
  readonly lastFrameCrc: number
  readonly events: number
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
  readonly #file: DiskFile
  readonly #trailer: IndexTrailer
  readonly #seed: number
  // Caches, set by the first lookup that needs them.
  #directory: Directory | undefined
  #timeline: Timeline | undefined

  private constructor(file: DiskFile, trailer: IndexTrailer) {
    this.base = trailer.base
    this.end = trailer.end
    this.logId = trailer.logId
    this.lastFrameCrc = trailer.lastFrameCrc
    this.events = trailer.events
    this.firstTimestampMs = trailer.firstTimestampMs
    this.lastTimestampMs = trailer.lastTimestampMs
    this.#file = file
    this.#trailer = trailer
    this.#seed = fileSeed(trailer)
  }

  /** Opens a file and checks its trailer, and that it is of this log and begins at this base. Whoever opens closes. */
  static open(
    disk: Disk,
    path: string,
    expected: { readonly logId: number; readonly base: number }
  ): Either<IndexError, IndexFile> {
    const opened = disk.open(path, 'read')
    if (opened._tag === 'Left') return opened
    const file = opened.right
    const trailer = readTrailer(file, expected)
    if (trailer._tag === 'Right') return right(new IndexFile(file, trailer.right))
    file.close()
    return trailer
  }

  /** Idempotent. Every later lookup answers with the disk's EBADF. */
  close(): void {
    this.#file.close()
    this.releaseCaches()
  }

  /** Lets go of the directory and the strides; the next lookup reads them again. */
  releaseCaches(): void {
    this.#directory = undefined
    this.#timeline = undefined
  }

  damage(): Either<IndexError, readonly DamagedRegion[]> {
    const { groupsBytes, directoryBytes, stridesBytes, damageBytes } = this.#trailer
    const section = this.#readSealed(groupsBytes + directoryBytes + stridesBytes, damageBytes)
    return section._tag === 'Left' ? section : this.#checked(readDamage(section.right, this.#trailer))
  }

  version(aggregateId: string): Either<IndexError, number> {
    const found = this.#find(keyKind.aggregate, aggregateId)
    return found._tag === 'Left' ? found : right(found.right === undefined ? 0 : found.right.version)
  }

  aggregateOffsets(aggregateId: string): Either<IndexError, readonly number[]> {
    const found = this.#find(keyKind.aggregate, aggregateId)
    if (found._tag === 'Left') return found
    return found.right === undefined ? right([]) : found.right.offsets()
  }

  select(items: readonly QueryItem[]): Either<IndexError, readonly number[]> {
    return selectOffsets(items, this.#find)
  }

  *aggregates(prefix: string): Generator<Either<IndexError, AggregateSummary>, void, undefined> {
    const directory = this.#loadDirectory()
    if (directory._tag === 'Left') return yield directory
    const { starts } = directory.right
    const from: KindKey = { kind: keyKind.aggregate, key: prefix }
    const first = Math.max(0, groupOf(directory.right, from))
    for (let group = first; group < starts.length - 1; group++) {
      const block = this.#readBlock(directory.right, group)
      if (block._tag === 'Left') return yield block
      const entries = this.#checked(readEntries(block.right))
      if (entries._tag === 'Left') return yield entries
      for (const entry of entries.right) {
        if (keyOrder(entry, from) < 0) continue
        if (entry.kind !== keyKind.aggregate || !entry.key.startsWith(prefix)) return
        yield right({ aggregateId: entry.key, version: Version(entry.version) })
      }
    }
  }

  frameBefore(offset: number): Either<IndexError, number> {
    const timeline = this.timeline()
    return timeline._tag === 'Left' ? timeline : right(this.base + timeline.right.frameBefore(offset - this.base))
  }

  frameBeforeTime(timestampMs: number): Either<IndexError, number> {
    const timeline = this.timeline()
    return timeline._tag === 'Left' ? timeline : right(this.base + timeline.right.frameBeforeTime(timestampMs))
  }

  /** The sparse time index, offsets relative to the base. */
  timeline(): Either<IndexError, Timeline> {
    if (this.#timeline !== undefined) return right(this.#timeline)
    const { groupsBytes, directoryBytes, stridesBytes } = this.#trailer
    const section = this.#readSealed(groupsBytes + directoryBytes, stridesBytes)
    if (section._tag === 'Left') return section
    const timeline = this.#checked(readStrides(section.right, this.#trailer))
    if (timeline._tag === 'Right') this.#timeline = timeline.right
    return timeline
  }

  /** Every key with its offsets, in the order of the file, which is checked. A Left is the last thing that comes. */
  *keys(): Generator<Either<IndexError, IndexedKey>, void, undefined> {
    const directory = this.#loadDirectory()
    if (directory._tag === 'Left') return yield directory
    let before: KindKey | undefined
    let aggregateEvents = 0
    let typeEvents = 0
    for (let group = 0; group < directory.right.firsts.length; group++) {
      const keys = this.#readGroup(directory.right, group)
      if (keys._tag === 'Left') return yield keys
      for (const key of keys.right) {
        if (before !== undefined && keyOrder(before, key) >= 0) return yield this.#damaged('content: keys out of order')
        before = key
        if (key.kind === keyKind.aggregate) aggregateEvents += key.offsets.length
        if (key.kind === keyKind.type) typeEvents += key.offsets.length
        yield right(key)
      }
    }
    // Every event has one aggregate and one type.
    if (aggregateEvents === this.events && typeEvents === this.events) return
    yield this.#damaged('content: the count of events and the keys differ')
  }

  /** Reads and checks every byte. */
  verify(): Either<IndexError, void> {
    const trailer = readTrailer(this.#file, this)
    if (trailer._tag === 'Left') return trailer
    this.releaseCaches()
    for (const key of this.keys()) if (key._tag === 'Left') return key
    const timeline = this.timeline()
    if (timeline._tag === 'Left') return timeline
    const damage = this.damage()
    return damage._tag === 'Left' ? damage : right(undefined)
  }

  readonly #find = (kind: KeyKind, key: string): Either<IndexError, Found | undefined> => {
    const directory = this.#loadDirectory()
    if (directory._tag === 'Left') return directory
    const group = groupOf(directory.right, { kind, key })
    if (group < 0) return right(undefined)
    const block = this.#readBlock(directory.right, group)
    if (block._tag === 'Left') return block
    const entry = this.#checked(findEntry(block.right, kind, encodeKey(key)))
    if (entry._tag === 'Left') return entry
    if (entry.right === undefined) return right(undefined)
    const { events, version, postingsAt, postingsBytes, postingsCrc } = entry.right
    const position = (directory.right.starts[group] as number) + postingsAt
    return right({
      version,
      count: events,
      offsets: () => {
        const bytes = this.#read(position, postingsBytes)
        return bytes._tag === 'Left' ? bytes : this.#postings(bytes.right, { position, postingsCrc, events }, this.base)
      }
    })
  }

  /** All keys of a group, with their postings. */
  #readGroup(directory: Directory, group: number): Either<IndexError, IndexedKey[]> {
    const start = directory.starts[group] as number
    const block = this.#readBlock(directory, group)
    if (block._tag === 'Left') return block
    const entries = this.#checked(readEntries(block.right))
    if (entries._tag === 'Left') return entries
    const postings = this.#read(start, block.right.postingsBytes)
    if (postings._tag === 'Left') return postings
    const keys: IndexedKey[] = []
    let at = 0
    for (const entry of entries.right) {
      const bytes = postings.right.subarray(at, at + entry.postingsBytes)
      const offsets = this.#postings(bytes, { ...entry, position: start + at }, 0)
      if (offsets._tag === 'Left') return offsets
      keys.push({ kind: entry.kind, key: entry.key, version: entry.version, offsets: offsets.right })
      at += entry.postingsBytes
    }
    const first = keys[0]
    if (first !== undefined && keyOrder(first, directory.firsts[group] as KindKey) === 0) return right(keys)
    return this.#damaged('content: the directory and a key block differ')
  }

  #postings(
    bytes: Buffer,
    entry: Pick<KeyEntry, 'postingsCrc' | 'events'> & { readonly position: number },
    base: number
  ): Either<IndexError, number[]> {
    if (crc32(bytes, seedAt(this.#seed, entry.position)) !== entry.postingsCrc) {
      return this.#damaged('checksum: postings')
    }
    return this.#checked(readPostings(bytes, { events: entry.events, base, limit: this.end - this.base }))
  }

  #loadDirectory(): Either<IndexError, Directory> {
    if (this.#directory !== undefined) return right(this.#directory)
    const { groupsBytes, directoryBytes } = this.#trailer
    const section = this.#readSealed(groupsBytes, directoryBytes)
    if (section._tag === 'Left') return section
    const directory = this.#checked(readDirectory(section.right, groupsBytes))
    if (directory._tag === 'Right') this.#directory = directory.right
    return directory
  }

  #readBlock(directory: Directory, group: number): Either<IndexError, KeyBlock> {
    const postingsBytes = directory.postingsBytes[group] as number
    const start = (directory.starts[group] as number) + postingsBytes
    const entries = this.#readSealed(start, (directory.starts[group + 1] as number) - start)
    return entries._tag === 'Left' ? entries : right({ entries: entries.right, postingsBytes })
  }

  /** Reads what is closed by a CRC, and hands it over without it. */
  #readSealed(position: number, length: number): Either<IndexError, Buffer> {
    if (length < crcBytes) return this.#damaged('content: a section without its checksum')
    const bytes = this.#read(position, length)
    if (bytes._tag === 'Left') return bytes
    const body = bytes.right.subarray(0, length - crcBytes)
    const sealed = crc32(body, seedAt(this.#seed, position)) === bytes.right.readUInt32LE(length - crcBytes)
    return sealed ? right(body) : this.#damaged(`checksum: the block at ${position}`)
  }

  /** The caller has checked that position and length lie in the file as it was when it was opened. */
  #read(position: number, length: number): Either<IndexError, Buffer> {
    return readExactly(this.#file, position, length)
  }

  #checked<Value>(decoded: Either<string, Value>): Either<IndexError, Value> {
    return decoded._tag === 'Left' ? this.#damaged(decoded.left) : decoded
  }

  #damaged(reason: string): Either<IndexDamaged, never> {
    return left(new IndexDamaged(this.#file.path, reason))
  }
}

function readTrailer(
  file: DiskFile,
  expected: { readonly logId: number; readonly base: number }
): Either<IndexError, IndexTrailer> {
  const size = file.size()
  if (size._tag === 'Left') return size
  const length = Math.min(trailerBytes, size.right)
  const bytes = readExactly(file, size.right - length, length)
  if (bytes._tag === 'Left') return bytes
  const trailer = decodeTrailer(bytes.right, size.right)
  if (trailer._tag === 'Left') return left(new IndexDamaged(file.path, trailer.left))
  const { logId, base } = trailer.right
  if (logId !== expected.logId) return left(new IndexDamaged(file.path, `content: it belongs to log ${logId}`))
  if (base !== expected.base) return left(new IndexDamaged(file.path, `content: it begins at ${base}`))
  return trailer
}

function readExactly(file: DiskFile, position: number, length: number): Either<IndexError, Buffer> {
  const bytes = Buffer.allocUnsafe(length)
  const count: Either<DiskError, number> = file.readSync(bytes, position)
  if (count._tag === 'Left') return count
  return count.right === length ? right(bytes) : left(new IndexDamaged(file.path, 'content: it became shorter'))
}

/** The last group whose first key is at or before this one, or −1: the only one that may hold it. */
function groupOf(directory: Directory, wanted: KindKey): number {
  const { firsts } = directory
  let low = 0
  let high = firsts.length
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (keyOrder(firsts[middle] as KindKey, wanted) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}
