// The tiers of an open log: files that say for many sealed segments at once which of them hold a key. They are a cache
// above a cache: whatever is wrong with one, it is let go and its segments are asked instead. So nothing here fails a
// question, and a log without tiers answers the same, only slower.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { QueryItem } from '../core/query.ts'
import { IndexFile } from '../indexing/index-file.ts'
import type { FilterMemory } from '../indexing/key-filter.ts'
import type { IndexError } from '../indexing/segment-index.ts'
import { TierFile } from '../indexing/tier-file.ts'
import { mergeTier } from '../indexing/tier-merge.ts'
import { coverWith, planTiers, tierName, tierOfName, type MergeStep, type SegmentSpan } from '../indexing/tier-plan.ts'
import type { TierSource } from '../indexing/tier-source.ts'
import type { Disk } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import { slotParts } from './index-parts.ts'
import { Retired } from './retired.ts'
import type { Segment } from './segment.ts'

export interface TiersOptions {
  readonly disk: Disk
  readonly slot: Slot
  readonly folder: string
  readonly logId: number
  readonly readOnly: boolean
}

/** How a merge leaves room to others. */
export interface MergePace {
  /** Asked between two pieces; from then on it ends, and leaves what is done. */
  readonly isStopped: () => boolean
  /** Awaited every few ten KiB; the next turn if not given. */
  readonly pause?: () => Promise<void>
}

type Cover = readonly (Segment | TierFile)[]

export class Tiers {
  private readonly options: TiersOptions
  private readonly memory: FilterMemory
  /** The tiers that are open, by file name; each covers sealed segments of the log, whole. */
  private readonly open = new Map<string, TierFile>()
  /** Tiers that were let go. */
  private readonly retired = new Retired<TierFile>()
  /** The last cover; undefined since the tiers have changed. It is of so many segments that begin with this one. */
  private covered: { readonly count: number; readonly first: Segment | undefined; readonly parts: Cover } | undefined
  private closed = false

  constructor(options: TiersOptions, memory: FilterMemory) {
    this.options = options
    this.memory = memory
  }

  /** Opens those in the folder that fit the sealed segments, which are in order. */
  load(sealed: readonly Segment[]): void {
    const { disk, folder } = this.options
    const listed = disk.list(folder)
    if (listed._tag === 'Left') return
    const bases = new Set(sealed.map((segment) => segment.base))
    const ends = new Map(sealed.map((segment) => [segment.end, segment]))
    for (const { name, kind } of listed.right) {
      const span = tierOfName(name)
      const last = span === undefined ? undefined : ends.get(span.end)
      if (span !== undefined && last !== undefined && kind === 'file' && bases.has(span.base)) this.openTier(span, last)
    }
  }

  /**
   * Sealed segments and the tiers that stand for some of them, oldest first; each segment is in one of them.
   * @param segments all of the log: the last one is active, and no tier covers it
   */
  cover(segments: readonly Segment[]): Cover {
    const { covered } = this
    if (covered?.count === segments.length && covered.first === segments[0]) return covered.parts
    const sealed = segments.slice(0, -1)
    const byBase = new Map(sealed.map((segment) => [segment.base, segment]))
    const parts = coverWith(sealed, [...this.open.values()]).map(
      (part) => (part.kind === 'tier' ? this.open.get(tierName(part)) : byBase.get(part.base)) as Segment | TierFile
    )
    this.covered = { count: segments.length, first: segments[0], parts }
    return parts
  }

  /** The bases of sealed segments that hold no event that matches: what the tiers can tell, of which there may be none. */
  without(items: readonly QueryItem[], segments: readonly Segment[]): ReadonlySet<number> {
    const excluded = new Set<number>()
    for (const part of this.cover(segments)) {
      if (!(part instanceof TierFile)) continue
      const candidates = this.ask(part, (tier) => tier.candidates(items))
      if (candidates === undefined) continue
      const held = new Set(candidates)
      for (const { base } of segments) {
        if (base >= part.base && base < part.end && !held.has(base)) excluded.add(base)
      }
    }
    return excluded
  }

