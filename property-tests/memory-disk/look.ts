// How the properties of the memory disk look at a disk: through its port, as any reader does.

import type { Either } from 'fp-ts/lib/Either.js'
import type { DiskError, Locked } from '../../src/core/error.ts'
import type { Disk } from '../../src/port/disk.ts'

/** The value; throws what failed. */
export function good<A>(result: Either<DiskError | Locked, A>): A {
  if (result._tag === 'Left') throw result.left
  return result.right
}

/** What is under a folder: every file with its content. */
export function tree(disk: Disk, folder: string): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  for (const entry of good(disk.list(folder))) {
    const path = `${folder}/${entry.name}`
    found[entry.name] = entry.kind === 'folder' ? tree(disk, path) : contentAt(disk, path)
  }
  return found
}

/** A file's content, a character for each byte, which compares faster than a buffer; undefined without a file. */
export function contentAt(disk: Disk, path: string): string | undefined {
  const opened = disk.open(path, 'read')
  if (opened._tag === 'Left') return undefined
  const bytes = Buffer.alloc(good(opened.right.size()))
  good(opened.right.readSync(bytes, 0))
  opened.right.close()
  return bytes.toString('latin1')
}
