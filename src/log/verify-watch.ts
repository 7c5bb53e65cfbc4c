// A disk that can be watched and stopped: it counts what is read in the background, and when the caller has aborted
// it reads no more. So neither a progress bar nor an interruption is the business of those who read.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { DiskFailed } from '../core/error.ts'
import { Aborted } from '../core/read-error.ts'
import type { Disk, DiskFile } from '../port/disk.ts'

export interface WatchOptions {
  readonly signal?: AbortSignal | undefined
  /** Told how many bytes were read, after each piece. */
  readonly onBytes: (bytes: number) => void
}

/** The same disk, watched. */
export function watchDisk(disk: Disk, options: WatchOptions): Disk {
  return {
    list: (folder) => disk.list(folder),
    makeFolder: (folder) => disk.makeFolder(folder),
    open: (path, mode) => {
      const opened = disk.open(path, mode)
      return opened._tag === 'Left' ? opened : right(watchFile(opened.right, options))
    },
    rename: (source, target) => disk.rename(source, target),
    remove: (path) => disk.remove(path),
    syncFolder: (folder) => disk.syncFolder(folder),
    watch: (folder, changed) => disk.watch(folder, changed),
    lock: (folder) => disk.lock(folder)
  }
}

function watchFile(file: DiskFile, { signal, onBytes }: WatchOptions): DiskFile {
  return {
    path: file.path,
    size: () => file.size(),
    readSync: (target, position) => file.readSync(target, position),
    read: async (target, position) => {
      if (signal?.aborted === true)
        return left(new DiskFailed({ operation: 'read', path: file.path, errno: 'ABORTED' }))
      const got = await file.read(target, position)
      if (got._tag === 'Right') onBytes(got.right)
      return got
    },
    writeSync: (source, position) => file.writeSync(source, position),
    truncate: (bytes) => file.truncate(bytes),
    sync: () => file.sync(),
    close: () => file.close()
  }
}

/** What failed since the caller has aborted is no fault of the disk. */
export function asAborted<E, T>(result: Either<E, T>, signal: AbortSignal | undefined): Either<E | Aborted, T> {
  return result._tag === 'Left' && signal?.aborted === true ? left(new Aborted(signal.reason)) : result
}

/** Counts up to a total; more than the total is never told. */
export function countUp(
  total: () => number,
  onProgress: ((doneBytes: number, totalBytes: number) => void) | undefined
): (bytes: number) => void {
  let done = 0
  return (bytes) => {
    done += bytes
    onProgress?.(Math.min(done, total()), total())
  }
}
