// Writes an index file or a tier from front to back: the one serialiser, whether the index was built event by event,
// put together from a checkpoint and what came later, or rebuilt from the segment. So equal content has equal bytes.

import type { DamagedRegion } from '../core/read-error.ts'
import { ByteWriter } from './bytes.ts'
import {
  encodeTrailer,
  fileSeed,
  groupPostingsBytes,
  keyBlockBytes,
  keyKind,
  seedAt,
  type IndexIdentity,
  type KeyKind,
  type KindKey
} from './format.ts'
import type { FrozenKeys } from './key-table.ts'
import {
  writeDamage,
  writeDirectoryRecord,
  writeEntry,
  writePostings,
  writeStrides,
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
export interface PostingsBytes {
  readonly bytes: Uint8Array
  /** The last of them, 0 when there is none. */
  readonly last: number
}

export const noPostings: PostingsBytes = { bytes: new Uint8Array(0), last: 0 }

/** A key on its way into a file. */
export interface WrittenKey extends KindKey {
  readonly events: number
  readonly version: number
  /** Its first postings, */
  readonly head: PostingsBytes
  /** and those behind them. */
  readonly offsets: readonly number[]
}

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
  // Where the group that is being gathered will stand, and its first key.
  #position = 0
  #first: KindKey = { kind: keyKind.aggregate, key: '' }

  constructor(identity: IndexIdentity) {
    this.#identity = identity
    this.#seed = fileSeed(identity)
  }

  /** Whether the group must be closed before the next key. */
  get full(): boolean {
    return this.#block.length >= keyBlockBytes || this.#postings.length >= groupPostingsBytes
  }

  add({ kind, key, events, version, head, offsets }: WrittenKey): void {
    if (this.#block.length === 0) this.#first = { kind, key }
    const start = this.#postings.length
    this.#postings.raw(head.bytes)
    writePostings(this.#postings, offsets, head.last)
    const postingsBytes = this.#postings.length - start
    const postingsCrc = this.#postings.crc(start, seedAt(this.#seed, this.#position + start))
    writeEntry(this.#block, { kind, key, events, version, postingsBytes, postingsCrc })
  }

  /** Hands over postings and key block, and notes them in the directory. */
  closeGroup(): Buffer {
    const postings = this.#postings.take()
    const block = seal(this.#block, seedAt(this.#seed, this.#position + postings.length))
    const { kind, key } = this.#first
    writeDirectoryRecord(this.#directory, { kind, key, postingsBytes: postings.length, blockBytes: block.length })
    this.#position += postings.length + block.length
    return Buffer.concat([postings, block])
  }

  /** The last group and everything behind it. */
  *finish(tail: IndexTail): Generator<Uint8Array, void, undefined> {
    if (this.#block.length > 0) yield this.closeGroup()
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
    const sections = {
      groupsBytes,
      directoryBytes: directory.length,
      stridesBytes: strides.length,
      damageBytes: damage.length
    }
    yield encodeTrailer({ ...this.#identity, ...tail, ...sections }, tail.tier)
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
