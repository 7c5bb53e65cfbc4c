// The segments of an open log and the index over them.
//
// Invariants
// - `segments` is in the order of base; the last one is active and its index is an ActiveIndex: in memory, over a
//   checkpoint's file where there is one.
// - A sealed segment's index covers it wholly: [base, end). It is a file, or an ActiveIndex where the file cannot be
//   written (a reader, a full disk).
// - The log begins at `first`: what was before it has been trimmed, and an array of segments that somebody still holds
//   may have what this one has no more.
// - An index that turns out damaged is never believed: it is rebuilt from its segment, and the question asked again.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { DiskFailed, type DiskError } from '../core/error.ts'
import { IndexDamaged, type IndexError, type SegmentIndex } from '../indexing/segment-index.ts'
import { IndexFile } from '../indexing/index-file.ts'
import { FilterMemory } from '../indexing/key-filter.ts'
import { TierFile } from '../indexing/tier-file.ts'
import type { TrimFile } from '../indexing/trim-file.ts'
import { LayeredIndex } from '../indexing/layered-index.ts'
import { MemoryIndex, type ActiveIndex } from '../indexing/memory-index.ts'
import type { QueryItem } from '../core/query.ts'
import type { Disk } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import { extendIndex } from './index-scan.ts'
import { slotParts, takeSteps, type Stopped } from './index-parts.ts'
import { Retired } from './retired.ts'
import { indexName, type Segment } from './segment.ts'
import { Tiers, type MergePace } from './tiers.ts'
import { readable, TrimRecord } from './trim-record.ts'

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
  /** What lookups keep of all indexes' filters. */
  private readonly memory = new FilterMemory()
  /** Replaced as a whole when segments are trimmed, so that who walks through it is not disturbed. */
  segments: Segment[] = []
  /** What is known of what was trimmed. */
  readonly trimmed: TrimRecord = new TrimRecord()
  private readonly tiers: Tiers
  /** Versions found in sealed segments; emptied when a segment is sealed, since it supersedes them. */
  private readonly sealedVersions = new Map<string, number>()
  /** Rebuilds under way, so that two readers who meet one damaged index share the work. */
  private readonly rebuilding = new Map<Segment, Promise<Either<DiskError, void>>>()
  /** Files that others have taken the place of. */
  private readonly retired = new Retired<IndexFile>()
  /** Merges and trims go one after the other: each takes files away that the other may be reading. */
  private turns: Promise<unknown> = Promise.resolve()
  private closed = false

  constructor(options: CatalogOptions) {
    this.options = options
    this.tiers = new Tiers(options, this.memory)
  }

  /** The active segment. */
  active(): Segment {
    const segment = this.segments.at(-1)
    assert(segment !== undefined, 'an open log has a segment')
    return segment
  }

  /** Where the first event that is kept stands. */
  get first(): number {
    return this.trimmed.first
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
    const { disk, logId } = this.options
    const path = this.indexPath(base)
    const opened = IndexFile.open(disk, path, { logId, base, memory: this.memory })
    if (opened._tag === 'Right' && opened.right.end > end) {
      opened.right.close()
      return left(new IndexDamaged(path, 'it is ahead of its segment'))
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
    if (answer.left._tag !== 'IndexDamaged') return left(answer.left)
    // What was trimmed cannot be built anew.
    const gone = segment.trimmed === true
    return left(
      gone ? new DiskFailed({ operation: 'read', path: segment.path, errno: 'ENOENT' }) : new StaleIndex(segment)
    )
  }

  /**
   * The aggregate's version, 0 when it never had an event. Sealed segments are asked from the newest to the oldest, then
   * the record of what was trimmed. StaleIndex: rebuild that segment's index, then ask again.
   */
  version(aggregateId: string): Either<DiskError | StaleIndex, number> {
    const active = this.ask(this.active(), (index) => index.version(aggregateId))
    if (active._tag === 'Left' || active.right > 0) return active
    const cached = this.sealedVersions.get(aggregateId)
    if (cached !== undefined) return right(cached)
    let version = 0
    const sealed = this.cover()
    for (let place = sealed.length - 1; place >= 0 && version === 0; place--) {
      const part = sealed[place] as Segment | TierFile
      if (part instanceof TierFile) {
        const known = this.tiers.ask(part, (tier) => tier.version(aggregateId))
        // It was let go: its segments are asked instead.
        if (known === undefined) return this.version(aggregateId)
        version = known
      } else {
        const found = this.ask(part, (index) => index.version(aggregateId))
        if (found._tag === 'Left') return found
        version = found.right
      }
    }
    if (version === 0) {
      const before = this.trimmed.version(aggregateId)
      if (before._tag === 'Left') return before
      version = before.right
    }
    if (this.sealedVersions.size >= versionCacheMax) this.sealedVersions.clear()
    this.sealedVersions.set(aggregateId, version)
    return right(version)
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

  /**
   * Into memory first, then into its file. The active segment may grow meanwhile: what is added is scanned too, and
   * the new index takes the old one's place between two appends.
   */
  private async rebuildNow(segment: Segment): Promise<Either<DiskError, void>> {
    const { disk, logId, readOnly } = this.options
    const { base } = segment
    this.tiers.dropOver(segment)
    const index = new MemoryIndex({ logId, base })
    const opened = disk.open(segment.path, 'read')
    if (opened._tag === 'Left') return segment.trimmed === true ? right(undefined) : opened
    const file = opened.right
    try {
      while (index.end < segment.end) {
        const extended = await extendIndex(index, { file, logId, base, from: index.end, end: segment.end })
        if (extended._tag === 'Left') return extended
      }
    } finally {
      file.close()
    }
    this.replaceIndex(segment, index)
    if (!readOnly && segment !== this.active()) await this.saveSealed(segment)
    return right(undefined)
  }

  /** The index of the active segment, which grows with it. */
  growing(): ActiveIndex {
    const { index } = this.active()
    assert(!(index instanceof IndexFile), 'the active segment has an index that grows')
    return index as ActiveIndex
  }

  /**
   * Writes a sealed segment's index to its file and lets go of the memory. An index is a cache, so a disk that does
   * not take it costs memory and nothing else: the index stays as it is, and the next open builds it again.
   * Resolves to what went wrong.
   */
  async saveSealed(segment: Segment): Promise<DiskError | undefined> {
    const { index } = segment
    if (index instanceof IndexFile || segment.trimmed === true) return undefined
    assert(index.end === segment.end, 'the index of a sealed segment covers it')
    const saved = await this.saveIndex(index as ActiveIndex)
    if (saved._tag === 'Left') return this.afterFailedSave(segment, saved.left)
    // Of its own save: damage to it is as good as a disk that did not take it.
    const opened = readable(this.openIndex(segment.base, segment.end))
    if (opened._tag === 'Left') return opened.left
    if (segment.index === index) this.replaceIndex(segment, opened.right)
    else opened.right.close()
    return undefined
  }

  /** The checkpoint that an index rests on cannot be read: the index is built anew. Anything else is the disk's. */
  private async afterFailedSave(segment: Segment, error: IndexError | Stopped): Promise<DiskError | undefined> {
    if (error === 'stopped') return undefined
    if (error._tag !== 'IndexDamaged') return error
    const rebuilt = await this.rebuild(segment)
    return rebuilt._tag === 'Left' ? rebuilt.left : undefined
  }

  /**
   * Writes a checkpoint of the active segment's index while it grows, and lets go of the memory. `synced` resolves
   * to true when everything before an offset is on disk: a checkpoint vouches for its frames. It is given up when
   * `isStopped`. What goes wrong costs memory and a longer scan at the next open, as with saveSealed.
   */
  async checkpoint(
    synced: (end: number) => Promise<boolean>,
    isStopped: () => boolean
  ): Promise<DiskError | undefined> {
    const segment = this.active()
    const index = this.growing()
    const parts = slotParts(index.checkpoint(), isStopped)
    if (!(await synced(index.end))) return undefined
    const saved = await this.options.slot.save(this.indexPath(segment.base), parts)
    if (saved._tag === 'Left') return this.afterFailedSave(segment, saved.left)
    const opened = this.openIndex(segment.base, segment.end)
    if (opened._tag === 'Left') return undefined
    const isWanted = (): boolean => segment.index === index
    const replace = (layered: LayeredIndex): void => this.replaceIndex(segment, layered)
    if (!(await takeSteps(LayeredIndex.over(opened.right, index), isWanted, replace))) opened.right.close()
    return undefined
  }

  /** Writes the last checkpoint of the active segment's index. Its frames are on disk: a checkpoint vouches for them. */
  async saveActive(): Promise<Either<DiskError, void>> {
    for (;;) {
      const saved = await this.saveIndex(this.growing())
      if (saved._tag === 'Right') return saved
      if (saved.left._tag !== 'IndexDamaged') return left(saved.left)
      const rebuilt = await this.rebuild(this.active())
      if (rebuilt._tag === 'Left') return rebuilt
    }
  }

  /**
   * Writes an index to its file: a sealed segment's, or the active one's as a checkpoint. IndexDamaged: the checkpoint
   * before it, which it rests on, cannot be read.
   */
  private async saveIndex(index: ActiveIndex): Promise<Either<IndexError, void>> {
    const saved = await this.options.slot.save(this.indexPath(index.base), slotParts(index.checkpoint()))
    return saved as Either<IndexError, void>
  }

  private indexPath(base: number): string {
    return `${this.options.folder}/${indexName(base)}`
  }

  /**
   * Merges the indexes of sealed segments where there is something to merge, until it is told to stop. Resolves to
   * what went wrong.
   */
  mergeTiers(pace: MergePace): Promise<DiskError | undefined> {
    return this.inTurn(() => this.tiers.merge(this.sealed(), pace))
  }

  /** Does what takes files away, or needs them to stay, when nothing else of the kind is under way. */
  inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.turns.then(work)
    this.turns = done.catch(() => {})
    return done
  }

  /** From now on the log begins where `trim` says; resolves to the segments before it when nobody writes an index of them. */
  async beginAt(trim: TrimFile): Promise<readonly Segment[]> {
    this.trimmed.replace(trim)
    const gone = this.segments.filter(({ base }) => base < this.first)
    this.segments = this.segments.slice(gone.length)
    for (const segment of gone) {
      segment.trimmed = true
      const file = fileOf(segment.index)
      if (file !== undefined) this.retired.add(file)
    }
    this.tiers.dropBefore(this.first)
    for (const segment of gone) await this.rebuilding.get(segment)
    return gone
  }

  /** Opens the tiers that fit; called once, when all segments are there. */
  loadTiers(): void {
    this.tiers.load(this.sealed())
  }

  /** The bases of the sealed segments that are known to hold no event that matches one of the items. */
  without(items: readonly QueryItem[]): ReadonlySet<number> {
    return this.tiers.without(items, this.segments)
  }

  /** The segments but the active one. */
  sealed(): readonly Segment[] {
    return this.segments.slice(0, -1)
  }

  /** What to ask instead of all sealed segments, oldest first. */
  cover(): readonly (Segment | TierFile)[] {
    return this.tiers.cover(this.segments)
  }

  /** Sets a segment's index. */
  replaceIndex(segment: Segment, index: SegmentIndex): void {
    const before = fileOf(segment.index)
    const file = fileOf(index)
    segment.index = index
    if (before !== undefined && before !== file) this.retired.add(before)
    if (this.closed) file?.close()
  }

  /** Makes an empty segment the active one. */
  begin(base: number, path: string): void {
    const index = new MemoryIndex({ logId: this.options.logId, base })
    this.activate({ base, path, end: base, index, damage: [] })
  }

  /** Makes `segment` the active one. */
  activate(segment: Segment): void {
    this.segments.push(segment)
    this.sealedVersions.clear()
  }

  /** A tier turned out damaged: its segments are asked instead. */
  dropTier(tier: TierFile): void {
    this.tiers.drop(tier)
  }

  get isClosed(): boolean {
    return this.closed
  }

  close(): void {
    this.closed = true
    for (const { index } of this.segments) fileOf(index)?.close()
    this.retired.close()
    this.tiers.close()
    this.trimmed.close()
  }
}

/** The file that an index reads. */
function fileOf(index: SegmentIndex): IndexFile | undefined {
  if (index instanceof IndexFile) return index
  return index instanceof LayeredIndex ? index.file : undefined
}
