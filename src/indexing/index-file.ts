// The index of a sealed segment, or the checkpoint of the active one: looked up in its file. Memory holds the trailer
// and, once a lookup has asked for them, the directory (a key per 4 KiB of keys) and the strides; a lookup reads one
// key block and the postings it needs.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DamagedRegion } from '../core/read-error.ts'
import type { QueryItem } from '../core/query.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { AggregateSummary } from '../port/store.ts'
import { keyKind, type KeyKind } from './format.ts'
import { IndexReader, type ExpectedIdentity, type IndexedKey, type RawKey } from './index-reader.ts'
import { FilterMemory } from './key-filter.ts'
import { KeyLookup } from './key-lookup.ts'
import type { TimedOffsets } from './section.ts'
import type { IndexError, SegmentIndex } from './segment-index.ts'
import { selectOffsets, type Postings } from './select.ts'
import type { TierKey, TierSource } from './tier-source.ts'
import { countBelow, type Timeline } from './timeline.ts'

const itself: readonly number[] = [0]

export class IndexFile implements SegmentIndex, TierSource {
  readonly base: number
  readonly end: number
  readonly logId: number
  readonly lastFrameCrc: number
  readonly events: number
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
  readonly #file: DiskFile
  readonly #reader: IndexReader
  readonly #keys: KeyLookup
  // A cache, set by the first lookup that needs it and emptied by releaseCaches.
  #timeline: Timeline | undefined
  #closed = false

  private constructor(file: DiskFile, reader: IndexReader, memory: FilterMemory) {
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
    this.#keys = new KeyLookup(reader, memory, () => this.close())
  }

  /**
   * Opens a file and checks its trailer, and that it is of this log and begins at this base. Whoever opens closes. What
   * it keeps of its filters is kept in `expected.memory`.
   */
  static open(disk: Disk, path: string, expected: ExpectedIdentity): Either<IndexError, IndexFile> {
    const opened = disk.open(path, 'read')
    if (opened._tag === 'Left') return opened
    const reader = IndexReader.read(opened.right, expected, false)
    const { memory = new FilterMemory() } = expected
    if (reader._tag === 'Right') return right(new IndexFile(opened.right, reader.right, memory))
    opened.right.close()
    return reader
  }

  get path(): string {
    return this.#file.path
  }

  /** Idempotent. Every later lookup answers with the disk's EBADF. */
  close(): void {
    this.#closed = true
    this.#file.close()
    this.releaseCaches()
  }

  get isClosed(): boolean {
    return this.#closed
  }

  /** Closes the file as soon as no iteration over it is under way: for one that another has taken the place of. */
  retire(): void {
    this.#keys.retire()
  }

  /** Lets go of the directory and the strides; the next lookup reads them again. */
  releaseCaches(): void {
    this.#keys.release()
    this.#timeline = undefined
  }

  damage(): Either<IndexError, readonly DamagedRegion[]> {
    return this.#reader.damage()
  }

  version(aggregateId: string): Either<IndexError, number> {
    const found = this.#keys.find(keyKind.aggregate, aggregateId)
    return found._tag === 'Left' ? found : right(found.right === undefined ? 0 : found.right.version)
  }

  aggregateOffsets(aggregateId: string): Either<IndexError, readonly number[]> {
    const found = this.find(keyKind.aggregate, aggregateId)
    if (found._tag === 'Left') return found
    return found.right === undefined ? right([]) : found.right.offsets()
  }

  select(items: readonly QueryItem[], since = 0): Either<IndexError, readonly number[]> {
    const selected = selectOffsets(items, this)
    return selected._tag === 'Left' ? selected : right(selected.right.slice(countBelow(selected.right, since)))
  }

  /** A key's events, or undefined when no event has it. */
  find(kind: KeyKind, key: string): Either<IndexError, Postings | undefined> {
    const found = this.#keys.find(kind, key)
    if (found._tag === 'Left') return found
    const place = found.right
    if (place === undefined) return right(undefined)
    return right({ count: place.events, offsets: () => this.#reader.offsets(place, place.events) })
  }

  /** The keys that begin with `prefix`. */
  findPrefix(kind: KeyKind, prefix: string): Either<IndexError, readonly Postings[]> {
    const keys = this.#keys.withPrefix(kind, prefix)
    if (keys._tag === 'Left') return keys
    const reader = this.#reader
    return right(keys.right.map((key) => ({ count: key.events, offsets: () => reader.offsetsOf(key) })))
  }

  aggregates(prefix: string): Iterable<Either<IndexError, AggregateSummary>> {
    return this.#keys.aggregates(prefix)
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
  keys(): Iterable<Either<IndexError, IndexedKey>> {
    return this.#keys.inOrder((directory, group) => this.#reader.group(directory, group))
  }

  /** As `keys`, with the bytes of the postings, whose checksums hold. */
  rawKeys(): Iterable<Either<IndexError, RawKey>> {
    return this.#keys.inOrder((directory, group) => this.#reader.rawGroup(directory, group))
  }

  /** Itself, as the one segment of its own. */
  segments(): Either<IndexError, TimedOffsets> {
    return right({ offsets: [0], times: [this.lastTimestampMs] })
  }

  /** As `keys`, without reading any postings. */
  *tierKeys(): Generator<Either<IndexError, TierKey>, void, undefined> {
    const heads = this.#keys.inOrder((directory, group) => this.#reader.heads(directory, group))
    for (const next of heads) {
      if (next._tag === 'Left') return yield next
      const { kind, key, events, version } = next.right
      yield right({ kind, key, events, version, segments: itself })
    }
  }

  /** Reads and checks every byte. */
  verify(): Either<IndexError, void> {
    const reader = IndexReader.read(this.#file, this, false)
    if (reader._tag === 'Left') return reader
    this.releaseCaches()
    for (const key of this.keys()) if (key._tag === 'Left') return key
    const filters = this.#keys.verifyFilters()
    if (filters._tag === 'Left') return filters
    const timeline = this.timeline()
    if (timeline._tag === 'Left') return timeline
    const damage = this.damage()
    return damage._tag === 'Left' ? damage : right(undefined)
  }
}
