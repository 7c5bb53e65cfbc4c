// Holds an index file to a rebuild from the frames: equal segments have equal index files, byte for byte, so any
// difference is a fault. One difference is none: an index that was written before its segment was damaged still knows
// what stood in the damaged part, and is worth more than a rebuild, which has forgotten.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import { keyKind } from '../indexing/format.ts'
import { IndexFile } from '../indexing/index-file.ts'
import type { IndexedKey } from '../indexing/index-reader.ts'
import type { MemoryIndex } from '../indexing/memory-index.ts'
import type { IndexError } from '../indexing/segment-index.ts'
import type { Disk } from '../port/disk.ts'
import type { FindingCode } from './verify-finding.ts'

export interface IndexFault {
  readonly code: Extract<FindingCode, `index-${string}`>
  readonly message: string
}

export interface ExpectedIndex {
  readonly path: string
  readonly logId: number
  /** Where the index should end. */
  readonly end: number
}

/** What is wrong with the index file at `expected.path`; undefined when it is what `rebuilt` would write. */
export function judgeIndex(
  disk: Disk,
  expected: ExpectedIndex,
  rebuilt: MemoryIndex
): Either<DiskError, IndexFault | undefined> {
  const opened = IndexFile.open(disk, expected.path, { logId: expected.logId, base: rebuilt.base })
  if (opened._tag === 'Left') return openFault(opened.left)
  const index = opened.right
  try {
    if (index.end !== expected.end) {
      const message = `it ends at ${index.end} and its segment at ${expected.end}; opening builds it anew`
      return right({ code: 'index-stale', message })
    }
    const same = hasBytes(disk, expected.path, rebuilt.parts())
    if (same._tag === 'Left') return same
    return same.right ? right(undefined) : explain(index, rebuilt)
  } finally {
    index.close()
  }
}

function openFault(error: IndexError): Either<DiskError, IndexFault> {
  if (error._tag === 'IndexDamaged') {
    return right({ code: 'index-damaged', message: `${error.reason}; opening builds it anew` })
  }
  if (error.errno !== 'ENOENT') return left(error)
  return right({ code: 'index-missing', message: 'there is none; opening builds it anew' })
}

/** Whether a file has exactly these bytes. */
function hasBytes(disk: Disk, path: string, parts: Iterable<Uint8Array>): Either<DiskError, boolean> {
  const opened = disk.open(path, 'read')
  if (opened._tag === 'Left') return opened
  const file = opened.right
  try {
    let position = 0
    for (const part of parts) {
      const bytes = Buffer.alloc(part.length)
      const got = file.readSync(bytes, position)
      if (got._tag === 'Left') return got
      if (!bytes.subarray(0, got.right).equals(part)) return right(false)
      position += part.length
    }
    const size = file.size()
    return size._tag === 'Left' ? size : right(size.right === position)
  } finally {
    file.close()
  }
}

/** Why an index differs from a rebuild. */
function explain(index: IndexFile, rebuilt: MemoryIndex): Either<DiskError, IndexFault> {
  const whole = index.verify()
  if (whole._tag === 'Left') {
    if (whole.left._tag !== 'IndexDamaged') return left(whole.left)
    return right({ code: 'index-damaged', message: `${whole.left.reason}; it is built anew when that is read` })
  }
  const damage = rebuilt.damage()
  const older = damage._tag === 'Left' ? damage : isOlderThan(damage.right, index, rebuilt)
  if (older._tag === 'Left') return older.left._tag === 'IndexDamaged' ? right(differs) : left(older.left)
  return right(older.right ? beforeDamage : differs)
}

const differs: IndexFault = {
  code: 'index-differs',
  message: 'it is whole and says something else than the frames; what is asked of it may be answered wrong'
}

const beforeDamage: IndexFault = {
  code: 'index-before-damage',
  message: 'it was written before the segment was damaged, and still knows what stood there; it is kept'
}

/** Whether an index says what a rebuild says, and besides only what lies in the damage. */
function isOlderThan(
  damage: readonly DamagedRegion[],
  index: IndexFile,
  rebuilt: MemoryIndex
): Either<IndexError, boolean> {
  if (damage.length === 0) return right(false)
  let aggregateEvents = 0
  let typeEvents = 0
  for (const key of index.keys()) {
    if (key._tag === 'Left') return key
    const kept = key.right.offsets
      .map((offset) => offset + rebuilt.base)
      .filter((offset) => !damage.some((region) => region.offset <= offset && offset < region.nextOffset))
    const known = offsetsOf(rebuilt, key.right)
    if (known._tag === 'Left') return known
    if (known.right.length !== kept.length || known.right.some((offset, place) => offset !== kept[place])) {
      return right(false)
    }
    if (key.right.kind === keyKind.aggregate) aggregateEvents += kept.length
    if (key.right.kind === keyKind.type) typeEvents += kept.length
  }
  return right(aggregateEvents === rebuilt.events && typeEvents === rebuilt.events)
}

/** The offsets that a rebuild has under a key. */
function offsetsOf(rebuilt: MemoryIndex, { kind, key }: IndexedKey): Either<IndexError, readonly number[]> {
  switch (kind) {
    case keyKind.aggregate:
      return rebuilt.aggregateOffsets(key)
    case keyKind.type:
      return rebuilt.select([{ types: [key] }])
    case keyKind.namespace:
      return rebuilt.select([{ namespace: key }])
    case keyKind.tag:
      return rebuilt.select([{ tags: [key] }])
  }
}
