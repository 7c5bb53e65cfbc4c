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

import { statSync } from 'node:fs'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Locked, type DiskError } from '../core/error.ts'
import type { DiskLock } from '../port/disk.ts'
import { attempt } from './fault.ts'
import { lockByFile } from './lock-file.ts'
import { lockByKernel } from './lock-kernel.ts'

export interface LockOptions {
  readonly nowMs: () => number
  readonly flockProgram?: string | undefined
}

/** The folders that this process holds or is about to, by device and inode; the value is since when, in ms. */
const held = new Map<string, number>()

/** Becomes the one writer of the folder, or answers Locked. See port/disk.ts. */
export async function lockFolder(folder: string, options: LockOptions): Promise<Either<Locked | DiskError, DiskLock>> {
  const key = attempt({ operation: 'lock', path: folder }, () => {
    const { dev, ino } = statSync(folder, { bigint: true })
    return `${dev}:${ino}`
  })
  if (key._tag === 'Left') return key
  const heldSince = held.get(key.right)
  if (heldSince !== undefined) return left(new Locked({ path: folder, pid: process.pid, sinceMs: heldSince }))
  const sinceMs = options.nowMs()
  held.set(key.right, sinceMs)
  let lock: Either<Locked | DiskError, DiskLock> | undefined
  try {
    lock = await lockBySystem(folder, sinceMs, options.flockProgram ?? 'flock')
  } finally {
    if (lock?._tag !== 'Right') held.delete(key.right)
  }
  return lock._tag === 'Left' ? lock : right(registered(lock.right, key.right))
}

async function lockBySystem(
  folder: string,
  sinceMs: number,
  flockProgram: string
): Promise<Either<Locked | DiskError, DiskLock>> {
  const lock = await lockByKernel(folder, sinceMs, flockProgram)
  return lock === 'unsupported' ? lockByFile(folder, sinceMs) : lock
}

function registered(lock: DiskLock, key: string): DiskLock {
  let released = false
  return {
    kind: lock.kind,
    release: () => {
      if (released) return
      released = true
      lock.release()
      held.delete(key)
    }
  }
}
