// A reader in another process than the writer's sees the log grow: before each read it looks how far the active
// segment reaches now, and whether newer segments were opened behind it. It never locks, cuts or writes, and takes an
// unreadable end for one that is not written yet.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { headerBytes } from '../core/header.ts'
import { MemoryIndex } from '../indexing/memory-index.ts'
import type { DiskFile } from '../port/disk.ts'
import type { Catalog } from './catalog.ts'
import { extendIndex } from './index-scan.ts'
import { inspectSegment, listSegments, segmentName, type Segment } from './segment.ts'
import { scanTail } from './tail-scan.ts'

export class Refresher {
  private readonly catalog: Catalog
  /** The active segment's file. */
  private file: DiskFile
  private running: Promise<Either<DiskError, void>> | undefined

  constructor(catalog: Catalog, file: DiskFile) {
    this.catalog = catalog
    this.file = file
  }

  /** Brings the catalog up to what is on disk now; callers at the same time share the work. */
  refresh(): Promise<Either<DiskError, void>> {
    this.running ??= this.refreshNow().finally(() => {
      this.running = undefined
    })
    return this.running
  }

  close(): void {
    this.file.close()
  }

  private async refreshNow(): Promise<Either<DiskError, void>> {
    const { disk, folder } = this.catalog.options
    const bases = listSegments(disk, folder)
    if (bases._tag === 'Left') return bases
    for (const base of bases.right) {
      if (base < this.catalog.active().base || base === this.catalog.active().base) continue
      const rolled = await this.roll(base)
      if (rolled._tag === 'Left' || !rolled.right) return rolled._tag === 'Left' ? rolled : right(undefined)
    }
    return this.extend()
  }

  /** Reads on in the active segment as far as whole batches reach. */
  private async extend(): Promise<Either<DiskError, void>> {
    const active = this.catalog.active()
    const size = this.file.size()
    if (size._tag === 'Left') return size
    const end = active.base + Math.max(0, size.right - headerBytes)
    const { logId } = this.catalog.options
    const stands = this.lastFrameStands(active)
    if (stands._tag === 'Left') return stands
    if (!stands.right) {
      this.catalog.replaceIndex(active, new MemoryIndex({ logId, base: active.base }))
      active.end = active.base
    }
    if (end <= active.end) return right(undefined)
    const verdict = await scanTail(memoryOf(active), { file: this.file, logId, base: active.base, end }, active.end)
    if (verdict._tag === 'Left') return verdict
    active.end = Math.max(active.end, verdict.right.end)
    return right(undefined)
  }

  /**
   * Whether the last frame that was read is still there. A writer whose write fails half-way takes back what it
   * never acknowledged, and a reader may have seen a part of it.
   */
  private lastFrameStands(active: Segment): Either<DiskError, boolean> {
    const index = memoryOf(active)
    if (index.events === 0) return right(true)
    const crc = Buffer.alloc(4)
    const got = this.file.readSync(crc, index.end - active.base + headerBytes - 4)
    if (got._tag === 'Left') return got
    return right(got.right === 4 && crc.readUInt32LE(0) === index.lastFrameCrc)
  }

  /** The writer has opened a segment: the active one is complete up to there. False when it is not to be seen yet. */
  private async roll(base: number): Promise<Either<DiskError, boolean>> {
    const { disk, folder, logId } = this.catalog.options
    const path = `${folder}/${segmentName(base)}`
    const inspected = inspectSegment(disk, path, base)
    if (inspected._tag === 'Left' || inspected.right?.header.logId !== logId) return right(false)
    const active = this.catalog.active()
    const range = { file: this.file, logId, base: active.base, from: memoryOf(active).end, end: base }
    const extended = await extendIndex(memoryOf(active), range)
    if (extended._tag === 'Left') return extended
    const opened = disk.open(path, 'read')
    if (opened._tag === 'Left') return opened
    active.end = base
    this.file.close()
    this.file = opened.right
    this.catalog.activate({ base, path, end: base, index: new MemoryIndex({ logId, base }), damage: [] })
    return right(true)
  }
}

function memoryOf(segment: Segment): MemoryIndex {
  return segment.index as MemoryIndex
}
