// The index of the active segment in two layers: a checkpoint's file, and in memory what came since. Opening costs
// the file's trailer, and memory grows with what came since the checkpoint, not with the segment.
//
//   base                     file.end                  end
//   ├──────── file ─────────────┼──────── above ────────┤      the answer is that of one index of all frames
//
// A new checkpoint is written as a merge of the two, while frames are added. Then `over` puts its file below and
// keeps above what it does not hold. When a file turns out damaged the answer is IndexDamaged, and the caller builds
// the index from the frames.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import type { EventKeys } from '../core/query.ts'
import { strideBytes } from '../core/limit.ts'
import type { QueryItem } from '../core/query.ts'
import type { AggregateSummary } from '../port/store.ts'
import type { KeyKind } from './format.ts'
import type { IndexFile } from './index-file.ts'
import { mergedParts } from './layered-parts.ts'
import { MemoryIndex, type ActiveIndex, type IndexedFrame } from './memory-index.ts'
import type { IndexError } from './segment-index.ts'
import { selectOffsets, type Postings } from './select.ts'
import { countBelow, type Timeline } from './timeline.ts'

export class LayeredIndex implements ActiveIndex {
  /** The layer below. It stays its opener's, who closes it when the index is no longer used. */
  readonly file: IndexFile
  readonly #above: MemoryIndex
  /** Versions that were in memory before the file took them over, so that busy aggregates need no read after a swap. */
  readonly #versions: (aggregateId: string) => number | undefined

  private constructor(file: IndexFile, above: MemoryIndex, versions: (aggregateId: string) => number | undefined) {
    this.file = file
    this.#above = above
    this.#versions = versions
  }

  /** What a file holds, with nothing added yet. Reads nothing. */
  static on(file: IndexFile): LayeredIndex {
    return new LayeredIndex(file, MemoryIndex.above(file), () => undefined)
  }

  /**
   * What `index` holds, of which `file`, a checkpoint of it, becomes the layer below. It is made in steps, between which
   * `index` may grow, and must not any more when the last one is done.
   */
  static *over(file: IndexFile, index: ActiveIndex): Generator<void, LayeredIndex, undefined> {
    const above = yield* index.beyond(file)
    return new LayeredIndex(file, above, index.versionsInMemory())
  }

  get base(): number {
    return this.file.base
  }

  get end(): number {
    return this.#above.end
  }

  get lastFrameCrc(): number {
    return this.#above.lastFrameCrc
  }

  get events(): number {
    return this.file.events + this.#above.events
  }

  get firstTimestampMs(): number {
    return this.file.events > 0 ? this.file.firstTimestampMs : this.#above.firstTimestampMs
  }

  get lastTimestampMs(): number {
    return this.#above.lastTimestampMs
  }

  add(frame: IndexedFrame, keys: EventKeys): void {
    this.#above.add(frame, keys)
  }

  addDamage(region: DamagedRegion): void {
    this.#above.addDamage(region)
  }

