// The index of the active segment, in memory. Frames and damaged regions come in the order of the log, after they
// are written, so the index never has to forget.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { Version } from '../core/brand.ts'
import type { DamagedRegion } from '../core/error.ts'
import type { EventKeys } from '../core/event.ts'
import type { QueryItem } from '../core/query.ts'
import type { AggregateSummary } from '../port/store.ts'
import { keyKind, type KeyKind } from './format.ts'
import type { IndexFile } from './index-file.ts'
import { indexParts } from './index-writer.ts'
import { KeyTable } from './key-table.ts'
import type { IndexError, SegmentIndex } from './segment-index.ts'
import { selectOffsets, type FindKey } from './select.ts'
import { countBelow, Timeline } from './timeline.ts'

/** What the index needs to know of a frame besides its event's keys. */
export interface IndexedFrame {
  readonly offset: number
  readonly nextOffset: number
  /** The frame's stored CRC word. */
  readonly crc: number
  readonly version: number
  readonly writeTimestampMs: number
}

const kindsInOrder: readonly KeyKind[] = [keyKind.aggregate, keyKind.type, keyKind.namespace, keyKind.tag]

export class MemoryIndex implements SegmentIndex {
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

  /** Indexes the next frame of the segment; it stands at `end` or behind it. */
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

  /** Records a region that cannot be read; it begins at `end` or behind it. */
  addDamage(region: DamagedRegion): void {
    assert(region.offset >= this.#end && region.nextOffset >= region.offset, 'damage is noted in the order of the log')
    this.#damage.push(region)
    this.#end = region.nextOffset
  }

  /**
   * The bytes of the index file of what is indexed now. What is added while the parts are taken does not show in
   * them, so the caller may let other work run in between.
   */
  parts(): Iterable<Uint8Array> {
    return indexParts({
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
    })
  }

  /** The index that a file was written from: what is added to it goes on from the file's end. */
  static from(file: IndexFile): Either<IndexError, MemoryIndex> {
    const index = new MemoryIndex({ logId: file.logId, base: file.base })
    for (const next of file.keys()) {
      if (next._tag === 'Left') return next
      index.#table(next.right.kind).load(next.right)
    }
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
    const id = this.#aggregates.id(aggregateId)
    return right(id === undefined ? 0 : this.#aggregates.version(id))
  }

  aggregateOffsets(aggregateId: string): Either<IndexError, readonly number[]> {
    const id = this.#aggregates.id(aggregateId)
    return right(id === undefined ? [] : this.#aggregates.offsets(id, this.base))
  }

  select(items: readonly QueryItem[], since = 0): Either<IndexError, readonly number[]> {
    return selectOffsets(items, (kind, key) => this.#find(kind, key, since))
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

  #find(kind: KeyKind, key: string, since: number): ReturnType<FindKey> {
    const table = this.#table(kind)
    const id = table.id(key)
    if (id === undefined) return right(undefined)
    return right({ count: table.count(id), offsets: () => right(table.offsets(id, this.base, since - this.base)) })
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

function* summaries(table: KeyTable, prefix: string): Generator<Either<IndexError, AggregateSummary>> {
  const frozen = table.freeze()
  for (let place = countBelow(frozen.keys, prefix); place < frozen.keys.length; place++) {
    const aggregateId = frozen.keys[place] as string
    if (!aggregateId.startsWith(prefix)) return
    yield right({ aggregateId, version: Version(frozen.version(frozen.id(aggregateId))) })
  }
}
