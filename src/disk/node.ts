// The disk port on the files of the operating system. Positions, names and errors pass through as they are; what is
// added is distrust: no symbolic link, folder, pipe or device is ever taken for a file.
//
// Windows has no O_NOFOLLOW and no way to sync a folder: there symbolic links are seen by an lstat before the open,
// and syncFolder does nothing, since NTFS journals names by itself.

import {
  constants,
  fsync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmdirSync,
  statSync,
  unlinkSync,
  type Dirent
} from 'node:fs'
import { dirname, resolve as absolute } from 'node:path'
import { left, map, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { Disk, DiskEntry, DiskFile, OpenMode } from '../port/disk.ts'
import { attempt, errnoOf, failed } from './fault.ts'
import { lockFolder } from './lock.ts'
import { closeQuietly, NodeFile, openRegular } from './node-file.ts'
import { watchFolder } from './node-watch.ts'

export interface NodeDiskOptions {
  /** The wall clock, in ms since the epoch: since when a lock is held. */
  readonly nowMs: () => number
  /** The program that locks an inherited descriptor; default `flock`, looked up in PATH. */
  readonly flockProgram?: string | undefined
}

/**
 * The disk of the operating system.
 * @example const disk = makeNodeDisk({ nowMs: Date.now })
 */
export function makeNodeDisk(options: NodeDiskOptions): Disk {
  const lock: Disk['lock'] = (folder) => lockFolder(folder, options)
  return { list, makeFolder, open, rename, remove, syncFolder, watch: watchFolder, lock }
}

const { O_RDONLY, O_RDWR, O_CREAT, O_EXCL } = constants

const modeFlags: Readonly<Record<OpenMode, number>> = {
  read: O_RDONLY,
  write: O_RDWR,
  create: O_RDWR | O_CREAT | O_EXCL
}

function list(folder: string): Either<DiskError, readonly DiskEntry[]> {
  return attempt({ operation: 'list', path: folder }, () =>
    readdirSync(folder, { withFileTypes: true }).map((entry) => ({ name: entry.name, kind: kindOf(entry) }))
  )
}

function kindOf(entry: Dirent): DiskEntry['kind'] {
  if (entry.isFile()) return 'file'
  return entry.isDirectory() ? 'folder' : 'other'
}

function open(path: string, mode: OpenMode): Either<DiskError, DiskFile> {
  return map((descriptor: number): DiskFile => new NodeFile(path, descriptor, mode))(
    openRegular(path, modeFlags[mode], 'open')
  )
}

function rename(source: string, target: string): Either<DiskError, void> {
  return attempt({ operation: 'rename', path: source }, () => renameSync(source, target))
}

function remove(path: string): Either<DiskError, void> {
  const removed = attempt({ operation: 'remove', path }, () => unlinkSync(path))
  return removed._tag === 'Left' && removed.left.errno === 'ENOENT' ? right(undefined) : removed
}

function syncFolder(folder: string): Promise<Either<DiskError, void>> {
  const what = { operation: 'sync folder', path: folder }
  const descriptor = attempt(what, () =>
    openSync(folder, O_RDONLY | ((constants.O_DIRECTORY as number | undefined) ?? 0))
  )
  if (descriptor._tag === 'Left') return Promise.resolve(forgiveWindows(descriptor.left))
  return new Promise((resolve) => {
    fsync(descriptor.right, (error) => {
      closeQuietly(descriptor.right)
      if (error === null) return resolve(right(undefined))
      const fault = failed(what, errnoOf(error), error)
      resolve(fault._tag === 'Left' ? forgiveWindows(fault.left) : fault)
    })
  })
}

function forgiveWindows(error: DiskError): Either<DiskError, void> {
  const known = process.platform === 'win32' && (error.errno === 'EPERM' || error.errno === 'EISDIR')
  return known ? right(undefined) : left(error)
}

/**
 * Top down: a level is made only when the level above is durable. So after a crash at most the deepest level that
 * exists can lack its sync, and syncing its parent again closes that gap.
 */
async function makeFolder(folder: string): Promise<Either<DiskError, void>> {
  const path = absolute(folder)
  const parent = dirname(path)
  const made = attempt({ operation: 'make folder', path }, () => mkdirSync(path))
  if (made._tag === 'Right') {
    const named = await syncFolder(parent)
    if (named._tag === 'Left') attempt({ operation: 'remove', path }, () => rmdirSync(path))
    return named
  }
  if (made.left.errno === 'ENOENT' && parent !== path) {
    const above = await makeFolder(parent)
    return above._tag === 'Left' ? above : makeFolder(path)
  }
  // Anything but a folder keeps its first error: EEXIST for a file, EACCES where nothing may be made.
  if (!isFolder(path)) return made
  if (parent === path) return right(undefined)
  const synced = await syncFolder(parent)
  // Who may not open the parent cannot have made a folder in it just now.
  return synced._tag === 'Left' && isRefusal(synced.left.errno) ? right(undefined) : synced
}

function isFolder(path: string): boolean {
  const stats = attempt({ operation: 'stat', path }, () => statSync(path))
  return stats._tag === 'Right' && stats.right.isDirectory()
}

function isRefusal(errno: string): boolean {
  return errno === 'EACCES' || errno === 'EPERM'
}
