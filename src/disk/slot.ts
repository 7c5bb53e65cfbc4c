// Slots on a disk: the new value goes to `<path>.tmp`, is synced, takes the old one's place by a rename, and the
// folder is synced. At every moment the name stands for one whole value. Saves of one path follow each other, since
// they share the temporary file; saves of different paths do not wait for one another.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'

/**
 * The slots of a disk. Make one per disk: only its own saves are kept from meeting.
 * @example await makeSlot(disk).save('log/watermark', [bytes])
 */
export function makeSlot(disk: Disk): Slot {
  /** The last save of each path that is under way; it settles without a rejection. */
  const running = new Map<string, Promise<unknown>>()
  return {
    save: (path, parts) => {
      const before = running.get(path)
      const save = before === undefined ? replace(disk, path, parts) : before.then(() => replace(disk, path, parts))
      const settled = save.then(forget, forget)
      running.set(path, settled)
      return save
      function forget(): void {
        if (running.get(path) === settled) running.delete(path)
      }
    }
  }
}

async function replace(disk: Disk, path: string, parts: Iterable<Uint8Array>): Promise<Either<DiskError, void>> {
  const temporary = `${path}.tmp`
  const prepared = await prepare(disk, temporary, parts)
  const renamed = prepared._tag === 'Left' ? prepared : disk.rename(temporary, path)
  if (renamed._tag === 'Right') return disk.syncFolder(folderOf(path))
  disk.remove(temporary) // on a full disk its bytes are missed
  return renamed
}

/** Writes the value to the temporary file and syncs it. */
async function prepare(disk: Disk, path: string, parts: Iterable<Uint8Array>): Promise<Either<DiskError, void>> {
  const stale = disk.remove(path)
  if (stale._tag === 'Left') return stale
  const file = disk.open(path, 'create')
  if (file._tag === 'Left') return file
  try {
    const written = writeAll(file.right, parts)
    return written._tag === 'Left' ? written : await file.right.sync()
  } finally {
    file.right.close()
  }
}

function writeAll(file: DiskFile, parts: Iterable<Uint8Array>): Either<DiskError, void> {
  let position = 0
  for (const part of parts) {
    const written = file.writeSync(part, position)
    if (written._tag === 'Left') return written
    position += part.length
  }
  return right(undefined)
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  if (slash === -1) return '.'
  return slash === 0 ? '/' : path.slice(0, slash)
}
