// The index of a sealed segment, or the checkpoint of the active one: looked up in its file. Memory holds the trailer
// and, once a lookup has asked for them, the directory (a key per 4 KiB of keys) and the strides; a lookup reads one
// key block and the postings it needs.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { Version } from '../core/brand.ts'
import type { DamagedRegion } from '../core/error.ts'
import type { QueryItem } from '../core/query.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { AggregateSummary } from '../port/store.ts'
import { encodeKey } from './bytes.ts'
import { keyKind, keyOrder, type KeyKind, type KindKey } from './format.ts'
import { IndexReader, type ExpectedIdentity, type IndexedKey } from './index-reader.ts'
import { findEntry, readEntries, type Directory } from './section.ts'
import type { IndexError, SegmentIndex } from './segment-index.ts'
import { selectOffsets, type Postings } from './select.ts'
import { countBelow, type Timeline } from './timeline.ts'

/** A key that was found; its offsets are not read yet. */
interface FoundKey extends Postings {
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
  readonly #reader: IndexReader
  // Caches, set by the first lookup that needs them and emptied by releaseCaches.
  #directory: Directory | undefined
  #timeline: Timeline | undefined

  private constructor(file: DiskFile, reader: IndexReader) {
    const { trailer } = reader
    this.base = trailer.base
    this.end = trailer.end
    this.logId = trailer.logId
    this.lastFrameCrc = trailer.lastFrameCrc
    this.events = trailer.events
    this.firstTimestampMs = trailer.firstTimestampMs
    this.lastTimestampMs = trailer.lastTimestampMs
    this.#file = file
    this.#reader = reader
  }

  /** Opens a file and checks its trailer, and that it is of this log and begins at this base. Whoever opens closes. */
  static open(disk: Disk, path: string, expected: ExpectedIdentity): Either<IndexError, IndexFile> {
    const opened = disk.open(path, 'read')
    if (opened._tag === 'Left') return opened
    const reader = IndexReader.read(opened.right, expected)
    if (reader._tag === 'Right') return right(new IndexFile(opened.right, reader.right))
    opened.right.close()
    return reader
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
    return this.#reader.damage()
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

  select(items: readonly QueryItem[], since = 0): Either<IndexError, readonly number[]> {
    const selected = selectOffsets(items, this.#find)
    return selected._tag === 'Left' ? selected : right(selected.right.slice(countBelow(selected.right, since)))
  }

  *aggregates(prefix: string): Generator<Either<IndexError, AggregateSummary>, void, undefined> {
    const directory = this.#loadDirectory()
    if (directory._tag === 'Left') return yield directory
    const from: KindKey = { kind: keyKind.aggregate, key: prefix }
    const first = Math.max(0, groupOf(directory.right, from))
    for (let group = first; group < directory.right.firsts.length; group++) {
      const block = this.#reader.block(directory.right, group)
      if (block._tag === 'Left') return yield block
      const entries = this.#reader.checked(readEntries(block.right))
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
    const timeline = this.#reader.timeline()
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
      const keys = this.#reader.group(directory.right, group)
      if (keys._tag === 'Left') return yield keys
      for (const key of keys.right) {
        const ascends = before === undefined || keyOrder(before, key) < 0
        if (!ascends) return yield this.#reader.damaged('content: keys out of order')
        before = key
        if (key.kind === keyKind.aggregate) aggregateEvents += key.offsets.length
        if (key.kind === keyKind.type) typeEvents += key.offsets.length
        yield right(key)
      }
    }
    // Every event has one aggregate and one type.
    if (aggregateEvents === this.events && typeEvents === this.events) return
    yield this.#reader.damaged('content: the count of events and the keys differ')
  }

  /** Reads and checks every byte. */
  verify(): Either<IndexError, void> {
    const reader = IndexReader.read(this.#file, this)
    if (reader._tag === 'Left') return reader
    this.releaseCaches()
    for (const key of this.keys()) if (key._tag === 'Left') return key
    const timeline = this.timeline()
    if (timeline._tag === 'Left') return timeline
    const damage = this.damage()
    return damage._tag === 'Left' ? damage : right(undefined)
  }

  readonly #find = (kind: KeyKind, key: string): Either<IndexError, FoundKey | undefined> => {
    const directory = this.#loadDirectory()
    if (directory._tag === 'Left') return directory
    const group = groupOf(directory.right, { kind, key })
    if (group < 0) return right(undefined)
    const block = this.#reader.block(directory.right, group)
    if (block._tag === 'Left') return block
    const entry = this.#reader.checked(findEntry(block.right, kind, encodeKey(key)))
    if (entry._tag === 'Left') return entry
    if (entry.right === undefined) return right(undefined)
    const { events, version, postingsAt } = entry.right
    const place = { ...entry.right, position: (directory.right.starts[group] as number) + postingsAt }
    return right({ version, count: events, offsets: () => this.#reader.offsets(place) })
  }

  #loadDirectory(): Either<IndexError, Directory> {
    if (this.#directory !== undefined) return right(this.#directory)
    const directory = this.#reader.directory()
    if (directory._tag === 'Right') this.#directory = directory.right
    return directory
  }
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
