// Keeps what recovery cuts. Torn bytes were never acknowledged as synced, yet they may be all that is left of
// somebody's event: they are copied to `torn/` and are durable there before the log is cut.

import { right, type Either, type Left } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { headerBytes } from '../core/header.ts'
import { chunkBytes } from '../core/limit.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'

const tornFolder = 'torn'

export interface TornTail {
  readonly folder: string
  readonly file: DiskFile
  readonly base: number
  /** The offset of the first byte that is cut. */
  readonly from: number
  /** The offset behind the last byte of the file. */
  readonly fileEnd: number
}

/**
 * Copies the tail's bytes into a file of their own.
 * @returns its path, or undefined when the tail holds nothing but zeros, which nobody wrote
 */
export async function keepTorn(disk: Disk, slot: Slot, tail: TornTail): Promise<Either<DiskError, string | undefined>> {
  const end = contentEnd(tail)
  if (end._tag === 'Left') return end
  if (end.right === tail.from) return right(undefined)
  const path = await freePath(disk, tail.folder, `${tail.base}-${tail.from}`)
  if (path._tag === 'Left') return path
  const parts = function* (): Generator<Buffer | Left<DiskError>> {
    for (let offset = tail.from; offset < end.right; offset += chunkBytes) {
      const chunk = readAt(tail, offset, Math.min(chunkBytes, end.right - offset))
      yield chunk._tag === 'Right' ? chunk.right : chunk
    }
  }
  const saved = await slot.save(path.right, parts())
  return saved._tag === 'Left' ? saved : path
}

/** Moves a file that never became a segment into `torn/`. */
export async function setAside(disk: Disk, folder: string, name: string): Promise<Either<DiskError, string>> {
  const path = await freePath(disk, folder, name)
  if (path._tag === 'Left') return path
  const moved = disk.rename(`${folder}/${name}`, path.right)
  if (moved._tag === 'Left') return moved
  const synced = await disk.syncFolder(`${folder}/${tornFolder}`)
  if (synced._tag === 'Left') return synced
  const folderSynced = await disk.syncFolder(folder)
  return folderSynced._tag === 'Left' ? folderSynced : path
}

/** A path in `torn/` that no earlier recovery has used. */
async function freePath(disk: Disk, folder: string, stem: string): Promise<Either<DiskError, string>> {
  const made = await disk.makeFolder(`${folder}/${tornFolder}`)
  if (made._tag === 'Left') return made
  const listed = disk.list(`${folder}/${tornFolder}`)
  if (listed._tag === 'Left') return listed
  const names = new Set(listed.right.map((entry) => entry.name))
  let count = 1
  while (names.has(`${stem}-${count}.bin`)) count++
  return right(`${folder}/${tornFolder}/${stem}-${count}.bin`)
}

/** The offset behind the tail's last byte that is not zero. */
function contentEnd(tail: TornTail): Either<DiskError, number> {
  for (let end = tail.fileEnd; end > tail.from;) {
    const start = Math.max(tail.from, end - chunkBytes)
    const chunk = readAt(tail, start, end - start)
    if (chunk._tag === 'Left') return chunk
    for (let place = chunk.right.length - 1; place >= 0; place--) {
      if (chunk.right[place] !== 0) return right(start + place + 1)
    }
    end = start
  }
  return right(tail.from)
}

function readAt(tail: TornTail, offset: number, bytes: number): Either<DiskError, Buffer> {
  const chunk = Buffer.alloc(bytes)
  const got = tail.file.readSync(chunk, offset - tail.base + headerBytes)
  return got._tag === 'Left' ? got : right(chunk.subarray(0, got.right))
}
