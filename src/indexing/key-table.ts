// All keys of one kind (aggregate ids, or types, …) in memory, each with the ascending offsets of its events.
//
// An offset list is a chain through two flat arrays, newest first: a key costs a name and three numbers, an event
// eight bytes a key, and nothing is allocated per event. One array per key was the alternative: 190 bytes for a key
// with one event (measured), which is what most aggregates of a segment have.
// Entries of a chain never change once written, so a frozen view stays true while the table grows.

import { assert } from '../core/assert.ts'

/** The end of a chain. */
const none = 0xffff_ffff

/** A table as it was when it was frozen. */
export interface FrozenKeys {
  /** In ascending order of UTF-16 code units. */
  readonly keys: readonly string[]
  /** The number under which the others answer for a key. */
  readonly id: (key: string) => number
  /** How many events the key has. */
  readonly count: (id: number) => number
  /** The last version noted for it, 0 when there is none. */
  readonly version: (id: number) => number
  /** Its offsets relative to the segment's base, ascending. */
  readonly offsets: (id: number) => number[]
}

export class KeyTable {
  readonly #ids = new Map<string, number>()
  // Per key, by id. `#lasts` is the chain's newest entry.
  readonly #keys: string[] = []
  readonly #counts: number[] = []
  readonly #versions: number[] = []
  readonly #lasts: number[] = []
  // Per posting: the offset and the entry before it in the chain. They are replaced by larger ones when full.
  #offsets = new Uint32Array(64)
  #previous = new Uint32Array(64)
  #postings = 0
  // The first keys (by id) in ascending order; freezing sorts the newer ones and merges them in.
  #sorted: readonly string[] = []

  /** Notes that the event at `offset`, relative to the base, has `key`. Offsets never fall; an equal one says nothing. */
  add(key: string, offset: number): number {
    const id = this.#ids.get(key) ?? this.#register(key)
    this.#append(id, offset)
    return id
  }

  /** Notes the last version of the key that `add` returned. */
  setVersion(id: number, version: number): void {
    this.#versions[id] = version
  }

  /** Takes over a key from a file, whose offsets are relative to the base and ascend. The table does not know it yet. */
  load(source: { readonly key: string; readonly version: number; readonly offsets: readonly number[] }): void {
    const id = this.#register(source.key)
    for (const offset of source.offsets) this.#append(id, offset)
    this.setVersion(id, source.version)
  }

  id(key: string): number | undefined {
    return this.#ids.get(key)
  }

  count(id: number): number {
    return this.#counts[id] as number
  }

  version(id: number): number {
    return this.#versions[id] as number
  }

  /** The key's offsets from `since` on, plus `base`, ascending. */
  offsets(id: number, base: number, since = 0): number[] {
    return this.#chain(this.#lasts[id] as number, base, since)
  }

  /** A view of what the table holds now; what is added later does not show in it. */
  freeze(): FrozenKeys {
    const keys = this.#sort()
    const counts = this.#counts.slice()
    const versions = this.#versions.slice()
    const lasts = this.#lasts.slice()
    return {
      keys,
      id: (key) => this.#ids.get(key) as number,
      count: (id) => counts[id] as number,
      version: (id) => versions[id] as number,
      offsets: (id) => this.#chain(lasts[id] as number, 0, 0)
    }
  }

  #register(key: string): number {
    const id = this.#keys.length
    this.#ids.set(key, id)
    this.#keys.push(key)
    this.#counts.push(0)
    this.#versions.push(0)
    this.#lasts.push(none)
    return id
  }

  #append(id: number, offset: number): void {
    const last = this.#lasts[id] as number
    if (last !== none && this.#offsets[last] === offset) return
    if (this.#postings === this.#offsets.length) this.#grow()
    const entry = this.#postings++
    this.#offsets[entry] = offset
    this.#previous[entry] = last
    this.#lasts[id] = entry
    this.#counts[id] = (this.#counts[id] as number) + 1
  }

  #grow(): void {
    const capacity = this.#offsets.length * 2
    assert(capacity < none, 'a segment holds fewer than 2^32 keys of events')
    const offsets = new Uint32Array(capacity)
    const previous = new Uint32Array(capacity)
    offsets.set(this.#offsets)
    previous.set(this.#previous)
    this.#offsets = offsets
    this.#previous = previous
  }

  #chain(last: number, base: number, since: number): number[] {
    const offsets: number[] = []
    for (let entry = last; entry !== none; entry = this.#previous[entry] as number) {
      const offset = this.#offsets[entry] as number
      if (offset < since) break
      offsets.push(base + offset)
    }
    return offsets.reverse()
  }

  #sort(): readonly string[] {
    if (this.#sorted.length < this.#keys.length) {
      this.#sorted = mergeSorted(this.#sorted, this.#keys.slice(this.#sorted.length).sort())
    }
    return this.#sorted
  }
}

function mergeSorted(older: readonly string[], newer: readonly string[]): readonly string[] {
  if (older.length === 0) return newer
  const merged: string[] = []
  let place = 0
  for (const key of newer) {
    while (place < older.length && (older[place] as string) < key) merged.push(older[place++] as string)
    merged.push(key)
  }
  while (place < older.length) merged.push(older[place++] as string)
  return merged
}
