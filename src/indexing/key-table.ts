// All keys of one kind (aggregate ids, or types, …) in memory, each with the ascending offsets of its events.
//
// An offset list is a chain through two flat arrays, newest first: a key costs a name and three numbers, an event
// twelve bytes a key, and nothing is allocated per event. One array per key was the alternative: 190 bytes for a key
// with one event (measured), which is what most aggregates of a segment have.
// Entries of a chain never change once written, so a frozen view stays true while the table grows.
//
// Keys are sorted in runs as they become known, and the runs merged while a view is read: no call sorts them all.

import { assert } from '../core/assert.ts'
import { mergeRuns } from './key-runs.ts'
import { countBelow } from './timeline.ts'

/** The end of a chain. */
const none = 0xffff_ffff

/** How many keys make a run: sorting that many takes about a millisecond. */
const runKeys = 2_048

/** A table as it was when it was frozen. */
export interface FrozenKeys {
  /** The keys from `from` on, in ascending order of UTF-16 code units. */
  readonly keys: (from: string) => Iterable<string>
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
  // Per posting, in the order of their offsets: the offset, the entry before it in the chain, and the key's id. They are replaced by larger ones when
  // full.
  #offsets = new Uint32Array(64)
  #owners = new Uint32Array(64)
  #previous = new Uint32Array(64)
  #postings = 0
  // The first keys (by id), so many at a time and each run in ascending order. A run never changes.
  readonly #runs: (readonly string[])[] = []

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

  /** Takes over the keys of a file, whose offsets are relative to the base and ascend. The table knows none yet. */
  load(keys: readonly { readonly key: string; readonly version: number; readonly offsets: readonly number[] }[]): void {
    const postings = keys.flatMap((key) => key.offsets.map((offset) => ({ key, offset })))
    postings.sort((one, other) => one.offset - other.offset)
    for (const { key, offset } of postings) this.setVersion(this.add(key.key, offset), key.version)
  }

  /** How many postings there are; they are numbered from 0 in the order in which they came. */
  get postings(): number {
    return this.#postings
  }

  /** The number of the first posting whose offset is not below `since`. */
  postingSince(since: number): number {
    return countBelow(this.#offsets.subarray(0, this.#postings), since)
  }

  /** Takes over another table's postings from number `from` to before `until`, and their keys' versions. */
  takeOver(source: KeyTable, from: number, until: number): void {
    for (let entry = from; entry < until; entry++) {
      const id = source.#owners[entry] as number
      this.setVersion(this.add(source.#keys[id] as string, source.#offsets[entry] as number), source.version(id))
    }
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

  /** Looks up versions without holding on to the postings. */
  versions(): (key: string) => number | undefined {
    const ids = this.#ids
    const versions = this.#versions
    return (key) => {
      const id = ids.get(key)
      return id === undefined ? undefined : versions[id]
    }
  }

  /** The key's offsets from `since` on, plus `base`, ascending. */
  offsets(id: number, base: number, since = 0): number[] {
    return this.#chain(this.#lasts[id] as number, base, since)
  }

  /** The offsets from `since` on of all keys that begin so, plus `base`, in the order in which they came. */
  offsetsWith(prefix: string, base: number, since: number): number[] {
    const offsets: number[] = []
    for (let entry = this.postingSince(since); entry < this.#postings; entry++) {
      const key = this.#keys[this.#owners[entry] as number] as string
      if (key.startsWith(prefix)) offsets.push(base + (this.#offsets[entry] as number))
    }
    return offsets
  }

  /** A view of what the table holds now; what is added later does not show in it. */
  freeze(): FrozenKeys {
    const runs = [...this.#runs, this.#keys.slice(this.#runs.length * runKeys).sort()]
    const counts = this.#counts.slice()
    const versions = this.#versions.slice()
    const lasts = this.#lasts.slice()
    return {
      keys: (from) => mergeRuns(runs, from),
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
    if ((id + 1) % runKeys === 0) this.#runs.push(this.#keys.slice(id + 1 - runKeys).sort())
    return id
  }

  #append(id: number, offset: number): void {
    const last = this.#lasts[id] as number
    if (last !== none && this.#offsets[last] === offset) return
    if (this.#postings === this.#offsets.length) this.#grow()
    const entry = this.#postings++
    this.#offsets[entry] = offset
    this.#owners[entry] = id
    this.#previous[entry] = last
    this.#lasts[id] = entry
    this.#counts[id] = (this.#counts[id] as number) + 1
  }

  #grow(): void {
    const capacity = this.#offsets.length * 2
    assert(capacity < none, 'a segment holds fewer than 2^32 keys of events')
    this.#offsets = grown(this.#offsets, capacity)
    this.#owners = grown(this.#owners, capacity)
    this.#previous = grown(this.#previous, capacity)
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
}

function grown(list: Uint32Array<ArrayBuffer>, capacity: number): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(capacity)
  larger.set(list)
  return larger
}
