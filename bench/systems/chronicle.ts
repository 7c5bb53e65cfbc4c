// Chronicle by its public face: what a program that uses it pays.

import {
  orThrow,
  type AppendOptions,
  type EventBody,
  type EventLog,
  type FollowOptions,
  type Query,
  type Recorded,
  type Version
} from '../../src/index.ts'
import type { Durability, Session, System, Visit } from '../system.ts'
import type { BenchEvent, Selector } from '../workload.ts'

type Library = typeof import('../../src/index.ts')

class ChronicleSession implements Session {
  private readonly log: EventLog
  private readonly durability: Durability

  constructor(log: EventLog, durability: Durability) {
    this.log = log
    this.durability = durability
  }

  append(event: BenchEvent): Promise<unknown> {
    return orThrow(this.durability === 'synced' ? this.log.appendSync(event) : this.log.append(event))
  }

  appendBatch(events: readonly BenchEvent[]): Promise<unknown> {
    return orThrow(this.log.append(events))
  }

  appendIf(event: BenchEvent, version: number): Promise<unknown> {
    const { aggregateId } = event
    const options: AppendOptions = { conditions: [{ aggregateId, version: version as Version }] }
    return orThrow(this.log.append(event, options))
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

  async follow(visit: Visit, signal: AbortSignal): Promise<{ readonly ended: Promise<unknown> }> {
    let ended: Promise<unknown> = Promise.resolve()
    await new Promise<void>((resolve) => {
      ended = this.visitLive(visit, { signal, onCaughtUp: () => resolve() })
    })
    return { ended }
  }

  close(): Promise<unknown> {
    return orThrow(this.log.close())
  }

  private async visitLive(visit: Visit, options: FollowOptions): Promise<void> {
    for await (const element of this.log.follow(undefined, options)) {
      if (element._tag === 'Right') visit(asBenchEvent(element.right.event))
      else if (options.signal?.aborted !== true) throw element.left
    }
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

/** The library that is measured: the build at hand, or the one whose index.js is at the address. */
export function libraryAt(address: string | undefined): () => Promise<Library> {
  return () => (address === undefined ? import('../../src/index.ts') : (import(address) as Promise<Library>))
}

export interface ChronicleOptions {
  readonly name: string
  readonly title: string
  readonly library: () => Promise<Library>
  readonly segmentBytes?: number
}

export function chronicle({ name, title, library, segmentBytes }: ChronicleOptions): System {
  const rolling = 'Segments of 1 MiB instead of 64, so that a roll and a saved index fall into every 3,300 events.'
  return {
    name,
    title,
    settings: segmentBytes === undefined ? 'As EventLog.open makes it. Synced appends are appendSync.' : rolling,
    packages: [],
    ...(segmentBytes === undefined ? {} : { only: ['append', 'append-batch'] }),
    open: async (folder, durability) => {
      const { EventLog } = await library()
      return new ChronicleSession(await orThrow(EventLog.open(folder, { segmentBytes })), durability)
    },
    openBeside: async (folder) => {
      const { EventLog } = await library()
      return new ChronicleSession(await orThrow(EventLog.open(folder, { readOnly: true })), 'buffered')
    }
  }
}
