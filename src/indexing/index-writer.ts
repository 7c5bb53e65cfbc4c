// Writes an index file or a tier from front to back: the one serialiser, whether the index was built event by event,
// put together from a checkpoint and what came later, or rebuilt from the segment. So equal content has equal bytes.

import type { DamagedRegion } from '../core/read-error.ts'
import { ByteWriter, type ByteSpan } from './bytes.ts'
import {
  encodeTrailer,
  fileSeed,
  filterKeysMax,
  groupPostingsBytes,
  keyBlockBytes,
  keyKind,
  seedAt,
  type IndexIdentity,
  type KeyKind,
  type KindKey
} from './format.ts'
import { FilterBuilder, filterBlockBytes, filterPageBlocks, keyHash } from './key-filter.ts'
import type { FrozenKeys } from './key-table.ts'
import {
  writeDamage,
  writeDirectoryRecord,
  writeEntry,
  writePostings,
  writeStrides,
  type DirectoryRecord,
  type TimedOffsets
} from './section.ts'
import type { Timeline } from './timeline.ts'

/** What a segment's file says. It must not change until the last part is taken. */
export interface IndexContent extends IndexIdentity {
  readonly events: number
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
  /** By kind, ascending. */
  readonly tables: readonly { readonly kind: KeyKind; readonly frozen: FrozenKeys }[]
  readonly timeline: Timeline
  readonly damage: readonly DamagedRegion[]
}

/** The file's bytes in pieces of a few KiB, each the caller's own; a key of very many events makes a larger one. */
export function* indexParts(content: IndexContent): Generator<Uint8Array, void, undefined> {
  const writer = new IndexWriter(content)
  for (const key of contentKeys(content)) {
    writer.add(key)
    if (writer.full) yield writer.closeGroup()
  }
  yield* writer.finish({ ...content, tier: false, strides: content.timeline })
}

/** Every key of a content in the order of the file. */
export function* contentKeys({ tables }: IndexContent): Generator<WrittenKey, void, undefined> {
  for (const { kind, frozen } of tables) {
    for (const key of frozen.keys('')) {
      const id = frozen.id(key)
      const events = frozen.count(id)
      yield { kind, key, events, version: frozen.version(id), head: noPostings, offsets: frozen.offsets(id) }
    }
  }
}

/** Postings as they stand in a file. */
export interface PostingsBytes extends ByteSpan {
  /** The last of them, 0 when there is none. */
  readonly last: number
}

export const noPostings: PostingsBytes = { bytes: Buffer.alloc(0), start: 0, end: 0, last: 0 }

/** A key on its way into a file. */
export interface WrittenKey extends KindKey {
  readonly events: number
  readonly version: number
  /** Its first postings, */
  readonly head: PostingsBytes
  /** and those behind them. */
  readonly offsets: readonly number[]
}

const nothing = Buffer.alloc(0)

/** What stands behind the groups. */
export interface IndexTail {
  readonly tier: boolean
  readonly events: number
  readonly firstTimestampMs: number
  readonly lastTimestampMs: number
  readonly strides: TimedOffsets
  readonly damage: readonly DamagedRegion[]
}

/** Takes keys in order and gathers them until a group is full; what is handed over is the file, from front to back. */
export class IndexWriter {
  readonly #identity: IndexIdentity
  readonly #seed: number
  readonly #directory = new ByteWriter()
  readonly #postings = new ByteWriter()
  readonly #block = new ByteWriter()
  readonly #filter = new FilterBuilder()
  readonly #filterKeysMax: number
  readonly #filters: Buffer[] = []
  // Where the group that is being gathered will stand, and its first key.
  #position = 0
  #first: KindKey = { kind: keyKind.aggregate, key: '' }
  // The group that was closed last, until it is known whether its filter ends with it.
  #closed: Omit<DirectoryRecord, 'filterBlocks'> | undefined

  constructor(identity: IndexIdentity, keysMax: number = filterKeysMax) {
    this.#identity = identity
    this.#seed = fileSeed(identity)
    this.#filterKeysMax = keysMax
  }

  /** Whether the group must be closed before the next key. */
  get full(): boolean {
    return this.#block.length >= keyBlockBytes || this.#postings.length >= groupPostingsBytes
  }

  add({ kind, key, events, version, head, offsets }: WrittenKey): void {
    if (this.#block.length === 0) this.#open({ kind, key })
    const from = this.#postings
    const start = from.length
    from.raw(head)
    writePostings(from, offsets, head.last)
    const seed = seedAt(this.#seed, this.#position + start)
    writeEntry(this.#block, { kind, key, events, version }, { from, start, seed })
    this.#filter.add(keyHash(kind, key))
  }

  /** Begins a group. */
  #open(first: KindKey): void {
    this.#first = first
    this.#noteClosed(this.#filter.count >= this.#filterKeysMax)
  }

  /** Notes the group before in the directory, which ends a filter or not. */
  #noteClosed(filterEnds: boolean): void {
    if (this.#closed === undefined) return
    const filter = filterEnds ? this.#filter.take() : nothing
    writeDirectoryRecord(this.#directory, { ...this.#closed, filterBlocks: filter.length / filterBlockBytes })
    if (filterEnds) this.#filters.push(filter)
    this.#closed = undefined
  }

  /** Hands over postings and key block. */
  closeGroup(): Buffer {
    const postings = this.#postings.take()
    const block = seal(this.#block, seedAt(this.#seed, this.#position + postings.length))
    const { kind, key } = this.#first
    this.#closed = { kind, key, postingsBytes: postings.length, blockBytes: block.length }
    this.#position += postings.length + block.length
    return Buffer.concat([postings, block])
  }

  /** The last group and everything behind it. */
  *finish(tail: IndexTail): Generator<Uint8Array, void, undefined> {
    if (this.#block.length > 0) yield this.closeGroup()
    this.#noteClosed(true)
    const groupsBytes = this.#position
    const section = new ByteWriter()
    const directory = this.#sealNext(this.#directory)
    writeStrides(section, tail.strides, tail.tier ? 0 : tail.firstTimestampMs)
    const strides = this.#sealNext(section)
    writeDamage(section, tail.damage, this.#identity.base)
    const damage = this.#sealNext(section)
    yield directory
    yield strides
    yield damage
    const filtersAt = this.#position
    for (const filter of this.#filters) yield* this.#filterPages(section, filter)
    const sections = {
      groupsBytes,
      directoryBytes: directory.length,
      stridesBytes: strides.length,
      damageBytes: damage.length,
      filterBytes: this.#position - filtersAt
    }
    yield encodeTrailer({ ...this.#identity, ...tail, ...sections }, tail.tier)
  }

  *#filterPages(section: ByteWriter, filter: Buffer): Generator<Uint8Array, void, undefined> {
    const pageBytes = filterPageBlocks * filterBlockBytes
    for (let start = 0; start < filter.length; start += pageBytes) {
      section.raw({ bytes: filter, start, end: Math.min(start + pageBytes, filter.length) })
      yield this.#sealNext(section)
    }
  }

  #sealNext(section: ByteWriter): Buffer {
    const part = seal(section, seedAt(this.#seed, this.#position))
    this.#position += part.length
    return part
  }
}

/** Closes a block or a section with its CRC. */
function seal(section: ByteWriter, seed: number): Buffer {
  section.u32(section.crc(0, seed))
  return section.take()
}
