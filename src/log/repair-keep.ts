// The folder in which one repair keeps everything that it removes or overwrites: `repair-<time>/` in the log's own.
// What is kept is durable there before the log changes.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { chunkBytes } from '../core/limit.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import { repairPrefix } from './verify-leftover.ts'

export interface KeepOptions {
  readonly disk: Disk
  readonly slot: Slot
  /** The log's folder. */
  readonly folder: string
  readonly nowMs: number
}

export class Keeper {
  /** The folder's name in the log's folder. */
  readonly name: string
  private readonly options: KeepOptions

  private constructor(options: KeepOptions, name: string) {
    this.options = options
    this.name = name
  }

  /** Makes a folder that no earlier repair has used. */
  static async make(options: KeepOptions): Promise<Either<DiskError, Keeper>> {
    const { disk, folder, nowMs } = options
    const listed = disk.list(folder)
    if (listed._tag === 'Left') return listed
    const names = new Set(listed.right.map((entry) => entry.name))
    // The basic form of ISO 8601: a colon may not stand in a name everywhere.
    const stem = `${repairPrefix}${new Date(nowMs).toISOString().replace(/[-:]/g, '')}`
    let name = stem
    for (let count = 2; names.has(name); count++) name = `${stem}-${count}`
    const made = await disk.makeFolder(`${folder}/${name}`)
    return made._tag === 'Left' ? made : right(new Keeper(options, name))
  }

  /** Copies a part of a file, [from, to) in bytes, by default all of it; fine if there is no such file. */
  async copy(
    name: string,
    keptName: string,
    part: { readonly from: number; readonly to: number } = { from: 0, to: Number.POSITIVE_INFINITY }
  ): Promise<Either<DiskError, void>> {
    const { disk, slot, folder } = this.options
    const opened = disk.open(`${folder}/${name}`, 'read')
    if (opened._tag === 'Left') return opened.left.errno === 'ENOENT' ? right(undefined) : opened
    const file = opened.right
    try {
      const source = new PartReader(file, part)
      const saved = await slot.save(this.pathOf(keptName), source.parts())
      if (source.failure !== undefined) return left(source.failure)
      return saved
    } finally {
      file.close()
    }
  }

  /** Takes a file, a folder or a link out of the log; fine if an earlier step has removed it. */
  async move(name: string): Promise<Either<DiskError, void>> {
    const { disk, folder } = this.options
    const moved = disk.rename(`${folder}/${name}`, this.pathOf(name))
    if (moved._tag === 'Left') return moved.left.errno === 'ENOENT' ? right(undefined) : moved
    const kept = await disk.syncFolder(`${folder}/${this.name}`)
    if (kept._tag === 'Left') return kept
    const slash = name.lastIndexOf('/')
    return disk.syncFolder(slash === -1 ? folder : `${folder}/${name.slice(0, slash)}`)
  }

  /** Writes the report. */
  report(text: string): Promise<Either<DiskError, void>> {
    return this.options.slot.save(this.pathOf('report.json'), [Buffer.from(text, 'utf8')])
  }

  private pathOf(name: string): string {
    return `${this.options.folder}/${this.name}/${name.replaceAll('/', '-')}`
  }
}

/** Reads a part of a file chunk by chunk; a failure ends the parts and is kept. */
class PartReader {
  private readonly file: DiskFile
  private readonly part: { readonly from: number; readonly to: number }
  /** Why the parts ended too early. */
  failure: DiskError | undefined

  constructor(file: DiskFile, part: { readonly from: number; readonly to: number }) {
    this.file = file
    this.part = part
  }

  *parts(): Generator<Buffer> {
    const { from, to } = this.part
    for (let position = from; position < to;) {
      const chunk = Buffer.alloc(Math.min(chunkBytes, to - position))
      const got = this.file.readSync(chunk, position)
      if (got._tag === 'Left') {
        this.failure = got.left
        return
      }
      if (got.right > 0) yield chunk.subarray(0, got.right)
      if (got.right < chunk.length) return
      position += got.right
    }
  }
}
