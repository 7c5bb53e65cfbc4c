// What every system must have read, worked out from the events themselves.

import { digestWith, EventSource, matches, oneInHundred, type BenchEvent } from './workload.ts'

export interface Expected {
  /** By the name of a work: the digest of what it visits. */
  readonly digests: ReadonlyMap<string, number>
  /** The aggregates whose sizes are closest to 100 events. */
  readonly aggregateIds: readonly string[]
}

const loadedAggregates = 100
const loadedEvents = 100

export function expectedOf(events: number): Expected {
  const digests = new Map<string, number>()
  const see = (work: string, event: BenchEvent): void => {
    digests.set(work, digestWith(digests.get(work) ?? 0, event))
  }
  const sizes = new Map<string, number>()
  const aggregates = new Map<string, number>()
  const source = new EventSource()
  for (let place = 0; place < events; place++) {
    const event = source.next()
    const { aggregateId } = event
    sizes.set(aggregateId, (sizes.get(aggregateId) ?? 0) + 1)
    aggregates.set(aggregateId, digestWith(aggregates.get(aggregateId) ?? 0, event))
    see('replay', event)
    for (const [name, selector] of Object.entries(oneInHundred))
      if (matches(selector, event)) see(`select-${name}`, event)
  }
  digests.set('replay-batches', digests.get('replay') ?? 0)
  const distance = (id: string): number => Math.abs((sizes.get(id) as number) - loadedEvents)
  const aggregateIds = [...sizes.keys()].sort((a, b) => distance(a) - distance(b)).slice(0, loadedAggregates)
  const opened = aggregates.get(aggregateIds[0] as string) ?? 0
  return { digests: digests.set('open', opened).set('open-killed', opened), aggregateIds }
}
