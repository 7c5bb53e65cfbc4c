// The readers of a log on a disk: a folder for each, `readers/<name>/`, with the lock of whoever has it open and the file
// of its cursor. A folder without that file is no reader: its registration was cut off, or it was removed.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { cursorName, readerNameFault } from '../core/cursor.ts'
import type { CursorError, DiskError, Locked } from '../core/error.ts'
import type { CursorPlace, Cursors, ReaderStatus } from '../port/cursor.ts'
import type { Disk } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import { CursorFile, readCursor } from './cursor-file.ts'

/** The folder of a log that holds those of its readers. */
export const readersName = 'readers'

export interface FolderCursorsOptions {
  readonly disk: Disk
  readonly slot: Slot
  /** The log's folder. */
  readonly folder: string
  readonly logId: number
  /** Told when a sync of the log's folder has failed, which may have lost a name that the log's writer made meanwhile. */
  readonly onNamesInDoubt: (error: DiskError) => void
}

/**
 * Makes the folder of the readers before the log is written to. Made beside a writer it would cost a sync of the log's
 * folder, and if that fails, the next one that succeeds means nothing to a segment that was named in between. Where it
 * cannot be made, on a full disk for one, the log opens all the same, and whoever registers a reader is told.
 */
export async function makeReadersFolder(disk: Disk, folder: string): Promise<Either<DiskError, void>> {
  const made = await disk.makeFolder(`${folder}/${readersName}`)
  return made._tag === 'Left' && made.left.operation === 'sync folder' ? made : right(undefined)
}

export class FolderCursors implements Cursors {
  private readonly options: FolderCursorsOptions

  constructor(options: FolderCursorsOptions) {
    this.options = options
  }

  list(): Promise<Either<DiskError, readonly ReaderStatus[]>> {
    const { disk, folder } = this.options
    const listed = disk.list(`${folder}/${readersName}`)
    if (listed._tag === 'Left') return Promise.resolve(listed.left.errno === 'ENOENT' ? right([]) : listed)
    // A link may lead to a folder.
    const names = listed.right
      .filter(({ name, kind }) => kind !== 'file' && readerNameFault(name) === undefined)
      .map(({ name }) => name)
      .sort()
    return Promise.resolve(right(names.map((name) => this.statusOf(name)).filter((status) => status !== undefined)))
  }

  async open(name: string): Promise<Either<Locked | CursorError, CursorPlace>> {
    const folder = this.folderOf(name)
    const { disk, slot, logId } = this.options
    const made = await disk.makeFolder(folder)
    if (made._tag === 'Left') {
      const { operation, path } = made.left
      if (operation === 'sync folder' && path !== `${this.options.folder}/${readersName}`)
        this.options.onNamesInDoubt(made.left)
      return made
    }
    const lock = await disk.lock(folder)
    if (lock._tag === 'Left') return lock
    let place: Either<CursorError, CursorFile> | undefined
    try {
      place = await CursorFile.open({ disk, slot, folder, logId }, lock.right)
      return place
    } finally {
      if (place?._tag !== 'Right') lock.right.release()
    }
  }

  async remove(name: string): Promise<Either<Locked | DiskError, void>> {
    const { disk } = this.options
    const folder = this.folderOf(name)
    const lock = await disk.lock(folder)
    if (lock._tag === 'Left') {
      const isMissing = lock.left._tag === 'DiskFailed' && lock.left.errno === 'ENOENT'
      return isMissing ? right(undefined) : lock
    }
    try {
      const removed = disk.remove(`${folder}/${cursorName}`)
      return removed._tag === 'Left' ? removed : await disk.syncFolder(folder)
    } finally {
      lock.right.release()
    }
  }

  private folderOf(name: string): string {
    return `${this.options.folder}/${readersName}/${name}`
  }

  private statusOf(name: string): ReaderStatus | undefined {
    const { disk, logId } = this.options
    const found = readCursor(disk, this.folderOf(name), logId)
    if (found._tag === 'Left') {
      const isNoFolder = found.left._tag === 'DiskFailed' && found.left.errno === 'ENOTDIR'
      return isNoFolder ? undefined : { name, error: found.left }
    }
    if (found.right === undefined) return undefined
    const { cursor, floor, heartbeatMs, heartbeatEveryMs, pid } = found.right.record
    return {
      name,
      cursor: cursor as Offset,
      floor: floor as Offset,
      heartbeatMs,
      heartbeatEveryMs,
      pid: pid === 0 ? undefined : pid,
      error: undefined
    }
  }
}
