// Finds keys in an open file, whatever their postings mean: the filter, then a binary search in the directory (a key
// per 4 KiB of keys, kept in memory once a lookup has asked for it), then one key block.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { Version } from '../core/brand.ts'
import type { AggregateSummary } from '../port/store.ts'
import { encodeKey } from './bytes.ts'
import { inlineBytesMax, keyBlockBytes, keyKind, keyOrder, type KeyKind, type KindKey } from './format.ts'
import { spanOf, type IndexReader, type PostingsPlace, type RawKey } from './index-reader.ts'
import { FilterPages, keyHash, type FilterMemory, type FilterPart } from './key-filter.ts'
import { findEntry, type Directory } from './section.ts'
import type { IndexError } from './segment-index.ts'

/** A key that was found; its postings are not read yet. */
export interface FoundKey extends PostingsPlace {
  readonly events: number
  readonly version: number
}

/** Where a lookup reads its block: nothing of it is kept when the lookup returns. */
const scratch = Buffer.allocUnsafe(2 * keyBlockBytes)

type SummedKey = KindKey & { readonly events: number }

/** How the keys of a group are read. */
type ReadGroup<Key> = (directory: Directory, group: number) => Either<IndexError, readonly Key[]>

export class KeyLookup {
  readonly #reader: IndexReader
  readonly #close: () => void
  readonly #filters: FilterPages<IndexError>
  // A cache, set by the first lookup and emptied by `release`.
  #directory: Directory | undefined
  // How many iterations are under way, and whether the last of them closes the file.
  #iterations = 0
  #retired = false

  /** `close` closes the file that the reader reads. */
  constructor(reader: IndexReader, memory: FilterMemory, close: () => void) {
    this.#reader = reader
    this.#close = close
    this.#filters = new FilterPages(memory, (position, bytes) => reader.filterPage(position, bytes))
  }

  /** Closes the file as soon as no iteration is under way. */
  retire(): void {
    this.#retired = true
    if (this.#iterations === 0) this.#close()
  }

  /** Lets go of the directory and the filters; the next lookup reads them again. */
  release(): void {
    this.#filters.release()
    this.#directory = undefined
  }

  find(kind: KeyKind, key: string): Either<IndexError, FoundKey | undefined> {
    const directory = this.#load()
    if (directory._tag === 'Left') return directory
    const { filters, starts } = directory.right
    const hash = hashOf(kind, key)
    // Mostly there is one filter, and nothing else need be asked to know that the key is not here.
    const only = filters.length === 1 ? this.#filters.mayHold(filters[0] as FilterPart, hash) : undefined
    if (only?._tag === 'Left') return only
    if (only?.right === false) return right(undefined)
    const group = groupOf(directory.right, { kind, key })
    if (group < 0) return right(undefined)
    if (only === undefined) {
      const may = this.#filters.mayHold(filters.find((part) => group < part.groupsEnd) as FilterPart, hash)
      if (may._tag === 'Left') return may
      if (!may.right) return right(undefined)
    }
    const block = this.#reader.block(directory.right, group, scratch)
    if (block._tag === 'Left') return block
    const entry = this.#reader.checked(findEntry(block.right, kind, encodeKey(key)))
    if (entry._tag === 'Left') return entry
    if (entry.right === undefined) return right(undefined)
    const { events, version, postingsBytes, postingsCrc, inlineAt, postingsAt } = entry.right
    const short = postingsBytes <= inlineBytesMax
    const inline = short
      ? spanOf(Buffer.from(block.right.entries.subarray(inlineAt, inlineAt + postingsBytes)))
      : undefined
    const position = (starts[group] as number) + postingsAt
    return right({ events, version, postingsBytes, postingsCrc, inline, position })
  }

  /** The keys of a kind that begin with `prefix`, in order, with their postings. */
  withPrefix(kind: KeyKind, prefix: string): Either<IndexError, readonly RawKey[]> {
    const directory = this.#load()
    if (directory._tag === 'Left') return directory
    const from: KindKey = { kind, key: prefix }
    const found: RawKey[] = []
    const first = Math.max(0, groupOf(directory.right, from))
    for (let group = first; group < directory.right.firsts.length; group++) {
      const keys = this.#reader.rawGroup(directory.right, group)
      if (keys._tag === 'Left') return keys
      const begin = keys.right.findIndex((key) => keyOrder(key, from) >= 0)
      if (begin < 0) continue
      const end = keys.right.findIndex(
        (key, place) => place >= begin && !(key.kind === kind && key.key.startsWith(prefix))
      )
      for (const key of keys.right.slice(begin, end < 0 ? undefined : end)) found.push(key)
      if (end >= 0) break
    }
    return right(found)
  }

  /** Whether the filters let every key pass that is there. */
  verifyFilters(): Either<IndexError, void> {
    const directory = this.#load()
    if (directory._tag === 'Left') return directory
    let group = 0
    for (const part of directory.right.filters) {
      for (; group < part.groupsEnd; group++) {
        const passed = this.#verifyFilter(part, directory.right, group)
        if (passed._tag === 'Left') return passed
      }
    }
    return right(undefined)
  }

  #verifyFilter(part: FilterPart, directory: Directory, group: number): Either<IndexError, void> {
    const keys = this.#reader.heads(directory, group)
    if (keys._tag === 'Left') return keys
    for (const { kind, key } of keys.right) {
      const may = this.#filters.mayHold(part, keyHash(kind, key))
      if (may._tag === 'Left') return may
      if (!may.right) return this.#reader.damaged('content: a filter that denies a key')
    }
    return right(undefined)
  }

