// A trim file, looked up where it is. Memory holds the trailer and the directory, an id per 4 KiB; a lookup reads one
// block. No byte is believed before its checksum holds, at every read.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Version } from '../core/brand.ts'
import { crc32 } from '../core/crc.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { AggregateSummary } from '../port/store.ts'
import { seedAt } from './format.ts'
import { IndexDamaged, type IndexError } from './segment-index.ts'
import { countBelow } from './timeline.ts'
import {
  decodeTrimTrailer,
  readTrimBlock,
  readTrimDirectory,
  trimSeed,
  trimTrailerBytes,
  type TrimDirectory,
  type TrimEntry,
  type TrimTrailer
} from './trim-format.ts'

const crcBytes = 4

/** Nothing that is read at once is larger in a file of our own. */
const readBytesMax: number = 1024 * 1024 * 1024

export class TrimFile {
  readonly trailer: TrimTrailer
  private readonly file: DiskFile
  private readonly directory: TrimDirectory
  /** How many iterations are under way, and whether the last of them closes the file. */
  private iterations = 0
  private retired = false
  private closed = false

  private constructor(file: DiskFile, trailer: TrimTrailer, directory: TrimDirectory) {
    this.file = file
    this.trailer = trailer
    this.directory = directory
  }

  /** Opens a file and checks its trailer and its directory, and that it is about `first`. Whoever opens closes. */
  static open(disk: Disk, path: string, first: number): Either<IndexError, TrimFile> {
    const opened = disk.open(path, 'read')
    if (opened._tag === 'Left') return opened
    const read = readEnds(opened.right, first)
    if (read._tag === 'Right') return right(new TrimFile(opened.right, read.right.trailer, read.right.directory))
    opened.right.close()
    return read
  }

  get path(): string {
    return this.file.path
  }

  /** Idempotent. Every later lookup answers with the disk's EBADF. */
  close(): void {
    this.closed = true
    this.file.close()
  }

  get isClosed(): boolean {
    return this.closed
  }

  /** Closes the file as soon as no iteration over it is under way: for one that another has taken the place of. */
  retire(): void {
    this.retired = true
    if (this.iterations === 0) this.close()
  }

  /** The aggregate's version when the log was trimmed, 0 when none of its events was removed. */
  version(aggregateId: string): Either<IndexError, number> {
    const block = countBelow(this.directory.firsts, aggregateId)
    // The last block that begins at the id or before it.
    const place = this.directory.firsts[block] === aggregateId ? block : block - 1
    if (place < 0) return right(0)
    const entries = this.block(place)
    if (entries._tag === 'Left') return entries
    return right(entries.right.find((entry) => entry.aggregateId === aggregateId)?.version ?? 0)
  }

  /** The aggregates whose id begins with `prefix`, in order. A Left is the last thing that comes. */
  *aggregates(prefix: string): Generator<Either<IndexError, AggregateSummary>, void, undefined> {
    const first = Math.max(0, countBelow(this.directory.firsts, prefix) - 1)
    for (const entry of this.entries(first)) {
      if (entry._tag === 'Left') return yield entry
      const { aggregateId, version } = entry.right
      if (aggregateId < prefix) continue
      if (!aggregateId.startsWith(prefix)) return
      yield right({ aggregateId, version: Version(version) })
    }
  }

  /** Every entry from a block on, in the order of the ids. A Left is the last thing that comes. */
  *entries(block = 0): Generator<Either<IndexError, TrimEntry>, void, undefined> {
    this.iterations++
    try {
      for (let place = block; place < this.directory.firsts.length; place++) {
        const entries = this.block(place)
        if (entries._tag === 'Left') return yield entries
        for (const entry of entries.right) yield right(entry)
      }
    } finally {
      this.iterations--
      if (this.retired && this.iterations === 0) this.close()
    }
  }

  /** The entries of the blocks that can be read. */
  *salvage(): Generator<Either<never, TrimEntry>, void, undefined> {
    for (let place = 0; place < this.directory.firsts.length; place++) {
      const entries = this.block(place)
      if (entries._tag === 'Right') for (const entry of entries.right) yield right(entry)
    }
  }

  /** Reads and checks every byte. */
  verify(): Either<IndexError, void> {
    const read = readEnds(this.file, this.trailer.first)
    if (read._tag === 'Left') return read
    let events = 0
    let aggregates = 0
    for (const entry of this.entries()) {
      if (entry._tag === 'Left') return entry
      events += entry.right.events
      aggregates++
    }
    if (events === this.trailer.events && aggregates === this.trailer.aggregates) return right(undefined)
    return left(new IndexDamaged(this.path, 'content: the counts and the blocks differ'))
  }

  private block(place: number): Either<IndexError, readonly TrimEntry[]> {
    const { firsts, starts } = this.directory
    const start = starts[place] as number
    const bytes = readSealed(this.file, this.trailer, {
      position: start,
      length: (starts[place + 1] as number) - start
    })
    if (bytes._tag === 'Left') return bytes
    const entries = readTrimBlock(bytes.right)
    if (entries._tag === 'Left') return left(new IndexDamaged(this.path, entries.left))
    if (entries.right[0]?.aggregateId === firsts[place]) return entries
    return left(new IndexDamaged(this.path, 'content: the directory and a block differ'))
  }
}

interface Ends {
  readonly trailer: TrimTrailer
  readonly directory: TrimDirectory
}

function readEnds(file: DiskFile, first: number): Either<IndexError, Ends> {
  const size = file.size()
  if (size._tag === 'Left') return size
  const length = Math.min(trimTrailerBytes, size.right)
  const bytes = readExactly(file, size.right - length, length)
  if (bytes._tag === 'Left') return bytes
  const trailer = decodeTrimTrailer(bytes.right, size.right)
  if (trailer._tag === 'Left') return left(new IndexDamaged(file.path, trailer.left))
  if (trailer.right.first !== first) {
    return left(new IndexDamaged(file.path, `content: it is about ${trailer.right.first}`))
  }
  const { blocksBytes, directoryBytes } = trailer.right
  const section = readSealed(file, trailer.right, { position: blocksBytes, length: directoryBytes })
  if (section._tag === 'Left') return section
  const directory = readTrimDirectory(section.right, blocksBytes)
  if (directory._tag === 'Left') return left(new IndexDamaged(file.path, directory.left))
  return right({ trailer: trailer.right, directory: directory.right })
}

/** Reads what is closed by a CRC, and hands it over without it. */
function readSealed(
  file: DiskFile,
  trailer: TrimTrailer,
  { position, length }: { readonly position: number; readonly length: number }
): Either<IndexError, Buffer> {
  if (length < crcBytes) return left(new IndexDamaged(file.path, 'content: a section without its checksum'))
  const bytes = readExactly(file, position, length)
  if (bytes._tag === 'Left') return bytes
  const body = bytes.right.subarray(0, length - crcBytes)
  const intact = crc32(body, seedAt(trimSeed(trailer), position)) === bytes.right.readUInt32LE(length - crcBytes)
  return intact ? right(body) : left(new IndexDamaged(file.path, `checksum: the block at ${position}`))
}

function readExactly(file: DiskFile, position: number, length: number): Either<IndexError, Buffer> {
  if (length > readBytesMax) return left(new IndexDamaged(file.path, `content: ${length} bytes in one piece`))
  const bytes = Buffer.allocUnsafe(length)
  const count = file.readSync(bytes, position)
  if (count._tag === 'Left') return count
  return count.right === length ? right(bytes) : left(new IndexDamaged(file.path, 'content: it became shorter'))
}
