// A reader in another process than the writer's sees the log grow: before each read it looks how far the active
// segment reaches now, whether newer segments were opened behind it, and whether older ones were trimmed. It never locks,
// cuts or writes, and takes an unreadable end for one that is not written yet.

import { map, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import type { DiskError } from '../core/error.ts'
import { headerBytes } from '../core/header.ts'
import { IndexFile } from '../indexing/index-file.ts'
import { MemoryIndex } from '../indexing/memory-index.ts'
import type { Clock } from '../port/clock.ts'
import type { DiskEntry, DiskFile } from '../port/disk.ts'
import { forgetEnds } from './boundary.ts'
import type { Catalog } from './catalog.ts'
import type { UnfinishedTail } from './growth.ts'
import { extendIndex, lastFrameStands } from './index-scan.ts'
import { baseOfName, inspectSegment, segmentName, type Segment } from './segment.ts'
import { scanTail } from './tail-scan.ts'
import { findTrim, newestTrim } from './trim-find.ts'

export class Refresher {
  private readonly catalog: Catalog
  /** The active segment's file. */
  private file: DiskFile
  private readonly clock: Clock
  private running: Promise<Either<DiskError, void>> | undefined
  /** What stands behind the last whole batch, as of the last refresh. */
  unfinished: UnfinishedTail | undefined

  constructor(catalog: Catalog, file: DiskFile, clock: Clock) {
    this.catalog = catalog
    this.file = file
    this.clock = clock
  }

  /** Brings the catalog up to what is on disk now; callers at the same time share the work. */
  refresh(): Promise<Either<DiskError, void>> {
    this.running ??= this.refreshNow().finally(() => {
      this.running = undefined
    })
    return this.running
  }

  /** Whether the last frame that is known is still there. */
  stands(): Either<DiskError, boolean> {
    const index = this.catalog.growing()
    return index.events === 0 ? right(true) : lastFrameStands(index, this.file)
  }

  close(): void {
    this.file.close()
  }

  private async refreshNow(): Promise<Either<DiskError, void>> {
    for (;;) {
      const names = this.names()
      if (names._tag === 'Left') return names
      const begun = newestTrim(names.right) > this.catalog.first ? await this.beginLater() : right(false)
      if (begun._tag === 'Left') return begun
      const rolled = begun.right ? right(false) : await this.rollOver(names.right)
      if (rolled._tag === 'Left') return rolled
      if (rolled.right) return this.extend()
    }
  }

  private names(): Either<DiskError, readonly string[]> {
    const { disk, folder } = this.catalog.options
    return map((entries: readonly DiskEntry[]) => entries.map(({ name }) => name))(disk.list(folder))
  }

  /** Follows the writer from segment to segment; false when the folder must be looked at again. */
  private async rollOver(names: readonly string[]): Promise<Either<DiskError, boolean>> {
    const bases = names.map(baseOfName).filter((base) => base !== undefined)
    for (const base of bases.sort((a, b) => a - b)) {
      const active = this.catalog.active()
      if (base <= active.base) continue
      const size = this.file.size()
      if (size._tag === 'Left') return size
      if (active.base + size.right - headerBytes < base) {
        // What is missing in between may have been trimmed while the folder was being listed.
        const now = this.names()
        if (now._tag === 'Left') return now
        if (newestTrim(now.right) > newestTrim(names)) return right(false)
      }
      const rolled = await this.roll(base)
      if (rolled._tag === 'Left') return rolled
      if (!rolled.right) break
    }
    return right(true)
  }

  /**
   * Older segments were trimmed; perhaps also the one that was active when we looked last. False when the newest trim
   * cannot be read, or is of another log: it tells nothing.
   */
  private async beginLater(): Promise<Either<DiskError, boolean>> {
    const { catalog } = this
    const { disk, folder, logId } = catalog.options
    const found = findTrim(disk, folder)
    if (found._tag === 'Left') return found
    const { file, first } = found.right
    if (file === undefined || first <= catalog.first || file.trailer.logId !== logId) {
      file?.close()
      return right(false)
    }
    if (catalog.active().base < first) {
      const path = `${folder}/${segmentName(first)}`
      const opened = disk.open(path, 'read')
      if (opened._tag === 'Left') {
        file.close()
        const names = opened.left.errno === 'ENOENT' ? this.names() : opened
        // A still later trim has taken that one away as well, or it is lost.
        return names._tag === 'Left' ? names : right(newestTrim(names.right) > first)
      }
      this.file.close()
      this.file = opened.right
      this.unfinished = undefined
      catalog.begin(first, path)
    }
    await catalog.beginAt(file)
    return right(true)
  }

  /** Reads on in the active segment as far as whole batches reach. */
  private async extend(): Promise<Either<DiskError, void>> {
    const active = this.catalog.active()
    const size = this.file.size()
    if (size._tag === 'Left') return size
    const end = active.base + Math.max(0, size.right - headerBytes)
    const { logId } = this.catalog.options
    const standing = this.forgetTakenBack(active)
    if (standing._tag === 'Left') return standing
    if (end <= active.end) {
      this.unfinished = undefined
      return right(undefined)
    }
    const index = this.catalog.growing()
    const range = { file: this.file, logId, base: active.base, end, isRecent: true }
    const verdict = await scanTail(index, range, active.end)
    if (verdict._tag === 'Left') return verdict
    const extended = await extendIndex(index, { ...range, from: index.end, end: verdict.right.end })
    if (extended._tag === 'Left') return extended
    active.end = Math.max(active.end, verdict.right.end)
    this.noteUnfinished(active.end, end - active.end)
    return right(undefined)
  }

  private noteUnfinished(offset: number, bytes: number): void {
    const { unfinished } = this
    if (bytes === 0) this.unfinished = undefined
    else if (unfinished?.offset !== offset || unfinished.bytes !== bytes) {
      this.unfinished = { offset: offset as Offset, bytes, sinceMs: this.clock.nowMs() }
    }
  }

  /**
   * Forgets what was read of the active segment when its last frame is there no more. A writer whose write fails
   * half-way takes back what it never acknowledged, and a reader may have seen a part of it.
   */
  private forgetTakenBack(active: Segment): Either<DiskError, void> {
    const stands = this.stands()
    if (stands._tag === 'Left') return stands
    if (stands.right) return right(undefined)
    const { logId } = this.catalog.options
    forgetEnds(this.catalog)
    this.catalog.replaceIndex(active, new MemoryIndex({ logId, base: active.base }))
    active.end = active.base
    return right(undefined)
  }

  /** The writer has opened a segment: the active one is complete up to there. False when it is not to be seen yet. */
  private async roll(base: number): Promise<Either<DiskError, boolean>> {
    const { disk, folder, logId } = this.catalog.options
    const path = `${folder}/${segmentName(base)}`
    const inspected = inspectSegment(disk, path, base)
    if (inspected._tag === 'Left' || inspected.right?.header.logId !== logId) return right(false)
    const active = this.catalog.active()
    const standing = this.forgetTakenBack(active)
    if (standing._tag === 'Left') return standing
    const range = { file: this.file, logId, base: active.base, from: this.catalog.growing().end, end: base }
    const extended = await extendIndex(this.catalog.growing(), range)
    if (extended._tag === 'Left') return extended
    const opened = disk.open(path, 'read')
    if (opened._tag === 'Left') return opened
    active.end = base
    this.unfinished = undefined
    this.file.close()
    this.file = opened.right
    this.catalog.begin(base, path)
    this.adoptIndexes()
    return right(true)
  }

  /** Takes the files that the writer has made meanwhile in the place of indexes that a reader had to build. */
  private adoptIndexes(): void {
    const { catalog } = this
    for (const segment of catalog.sealed()) {
      if (segment.index instanceof IndexFile) continue
      const opened = catalog.openIndex(segment.base, segment.end)
      if (opened._tag === 'Left') continue
      const { end, lastFrameCrc } = opened.right
      const isSame = end === segment.end && lastFrameCrc === segment.index.lastFrameCrc
      if (isSame) catalog.replaceIndex(segment, opened.right)
      else opened.right.close()
    }
  }
}