  /** Asks a tier; one that cannot answer is let go. */
  ask<T>(tier: TierFile, question: (tier: TierFile) => Either<IndexError, T>): T | undefined {
    const answer = question(tier)
    if (answer._tag === 'Right') return answer.right
    this.drop(tier)
    return undefined
  }

  /** Lets go of a tier that is wrong, and of its file. */
  drop(tier: TierFile): void {
    const name = tierName(tier)
    if (!this.open.delete(name)) return
    this.covered = undefined
    this.retired.add(tier)
    if (!this.options.readOnly) this.options.disk.remove(`${this.options.folder}/${name}`)
  }

  /** A segment's index is about to be built anew: what was merged from the old one goes. */
  dropOver(segment: SegmentSpan): void {
    for (const tier of this.open.values()) {
      if (tier.base <= segment.base && segment.end <= tier.end) this.drop(tier)
    }
  }

  /** Segments before `first` were trimmed: what was merged of them goes, with its neighbours, and is merged anew. */
  dropBefore(first: number): void {
    for (const tier of this.open.values()) if (tier.base < first) this.drop(tier)
  }

  /** Merges what there is to merge. Resolves to what went wrong with the disk; the rest is merged the next time. */
  async merge(sealed: readonly Segment[], pace: MergePace): Promise<DiskError | undefined> {
    for (const step of planTiers(sealed, [...this.open.values()]).steps) {
      const failed = await this.mergeStep(step, sealed, pace)
      if (failed._tag === 'Left') return failed.left
      // A source is missing or damaged: what rests on it waits until it is there.
      if (!failed.right) return undefined
    }
    // The steps that led to the largest ones are not needed any more either.
    for (const span of planTiers(sealed, [...this.open.values()]).obsolete) {
      const tier = this.open.get(tierName(span))
      if (tier !== undefined) this.drop(tier)
    }
    return undefined
  }

  close(): void {
    this.closed = true
    for (const tier of this.open.values()) tier.close()
    this.retired.close()
    this.open.clear()
    this.covered = undefined
  }

  private openTier(span: SegmentSpan, last: Segment): boolean {
    const { disk, folder, logId } = this.options
    const opened = TierFile.open(disk, `${folder}/${tierName(span)}`, {
      logId,
      base: span.base,
      end: span.end,
      memory: this.memory
    })
    if (opened._tag === 'Left') return false
    // A folder that was put together from two copies may hold a tier of other segments.
    if (opened.right.lastFrameCrc !== last.index.lastFrameCrc) {
      opened.right.close()
      return false
    }
    const before = this.open.get(tierName(span))
    if (before !== undefined) this.retired.add(before)
    if (this.closed) opened.right.close()
    else this.open.set(tierName(span), opened.right)
    this.covered = undefined
    return true
  }

  /** False when a source is not there to be merged, or the merge was stopped. */
  private async mergeStep(
    step: MergeStep,
    sealed: readonly Segment[],
    { isStopped, pause }: MergePace
  ): Promise<Either<DiskError, boolean>> {
    const sources: TierSource[] = []
    for (const part of step.sources) {
      const { index } = sealed.find(({ base }) => base === part.base) ?? {}
      const source = part.kind === 'tier' ? this.open.get(tierName(part)) : index
      if (!(source instanceof TierFile || source instanceof IndexFile)) return right(false)
      sources.push(source)
    }
    const path = `${this.options.folder}/${tierName(step)}`
    const saved = await this.options.slot.save(path, slotParts(mergeTier(sources), isStopped), pause)
    if (saved._tag === 'Left') return saved.left instanceof Error ? left(saved.left) : right(false)
    const last = sealed.find(({ end }) => end === step.end)
    return right(last !== undefined && this.openTier(step, last))
  }
}
