// One writer per folder. The lock is the kernel's wherever it can be: it belongs to our open file and falls with our
// process, however that ends. No heartbeat and no timeout decides, so a stopped process keeps its lock.
//
//   flock    Linux: our open LOCK file, locked by the `flock` program through the inherited descriptor
//   exlock   macOS, BSD, Windows: LOCK opened with O_EXLOCK
//   file     neither: a file published by link(2), see lock-file.ts
//
// Within a process a map comes first: it also covers an attempt still under way, and it names the folder by device
// and inode, so that a symbolic link or a second mount of the folder meets the same entry. Worker threads have maps
// of their own and meet in the kernel.

import { constants, fstatSync, openSync, statSync, type BigIntStats } from 'node:fs'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Locked, type DiskError } from '../core/error.ts'
import type { DiskLock } from '../port/disk.ts'
import { attempt } from './fault.ts'
import { lockByFile } from './lock-file.ts'
import { lockByKernel } from './lock-kernel.ts'
import { closeQuietly } from './node-file.ts'

export interface LockOptions {
  readonly nowMs: () => number
  readonly flockProgram?: string | undefined
}

/** The folders that this process holds or is about to, by device and inode; the value is since when, in ms. */
const held = new Map<string, number>()

/** Becomes the one writer of the folder, or answers Locked. See port/disk.ts. */
export async function lockFolder(folder: string, options: LockOptions): Promise<Either<Locked | DiskError, DiskLock>> {
  const pinned = attempt({ operation: 'lock', path: folder }, () => pin(folder))
  if (pinned._tag === 'Left') return pinned
  const { key, unpin } = pinned.right
  const heldSince = held.get(key)
  if (heldSince !== undefined) {
    unpin()
    return left(new Locked({ path: folder, pid: process.pid, sinceMs: heldSince }))
  }
  const forget = (): void => {
    held.delete(key)
    unpin()
  }
  const sinceMs = options.nowMs()
  held.set(key, sinceMs)
  let lock: Either<Locked | DiskError, DiskLock> | undefined
  try {
    lock = await lockBySystem(folder, sinceMs, options.flockProgram ?? 'flock')
  } finally {
    if (lock?._tag !== 'Right') forget()
  }
  return lock._tag === 'Left' ? lock : right(withRelease(lock.right, forget))
}

interface Pinned {
  readonly key: string
  readonly unpin: () => void
}

/**
 * The folder's identity, and an open descriptor of the folder for as long as it counts: were the folder deleted under
 * a lock, another would soon get its inode number, and would seem to be locked. Windows opens no folders, but its
 * file ids are not used again.
 */
function pin(folder: string): Pinned {
  if (process.platform === 'win32') return { key: keyOf(statSync(folder, { bigint: true })), unpin: () => {} }
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  return { key: keyOf(fstatSync(descriptor, { bigint: true })), unpin: () => closeQuietly(descriptor) }
}

function keyOf({ dev, ino }: BigIntStats): string {
  return `${dev}:${ino}`
}

async function lockBySystem(
  folder: string,
  sinceMs: number,
  flockProgram: string
): Promise<Either<Locked | DiskError, DiskLock>> {
  const lock = await lockByKernel(folder, sinceMs, flockProgram)
  return lock === 'unsupported' ? lockByFile(folder, sinceMs) : lock
}

function withRelease(lock: DiskLock, after: () => void): DiskLock {
  let released = false
  return {
    kind: lock.kind,
    release: () => {
      if (released) return
      released = true
      lock.release()
      after()
    }
  }
}
