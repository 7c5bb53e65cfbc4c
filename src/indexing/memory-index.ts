// The index of the active segment, in memory: all of it, or what was added since a checkpoint (LayeredIndex puts the
// two together). Frames and damaged regions come in the order of the log, after they are written, so the index never
// has to forget.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { Version } from '../core/brand.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import type { EventKeys } from '../core/query.ts'
import type { QueryItem } from '../core/query.ts'
import type { AggregateSummary } from '../port/store.ts'
import { keyKind, type KeyKind } from './format.ts'
import type { IndexFile } from './index-file.ts'
import type { IndexedKey } from './index-reader.ts'
import { indexParts, type IndexContent } from './index-writer.ts'
import { KeyTable } from './key-table.ts'
import type { IndexError, SegmentIndex } from './segment-index.ts'
import { selectOffsets, type Postings } from './select.ts'
import { Timeline } from './timeline.ts'

/** What the index needs to know of a frame besides its event's keys. */
export interface IndexedFrame {
  readonly offset: number
  readonly nextOffset: number
  /** The frame's stored CRC word. */
  readonly crc: number
  readonly version: number
  readonly writeTimestampMs: number
}

/** The index of a segment that grows: in memory, or a checkpoint's file with what was added since. */
export interface ActiveIndex extends SegmentIndex {
  /** Indexes the next frame of the segment; it stands at `end` or behind it. */
  add(frame: IndexedFrame, keys: EventKeys): void

  /** Records a region that cannot be read; it begins at `end` or behind it. */
  addDamage(region: DamagedRegion): void

  /**
   * The bytes of the index file of what is indexed at this call, in pieces of a few KiB. What is added while they are
   * taken does not show in them, so the caller may let other work run between two pieces. A Left is the last thing
   * that comes, and what came before it is no file.
   */
  checkpoint(): Iterable<Either<IndexError, Uint8Array>>

  /**
   * Gathers what was indexed since `file`, a checkpoint of this index, was asked for, in steps of about a millisecond:
   * what is added between two of them is in it too.
   */
  beyond(file: IndexFile): Generator<void, MemoryIndex, undefined>

  /** Answers with the version of an aggregate whose last event is in memory. It does not hold on to the index. */
  versionsInMemory(): (aggregateId: string) => number | undefined
}

const kindsInOrder: readonly KeyKind[] = [keyKind.aggregate, keyKind.type, keyKind.namespace, keyKind.tag]

export class MemoryIndex implements ActiveIndex {
  readonly base: number
  readonly #logId: number
  // What has been indexed so far; only `add` and `addDamage` move it on.
  #end: number
  #lastFrameCrc = 0
  #events = 0
  #firstTimestampMs = 0
  #lastTimestampMs = 0
  #damage: DamagedRegion[] = []
  #timeline = new Timeline()
  readonly #aggregates = new KeyTable()
  readonly #types = new KeyTable()
  readonly #namespaces = new KeyTable()
  readonly #tags = new KeyTable()

  constructor(segment: { readonly logId: number; readonly base: number }) {
    this.base = segment.base
    this.#logId = segment.logId
    this.#end = segment.base
  }

  get end(): number {
    return this.#end
  }

  get lastFrameCrc(): number {
    return this.#lastFrameCrc
  }

  get events(): number {
    return this.#events
  }

  get firstTimestampMs(): number {
    return this.#firstTimestampMs
  }

  get lastTimestampMs(): number {
    return this.#lastTimestampMs
  }

