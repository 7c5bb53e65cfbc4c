// The segments of an open log and the index over them.
//
// Invariants
// - `segments` is in the order of base; the last one is active and its index is a MemoryIndex.
// - A sealed segment's index covers it wholly: [base, end). It is a file, or a MemoryIndex where the file cannot be
//   written (a reader, a full disk).
// - An index that turns out damaged is never believed: it is rebuilt from its segment, and the question asked again.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { Closed, type DamagedRegion, type DiskError } from '../core/error.ts'
import { IndexDamaged, type IndexError, type SegmentIndex } from '../indexing/segment-index.ts'
import { IndexFile } from '../indexing/index-file.ts'
import { MemoryIndex } from '../indexing/memory-index.ts'
import type { QueryItem } from '../core/query.ts'
import type { Disk } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import type { AggregateSummary } from '../port/store.ts'
import { extendIndex } from './index-scan.ts'
import { indexName, type Segment } from './segment.ts'

/** A sealed segment whose index must be rebuilt before the question can be answered. */
export class StaleIndex {
  readonly _tag = 'StaleIndex'
  readonly segment: Segment
  constructor(segment: Segment) {
    this.segment = segment
  }
}

/** How many aggregates' versions are remembered from sealed segments; a lookup there costs a read per segment. */
const versionCacheMax = 65_536

export interface CatalogOptions {
  readonly disk: Disk
  readonly slot: Slot
  readonly folder: string
  readonly logId: number
  /** A reader keeps the indexes it has to build in memory. */
  readonly readOnly: boolean
}

export class Catalog {
  readonly options: CatalogOptions
  readonly segments: Segment[] = []
  /** Versions found in sealed segments; emptied when a segment is sealed, since it supersedes them. */
  private readonly sealedVersions = new Map<string, number>()
  /** Rebuilds under way, so that two readers who meet one damaged index share the work. */
  private readonly rebuilding = new Map<Segment, Promise<Either<DiskError, void>>>()
  /** Index files that were rebuilt. Whoever was reading one may go on, so they are closed with the catalog. */
  private readonly retired: IndexFile[] = []
  private closed = false

  constructor(options: CatalogOptions) {
    this.options = options
  }

  /** The active segment. */
  active(): Segment {
    const segment = this.segments.at(-1)
    assert(segment !== undefined, 'an open log has a segment')
    return segment
  }

  /** Where the log ends. */
  end(): number {
    return this.active().end
  }

  /** The place in `segments` of the one that holds `offset`; 0 for an offset before the first, the last for the end. */
  placeOf(offset: number): number {
    let place = this.segments.length - 1
    while (place > 0 && (this.segments[place] as Segment).base > offset) place--
    return place
  }

  /** Opens the index file of a segment, when it is whole, of this log and not ahead of the segment. */
  openIndex(base: number, end: number): Either<IndexError, IndexFile> {
    const { disk, folder, logId } = this.options
    const opened = IndexFile.open(disk, `${folder}/${indexName(base)}`, { logId, base })
    if (opened._tag === 'Right' && opened.right.end > end) {
      opened.right.close()
      return left(new IndexDamaged(`${folder}/${indexName(base)}`, 'it is ahead of its segment'))
    }
    return opened
  }

  /** Asks a segment's index now. StaleIndex: rebuild it, then ask again. */
  ask<T>(
    segment: Segment,
    question: (index: SegmentIndex) => Either<IndexError, T>
  ): Either<DiskError | StaleIndex, T> {
    const answer = question(segment.index)
    if (answer._tag === 'Right') return answer
    return left(answer.left._tag === 'IndexDamaged' ? new StaleIndex(segment) : answer.left)
  }

  /**
   * The aggregate's version, 0 when it has no event. Sealed segments are asked from the newest to the oldest.
   * StaleIndex: rebuild that segment's index, then ask again.
   */
  version(aggregateId: string): Either<DiskError | StaleIndex, number> {
    const active = this.ask(this.active(), (index) => index.version(aggregateId))
    if (active._tag === 'Left' || active.right > 0) return active
    const cached = this.sealedVersions.get(aggregateId)
    if (cached !== undefined) return right(cached)
    let version = 0
    for (let place = this.segments.length - 2; place >= 0 && version === 0; place--) {
      const found = this.ask(this.segments[place] as Segment, (index) => index.version(aggregateId))
      if (found._tag === 'Left') return found
      version = found.right
    }
    if (this.sealedVersions.size >= versionCacheMax) this.sealedVersions.clear()
    this.sealedVersions.set(aggregateId, version)
    return right(version)
  }

