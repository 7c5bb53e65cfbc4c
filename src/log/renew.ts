// Writes again what nobody vouches for. After a failed sync the system may hold pages that it will never write, and
// names likewise; it shows them to whoever opens the log next, and reports success to the next sync all the same. What
// was written again is new to it, so the sync that follows vouches for it. The same holds for what was taken back: bytes
// behind the end, and the name of a segment that could not be made, are taken back once more.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { headerBytes } from '../core/header.ts'
import { chunkBytes } from '../core/limit.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import { segmentName } from './segment.ts'

export interface DoubtfulTail {
  readonly base: number
  /** Everything before this offset is known to be on disk. */
  readonly evidence: number
  /** Where the log ends, and the file with it. */
  readonly end: number
  /** Whether something was written since the segment's name was made durable. */
  readonly named: boolean
}

/**
 * Makes the next sync of the segment's file, which is open for writing, and of its folder mean what they say. Nothing
 * that can be read changes.
 */
export function renewTail(disk: Disk, file: DiskFile, tail: DoubtfulTail): Either<DiskError, void> {
  const { base, evidence, end, named } = tail
  // Whoever vouches for a frame vouches for the header before it.
  const from = evidence > base ? evidence - base + headerBytes : 0
  const rewritten = rewrite(file, from, end - base + headerBytes)
  // Never longer, not even for a moment: the segment may be sealed, by a name that only a power cut brings back.
  const recut = rewritten._tag === 'Left' ? rewritten : file.truncate(end - base + headerBytes)
  // So were frames: no frame is written before the name is durable.
  return recut._tag === 'Left' || named || end > base ? recut : renewName(disk, file.path)
}

/**
 * The last roll may have failed: then its segment's name was removed, and is removed again. On a full disk that must
 * wait for the next opening: a log opens there too. The tail has been synced: a segment's name vouches for it.
 */
export function renewAbsence(disk: Disk, active: string, end: number): Either<DiskError, void> {
  const path = `${active.slice(0, active.lastIndexOf('/'))}/${segmentName(end)}`
  const made = disk.open(path, 'create')
  if (made._tag === 'Left') {
    // What is there is about to be set aside, which makes its absence known as well.
    return made.left._tag === 'DiskFull' || made.left.errno === 'EEXIST' ? right(undefined) : made
  }
  made.right.close()
  return disk.remove(path)
}

function rewrite(file: DiskFile, from: number, end: number): Either<DiskError, void> {
  const chunk = Buffer.allocUnsafe(Math.max(0, Math.min(chunkBytes, end - from)))
  for (let position = from; position < end;) {
    const bytes = chunk.subarray(0, Math.min(chunk.length, end - position))
    const got = file.readSync(bytes, position)
    if (got._tag === 'Left') return got
    if (got.right === 0) break
    const written = file.writeSync(bytes.subarray(0, got.right), position)
    if (written._tag === 'Left') return written
    position += got.right
  }
  return right(undefined)
}

/** There and back, and not made anew: who has the file open keeps the right one. A crash in between loses no frame. */
function renewName(disk: Disk, path: string): Either<DiskError, void> {
  const away = disk.rename(path, `${path}.tmp`)
  return away._tag === 'Left' ? away : disk.rename(`${path}.tmp`, path)
}
