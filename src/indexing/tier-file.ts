// A tier: which of several consecutive sealed segments hold a key, how many events of it there are, and an aggregate's
// last version. One lookup here stands for one in each of the segments; the postings of single events stay beside
// them. Looked up in its file as an index file is, and believed as little.
//
// A tier never says that a segment lacks what its index has. It may name one that has lost a key since: then asking
// the segment finds nothing.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { QueryItem } from '../core/query.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { AggregateSummary } from '../port/store.ts'
import { keyKind, type KeyKind } from './format.ts'
import { IndexReader, type ExpectedIdentity } from './index-reader.ts'
import { FilterMemory } from './key-filter.ts'
import { KeyLookup, type FoundKey } from './key-lookup.ts'
import { readSegmentNumbers, type Directory, type TimedOffsets } from './section.ts'
import { IndexDamaged, type IndexError } from './segment-index.ts'
import { selectOffsets, type Postings } from './select.ts'
import type { TierKey, TierSource } from './tier-source.ts'
import { countBelow } from './timeline.ts'

/** What the caller knows of the segments that the tier covers. */
export interface ExpectedTier extends ExpectedIdentity {
  readonly end: number
}

/** What a tier knows of a key in all its segments. */
export interface KeyCounts {
  readonly events: number
  readonly segments: number
}

export class TierFile implements TierSource {
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
  #segments: TimedOffsets | undefined
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

  /** Opens a file and checks its trailer, and that it is the tier over these segments. Whoever opens closes. */
  static open(disk: Disk, path: string, expected: ExpectedTier): Either<IndexError, TierFile> {
    const opened = disk.open(path, 'read')
    if (opened._tag === 'Left') return opened
    const reader = IndexReader.read(opened.right, expected, true)
    if (reader._tag === 'Right' && reader.right.trailer.end === expected.end) {
      return right(new TierFile(opened.right, reader.right, expected.memory ?? new FilterMemory()))
    }
    opened.right.close()
    if (reader._tag === 'Left') return reader
    return left(new IndexDamaged(path, `content: it ends at ${reader.right.trailer.end}`))
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

  /** Lets go of the directory and the segments; the next lookup reads them again. */
  releaseCaches(): void {
    this.#keys.release()
    this.#segments = undefined
  }

  /** The aggregate's last version in these segments, 0 when it has no event here. */
  version(aggregateId: string): Either<IndexError, number> {
    const found = this.#keys.find(keyKind.aggregate, aggregateId)
    return found._tag === 'Left' ? found : right(found.right === undefined ? 0 : found.right.version)
  }

  /** The bases of the segments that hold the key, ascending. */
  segmentsOf(kind: KeyKind, key: string): Either<IndexError, readonly number[]> {
    const found = this.#find(kind, key)
    if (found._tag === 'Left') return found
    return found.right === undefined ? right([]) : this.#bases(found.right.offsets())
  }

  /**
   * The bases of the segments that may hold an event that matches one of the items, ascending: those that hold, for
   * one item, a key of each of its terms; an `aggregatePrefix` is not asked for. The items are as `select` wants them.
   */
  candidates(items: readonly QueryItem[]): Either<IndexError, readonly number[]> {
    return this.#bases(
      selectOffsets(items, {
        find: (kind, key) => this.#find(kind, key),
        findPrefix: (kind, prefix) => this.#findPrefix(kind, prefix),
        all: () => this.#allNumbers()
      })
    )
  }

  counts(kind: KeyKind, key: string): Either<IndexError, KeyCounts> {
    const found = this.#find(kind, key)
    if (found._tag === 'Left') return found
    if (found.right === undefined) return right({ events: 0, segments: 0 })
    const numbers = found.right.offsets()
    return numbers._tag === 'Left' ? numbers : right({ events: found.right.count, segments: numbers.right.length })
  }

  /** The aggregates whose id begins with `prefix`, in the order of their ids. A Left is the last thing that comes. */
  aggregates(prefix: string): Iterable<Either<IndexError, AggregateSummary>> {
    return this.#keys.aggregates(prefix)
  }

