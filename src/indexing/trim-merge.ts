// Writes a trim file: a merge of the trim file before it and of the indexes of the segments that go, in one pass, with a
// block of each in memory and the new directory. The bytes depend on what was removed alone, not on how many trims it
// took.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { ByteWriter } from './bytes.ts'
import { keyKind, seedAt } from './format.ts'
import type { IndexError } from './segment-index.ts'
import type { TierSource } from './tier-source.ts'
import type { TrimFile } from './trim-file.ts'
import {
  encodeTrimTrailer,
  trimBlockBytes,
  trimSeed,
  writeTrimEntry,
  writeTrimRecord,
  type TrimEntry,
  type TrimIdentity
} from './trim-format.ts'

type Entries = Iterable<Either<IndexError, TrimEntry>>

/** Part of what is removed: its aggregates in the order of their ids, each once. */
export interface TrimSource {
  readonly entries: Entries
  /** 0 when there is no event. */
  readonly lastTimestampMs: number
}

export function sourceOfTrim(trim: TrimFile): TrimSource {
  return { entries: trim.entries(), lastTimestampMs: trim.trailer.lastTimestampMs }
}

export function sourceOfIndex(index: TierSource & { readonly lastTimestampMs: number }): TrimSource {
  return { entries: aggregatesOf(index), lastTimestampMs: index.lastTimestampMs }
}

/** Aggregates come first in an index; what is behind them need not be read. */
function* aggregatesOf(index: TierSource): Generator<Either<IndexError, TrimEntry>, void, undefined> {
  for (const next of index.tierKeys()) {
    if (next._tag === 'Left') return yield next
    const { kind, key, events, version } = next.right
    if (kind !== keyKind.aggregate) return
    yield right({ aggregateId: key, events, version })
  }
}

/**
 * The bytes of the trim file over `sources`, oldest first, in pieces of a few KiB. A Left is the last thing that comes,
 * and what came before it is no file.
 */
export function* mergeTrim(
  identity: TrimIdentity,
  sources: readonly TrimSource[]
): Generator<Either<IndexError, Uint8Array>, void, undefined> {
  const writer = new TrimWriter(identity)
  for (const entry of mergeEntries(sources)) {
    if (entry._tag === 'Left') return yield entry
    writer.add(entry.right)
    if (writer.full) yield right(writer.closeBlock())
  }
  const lastTimestampMs = sources.reduce((last, source) => Math.max(last, source.lastTimestampMs), 0)
  for (const part of writer.finish(lastTimestampMs)) yield right(part)
}

/** The aggregates of all sources in order, those that are the same made one: the newest tells the version. */
function* mergeEntries(sources: readonly TrimSource[]): Generator<Either<IndexError, TrimEntry>, void, undefined> {
  const lists = sources.map(({ entries }) => entries[Symbol.iterator]())
  const heads: (TrimEntry | undefined)[] = []
  for (const list of lists) {
    const head = nextOf(list)
    if (head._tag === 'Left') return yield head
    heads.push(head.right)
  }
  for (;;) {
    let least: string | undefined
    for (const head of heads) {
      if (head !== undefined && (least === undefined || head.aggregateId < least)) least = head.aggregateId
    }
    if (least === undefined) return
    let events = 0
    let version = 0
    for (let place = 0; place < heads.length; place++) {
      const head = heads[place]
      if (head?.aggregateId !== least) continue
      events += head.events
      version = Math.max(version, head.version)
      const next = nextOf(lists[place] as Iterator<Either<IndexError, TrimEntry>>)
      if (next._tag === 'Left') return yield next
      heads[place] = next.right
    }
    yield right({ aggregateId: least, events, version })
  }
}

function nextOf(list: Iterator<Either<IndexError, TrimEntry>>): Either<IndexError, TrimEntry | undefined> {
  const next = list.next()
  return next.done === true ? right(undefined) : next.value
}

/** Takes entries in order and gathers them until a block is full. */
class TrimWriter {
  private readonly identity: TrimIdentity
  private readonly seed: number
  private readonly block = new ByteWriter()
  private readonly directory = new ByteWriter()
  /** Where the block that is being gathered will stand, and its first id. */
  private position = 0
  private first = ''
  private last: string | undefined
  private events = 0
  private aggregates = 0

  constructor(identity: TrimIdentity) {
    this.identity = identity
    this.seed = trimSeed(identity)
  }

  get full(): boolean {
    return this.block.length >= trimBlockBytes
  }

  add(entry: TrimEntry): void {
    assert(this.last === undefined || this.last < entry.aggregateId, 'the aggregates of a trim file ascend')
    if (this.block.length === 0) this.first = entry.aggregateId
    this.last = entry.aggregateId
    this.events += entry.events
    this.aggregates++
    writeTrimEntry(this.block, entry)
  }

  closeBlock(): Buffer {
    const block = this.seal(this.block)
    writeTrimRecord(this.directory, this.first, block.length)
    return block
  }

  *finish(lastTimestampMs: number): Generator<Uint8Array, void, undefined> {
    if (this.block.length > 0) yield this.closeBlock()
    const blocksBytes = this.position
    const directory = this.seal(this.directory)
    yield directory
    const { identity, events, aggregates } = this
    const directoryBytes = directory.length
    yield encodeTrimTrailer({ ...identity, events, aggregates, lastTimestampMs, blocksBytes, directoryBytes })
  }

  /** Closes a section with its CRC, at the place where it will stand. */
  private seal(section: ByteWriter): Buffer {
    section.u32(section.crc(0, seedAt(this.seed, this.position)))
    const part = section.take()
    this.position += part.length
    return part
  }
}
