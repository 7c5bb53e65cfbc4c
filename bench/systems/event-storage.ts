// event-storage: a stream for each aggregate, as it is meant to be used, and a secondary stream for the one type and
// the one tag that are asked for. It keeps two open files a stream.

import { peerDefault } from '../peer.ts'
import type { Durability, Session, System, Visit } from '../system.ts'
import { oneInHundred, type BenchEvent, type Selector } from '../workload.ts'

interface Stored {
  readonly payload: BenchEvent
}

interface EventStore {
  once(name: 'ready', listener: () => void): void
  commit(stream: string, events: readonly BenchEvent[], expectedVersion: number, callback: () => void): void
  getAllEvents(): Iterable<BenchEvent>
  getEventStream(name: string): Iterable<BenchEvent> | false
  createEventStream(name: string, matcher: (stored: Stored) => boolean): unknown
  readonly streams: Readonly<Record<string, unknown>>
  close(): void
}

interface Module {
  readonly EventStore: new (name: string, options: object) => EventStore
  readonly LOCK_RECLAIM: unknown
}

const anyVersion = -1
const type = oneInHundred.type.value
const tag = oneInHundred.tag.value

class EventStorageSession implements Session {
  private readonly store: EventStore

  constructor(store: EventStore) {
    this.store = store
  }

  append(event: BenchEvent): Promise<void> {
    return this.appendIf(event, anyVersion)
  }

  appendIf(event: BenchEvent, version: number): Promise<void> {
    return new Promise((resolve) => this.store.commit(event.aggregateId, [event], version, resolve))
  }

  /** Nothing of it is atomic; it is the fastest way in. */
  async fill(events: readonly BenchEvent[]): Promise<void> {
    await Promise.all(events.map((event) => this.append(event)))
  }

  replay(visit: Visit): Promise<void> {
    for (const event of this.store.getAllEvents()) visit(event)
    return Promise.resolve()
  }

  select({ field, value }: Selector, visit: Visit): Promise<void> {
    return this.load(field === 'aggregateId' ? value : `only-${value}`, visit)
  }

  load(stream: string, visit: Visit): Promise<void> {
    const events = this.store.getEventStream(stream)
    if (events !== false) for (const event of events) visit(event)
    return Promise.resolve()
  }

  close(): Promise<void> {
    this.store.close()
    return Promise.resolve()
  }
}

async function openStore(folder: string, durability: Durability): Promise<EventStore> {
  const { EventStore: Store, LOCK_RECLAIM } = await peerDefault<Module>('event-storage')
  // Without this it does not open again after a kill.
  const storageConfig = { syncOnFlush: durability === 'synced', lock: LOCK_RECLAIM }
  const store = new Store('events', { storageDirectory: folder, storageConfig })
  await new Promise<void>((resolve) => store.once('ready', resolve))
  if (!(`only-${type}` in store.streams)) {
    store.createEventStream(`only-${type}`, ({ payload }) => payload.eventType === type)
    store.createEventStream(`only-${tag}`, ({ payload }) => payload.tags[0] === tag)
  }
  return store
}

const noFollow = 'its consumers are of one stream each'

export const eventStorage: System = {
  name: 'event-storage',
  title: 'event-storage',
  settings:
    'A stream an aggregate. Buffered: its default, answered after the flush. Synced: syncOnFlush. It is made for ' +
    'fewer streams: most of its time here goes into making new ones.',
  packages: ['event-storage'],
  // A new stream costs more the more there are, and this many events have 900: more would take minutes to store.
  eventsMost: 2_000,
  without: {
    follow: noFollow,
    'follow-across': noFollow,
    'append-batch': 'a commit is of one stream, so a batch over several aggregates is not atomic',
    'replay-batches': 'there is one way to read',
    'open-killed': 'opened again with LOCK_RECLAIM, it read fewer events than it had acknowledged'
  },
  open: async (folder, durability) => new EventStorageSession(await openStore(folder, durability))
}
