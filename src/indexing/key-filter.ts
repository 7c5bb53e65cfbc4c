// A filter of the keys of an index file: it says of a key that the file does not hold it, or that it may. So a lookup
// of an unknown key reads no key block, however many files are asked. A key that is there is never denied; one in a
// hundred that is not there may pass.
//
// A split block Bloom filter (Putze, Sanders, Singler, "Cache-, Hash- and Space-Efficient Bloom Filters", 2007; the
// salts are those of the Parquet format): a key has one block of 32 bytes, and sets one bit in each of its eight
// words. Its hash is taken of kind and bytes as they stand in the file, so that strings never have to agree.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { encodeKey } from './bytes.ts'
import type { KeyKind } from './format.ts'

export const filterBlockBytes = 32

/** How many blocks share a CRC and a read. */
export const filterPageBlocks = 128

/** How many keys share a block: 10⅔ bits a key let one unknown key in a hundred pass. */
const keysPerBlock = 24

const salts = [0x47b6137b, 0x44974d91, 0x8824ad5b, 0xa2b7289d, 0x705495c7, 0x2df1424b, 0x9efc4947, 0x5c6bfb31] as const

/** How many blocks a filter of so many keys has. */
function blocksOf(keys: number): number {
  return Math.ceil(keys / keysPerBlock)
}

/** FNV-1a over the kind and the key's bytes, mixed by the last step of MurmurHash3: a u32. */
export function keyHash(kind: KeyKind, key: string): number {
  let hash = Math.imul(fnvBasis ^ kind, fnvPrime)
  for (let place = 0; place < key.length; place++) {
    const unit = key.charCodeAt(place)
    // ASCII stands in the file as it is, and no bytes need be made of it.
    if (unit > 0x7f) return bytesHash(kind, encodeKey(key).bytes)
    hash = Math.imul(hash ^ unit, fnvPrime)
  }
  return mixed(hash)
}

const fnvBasis = 0x811c9dc5
const fnvPrime = 0x01000193

function bytesHash(kind: KeyKind, bytes: Uint8Array): number {
  let hash = Math.imul(fnvBasis ^ kind, fnvPrime)
  for (const byte of bytes) hash = Math.imul(hash ^ byte, fnvPrime)
  return mixed(hash)
}

function mixed(hash: number): number {
  let mix = hash
  mix = Math.imul(mix ^ (mix >>> 16), 0x85ebca6b)
  mix = Math.imul(mix ^ (mix >>> 13), 0xc2b2ae35)
  return (mix ^ (mix >>> 16)) >>> 0
}

/** The block of a hash among so many. */
export function filterBlockOf(hash: number, blocks: number): number {
  return Math.floor((hash * blocks) / 0x1_0000_0000)
}

/** Whether a key with this hash may be in the block that stands at `at`. */
export function mayHold(bytes: Uint8Array, at: number, hash: number): boolean {
  // Keys of one block have like hashes; the bits are taken of another mix of them.
  const bits = mixed(hash ^ 0x9e3779b9)
  for (let word = 0; word < salts.length; word++) {
    const bit = Math.imul(bits, salts[word] as number) >>> 27
    if (((bytes[at + word * 4 + (bit >>> 3)] as number) & (1 << (bit & 7))) === 0) return false
  }
  return true
}

function addTo(bytes: Uint8Array, at: number, hash: number): void {
  const bits = mixed(hash ^ 0x9e3779b9)
  for (let word = 0; word < salts.length; word++) {
    const bit = Math.imul(bits, salts[word] as number) >>> 27
    const place = at + word * 4 + (bit >>> 3)
    bytes[place] = (bytes[place] as number) | (1 << (bit & 7))
  }
}

/** Gathers the hashes of keys, four bytes each, until there is a filter to be made of them. */
export class FilterBuilder {
  #hashes = new Uint32Array(64)
  #count = 0

  get count(): number {
    return this.#count
  }

