// Chronicle by its public face: what a program that uses it pays.

import { orThrow, type EventBody, type EventLog, type Query, type Recorded } from '../../src/index.ts'
import type { Session, System, Visit } from '../system.ts'
import type { BenchEvent, Selector } from '../workload.ts'

type Library = typeof import('../../src/index.ts')

class ChronicleSession implements Session {
  private readonly log: EventLog

  constructor(log: EventLog) {
    this.log = log
  }

  append(event: BenchEvent): Promise<unknown> {
    return orThrow(this.log.append(event))
  }

  appendBatch(events: readonly BenchEvent[]): Promise<unknown> {
    return orThrow(this.log.append(events))
  }

  appendSync(event: BenchEvent): Promise<unknown> {
    return orThrow(this.log.appendSync(event))
  }

  async replay(visit: Visit): Promise<void> {
    for await (const element of this.log.replay()) {
      if (element._tag === 'Left') throw element.left
      visit(asBenchEvent(element.right.event))
    }
  }

  replayBatches(visit: Visit): Promise<void> {
    return this.readBatches(undefined, visit)
  }

  select(selector: Selector, visit: Visit): Promise<void> {
    return this.readBatches(queryOf(selector), visit)
  }

  async load(aggregateId: string, visit: Visit): Promise<void> {
    for (const { event } of await orThrow(this.log.loadAggregate(aggregateId))) visit(asBenchEvent(event))
  }

  close(): Promise<unknown> {
    return orThrow(this.log.close())
  }

  private async readBatches(query: Query | undefined, visit: Visit): Promise<void> {
    for await (const batch of this.log.replay(undefined, { query }).readBatches()) {
      for (const element of batch) {
        if (element._tag === 'Left') throw element.left
        visit(asBenchEvent(element.right.event))
      }
    }
  }
}

function queryOf({ field, value }: Selector): Query {
  switch (field) {
    case 'aggregateId':
      return { aggregateId: value }
    case 'eventType':
      return { types: [value] }
    case 'tag':
      return { tags: [value] }
  }
}

/** The digest tells whether it is one. */
function asBenchEvent(event: Recorded<EventBody>): BenchEvent {
  return event as unknown as BenchEvent
}

/** Chronicle as `library` exports it: the build at hand, or an older one to compare with. */
export function chronicle(library: Library): System {
  return {
    open: async (folder) => new ChronicleSession(await orThrow(library.EventLog.open(folder)))
  }
}
