// All aggregates of a log in one sorted list: a merge of the sorted lists of its segments, or of the tiers that stand for
// them, and of what is kept of those that were trimmed.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Closed, type DiskError } from '../core/error.ts'
import type { IndexError } from '../indexing/segment-index.ts'
import { TierFile } from '../indexing/tier-file.ts'
import type { AggregateSummary } from '../port/store.ts'
import type { Catalog } from './catalog.ts'
import type { Segment } from './segment.ts'

/** What knows aggregates, in the order of their ids: what a damaged one among them is, is what has to be mended. */
interface SummarySource<Part> {
  readonly items: Iterable<Either<IndexError, AggregateSummary>>
  readonly part: Part
}

/** Every aggregate with its version, in the order of the ids. A Left is the last thing that comes. */
export async function* listAggregates(
  catalog: Catalog,
  prefix: string
): AsyncGenerator<Either<DiskError | Closed, AggregateSummary>, void, undefined> {
  let after: string | undefined
  for (;;) {
    const damaged = yield* listAfter(catalog, prefix, (aggregateId) => {
      if (after !== undefined && aggregateId <= after) return false
      after = aggregateId
      return true
    })
    if (damaged === undefined) return
    // The list goes on where it was when the index is rebuilt, or the tier let go.
    if (damaged instanceof TierFile) catalog.dropTier(damaged)
    else {
      const rebuilt = await catalog.rebuild(damaged)
      if (rebuilt._tag === 'Left') return yield rebuilt
    }
  }
}

/** The aggregates that `isNew` takes; returns what must be mended to go on. */
function* listAfter(
  catalog: Catalog,
  prefix: string,
  isNew: (aggregateId: string) => boolean
): Generator<Either<DiskError | Closed, AggregateSummary>, Segment | TierFile | undefined, undefined> {
  const listed: readonly SummarySource<Segment | TierFile>[] = [...catalog.cover(), catalog.active()].map((part) => ({
    items: part instanceof TierFile ? part.aggregates(prefix) : part.index.aggregates(prefix),
    part
  }))
  // Its errors are the disk's, so nothing of it is ever to be mended.
  const trimmed = { items: catalog.trimmed.aggregates(prefix), part: catalog.active() }
  for (const next of mergeSummaries([trimmed, ...listed])) {
    if (catalog.isClosed) {
      yield left(new Closed())
      return undefined
    }
    if (next._tag === 'Right') {
      if (isNew(next.right.aggregateId)) yield next
    } else if ('damaged' in next.left) return next.left.damaged
    else {
      yield left(next.left)
      return undefined
    }
  }
  return undefined
}

/** Merges sources, oldest first; an aggregate's version is the one of the newest source that knows it. */
function* mergeSummaries<Part>(
  sources: readonly SummarySource<Part>[]
): Generator<Either<DiskError | { readonly damaged: Part }, AggregateSummary>, void, undefined> {
  const lists = sources.map(({ items, part }) => ({ iterator: items[Symbol.iterator](), part }))
  const heads: (AggregateSummary | undefined)[] = lists.map(() => undefined)
  const pull = function* (
    place: number
  ): Generator<Either<DiskError | { readonly damaged: Part }, never>, void, undefined> {
    const { iterator, part } = lists[place] as (typeof lists)[number]
    const next = iterator.next()
    heads[place] = undefined
    if (next.done === true) return
    if (next.value._tag === 'Right') heads[place] = next.value.right
    else yield left(next.value.left._tag === 'IndexDamaged' ? { damaged: part } : next.value.left)
  }
  for (let place = 0; place < lists.length; place++) yield* pull(place)
  for (;;) {
    let least: AggregateSummary | undefined
    for (const head of heads) {
      if (head !== undefined && (least === undefined || head.aggregateId <= least.aggregateId)) least = head
    }
    if (least === undefined) return
    yield right(least)
    const { aggregateId } = least
    for (let place = 0; place < heads.length; place++) {
      if (heads[place]?.aggregateId === aggregateId) yield* pull(place)
    }
  }
}
