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

export class MemoryIndex implements SegmentIndex {
  readonly base: number
  #end: number
  #lastFrameCrc = 0
  #events = 0
  #firstTimestampMs = 0
  #lastTimestampMs = 0
  readonly #damage: DamagedRegion[] = []
  readonly #timeline = new Timeline()
  readonly #aggregates = new KeyTable()
  readonly #types = new KeyTable()
  readonly #namespaces = new KeyTable()
  readonly #tags = new KeyTable()

  constructor(segment: { readonly logId: number; readonly base: number }) {
    this.base = segment.base
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

  select(items: readonly QueryItem[]): Either<IndexError, readonly number[]> {
    return selectOffsets(items, this.#find)
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

  readonly #find: FindKey = (kind, key) => {
    const table = this.#table(kind)
    const id = table.id(key)
    if (id === undefined) return right(undefined)
    return right({ count: table.count(id), offsets: () => right(table.offsets(id, this.base)) })
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
  for (let place = countBelow(frozen.keys, prefix); frozen.keys[place]?.startsWith(prefix) === true; place++) {
    yield right({ aggregateId: frozen.keys[place] as string, version: Version(frozen.version(place)) })
  }
}
