// Writes an index file from front to back: the one serialiser, whether the index was built event by event, restored
// from a checkpoint or rebuilt from the segment. So equal content has equal bytes.

import type { DamagedRegion } from '../core/error.ts'
import { ByteWriter } from './bytes.ts'
import {
  encodeTrailer,
  fileSeed,
  groupPostingsBytes,
  keyBlockBytes,
  keyKind,
  seedAt,
  type IndexIdentity,
  type KeyKind
} from './format.ts'
import type { FrozenKeys } from './key-table.ts'
import { writeDamage, writeDirectoryRecord, writeEntry, writePostings, writeStrides } from './section.ts'
import type { Timeline } from './timeline.ts'

/** What a file says. It must not change until the last part is taken. */
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
  const seed = fileSeed(content)
  const groups = new GroupWriter(seed)
  for (const { kind, frozen } of content.tables) {
    for (const key of frozen.keys('')) {
      groups.add(kind, key, frozen)
      if (groups.full) yield groups.close()
    }
  }
  if (!groups.empty) yield groups.close()

  let position = groups.position
  const sealNext = (section: ByteWriter): Buffer => {
    const part = seal(section, seedAt(seed, position))
    position += part.length
    return part
  }
  const section = new ByteWriter()
  const directory = sealNext(groups.directory)
  writeStrides(section, content.timeline, content.firstTimestampMs)
  const strides = sealNext(section)
  writeDamage(section, content.damage, content.base)
  const damage = sealNext(section)
  yield directory
  yield strides
  yield damage
  yield encodeTrailer({
    ...content,
    groupsBytes: groups.position,
    directoryBytes: directory.length,
    stridesBytes: strides.length,
    damageBytes: damage.length
  })
}

/** Gathers keys until a block is full, then hands over postings and block, and notes them in the directory. */
class GroupWriter {
  readonly directory = new ByteWriter()
  readonly #seed: number
  readonly #postings = new ByteWriter()
  readonly #block = new ByteWriter()
  // Where the group that is being gathered will stand.
  #position = 0
  #first: { readonly kind: KeyKind; readonly key: string } = { kind: keyKind.aggregate, key: '' }

  constructor(seed: number) {
    this.#seed = seed
  }

  get position(): number {
    return this.#position
  }

  get empty(): boolean {
    return this.#block.length === 0
  }

  get full(): boolean {
    return this.#block.length >= keyBlockBytes || this.#postings.length >= groupPostingsBytes
  }

  add(kind: KeyKind, key: string, frozen: FrozenKeys): void {
    const id = frozen.id(key)
    if (this.empty) this.#first = { kind, key }
    const start = this.#postings.length
    writePostings(this.#postings, frozen.offsets(id))
    writeEntry(this.#block, {
      kind,
      key,
      events: frozen.count(id),
      version: frozen.version(id),
      postingsBytes: this.#postings.length - start,
      postingsCrc: this.#postings.crc(start, seedAt(this.#seed, this.#position + start))
    })
  }

  close(): Buffer {
    const postings = this.#postings.take()
    const block = seal(this.#block, seedAt(this.#seed, this.#position + postings.length))
    const { kind, key } = this.#first
    writeDirectoryRecord(this.directory, { kind, key, postingsBytes: postings.length, blockBytes: block.length })
    this.#position += postings.length + block.length
    return Buffer.concat([postings, block])
  }
}

/** Closes a block or a section with its CRC. */
function seal(section: ByteWriter, seed: number): Buffer {
  section.u32(section.crc(0, seed))
  return section.take()
}