  /** The base of the first segment with an event written at `timestampMs` or later, undefined when there is none. */
  segmentForTime(timestampMs: number): Either<IndexError, number | undefined> {
    const segments = this.segments()
    if (segments._tag === 'Left') return segments
    const offset = segments.right.offsets[countBelow(segments.right.times, timestampMs)]
    return right(offset === undefined ? undefined : this.base + offset)
  }

  segments(): Either<IndexError, TimedOffsets> {
    if (this.#segments !== undefined) return right(this.#segments)
    const segments = this.#reader.segments()
    if (segments._tag === 'Right') this.#segments = segments.right
    return segments
  }

  *tierKeys(): Generator<Either<IndexError, TierKey>, void, undefined> {
    const segments = this.segments()
    if (segments._tag === 'Left') return yield segments
    const { length } = segments.right.offsets
    yield* this.#keys.inOrder((directory, group) => this.#group(directory, group, length))
  }

  /** Reads and checks every byte. */
  verify(): Either<IndexError, void> {
    const reader = IndexReader.read(this.#file, this, true)
    if (reader._tag === 'Left') return reader
    this.releaseCaches()
    for (const key of this.tierKeys()) if (key._tag === 'Left') return key
    const filters = this.#keys.verifyFilters()
    if (filters._tag === 'Left') return filters
    const damage = this.#reader.damage()
    if (damage._tag === 'Left') return damage
    return damage.right.length === 0 ? right(undefined) : this.#reader.damaged('content: damage in a tier')
  }

  /** A key, whose offsets are numbers of segments. */
  #find(kind: KeyKind, key: string): Either<IndexError, Postings | undefined> {
    const found = this.#keys.find(kind, key)
    if (found._tag === 'Left') return found
    const place = found.right
    if (place === undefined) return right(undefined)
    return right({ count: place.events, offsets: () => this.#numbers(place) })
  }

  /** Types that begin so; there may be more aggregates that do than a tier should be asked for. */
  #findPrefix(kind: KeyKind, prefix: string): Either<IndexError, readonly Postings[] | undefined> {
    if (kind === keyKind.aggregate) return right(undefined)
    const segments = this.segments()
    if (segments._tag === 'Left') return segments
    const keys = this.#keys.withPrefix(kind, prefix)
    if (keys._tag === 'Left') return keys
    const { length } = segments.right.offsets
    return right(
      keys.right.map(({ events, postings }) => ({
        count: events,
        offsets: () => this.#reader.checked(readSegmentNumbers(postings, { events, segments: length }))
      }))
    )
  }

  #allNumbers(): Either<IndexError, number[]> {
    const segments = this.segments()
    return segments._tag === 'Left' ? segments : right(segments.right.offsets.map((_, number) => number))
  }

  #numbers(place: FoundKey): Either<IndexError, number[]> {
    const segments = this.segments()
    if (segments._tag === 'Left') return segments
    const bytes = this.#reader.postings(place)
    if (bytes._tag === 'Left') return bytes
    const { events } = place
    return this.#reader.checked(readSegmentNumbers(bytes.right, { events, segments: segments.right.offsets.length }))
  }

  #bases(numbers: Either<IndexError, readonly number[]>): Either<IndexError, readonly number[]> {
    if (numbers._tag === 'Left') return numbers
    const segments = this.segments()
    if (segments._tag === 'Left') return segments
    const { offsets } = segments.right
    return right(numbers.right.map((number) => this.base + (offsets[number] as number)))
  }

  #group(directory: Directory, group: number, segments: number): Either<IndexError, readonly TierKey[]> {
    const raw = this.#reader.rawGroup(directory, group)
    if (raw._tag === 'Left') return raw
    const keys: TierKey[] = []
    for (const { kind, key, version, events, postings } of raw.right) {
      const numbers = this.#reader.checked(readSegmentNumbers(postings, { events, segments }))
      if (numbers._tag === 'Left') return numbers
      keys.push({ kind, key, version, events, segments: numbers.right })
    }
    return right(keys)
  }
}