  /**
   * The newest event from `since` on that matches one of the items, or undefined; segments are asked from the newest
   * to the oldest. StaleIndex: rebuild that segment's index, then ask again.
   */
  lastMatch(items: readonly QueryItem[], since: number): Either<DiskError | StaleIndex, number | undefined> {
    for (let place = this.segments.length - 1; place >= 0; place--) {
      const segment = this.segments[place] as Segment
      if (segment.end <= since) break
      const found = this.ask(segment, (index) => index.select(items, since))
      if (found._tag === 'Left') return found
      if (found.right.length > 0) return right(found.right.at(-1))
    }
    return right(undefined)
  }

  /** Asks a segment's index, and rebuilds it when it turns out damaged. */
  async query<T>(
    segment: Segment,
    question: (index: SegmentIndex) => Either<IndexError, T>
  ): Promise<Either<DiskError, T>> {
    for (;;) {
      const answer = this.ask(segment, question)
      if (answer._tag === 'Right') return answer
      if (answer.left._tag !== 'StaleIndex') return left(answer.left)
      const rebuilt = await this.rebuild(segment)
      if (rebuilt._tag === 'Left') return rebuilt
    }
  }

  /** Asks for something that needs several segments at once, rebuilding as needed. */
  async retrying<T>(question: () => Either<DiskError | StaleIndex, T>): Promise<Either<DiskError, T>> {
    for (;;) {
      const answer = question()
      if (answer._tag === 'Right') return answer
      if (answer.left._tag !== 'StaleIndex') return left(answer.left)
      const rebuilt = await this.rebuild(answer.left.segment)
      if (rebuilt._tag === 'Left') return rebuilt
    }
  }

  /** Rebuilds a sealed segment's index from its frames, into memory first, then into its file. */
  rebuild(segment: Segment): Promise<Either<DiskError, void>> {
    const running = this.rebuilding.get(segment)
    if (running !== undefined) return running
    const work = this.rebuildNow(segment).finally(() => this.rebuilding.delete(segment))
    this.rebuilding.set(segment, work)
    return work
  }

  private async rebuildNow(segment: Segment): Promise<Either<DiskError, void>> {
    const built = await this.scanSegment(segment)
    if (built._tag === 'Left') return built
    this.replaceIndex(segment, built.right)
    if (!this.options.readOnly) await this.saveSealed(segment)
    return right(undefined)
  }

  /** Builds an index of [base, end) from the frames. */
  async scanSegment(segment: Segment): Promise<Either<DiskError, MemoryIndex>> {
    const { disk, logId } = this.options
    const index = new MemoryIndex({ logId, base: segment.base })
    const opened = disk.open(segment.path, 'read')
    if (opened._tag === 'Left') return opened
    const file = opened.right
    const range = { file, logId, base: segment.base, from: segment.base, end: segment.end }
    const extended = await extendIndex(index, range)
    file.close()
    return extended._tag === 'Left' ? extended : right(index)
  }

  /**
   * Writes a sealed segment's index to its file and lets go of the memory. An index is a cache, so a disk that does
   * not take it costs memory and nothing else: the index stays as it is, and the next open builds it again.
   */
  async saveSealed(segment: Segment): Promise<void> {
    const { index } = segment
    if (!(index instanceof MemoryIndex)) return
    assert(index.end === segment.end, 'the index of a sealed segment covers it')
    const saved = await this.saveIndex(index)
    if (saved._tag === 'Left') return
    const opened = this.openIndex(segment.base, segment.end)
    if (opened._tag === 'Right' && segment.index === index) this.replaceIndex(segment, opened.right)
  }

