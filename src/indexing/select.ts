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

/** Finds a key, or undefined when no event has it. */
export type FindKey = (kind: KeyKind, key: string) => Either<IndexError, Postings | undefined>

/** The offsets of the events that match one of the items, ascending, each once. */
export function selectOffsets(items: readonly QueryItem[], find: FindKey): Either<IndexError, number[]> {
  assert(items.length > 0, 'a selection has at least one item')
  const lists: number[][] = []
  for (const item of items) {
    const offsets = selectItem(item, find)
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

function selectItem(item: QueryItem, find: FindKey): Either<IndexError, number[]> {
  const wanted = termKeys(item)
  assert(wanted.length > 0, 'each item of a selection has at least one term')
  const terms: Term[] = []
  for (const { kind, keys } of wanted) {
    const term = findTerm(kind, keys, find)
    if (term._tag === 'Left') return term
    if (term.right.count === 0) return right([])
    terms.push(term.right)
  }
  terms.sort((one, other) => one.count - other.count)
  return intersectTerms(terms)
}

function termKeys(item: QueryItem): { readonly kind: KeyKind; readonly keys: readonly string[] }[] {
  const terms: { readonly kind: KeyKind; readonly keys: readonly string[] }[] = []
  if (item.aggregateId !== undefined) terms.push({ kind: keyKind.aggregate, keys: [item.aggregateId] })
  if (item.namespace !== undefined) terms.push({ kind: keyKind.namespace, keys: [item.namespace] })
  if (item.types !== undefined && item.types.length > 0) terms.push({ kind: keyKind.type, keys: item.types })
  for (const tag of item.tags ?? []) terms.push({ kind: keyKind.tag, keys: [tag] })
  return terms
}

function findTerm(kind: KeyKind, keys: readonly string[], find: FindKey): Either<IndexError, Term> {
  const found: Postings[] = []
  let count = 0
  for (const key of keys) {
    const postings = find(kind, key)
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