  checkpoint(): Iterable<Either<IndexError, Uint8Array>> {
    return mergedParts(this.file, this.#above.freeze())
  }

  beyond(file: IndexFile): Generator<void, MemoryIndex, undefined> {
    assert(file.end >= this.file.end, 'a checkpoint holds what the one before it holds')
    return this.#above.beyond(file)
  }

  versionsInMemory(): (aggregateId: string) => number | undefined {
    return this.#above.versionsInMemory()
  }

  damage(): Either<IndexError, readonly DamagedRegion[]> {
    return joined(this.file.damage(), this.#above.damage())
  }

  version(aggregateId: string): Either<IndexError, number> {
    const known = this.#above.lastVersion(aggregateId) ?? this.#versions(aggregateId)
    return known === undefined ? this.file.version(aggregateId) : right(known)
  }

  aggregateOffsets(aggregateId: string): Either<IndexError, readonly number[]> {
    return joined(this.file.aggregateOffsets(aggregateId), this.#above.aggregateOffsets(aggregateId))
  }

  select(items: readonly QueryItem[], since = 0): Either<IndexError, readonly number[]> {
    if (since >= this.file.end) return this.#above.select(items, since)
    const selected = selectOffsets(items, {
      find: (kind, key) => this.#find(kind, key),
      findPrefix: (kind, prefix) => this.#findPrefix(kind, prefix)
    })
    return selected._tag === 'Left' ? selected : right(selected.right.slice(countBelow(selected.right, since)))
  }

  aggregates(prefix: string): Iterable<Either<IndexError, AggregateSummary>> {
    return mergedSummaries(this.file.aggregates(prefix), this.#above.aggregates(prefix))
  }

  frameBefore(offset: number): Either<IndexError, number> {
    const timeline = this.#above.timeline()
    return this.#inTimeline(countBelow(timeline.offsets, offset - this.base + 1), () => this.file.frameBefore(offset))
  }

  frameBeforeTime(timestampMs: number): Either<IndexError, number> {
    const timeline = this.#above.timeline()
    return this.#inTimeline(countBelow(timeline.times, timestampMs), () => this.file.frameBeforeTime(timestampMs))
  }

  /** The last of the first `count` entries above, or what is below where there is none. */
  #inTimeline(count: number, below: () => Either<IndexError, number>): Either<IndexError, number> {
    const { offsets } = this.#above.timeline()
    if (count === 0) return below()
    if (count === 1) {
      const timeline = this.file.timeline()
      if (timeline._tag === 'Left') return timeline
      if (sharesStride(timeline.right, offsets[0] as number)) return below()
    }
    return right(this.base + (offsets[count - 1] as number))
  }

  #find(kind: KeyKind, key: string): Either<IndexError, Postings | undefined> {
    const below = this.file.find(kind, key)
    const above = this.#above.find(kind, key)
    if (below._tag === 'Left' || above === undefined) return below
    if (below.right === undefined) return right(above)
    const { count, offsets } = below.right
    return right({ count: count + above.count, offsets: () => joined(offsets(), above.offsets()) })
  }

  #findPrefix(kind: KeyKind, prefix: string): Either<IndexError, readonly Postings[]> {
    const below = this.file.findPrefix(kind, prefix)
    return below._tag === 'Left' ? below : right([...below.right, this.#above.findPrefix(kind, prefix)])
  }
}

/** Whether the stride of `offset` has its entry already. Above, nothing is known of what lies below. */
function sharesStride(below: Timeline, offset: number): boolean {
  const last = below.offsets.at(-1)
  return last !== undefined && Math.floor(last / strideBytes) === Math.floor(offset / strideBytes)
}

function joined<Item>(
  below: Either<IndexError, readonly Item[]>,
  above: Either<IndexError, readonly Item[]>
): Either<IndexError, Item[]> {
  if (below._tag === 'Left') return below
  return above._tag === 'Left' ? above : right([...below.right, ...above.right])
}

/** Both layers' aggregates in order; of one that is in both, the version above is the last. */
function* mergedSummaries(
  below: Iterable<Either<IndexError, AggregateSummary>>,
  above: Iterable<Either<IndexError, AggregateSummary>>
): Generator<Either<IndexError, AggregateSummary>, void, undefined> {
  const newer = above[Symbol.iterator]()
  let next = newer.next()
  for (const older of below) {
    if (older._tag === 'Left') return yield older
    const { aggregateId } = older.right
    while (next.done !== true && next.value._tag === 'Right' && next.value.right.aggregateId < aggregateId) {
      yield next.value
      next = newer.next()
    }
    const same = next.done !== true && next.value._tag === 'Right' && next.value.right.aggregateId === aggregateId
    if (same) continue
    yield older
  }
  for (; next.done !== true; next = newer.next()) yield next.value
}