  add(hash: number): void {
    if (this.#count === this.#hashes.length) {
      const larger = new Uint32Array(this.#count * 2)
      larger.set(this.#hashes)
      this.#hashes = larger
    }
    this.#hashes[this.#count++] = hash
  }

  /** The blocks of all keys since the last call. */
  take(): Buffer {
    const blocks = blocksOf(this.#count)
    const bytes = Buffer.alloc(blocks * filterBlockBytes)
    for (let place = 0; place < this.#count; place++) {
      const hash = this.#hashes[place] as number
      addTo(bytes, filterBlockOf(hash, blocks) * filterBlockBytes, hash)
    }
    this.#count = 0
    return bytes
  }
}

/** Pages of filters that are in memory, of all files of a log: bounded by bytes, so that memory does not grow with it. */
export class FilterMemory {
  readonly #bytesMax: number
  readonly #holders = new Set<{ readonly forget: () => void }>()
  #bytes = 0

  constructor(bytesMax: number = filterMemoryBytes) {
    this.#bytesMax = bytesMax
  }

  /** Notes that a holder keeps so many bytes more. When it is too much everybody forgets, and reads what is asked again. */
  keep(holder: { readonly forget: () => void }, bytes: number): void {
    if (this.#bytes + bytes > this.#bytesMax) {
      for (const other of this.#holders) other.forget()
      this.#holders.clear()
      this.#bytes = 0
    }
    this.#holders.add(holder)
    this.#bytes += bytes
  }

  /** A holder has forgotten so many bytes of its own accord. */
  release(holder: { readonly forget: () => void }, bytes: number): void {
    if (this.#holders.delete(holder)) this.#bytes -= bytes
  }
}

/** Room for the filters of some twelve million keys. */
const filterMemoryBytes: number = 16 * 1024 * 1024

/** The keys of some groups that follow on each other, and where their filter stands in the file. */
export interface FilterPart {
  readonly position: number
  readonly blocks: number
  /** The number behind that of the last group. */
  readonly groupsEnd: number
}

const pageCrcBytes = 4

/** How many bytes the filter of so many blocks takes in the file. */
export function filterBytesOf(blocks: number): number {
  return blocks * filterBlockBytes + Math.ceil(blocks / filterPageBlocks) * pageCrcBytes
}

/** Reads the pages of a file's filters as they are asked for. */
export class FilterPages<Fault> {
  readonly #read: (position: number, bytes: number) => Either<Fault, Uint8Array>
  readonly #memory: FilterMemory
  // The pages that were read, by file position.
  readonly #pages = new Map<number, Uint8Array>()
  #bytes = 0

  /** `read` reads a page, without its CRC, which must hold. */
  constructor(memory: FilterMemory, read: (position: number, bytes: number) => Either<Fault, Uint8Array>) {
    this.#memory = memory
    this.#read = read
  }

  /** Whether a key with this hash may be among those of the part. */
  mayHold(part: FilterPart, hash: number): Either<Fault, boolean> {
    const block = filterBlockOf(hash, part.blocks)
    const page = Math.floor(block / filterPageBlocks)
    const position = part.position + page * filterBytesOf(filterPageBlocks)
    let bytes = this.#pages.get(position)
    if (bytes === undefined) {
      const blocks = Math.min(filterPageBlocks, part.blocks - page * filterPageBlocks)
      const read = this.#read(position, filterBytesOf(blocks))
      if (read._tag === 'Left') return read
      bytes = read.right
      this.#memory.keep(this, bytes.length)
      this.#pages.set(position, bytes)
      this.#bytes += bytes.length
    }
    return mayHold(bytes, (block % filterPageBlocks) * filterBlockBytes, hash) ? held : notHeld
  }

  /** Lets go of the pages. */
  release(): void {
    this.#memory.release(this, this.#bytes)
    this.forget()
  }

  /** Called by the memory, which has counted off the pages already. */
  readonly forget = (): void => {
    this.#pages.clear()
    this.#bytes = 0
  }
}

const held: Either<never, boolean> = right(true)
const notHeld: Either<never, boolean> = right(false)
