// The file of the next segment, made before it is needed, so that a roll has little left to do: under a name that is no
// segment's, with room for the header on disk. It gets its header and its name when the segment before is full.
//
//   prepare: NEXT.tmp, header's room, sync  ·······  take: header, sync, rename, folder's sync
//
// Invariant: a spare gets the segment's name only when its header is on disk. What a crash leaves under the other name is
// removed when the log is next opened for writing, and otherwise before a spare is made.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { DiskFailed, type DiskError } from '../core/error.ts'
import { encodeHeader, headerBytes, type SegmentHeader } from '../core/header.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import { createSegment, segmentName } from './segment.ts'

/** The name of the file until it is a segment. */
export const spareName = 'NEXT.tmp'

/** Why there is no next segment; `poisons`: a sync has failed, and nobody knows what the disk holds. */
interface NoSegment {
  readonly error: DiskError
  readonly poisons: boolean
}

export class Spare {
  private readonly disk: Disk
  private readonly folder: string
  private readonly path: string
  /** The file, from when it is begun until it is taken. */
  private preparing: Promise<Either<DiskError, DiskFile>> | undefined

  constructor(disk: Disk, folder: string) {
    this.disk = disk
    this.folder = folder
    this.path = `${folder}/${spareName}`
  }

  /** Begins to make the file, if nobody has. What fails is tried again when the file is taken, but for a sync. */
  prepare(): void {
    this.preparing ??= this.make()
  }

  /** Makes it the segment that the header says; it is durable, with its header, when this resolves. */
  async take(header: SegmentHeader): Promise<Either<NoSegment, DiskFile>> {
    const prepared = await this.preparing
    this.preparing = undefined
    const isFinal = prepared?._tag === 'Right' || prepared?.left.operation === 'sync'
    const made = isFinal ? prepared : await this.make()
    // Somebody's folder has the spare's name and cannot be removed: the segment is made in its own place.
    if (made._tag === 'Left' && made.left.operation === 'remove') return createSegment(this.disk, this.folder, header)
    if (made._tag === 'Left') return left({ error: made.left, poisons: made.left.operation === 'sync' })
    const file = made.right
    const written = file.writeSync(encodeHeader(header), 0)
    if (written._tag === 'Left') return this.discard(file, { error: written.left, poisons: false })
    const synced = await file.sync()
    if (synced._tag === 'Left') return this.discard(file, { error: synced.left, poisons: true })
    return this.name(file, `${this.folder}/${segmentName(header.baseOffset)}`)
  }

  /** Removes what a crash has left. It would do no harm: a failure is the next opening's to make good. */
  clear(): void {
    this.disk.remove(this.path)
  }

  /** Lets go of the file, if one was begun. */
  async drop(): Promise<void> {
    const prepared = await this.preparing
    if (this.preparing === undefined) return
    this.preparing = undefined
    if (prepared?._tag === 'Right') prepared.right.close()
    this.clear()
  }

  private async make(): Promise<Either<DiskError, DiskFile>> {
    const stale = this.disk.remove(this.path)
    if (stale._tag === 'Left') return stale
    const opened = this.disk.open(this.path, 'create')
    if (opened._tag === 'Left') return opened
    const file = opened.right
    const written = file.writeSync(Buffer.alloc(headerBytes), 0)
    const ready = written._tag === 'Left' ? written : await file.sync()
    if (ready._tag === 'Right') return opened
    file.close()
    this.disk.remove(this.path)
    return ready
  }

  private discard(file: DiskFile, reason: NoSegment): Either<NoSegment, never> {
    file.close()
    this.disk.remove(this.path)
    return left(reason)
  }

  private async name(file: DiskFile, path: string): Promise<Either<NoSegment, DiskFile>> {
    // A rename would take the place of whatever is there.
    const taken = this.disk.open(path, 'read')
    if (taken._tag === 'Right') taken.right.close()
    const fault = { operation: 'rename', path, errno: 'EEXIST' }
    const free = taken._tag === 'Right' ? new DiskFailed(fault) : taken.left
    if (free.errno !== 'ENOENT') return this.discard(file, { error: free, poisons: false })
    const renamed = this.disk.rename(this.path, path)
    if (renamed._tag === 'Left') return this.discard(file, { error: renamed.left, poisons: false })
    // Opened anew, so that what goes wrong with it is told under its name; with too many files open the old one serves.
    const anew = this.disk.open(path, 'write')
    if (anew._tag === 'Right') file.close()
    const segment = anew._tag === 'Right' ? anew.right : file
    const named = await this.disk.syncFolder(this.folder)
    if (named._tag === 'Right') return right(segment)
    segment.close()
    return left({ error: named.left, poisons: true })
  }
}
