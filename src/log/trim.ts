// Removes the oldest segments of an open log, beside appends and reads.
//
//   indexes of what goes are whole ─► trim file saved, from here on the log begins later ─► files removed
//
// A crash before the trim file is on disk leaves the log as it was; one behind it is finished by the next opening
// (trim-sweep.ts). Only whole sealed segments go, oldest first.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { left, right, type Either, type Left } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import type { Offset } from '../core/brand.ts'
import type { DiskError, Poisoned } from '../core/error.ts'
import { headerBytes } from '../core/header.ts'
import { IndexFile } from '../indexing/index-file.ts'
import type { IndexDamaged, IndexError } from '../indexing/segment-index.ts'
import { TierFile } from '../indexing/tier-file.ts'
import { TrimFile } from '../indexing/trim-file.ts'
import { trimName, type TrimIdentity } from '../indexing/trim-format.ts'
import { mergeTrim, sourceOfIndex, sourceOfTrim, type TrimSource } from '../indexing/trim-merge.ts'
import { probes, timed } from '../port/channel.ts'
import type { Clock } from '../port/clock.ts'
import type { SegmentSummary, TrimReport } from '../port/store.ts'
import type { Catalog } from './catalog.ts'
import type { Segment } from './segment.ts'
import { readable } from './trim-record.ts'
import { removeAll, superfluous } from './trim-sweep.ts'

type Trimming<T> = Promise<Either<DiskError | Poisoned, T>>

export interface TrimmerOptions {
  readonly catalog: Catalog
  readonly clock: Clock
  /** Resolves to Left when the log is poisoned; otherwise everything is on disk. */
  readonly synced: () => Promise<Either<Poisoned, void>>
  /** A failed sync of the folder leaves its names in doubt. */
  readonly poisonBy: (error: DiskError) => void
}

export class Trimmer {
  private readonly options: TrimmerOptions

  constructor(options: TrimmerOptions) {
    this.options = options
  }

  /** Removes the segments that end at `before` or earlier. Trims follow one another. */
  trim(before: number): Trimming<TrimReport> {
    return this.options.catalog.inTurn(() => this.trimNow(before))
  }

  private async trimNow(before: number): Trimming<TrimReport> {
    const { catalog, synced } = this.options
    const going = catalog.sealed().filter(({ end }) => end <= before)
    const last = going.at(-1)
    if (last === undefined) {
      const removed = await this.remove()
      return removed._tag === 'Left' ? removed : right({ first: catalog.first as Offset, segments: [] })
    }
    const sound = await synced()
    if (sound._tag === 'Left') return sound
    const segments = going.map((segment) => summaryOf(segment, true))
    const { folder, disk, logId } = catalog.options
    const tell = timed(probes.trim, this.options.clock, folder)
    const begun = catalog.first as Offset
    const identity = { logId, lastFrameCrc: last.index.lastFrameCrc, first: last.end }
    const saved = await this.save(going, identity)
    if (saved._tag === 'Left') return saved
    // Somebody else may have failed to sync the folder meanwhile; then our success means nothing, and is told in the next turn.
    await nextTurn()
    const certain = await synced()
    if (certain._tag === 'Left') return certain
    const opened = readable(TrimFile.open(disk, `${folder}/${trimName(identity.first)}`, identity.first))
    if (opened._tag === 'Left') return opened
    await catalog.beginAt(opened.right)
    const first = identity.first as Offset
    tell?.({ offset: begun, nextOffset: first, segments: segments.length, bytes: bytesOfFrames(going) })
    const removed = await this.remove()
    return removed._tag === 'Left' ? removed : right({ first, segments })
  }

  /** Removes what no log needs any more, also what an earlier trim could not. */
  private async remove(): Trimming<void> {
    const { catalog, poisonBy } = this.options
    const names = superfluous(catalog.options, catalog.first)
    if (names._tag === 'Left') return names
    const removed = await removeAll(catalog.options, names.right)
    if (removed._tag === 'Left' && removed.left.operation === 'sync folder') poisonBy(removed.left)
    return removed
  }

  /**
   * Saves the trim file. The versions are told by files: indexes that are in memory only are saved first. One that turns
   * out damaged is built anew, as long as its segment is there; whose file is damaged again has a disk that cannot be read.
   */
  private async save(going: readonly Segment[], identity: TrimIdentity): Trimming<void> {
    const { catalog } = this.options
    const { folder, slot } = catalog.options
    const path = `${folder}/${trimName(identity.first)}`
    const mended = new Set<string>()
    for (;;) {
      // Looked for anew behind every wait: a read that meets a damaged index, too, puts one in memory in its place.
      const unsaved = going.find(({ index }) => !(index instanceof IndexFile))
      if (unsaved !== undefined) {
        const failed = await catalog.saveSealed(unsaved)
        if (failed !== undefined) return left(failed)
        continue
      }
      const parts = this.partsOf(going, identity)
      const saved = await slot.save<IndexError>(path, parts.bytes)
      if (saved._tag === 'Right') return saved
      if (saved.left._tag !== 'IndexDamaged') return left(saved.left)
      if (mended.has(saved.left.path)) return readable(left(saved.left))
      mended.add(saved.left.path)
      const done = await this.mend(parts.sources, saved.left)
      if (done._tag === 'Left') return done
    }
  }

  /** Tiers stand for their segments where they lie wholly in what goes. */
  private partsOf(going: readonly Segment[], identity: TrimIdentity): TrimParts {
    const { catalog } = this.options
    const covers = catalog.cover().filter((part) => part instanceof TierFile && part.end <= identity.first)
    const tiers = covers as readonly TierFile[]
    const alone = going.filter(({ base }) => !tiers.some((tier) => tier.base <= base && base < tier.end))
    const parts = [...tiers, ...alone].sort((a, b) => a.base - b.base)
    const before = catalog.trimmed.file
    const sources = [
      ...(before === undefined ? [] : [sourceOfTrim(before)]),
      ...parts.map((part) => sourceOfIndex(indexOf(part)))
    ]
    return { bytes: bytesOf(identity, sources), sources: parts }
  }

  private async mend(sources: TrimParts['sources'], damaged: IndexDamaged): Trimming<void> {
    const { catalog } = this.options
    const part = sources.find((source) => indexOf(source).path === damaged.path)
    // The trim file before cannot be made again.
    if (part === undefined) return readable(left(damaged))
    if (part instanceof TierFile) catalog.dropTier(part)
    else return catalog.rebuild(part)
    return right(undefined)
  }
}

interface TrimParts {
  readonly bytes: Iterable<Uint8Array | Left<IndexError>>
  readonly sources: readonly (Segment | TierFile)[]
}

function indexOf(part: Segment | TierFile): IndexFile | TierFile {
  if (part instanceof TierFile) return part
  assert(part.index instanceof IndexFile, 'the indexes of what is trimmed are files')
  return part.index
}

function* bytesOf(identity: TrimIdentity, sources: readonly TrimSource[]): Generator<Uint8Array | Left<IndexError>> {
  for (const part of mergeTrim(identity, sources)) yield part._tag === 'Right' ? part.right : part
}

function bytesOfFrames(segments: readonly Segment[]): number {
  return segments.reduce((sum, { base, end }) => sum + end - base, 0)
}

/** What is told of a segment. */
export function summaryOf({ base, end, index }: Segment, sealed: boolean): SegmentSummary {
  const { firstTimestampMs, lastTimestampMs } = index
  const bytes = end - base + headerBytes
  return { base: base as Offset, end: end as Offset, sealed, bytes, firstTimestampMs, lastTimestampMs }
}
