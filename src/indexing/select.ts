// Evaluates query items over offset lists, in memory and in files alike. `matches` in core/query.ts says what an item
// means; here its terms are sets of offsets: types are united, terms intersected, items united. The rarest term comes
// first, so that a term that matches nothing costs no list at all.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import type { QueryItem } from '../core/query.ts'
import { keyKind, type KeyKind } from './format.ts'
import type { IndexError } from './segment-index.ts'

/** The events of one key, whose offsets are read when they are asked for. */
export interface Postings {
  /** How many events the key has in all; tells which term is the rarest. */
  readonly count: number
  /** Those that are wanted, ascending. */
  readonly offsets: () => Either<IndexError, number[]>
}

/** Where the keys of a query's terms are found. */
export interface KeySource {
  /** A key, or undefined when no event has it. */
  readonly find: (kind: KeyKind, key: string) => Either<IndexError, Postings | undefined>
  /** The keys that begin so, or undefined where that would be too much to ask; then `all` is what may match. */
  readonly findPrefix: (kind: KeyKind, prefix: string) => Either<IndexError, readonly Postings[] | undefined>
  readonly all?: () => Either<IndexError, number[]>
}

/** The offsets of the events that match one of the items, ascending, each once. */
export function selectOffsets(items: readonly QueryItem[], source: KeySource): Either<IndexError, number[]> {
  assert(items.length > 0, 'a selection has at least one item')
  const lists: number[][] = []
  for (const item of items) {
    const offsets = selectItem(item, source)
    if (offsets._tag === 'Left') return offsets
    lists.push(offsets.right)
  }
  return right(unite(lists))
}

/** A term of an item: the event has one of these keys. */
interface Term {
  readonly keys: readonly Postings[]
  readonly count: number
}

function selectItem(item: QueryItem, source: KeySource): Either<IndexError, number[]> {
  const wanted = termKeys(item)
  assert(wanted.length > 0, 'each item of a selection has at least one term')
  const terms: Term[] = []
  for (const one of wanted) {
    const term = 'prefix' in one ? findPrefixTerm(one, source) : findTerm(one, source)
    if (term._tag === 'Left') return term
    if (term.right === undefined) continue
    if (term.right.count === 0) return right([])
    terms.push(term.right)
  }
  if (terms.length === 0 && source.all !== undefined) return source.all()
  terms.sort((one, other) => one.count - other.count)
  return intersectTerms(terms)
}

/** A term: one of these keys, or one that begins so. */
interface WantedKeys {
  readonly kind: KeyKind
  readonly keys: readonly string[]
}

interface WantedPrefix {
  readonly kind: KeyKind
  readonly prefix: string
}

function termKeys(item: QueryItem): readonly (WantedKeys | WantedPrefix)[] {
  const terms: (WantedKeys | WantedPrefix)[] = []
  const { typePrefix = '', aggregatePrefix = '' } = item
  if (typePrefix !== '') terms.push({ kind: keyKind.type, prefix: typePrefix })
  if (aggregatePrefix !== '') terms.push({ kind: keyKind.aggregate, prefix: aggregatePrefix })
  if (item.aggregateId !== undefined) terms.push({ kind: keyKind.aggregate, keys: [item.aggregateId] })
  if (item.namespace !== undefined) terms.push({ kind: keyKind.namespace, keys: [item.namespace] })
  if (item.types !== undefined && item.types.length > 0) terms.push({ kind: keyKind.type, keys: item.types })
  for (const tag of item.tags ?? []) terms.push({ kind: keyKind.tag, keys: [tag] })
  return terms
}

function findPrefixTerm({ kind, prefix }: WantedPrefix, source: KeySource): Either<IndexError, Term | undefined> {
  const keys = source.findPrefix(kind, prefix)
  if (keys._tag === 'Left' || keys.right === undefined) return keys as Either<IndexError, undefined>
  return right({ keys: keys.right, count: keys.right.reduce((sum, { count }) => sum + count, 0) })
}

function findTerm({ kind, keys }: WantedKeys, source: KeySource): Either<IndexError, Term> {
  const found: Postings[] = []
  let count = 0
  for (const key of keys) {
    const postings = source.find(kind, key)
    if (postings._tag === 'Left') return postings
    if (postings.right === undefined) continue
    found.push(postings.right)
    count += postings.right.count
  }
  return right({ keys: found, count })
}

function intersectTerms(terms: readonly Term[]): Either<IndexError, number[]> {
  let common: number[] | undefined
  for (const term of terms) {
    const offsets = readTerm(term)
    if (offsets._tag === 'Left') return offsets
    common = common === undefined ? offsets.right : intersect(common, offsets.right)
    if (common.length === 0) break
  }
  return right(common ?? [])
}

function readTerm(term: Term): Either<IndexError, number[]> {
  const lists: number[][] = []
  for (const key of term.keys) {
    const offsets = key.offsets()
    if (offsets._tag === 'Left') return offsets
    lists.push(offsets.right)
  }
  return right(unite(lists))
}

function intersect(one: readonly number[], other: readonly number[]): number[] {
  const common: number[] = []
  let place = 0
  for (const offset of one) {
    while (place < other.length && (other[place] as number) < offset) place++
    if (other[place] === offset) common.push(offset)
  }
  return common
}

function unite(lists: readonly number[][]): number[] {
  if (lists.length === 1) return lists[0] as number[]
  const sorted = Float64Array.from(lists.flat()).sort()
  const united: number[] = []
  for (const offset of sorted) {
    if (offset !== united.at(-1)) united.push(offset)
  }
  return united
}
