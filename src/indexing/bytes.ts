// Reading and writing the varied parts of an index file: varints (LEB128, up to 2^53), keys, fixed words.
//
// A reader never runs over its end and never allocates by a length it has not checked: the first thing that does not
// fit marks it `failed`, and from then on it stands at its end and answers zeros. So a decoder reads a whole record
// and asks once.
//
// A key is a varint of twice its byte length, plus 1 where the bytes are UTF-16 instead of UTF-8: two different
// halves of surrogate pairs (another program's events may hold them) are the same bytes in UTF-8.

import { crc32 } from '../core/crc.ts'

/** Bytes that stand among others, from `start` to `end`. */
export interface ByteSpan {
  readonly bytes: Buffer
  readonly start: number
  readonly end: number
}

/** A key's bytes as they stand in a file. */
export interface KeyBytes {
  readonly word: number
  readonly bytes: Buffer
}

export function encodeKey(key: string): KeyBytes {
  const wellFormed = key.isWellFormed()
  const bytes = Buffer.from(key, wellFormed ? 'utf8' : 'utf16le')
  return { word: bytes.length * 2 + (wellFormed ? 0 : 1), bytes }
}

export class ByteWriter {
  // What is written stands in [0, length); the array is replaced by a larger one when full.
  #bytes = Buffer.allocUnsafe(4_096)
  #length = 0

  get length(): number {
    return this.#length
  }

  u8(value: number): void {
    this.#reserve(1)
    this.#bytes[this.#length++] = value
  }

  u32(value: number): void {
    this.#reserve(4)
    this.#length = this.#bytes.writeUInt32LE(value, this.#length)
  }

  /** An integer from 0 to 2^53 − 1. */
  varint(value: number): void {
    this.#reserve(8)
    let rest = value
    while (rest > 0x7fff_ffff) {
      this.#bytes[this.#length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    while (rest > 0x7f) {
      this.#bytes[this.#length++] = (rest & 0x7f) | 0x80
      rest >>>= 7
    }
    this.#bytes[this.#length++] = rest
  }

  key(key: string): void {
    if (this.#ascii(key)) return
    const { word, bytes } = encodeKey(key)
    this.varint(word)
    this.#reserve(bytes.length)
    this.#length += bytes.copy(this.#bytes, this.#length)
  }

  /** Writes a key of ASCII alone, which most are, as `key` does and in a tenth of the time; false when it is not one. */
  #ascii(key: string): boolean {
    const start = this.#length
    this.varint(key.length * 2)
    this.#reserve(key.length)
    for (let place = 0; place < key.length; place++) {
      const unit = key.charCodeAt(place)
      if (unit > 0x7f) {
        this.#length = start
        return false
      }
      this.#bytes[this.#length++] = unit
    }
    return true
  }

  /** Bytes as they are. */
  raw({ bytes, start, end }: ByteSpan): void {
    this.#reserve(end - start)
    // For a few bytes a call costs more than this.
    if (end - start > 32) this.#bytes.set(bytes.subarray(start, end), this.#length)
    else
      for (let place = start; place < end; place++) this.#bytes[this.#length + place - start] = bytes[place] as number
    this.#length += end - start
  }

  /** Bytes of another writer's, from `start` on. */
  tail(other: ByteWriter, start: number): void {
    this.raw({ bytes: other.#bytes, start, end: other.#length })
  }

  /** Forgets what stands from `length` on. */
  cut(length: number): void {
    this.#length = length
  }

  /** The CRC-32 of what stands from `start` on. */
  crc(start: number, seed: number): number {
    return crc32(this.#bytes.subarray(start, this.#length), seed)
  }

  /** Hands over a copy of what was written, and begins anew. */
  take(): Buffer {
    const taken = Buffer.from(this.#bytes.subarray(0, this.#length))
    this.#length = 0
    return taken
  }

  #reserve(count: number): void {
    if (this.#length + count <= this.#bytes.length) return
    const larger = Buffer.allocUnsafe(Math.max(this.#bytes.length * 2, this.#length + count))
    this.#bytes.copy(larger, 0, 0, this.#length)
    this.#bytes = larger
  }
}

export class ByteReader {
  readonly #bytes: Buffer
  readonly #end: number
  #at: number
  #failed = false

  constructor(bytes: Buffer, start: number, end: number) {
    this.#bytes = bytes
    this.#at = start
    this.#end = end
  }

  /** Whether something did not fit. What was read since then means nothing. */
  get failed(): boolean {
    return this.#failed
  }

  get done(): boolean {
    return this.#at >= this.#end
  }

  u8(): number {
    const start = this.#advance(1)
    return start < 0 ? 0 : (this.#bytes[start] as number)
  }

  u32(): number {
    const start = this.#advance(4)
    return start < 0 ? 0 : this.#bytes.readUInt32LE(start)
  }

  varint(): number {
    let value = 0
    let scale = 1
    for (let count = 0; count < 8 && this.#at < this.#end; count++) {
      const byte = this.#bytes[this.#at++] as number
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value <= Number.MAX_SAFE_INTEGER ? value : this.#fail()
      scale *= 0x80
    }
    return this.#fail()
  }

  key(): string {
    const word = this.varint()
    const bytes = Math.floor(word / 2)
    const start = this.#advance(bytes)
    return start < 0 ? '' : this.#bytes.toString(word % 2 === 0 ? 'utf8' : 'utf16le', start, start + bytes)
  }

  /** Passes over a key and tells whether it is this one, without making a string of it. */
  isKey(key: KeyBytes): boolean {
    const word = this.varint()
    const bytes = Math.floor(word / 2)
    const start = this.#advance(bytes)
    if (start < 0 || word !== key.word) return false
    // From the end, since neighbours in a sorted block share their beginnings; a native call costs more than this.
    let place = bytes - 1
    while (place >= 0 && this.#bytes[start + place] === key.bytes[place]) place--
    return place < 0
  }

  /** Passes over so many bytes and answers where they begin. */
  skip(count: number): number {
    const start = this.#advance(count)
    return start < 0 ? this.#end : start
  }

  #advance(count: number): number {
    if (count > this.#end - this.#at) {
      this.#fail()
      return -1
    }
    const start = this.#at
    this.#at += count
    return start
  }

  #fail(): number {
    this.#failed = true
    this.#at = this.#end
    return 0
  }
}
