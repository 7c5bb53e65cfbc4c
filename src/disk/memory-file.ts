// A file of the memory disk: what every reader sees (live), what is on the platter for sure (durable), and the
// changes in between, of which a power cut keeps any part in any combination.

import { Image } from './memory-image.ts'
import { Journal, type Choose } from './memory-journal.ts'

type Change =
  | { readonly kind: 'write'; readonly position: number; readonly source: Uint8Array }
  | { readonly kind: 'resize'; readonly bytes: number }
  /** Bit rot: durable at once, and without effect where the file does not reach. */
  | { readonly kind: 'rot'; readonly position: number; readonly xor: number }

type Write = Extract<Change, { readonly kind: 'write' }>

const sectorBytes = 512

export class MemoryFile {
  /** The content with every change. */
  #live = new Image()
  /** The content before the first change of the journal. */
  #durable = new Image()
  #journal = new Journal<Change>()

  get bytes(): number {
    return this.#live.bytes
  }

  /** What a sync that begins now will cover; for `synced` and `syncFailed`. */
  get mark(): number {
    return this.#journal.mark
  }

  read(target: Uint8Array, position: number): number {
    return this.#live.read(target, position)
  }

  write(source: Uint8Array, position: number): void {
    this.#change({ kind: 'write', position, source: new Uint8Array(source) }) // slice() of a Buffer would be a view
  }

  resize(bytes: number): void {
    this.#change({ kind: 'resize', bytes })
  }

  /** Flips bits of one byte, on the platter and in every copy. */
  rot(position: number, xor: number): void {
    const change: Change = { kind: 'rot', position, xor }
    apply(change, this.#live)
    this.#journal.add(change, 'durable')
  }

  synced(mark: number): void {
    for (const change of this.#journal.settle(mark, 'durable')) apply(change, this.#durable)
  }

  syncFailed(mark: number): void {
    for (const change of this.#journal.settle(mark, 'doubtful')) apply(change, this.#durable)
  }

  clone(): MemoryFile {
    const copy = new MemoryFile()
    copy.#live = this.#live.clone()
    copy.#durable = this.#durable.clone()
    copy.#journal = this.#journal.clone((change) => change)
    return copy
  }

  /** A clone whose last change, if it is a write, stopped after so many bytes. */
  torn(keptBytes: number): MemoryFile {
    const copy = new MemoryFile()
    const entries = [...this.#journal.entries]
    const last = entries.pop()
    if (last?.change.kind !== 'write') return this.clone()
    copy.#durable = this.#durable.clone()
    copy.#live = this.#durable.clone()
    for (const { change, fate } of entries) copy.#change(change, fate)
    const { position, source } = last.change
    if (keptBytes > 0) copy.#change({ kind: 'write', position, source: source.subarray(0, keptBytes) })
    return copy
  }

  /** What a power cut leaves: the durable content, and of every uncertain change what `choose` keeps. */
  survivor(choose: Choose): MemoryFile {
    const image = this.#durable.clone()
    for (const { change, fate } of this.#journal.entries) {
      if (fate === 'durable') apply(change, image)
      else if (change.kind === 'write') applySome(change, image, choose)
      else if (choose(2) === 1) apply(change, image)
    }
    const survivor = new MemoryFile()
    survivor.#live = image.clone()
    survivor.#durable = image
    return survivor
  }

  #change(change: Change, fate: 'dirty' | 'doubtful' | 'durable' = 'dirty'): void {
    apply(change, this.#live)
    this.#journal.add(change, fate)
  }
}

function apply(change: Change, image: Image): void {
  if (change.kind === 'write') image.write(change.source, change.position)
  else if (change.kind === 'resize') image.resize(change.bytes)
  else if (change.position < image.bytes) {
    const byte = new Uint8Array(1)
    image.read(byte, change.position)
    image.write(Uint8Array.of((byte[0] as number) ^ change.xor), change.position)
  }
}

/** The first outcome keeps nothing, the last everything. */
function applySome(write: Write, image: Image, choose: Choose): void {
  const outcomes = [lose, loseData, keepFirstBytes, keepLastBytes, keepSectors, apply]
  const outcome = outcomes[choose(outcomes.length)] ?? apply
  outcome(write, image, choose)
}

function lose(): void {}

/** The file has grown, and holds zeros where the data should be. */
function loseData(write: Write, image: Image): void {
  grow(image, write.position + write.source.length)
}

function keepFirstBytes(write: Write, image: Image, choose: Choose): void {
  const kept = choose(write.source.length + 1)
  image.write(write.source.subarray(0, kept), write.position)
  growPerhaps(write, image, choose)
}

function keepLastBytes(write: Write, image: Image, choose: Choose): void {
  const lost = choose(write.source.length + 1)
  image.write(write.source.subarray(lost), write.position + lost)
  growPerhaps(write, image, choose)
}

function keepSectors(write: Write, image: Image, choose: Choose): void {
  const end = write.position + write.source.length
  for (let at = write.position; at < end; at += sectorBytes - (at % sectorBytes)) {
    const stop = Math.min(end, at + sectorBytes - (at % sectorBytes))
    if (choose(2) === 1) image.write(write.source.subarray(at - write.position, stop - write.position), at)
  }
  growPerhaps(write, image, choose)
}

/** The size is kept apart from the data, so each may survive without the other. */
function growPerhaps(write: Write, image: Image, choose: Choose): void {
  if (choose(2) === 1) grow(image, write.position + write.source.length)
}

function grow(image: Image, bytes: number): void {
  if (image.bytes < bytes) image.resize(bytes)
}
