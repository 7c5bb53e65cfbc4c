// Which trim of a folder is in force: the newest whose file can be read. One that is newer and cannot be read is told,
// since the segments before it may be gone; as long as they are there, it has not taken place.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { TrimFile } from '../indexing/trim-file.ts'
import { firstOfName, trimName } from '../indexing/trim-format.ts'
import type { Disk } from '../port/disk.ts'

export interface FoundTrim {
  /** Open; undefined where nothing was trimmed. Whoever finds it closes it. */
  readonly file: TrimFile | undefined
  /** Where the log begins. */
  readonly first: number
  /** The newest of the later ones that cannot be read. */
  readonly bad: { readonly path: string; readonly first: number; readonly reason: string } | undefined
}

/** How often a file may vanish between its listing and its opening: a later trim removes it. */
const attempts = 8

/** What stands in the place of a file and is none. */
const notAFile: ReadonlySet<string> = new Set(['EISDIR', 'ELOOP', 'ENXIO'])

/** The trim in force. Beside a writer at work it may be replaced meanwhile: then it is looked for again. */
export function findTrim(disk: Disk, folder: string): Either<DiskError, FoundTrim> {
  for (let attempt = 1; ; attempt++) {
    const found = findOnce(disk, folder)
    if (found._tag === 'Right' || found.left.errno !== 'ENOENT' || attempt === attempts) return found
    // The folder itself may be what is not there.
    if (found.left.operation === 'list') return found
  }
}

/** Where the log begins, by the names of its files alone: not before it, if nothing is damaged. */
export function newestTrim(names: Iterable<string>): number {
  let newest = 0
  for (const name of names) newest = Math.max(newest, firstOfName(name) ?? 0)
  return newest
}

function findOnce(disk: Disk, folder: string): Either<DiskError, FoundTrim> {
  const listed = disk.list(folder)
  if (listed._tag === 'Left') return listed
  const firsts = listed.right.map(({ name }) => firstOfName(name)).filter((first) => first !== undefined)
  let bad: FoundTrim['bad']
  for (const first of firsts.sort((a, b) => b - a)) {
    const path = `${folder}/${trimName(first)}`
    const opened = TrimFile.open(disk, path, first)
    if (opened._tag === 'Right') return right({ file: opened.right, first, bad })
    const { left: error } = opened
    if (error._tag !== 'IndexDamaged' && !notAFile.has(error.errno)) return left(error)
    bad ??= { path, first, reason: error._tag === 'IndexDamaged' ? error.reason : `it is no file (${error.errno})` }
  }
  return right({ file: undefined, first: 0, bad })
}
