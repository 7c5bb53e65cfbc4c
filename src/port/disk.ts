// The disk port: every file access of the library goes through it. Two implementations, Node's files and a memory
// disk that models the page cache and crashes; both run the one contract suite.
//
// Contract
// - Paths are strings joined by `/`; the caller makes them, and makes them of numbers and fixed names only.
// - Calls without a Promise finish before they return. Positions are bytes from the start of the file.
// - Buffers are borrowed for the duration of the call (until the promise settles) and never kept.
// - A write that returns Right is in the operating system's buffer: it survives a crash of the process, and is seen
//   by every later read of any process. It survives a power cut only after a `sync` of the file that began after it.
//   Until then a power cut may keep any part of it, and any other unsynced write, in any order.
// - A created, renamed or removed name survives a power cut only after `syncFolder` of its folder.
// - A failed `sync` says that nothing is known about the unsynced writes, then and ever after: no later success counts.
// - One writer per file; reads and writes of one file may overlap, and a read may see part of a write under way.
// - Errors are values: DiskFull for ENOSPC, EDQUOT and EFBIG, DiskFailed for everything else.

import type { Either } from 'fp-ts/lib/Either.js'
import type { DiskError, Locked } from '../core/error.ts'

/** A name in a folder. */
export interface DiskEntry {
  readonly name: string
  /** A symbolic link is 'other', whatever it points to. */
  readonly kind: 'file' | 'folder' | 'other'
}

/**
 * 'read': the file must exist. 'write': it must exist, and is read and written in place. 'create': it must not
 * exist, and is read and written. A symbolic link at `path` is refused with ELOOP, a folder with EISDIR;
 * 'create' refuses whatever is there with EEXIST.
 */
export type OpenMode = 'read' | 'write' | 'create'

/** Where a log is kept. The contract stands at the top of this file; `diskContract` holds an implementation to it. */
export interface Disk {
  /** The entries of a folder, in no order; ENOENT when it is not there. */
  list(folder: string): Either<DiskError, readonly DiskEntry[]>
  /**
   * Makes a folder and its missing parents, each durable in its parent when this resolves; fine if it exists. One that
   * was made and whose name could not be synced is taken away again: made anew, its name is one that a sync can vouch for.
   */
  makeFolder(folder: string): Promise<Either<DiskError, void>>
  open(path: string, mode: OpenMode): Either<DiskError, DiskFile>
  /** Replaces `target` if it exists, atomically for every reader; durable after `syncFolder`. */
  rename(source: string, target: string): Either<DiskError, void>
  /** Fine if there is no such file. An open file stays readable. */
  remove(path: string): Either<DiskError, void>
  syncFolder(folder: string): Promise<Either<DiskError, void>>
  /**
   * Tells soon after a file in the folder was written, cut, renamed or removed, by any process. It may tell more often,
   * and on some file systems not of what other hosts do: whoever waits looks by himself now and then.
   */
  watch(folder: string, changed: () => void): DiskWatch
  /**
   * Becomes the one writer of the folder, in this process and among all, or answers Locked with what is known of the
   * holder. The lock falls when it is released and when the process ends, however it ends.
   */
  lock(folder: string): Promise<Either<Locked | DiskError, DiskLock>>
}

/** An open file. */
export interface DiskFile {
  readonly path: string
  size(): Either<DiskError, number>
  /** Reads up to `target.length` bytes; fewer only at the end of the file. Returns the count. */
  readSync(target: Uint8Array, position: number): Either<DiskError, number>
  /** As readSync, off the main thread. */
  read(target: Uint8Array, position: number): Promise<Either<DiskError, number>>
  /**
   * Writes all of `source`, growing the file where needed. A Left may have written any part of it. A short count
   * from the system is a Left too: that is how Node reports a disk that fills up.
   */
  writeSync(source: Uint8Array, position: number): Either<DiskError, void>
  /** Cuts the file, or grows it with zeros. */
  truncate(bytes: number): Either<DiskError, void>
  /** All writes that returned before this call are durable when it resolves to Right (fdatasync). */
  sync(): Promise<Either<DiskError, void>>
  /** Idempotent. Does not sync. */
  close(): void
}

/** A look-out for changes. It does not keep the process alive, but between `ref` and `unref`. */
export interface DiskWatch {
  ref(): void
  unref(): void
  /** Idempotent. */
  close(): void
}

/** The right to be the one writer of a folder, held until it is released. */
export interface DiskLock {
  /** How the lock is held, for the recovery report. 'file' cannot be trusted across hosts. */
  readonly kind: 'flock' | 'exlock' | 'file' | 'memory'
  /** Idempotent. */
  release(): void
}
