// Removes what a trim has made superfluous: the segments before the log's first offset with their indexes, the tiers
// over them, and older trim files. It can be interrupted anywhere and done again, at the next opening or the next trim.

import { right, type Either, type Left } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { TrimFile } from '../indexing/trim-file.ts'
import { firstOfName } from '../indexing/trim-format.ts'
import { tierOfName } from '../indexing/tier-plan.ts'
import { chunkBytes } from '../core/limit.ts'
import type { Disk } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import { baseOfName, indexBaseOfName, inspectSegment, segmentName } from './segment.ts'

export interface SweptLog {
  readonly disk: Disk
  readonly folder: string
  readonly logId: number
}

/** The files before `first`, in the order in which they may go. What is not known to be the log's own is not among them. */
export function superfluous(log: SweptLog, first: number): Either<DiskError, readonly string[]> {
  const { disk, folder, logId } = log
  const listed = disk.list(folder)
  if (listed._tag === 'Left') return listed
  const segments: number[] = []
  const caches: string[] = []
  const trims: string[] = []
  for (const { name, kind } of listed.right) {
    if (kind !== 'file') continue
    const base = baseOfName(name)
    if (base !== undefined && base < first) segments.push(base)
    const cached = indexBaseOfName(name) ?? tierOfName(name)?.base
    if (cached !== undefined && cached < first) caches.push(name)
    const older = firstOfName(name)
    if (older !== undefined && older < first) trims.push(name)
  }
  const own: string[] = []
  for (const base of segments.sort((a, b) => a - b)) {
    const name = segmentName(base)
    const inspected = inspectSegment(disk, `${folder}/${name}`, base)
    if (inspected._tag === 'Right' && inspected.right?.header.logId === logId) own.push(name)
  }
  return right([...own, ...caches.sort(), ...trims.sort()])
}

/** Removes the files, and makes that durable. */
export async function removeAll(log: SweptLog, names: readonly string[]): Promise<Either<DiskError, void>> {
  const { disk, folder } = log
  for (const name of names) {
    const removed = disk.remove(`${folder}/${name}`)
    if (removed._tag === 'Left') return removed
  }
  return names.length === 0 ? right(undefined) : disk.syncFolder(folder)
}

/**
 * Ends a trim that was interrupted, at opening. The name of the trim file may be one that a failed sync has lost, which
 * the system shows all the same; so it is written anew before anything that it stands for goes. On a full disk that has
 * to wait.
 */
export async function endTrim(
  log: SweptLog & { readonly slot: Slot },
  trim: TrimFile
): Promise<Either<DiskError, void>> {
  const names = superfluous(log, trim.trailer.first)
  if (names._tag === 'Left' || names.right.length === 0) return names._tag === 'Left' ? names : right(undefined)
  const renewed = await log.slot.save(trim.path, copyOf(log.disk, trim.path))
  if (renewed._tag === 'Left') return renewed.left._tag === 'DiskFull' ? right(undefined) : renewed
  return removeAll(log, names.right)
}

/** The bytes of a file, in pieces. */
function* copyOf(disk: Disk, path: string): Generator<Uint8Array | Left<DiskError>, void, undefined> {
  const opened = disk.open(path, 'read')
  if (opened._tag === 'Left') return yield opened
  try {
    for (let position = 0; ;) {
      const chunk = Buffer.alloc(chunkBytes)
      const got = opened.right.readSync(chunk, position)
      if (got._tag === 'Left') return yield got
      if (got.right > 0) yield chunk.subarray(0, got.right)
      if (got.right < chunk.length) return
      position += got.right
    }
  } finally {
    opened.right.close()
  }
}
