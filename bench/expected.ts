// What every system must have read, worked out from the events themselves.

import { digestWith, EventSource, matches, oneInHundred, type BenchEvent } from './workload.ts'

export interface Expected {
  /** By the name of a work: the digest of what it visits. */
  readonly digests: ReadonlyMap<string, number>
  /** The aggregates whose sizes are closest to 100 events. */
  readonly aggregateIds: readonly string[]
}

/** How many aggregates are loaded in turn. */
export const loadedAggregates = 30
/** How many events each should have; a small store has not enough of that size. */
export const loadedEvents = 100

export function expectedOf(events: number): Expected {
  const digests = new Map<string, number>()
  const see = (work: string, event: BenchEvent): void => {
    digests.set(work, digestWith(digests.get(work) ?? 0, event))
  }
  const sizes = new Map<string, number>()
  visitAll(events, (event) => {
    sizes.set(event.aggregateId, (sizes.get(event.aggregateId) ?? 0) + 1)
    see('replay', event)
    for (const [name, selector] of Object.entries(oneInHundred))
      if (matches(selector, event)) see(`select-${name}`, event)
  })
  const distance = (id: string): number => Math.abs((sizes.get(id) as number) - loadedEvents)
  const aggregateIds = [...sizes.keys()].sort((a, b) => distance(a) - distance(b)).slice(0, loadedAggregates)
  const loaded = eventsOf(aggregateIds, events)
  for (const event of loaded.flat()) see('load', event)
  for (const event of loaded[0] ?? []) see('open', event)
  for (const [work, same] of [
    ['replay-batches', 'replay'],
    ['load-cold', 'load'],
    ['open-killed', 'open']
  ] as const)
    digests.set(work, digests.get(same) ?? 0)
  return { digests, aggregateIds }
}

/** The events of each of the aggregates, in order. */
function eventsOf(aggregateIds: readonly string[], events: number): readonly (readonly BenchEvent[])[] {
  const found = new Map<string, BenchEvent[]>(aggregateIds.map((id) => [id, []]))
  visitAll(events, (event) => found.get(event.aggregateId)?.push(event))
  return [...found.values()]
}

function visitAll(events: number, visit: (event: BenchEvent) => void): void {
  const source = new EventSource()
  for (let place = 0; place < events; place++) visit(source.next())
}