  add(frame: IndexedFrame, keys: EventKeys): void {
    assert(frame.offset >= this.#end && frame.nextOffset > frame.offset, 'frames are indexed in the order of the log')
    const offset = frame.offset - this.base
    assert(offset <= 0xffff_ffff, 'a segment ends within 2^32 bytes of its base')
    // A foreign writer's clock may fall or be negative; only the running maximum is of use for searching.
    const time = Math.max(this.#lastTimestampMs, frame.writeTimestampMs)
    if (this.#events === 0) this.#firstTimestampMs = time
    this.#lastTimestampMs = time
    this.#timeline.add(offset, time)
    this.#aggregates.setVersion(this.#aggregates.add(keys.aggregateId, offset), frame.version)
    this.#types.add(keys.eventType, offset)
    if (keys.namespace !== undefined) this.#namespaces.add(keys.namespace, offset)
    for (let place = 0; place < keys.tags.length; place++) this.#tags.add(keys.tags[place] as string, offset)
    this.#events++
    this.#lastFrameCrc = frame.crc
    this.#end = frame.nextOffset
  }

  addDamage(region: DamagedRegion): void {
    assert(region.offset >= this.#end && region.nextOffset >= region.offset, 'damage is noted in the order of the log')
    this.#damage.push(region)
    this.#end = region.nextOffset
  }

  /** As `checkpoint`; in memory nothing can fail. It holds everything from the base on. */
  parts(): Iterable<Uint8Array> {
    return indexParts(this.freeze())
  }

  checkpoint(): Iterable<Either<IndexError, Uint8Array>> {
    return succeeding(this.parts())
  }

  /** What is indexed now; what is added later does not show in it. */
  freeze(): IndexContent {
    return {
      logId: this.#logId,
      lastFrameCrc: this.#lastFrameCrc,
      base: this.base,
      end: this.#end,
      events: this.#events,
      firstTimestampMs: this.#firstTimestampMs,
      lastTimestampMs: this.#lastTimestampMs,
      tables: kindsInOrder.map((kind) => ({ kind, frozen: this.#table(kind).freeze() })),
      timeline: this.#timeline.copy(),
      damage: this.#damage.slice()
    }
  }

  /** An empty one for what comes behind a file. Its first stride may be one that the file has an entry for. */
  static above(file: IndexFile): MemoryIndex {
    const index = new MemoryIndex({ logId: file.logId, base: file.base })
    index.#end = file.end
    index.#lastFrameCrc = file.lastFrameCrc
    index.#lastTimestampMs = file.lastTimestampMs
    return index
  }

  *beyond(file: IndexFile): Generator<void, MemoryIndex, undefined> {
    assert(file.base === this.base && file.end <= this.#end, 'a checkpoint is of the index that it is put under')
    const index = MemoryIndex.above(file)
    const since = file.end - this.base
    const copies = kindsInOrder.map((kind) => {
      const source = this.#table(kind)
      return { source, target: index.#table(kind), next: source.postingSince(since) }
    })
    while (!takeOverSome(copies)) yield
    index.#events = index.#aggregates.postings
    index.#timeline = this.#timeline.copy(since)
    index.#damage = this.#damage.filter((region) => region.offset >= file.end)
    index.#end = this.#end
    index.#lastFrameCrc = this.#lastFrameCrc
    index.#lastTimestampMs = this.#lastTimestampMs
    // Of use only where the file has no event, and then it is the first of them all.
    if (file.events === 0) index.#firstTimestampMs = this.#firstTimestampMs
    return index
  }

  versionsInMemory(): (aggregateId: string) => number | undefined {
    return this.#aggregates.versions()
  }

  /** The index that a file was written from: what is added to it goes on from the file's end. */
  static from(file: IndexFile): Either<IndexError, MemoryIndex> {
    const index = new MemoryIndex({ logId: file.logId, base: file.base })
    const keys: IndexedKey[] = []
    for (const next of file.keys()) {
      if (next._tag === 'Left') return next
      keys.push(next.right)
    }
    for (const kind of kindsInOrder) index.#table(kind).load(keys.filter((key) => key.kind === kind))
    const timeline = file.timeline()
    if (timeline._tag === 'Left') return timeline
    const damage = file.damage()
    if (damage._tag === 'Left') return damage
    index.#timeline = timeline.right.copy()
    index.#damage = damage.right.slice()
    index.#end = file.end
    index.#lastFrameCrc = file.lastFrameCrc
    index.#events = file.events
    index.#firstTimestampMs = file.firstTimestampMs
    index.#lastTimestampMs = file.lastTimestampMs
    return right(index)
  }

  damage(): Either<IndexError, readonly DamagedRegion[]> {
    return right(this.#damage.slice())
  }

  version(aggregateId: string): Either<IndexError, number> {
    return right(this.lastVersion(aggregateId) ?? 0)
  }

  /** As `version`, undefined when the aggregate has no event here. */
  lastVersion(aggregateId: string): number | undefined {
    const id = this.#aggregates.id(aggregateId)
    return id === undefined ? undefined : this.#aggregates.version(id)
  }

  aggregateOffsets(aggregateId: string): Either<IndexError, readonly number[]> {
    const id = this.#aggregates.id(aggregateId)
    return right(id === undefined ? [] : this.#aggregates.offsets(id, this.base))
  }

  select(items: readonly QueryItem[], since = 0): Either<IndexError, readonly number[]> {
    return selectOffsets(items, {
      find: (kind, key) => right(this.find(kind, key, since)),
      findPrefix: (kind, prefix) => right([this.findPrefix(kind, prefix, since)])
    })
  }

  aggregates(prefix: string): Iterable<Either<IndexError, AggregateSummary>> {
    return summaries(this.#aggregates, prefix)
  }

  frameBefore(offset: number): Either<IndexError, number> {
    return right(this.base + this.#timeline.frameBefore(offset - this.base))
  }

  frameBeforeTime(timestampMs: number): Either<IndexError, number> {
    return right(this.base + this.#timeline.frameBeforeTime(timestampMs))
  }

  /** The sparse time index, offsets relative to the base. It grows with the index. */
  timeline(): Timeline {
    return this.#timeline
  }

  /** A key's events from `since` on, or undefined when no event has it. */
  find(kind: KeyKind, key: string, since = 0): Postings | undefined {
    const table = this.#table(kind)
    const id = table.id(key)
    if (id === undefined) return undefined
    return { count: table.count(id), offsets: () => right(table.offsets(id, this.base, since - this.base)) }
  }

  /** The events from `since` on that have a key that begins so, of a kind of which each event has one. */
  findPrefix(kind: KeyKind, prefix: string, since = 0): Postings {
    const offsets = this.#table(kind).offsetsWith(prefix, this.base, since - this.base)
    return { count: offsets.length, offsets: () => right(offsets) }
  }

  #table(kind: KeyKind): KeyTable {
    switch (kind) {
      case keyKind.aggregate:
        return this.#aggregates
      case keyKind.type:
        return this.#types
      case keyKind.namespace:
        return this.#namespaces
      case keyKind.tag:
        return this.#tags
    }
  }
}

/** How many postings are taken over at a time. */
const stepPostings = 2_048

interface TableCopy {
  readonly source: KeyTable
  readonly target: KeyTable
  /** The number of the posting that is taken over next. */
  next: number
}

/** Takes over some postings more; true when there are no others. */
function takeOverSome(copies: readonly TableCopy[]): boolean {
  let room = stepPostings
  for (const copy of copies) {
    const until = Math.min(copy.source.postings, copy.next + room)
    copy.target.takeOver(copy.source, copy.next, until)
    room -= until - copy.next
    copy.next = until
  }
  return room > 0
}

function* summaries(table: KeyTable, prefix: string): Generator<Either<IndexError, AggregateSummary>> {
  const frozen = table.freeze()
  for (const aggregateId of frozen.keys(prefix)) {
    if (!aggregateId.startsWith(prefix)) return
    yield right({ aggregateId, version: Version(frozen.version(frozen.id(aggregateId))) })
  }
}

function* succeeding(parts: Iterable<Uint8Array>): Generator<Either<IndexError, Uint8Array>, void, undefined> {
  for (const part of parts) yield right(part)
}