  /** The aggregates whose id begins with `prefix`, in order. A Left is the last thing that comes. */
  aggregates(prefix: string): Iterable<Either<IndexError, AggregateSummary>> {
    return this.#held(this.#aggregates(prefix))
  }

  /** Every key, read a group at a time; checks their order and their sums. A Left is the last thing that comes. */
  inOrder<Key extends SummedKey>(read: ReadGroup<Key>): Iterable<Either<IndexError, Key>> {
    return this.#held(this.#inOrder(read))
  }

  *#aggregates(prefix: string): Generator<Either<IndexError, AggregateSummary>, void, undefined> {
    const directory = this.#load()
    if (directory._tag === 'Left') return yield directory
    const from: KindKey = { kind: keyKind.aggregate, key: prefix }
    const first = Math.max(0, groupOf(directory.right, from))
    for (let group = first; group < directory.right.firsts.length; group++) {
      const entries = this.#reader.heads(directory.right, group)
      if (entries._tag === 'Left') return yield entries
      for (const entry of entries.right) {
        if (keyOrder(entry, from) < 0) continue
        if (entry.kind !== keyKind.aggregate || !entry.key.startsWith(prefix)) return
        yield right({ aggregateId: entry.key, version: Version(entry.version) })
      }
    }
  }

  *#inOrder<Key extends SummedKey>(read: ReadGroup<Key>): Generator<Either<IndexError, Key>, void, undefined> {
    const directory = this.#load()
    if (directory._tag === 'Left') return yield directory
    let before: KindKey | undefined
    let aggregateEvents = 0
    let typeEvents = 0
    for (let group = 0; group < directory.right.firsts.length; group++) {
      const keys = read(directory.right, group)
      if (keys._tag === 'Left') return yield keys
      for (const key of keys.right) {
        const ascends = before === undefined || keyOrder(before, key) < 0
        if (!ascends) return yield this.#reader.damaged('content: keys out of order')
        before = key
        if (key.kind === keyKind.aggregate) aggregateEvents += key.events
        if (key.kind === keyKind.type) typeEvents += key.events
        yield right(key)
      }
    }
    // Every event has one aggregate and one type.
    const { events } = this.#reader.trailer
    if (aggregateEvents === events && typeEvents === events) return
    yield this.#reader.damaged('content: the count of events and the keys differ')
  }

  *#held<Item>(items: Iterable<Item>): Generator<Item, void, undefined> {
    this.#iterations++
    try {
      yield* items
    } finally {
      this.#iterations--
      if (this.#retired && this.#iterations === 0) this.#close()
    }
  }

  #load(): Either<IndexError, Directory> {
    if (this.#directory !== undefined) return right(this.#directory)
    const directory = this.#reader.directory()
    if (directory._tag === 'Right') this.#directory = directory.right
    return directory
  }
}

// The key that was asked for last, of whichever file: a lookup asks many files for the same one.
let lastKind: KeyKind | undefined
let lastKey = ''
let lastHash = 0

function hashOf(kind: KeyKind, key: string): number {
  if (kind !== lastKind || key !== lastKey) {
    lastHash = keyHash(kind, key)
    lastKind = kind
    lastKey = key
  }
  return lastHash
}

/** The last group whose first key is at or before this one, or −1: the only one that may hold it. */
function groupOf(directory: Directory, wanted: KindKey): number {
  const { firsts } = directory
  let low = 0
  let high = firsts.length
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if (keyOrder(firsts[middle] as KindKey, wanted) <= 0) low = middle + 1
    else high = middle
  }
  return low - 1
}