  /** Writes an index to its file: a sealed segment's, or the active one's as a checkpoint. */
  saveIndex(index: MemoryIndex): Promise<Either<DiskError, void>> {
    return this.options.slot.save(`${this.options.folder}/${indexName(index.base)}`, index.parts())
  }

  /** Sets a segment's index. */
  replaceIndex(segment: Segment, index: SegmentIndex): void {
    const before = segment.index
    segment.index = index
    if (before instanceof IndexFile && before !== index) this.retired.push(before)
    if (this.closed && index instanceof IndexFile) index.close()
  }

  /** Makes `segment` the active one. */
  activate(segment: Segment): void {
    this.segments.push(segment)
    this.sealedVersions.clear()
  }

  /** The damage of a segment that is known without reading its frames. */
  async damageOf(segment: Segment): Promise<Either<DiskError, readonly DamagedRegion[]>> {
    const indexed = await this.query(segment, (index) => index.damage())
    if (indexed._tag === 'Left') return indexed
    const known = new Set(indexed.right.map((region) => region.offset))
    const all = [...indexed.right, ...segment.damage.filter((region) => !known.has(region.offset))]
    return right(all.sort((a, b) => a.offset - b.offset))
  }

  /** Every aggregate with its version, in the order of the ids. */
  async *aggregates(prefix: string): AsyncGenerator<Either<DiskError | Closed, AggregateSummary>, void, undefined> {
    let after: string | undefined
    for (;;) {
      const stale = yield* this.aggregatesAfter(prefix, after, (aggregateId) => {
        after = aggregateId
      })
      if (stale === undefined) return
      // An index turned out damaged: the list goes on where it was when that is rebuilt.
      const rebuilt = await this.rebuild(stale.segment)
      if (rebuilt._tag === 'Left') return yield rebuilt
    }
  }

  /** The aggregates behind `after`; tells which came, and returns the index that must be rebuilt to go on. */
  private *aggregatesAfter(
    prefix: string,
    after: string | undefined,
    onCame: (aggregateId: string) => void
  ): Generator<Either<DiskError | Closed, AggregateSummary>, StaleIndex | undefined, undefined> {
    for (const next of mergeSummaries(this.segments, prefix)) {
      if (this.closed) {
        yield left(new Closed())
        return undefined
      }
      if (next._tag === 'Right') {
        const { aggregateId } = next.right
        if (after !== undefined && aggregateId <= after) continue
        onCame(aggregateId)
        yield next
      } else if (next.left._tag === 'StaleIndex') return next.left
      else {
        yield left(next.left)
        return undefined
      }
    }
    return undefined
  }

  close(): void {
    this.closed = true
    for (const { index } of this.segments) if (index instanceof IndexFile) index.close()
    for (const index of this.retired) index.close()
  }
}

/** Merges the segments' sorted lists; an aggregate's version is the one of the newest segment that knows it. */
function* mergeSummaries(
  segments: readonly Segment[],
  prefix: string
): Generator<Either<DiskError | StaleIndex, AggregateSummary>> {
  const lists = segments.map((segment) => ({ segment, items: segment.index.aggregates(prefix)[Symbol.iterator]() }))
  const heads: (AggregateSummary | undefined)[] = []
  for (let place = 0; place < lists.length; place++) heads.push(undefined)
  const pull = function* (place: number): Generator<Either<DiskError | StaleIndex, never>> {
    const { segment, items } = lists[place] as (typeof lists)[number]
    const next = items.next()
    heads[place] = undefined
    if (next.done === true) return
    if (next.value._tag === 'Right') heads[place] = next.value.right
    else yield left(next.value.left._tag === 'IndexDamaged' ? new StaleIndex(segment) : next.value.left)
  }
  for (let place = 0; place < lists.length; place++) yield* pull(place)
  for (;;) {
    let least: AggregateSummary | undefined
    for (const head of heads) {
      if (head !== undefined && (least === undefined || head.aggregateId <= least.aggregateId)) least = head
    }
    if (least === undefined) return
    yield right(least)
    const { aggregateId } = least
    for (let place = 0; place < heads.length; place++) {
      if (heads[place]?.aggregateId === aggregateId) yield* pull(place)
    }
  }
}
