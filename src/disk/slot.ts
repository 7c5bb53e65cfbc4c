// Slots on a disk: the new value goes to `<path>.tmp`, is synced, takes the old one's place by a rename, and the
// folder is synced. At every moment the name stands for one whole value. Saves of one path follow each other, since
// they share the temporary file; saves of different paths do not wait for one another.

import { setImmediate as nextTurn } from 'node:timers/promises'
import { right, type Either, type Left } from 'fp-ts/lib/Either.js'
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
    save: (path, parts, pause = nextTurn) => {
      const before = running.get(path)
      const value = { parts, pause }
      const save = before === undefined ? replace(disk, path, value) : before.then(() => replace(disk, path, value))
      const settled = save.then(forget, forget)
      running.set(path, settled)
      return save
      function forget(): void {
        if (running.get(path) === settled) running.delete(path)
      }
    }
  }
}

/** How many bytes are written before other work gets its turn: where each takes thought, as in a merge, a millisecond. */
const burstBytes = 32 * 1024

interface Value<E> {
  readonly parts: Iterable<Uint8Array | Left<E>>
  readonly pause: () => Promise<void>
}

async function replace<E>(disk: Disk, path: string, value: Value<E>): Promise<Either<DiskError | E, void>> {
  const temporary = `${path}.tmp`
  const prepared = await prepare(disk, temporary, value)
  const renamed = prepared._tag === 'Left' ? prepared : disk.rename(temporary, path)
  if (renamed._tag === 'Right') return disk.syncFolder(folderOf(path))
  disk.remove(temporary) // on a full disk its bytes are missed
  return renamed
}

/** Writes the value to the temporary file and syncs it. */
async function prepare<E>(disk: Disk, path: string, value: Value<E>): Promise<Either<DiskError | E, void>> {
  const stale = disk.remove(path)
  if (stale._tag === 'Left') return stale
  const file = disk.open(path, 'create')
  if (file._tag === 'Left') return file
  try {
    const written = await writeAll(file.right, value)
    return written._tag === 'Left' ? written : await file.right.sync()
  } finally {
    file.right.close()
  }
}

async function writeAll<E>(file: DiskFile, { parts, pause }: Value<E>): Promise<Either<DiskError | E, void>> {
  let position = 0
  let burst = 0
  for (const part of parts) {
    if (!(part instanceof Uint8Array)) return part
    const written = file.writeSync(part, position)
    if (written._tag === 'Left') return written
    position += part.length
    burst += part.length
    if (burst < burstBytes) continue
    burst = 0
    await pause()
  }
  return right(undefined)
}

function folderOf(path: string): string {
  const slash = path.lastIndexOf('/')
  if (slash === -1) return '.'
  return slash === 0 ? '/' : path.slice(0, slash)
}
