// lmdb-js: events as JSON text by position, and a database from each key to positions. Where nothing waits for the
// disk, one event and a batch go in by a synchronous transaction, which is several times faster than an awaited put.
// What is in flight together, or waits for the disk, goes in by the asynchronous queue, which gathers it.

import { join } from 'node:path'
import { peer } from '../peer.ts'
import type { Durability, Session, System, Visit } from '../system.ts'
import type { BenchEvent, Selector } from '../workload.ts'

interface Range {
  readonly start?: unknown
  readonly end?: unknown
  readonly reverse?: boolean
  readonly limit?: number
}

interface Store {
  get(key: unknown): unknown
  getValues(key: unknown): Iterable<number>
  getRange(range?: Range): Iterable<{ readonly key: unknown; readonly value: unknown }>
  put(key: unknown, value: unknown): Promise<boolean>
  ifNoExists(key: unknown, run: () => void): Promise<boolean>
}

interface Root extends Store {
  openDB(name: string, options: object): Store
  transactionSync(run: () => void): void
  close(): Promise<void>
}

class LmdbSession implements Session {
  private readonly root: Root
  private readonly durability: Durability
  private readonly events: Store
  private readonly byAggregate: Store
  private readonly byType: Store
  private readonly byTag: Store
  private readonly versions = new Map<string, number>()
  private next: number

  constructor(root: Root, durability: Durability) {
    this.root = root
    this.durability = durability
    this.events = root.openDB('events', { keyEncoding: 'uint32', encoding: 'string' })
    // The ordered encoding sorts [aggregate, version], and the many positions of a type or tag as values of one key.
    this.byAggregate = root.openDB('aggregates', { encoding: 'ordered-binary' })
    this.byType = root.openDB('types', { dupSort: true, encoding: 'ordered-binary' })
    this.byTag = root.openDB('tags', { dupSort: true, encoding: 'ordered-binary' })
    const last = [...this.events.getRange({ reverse: true, limit: 1 })][0]
    this.next = last === undefined ? 1 : (last.key as number) + 1
  }

  append(event: BenchEvent): Promise<unknown> {
    return this.durability === 'synced' ? this.putOne(event) : this.appendBatch([event])
  }

  appendInFlight(event: BenchEvent): Promise<unknown> {
    return this.putOne(event)
  }

  appendBatch(events: readonly BenchEvent[]): Promise<void> {
    this.root.transactionSync(() => {
      for (const event of events) void this.putOne(event)
    })
    return Promise.resolve()
  }

  appendIf(event: BenchEvent, version: number): Promise<void> {
    const { aggregateId } = event
    let fits = false
    this.root.transactionSync(() => {
      fits = this.byAggregate.get([aggregateId, version + 1]) === undefined
      fits &&= version === 0 || this.byAggregate.get([aggregateId, version]) !== undefined
      if (fits) void this.putOne(event)
    })
    return fits ? Promise.resolve() : Promise.reject(new Error('another version'))
  }

  replay(visit: Visit): Promise<void> {
    for (const { value } of this.events.getRange()) visit(JSON.parse(value as string) as BenchEvent)
    return Promise.resolve()
  }

  select({ field, value }: Selector, visit: Visit): Promise<void> {
    if (field === 'aggregateId') return this.load(value, visit)
    const index = field === 'tag' ? this.byTag : this.byType
    for (const position of index.getValues(value)) this.visitAt(position, visit)
    return Promise.resolve()
  }

  load(aggregateId: string, visit: Visit): Promise<void> {
    const range = this.byAggregate.getRange({ start: [aggregateId, 0], end: [aggregateId, Number.MAX_SAFE_INTEGER] })
    for (const { value } of range) this.visitAt(value as number, visit)
    return Promise.resolve()
  }

  close(): Promise<void> {
    return this.root.close()
  }

  private visitAt(position: number, visit: Visit): void {
    visit(JSON.parse(this.events.get(position) as string) as BenchEvent)
  }

  /** The last of the puts stands for all of them: they are committed together. */
  private putOne(event: BenchEvent): Promise<unknown> {
    const { aggregateId, eventType, tags } = event
    const version = this.versionOf(aggregateId) + 1
    this.versions.set(aggregateId, version)
    const position = this.next++
    void this.events.put(position, JSON.stringify(event))
    void this.byAggregate.put([aggregateId, version], position)
    void this.byType.put(eventType, position)
    return this.byTag.put(tags[0], position)
  }

  private versionOf(aggregateId: string): number {
    const known = this.versions.get(aggregateId)
    if (known !== undefined) return known
    const end = [aggregateId, 0]
    const start = [aggregateId, Number.MAX_SAFE_INTEGER]
    const last = [...this.byAggregate.getRange({ start, end, reverse: true, limit: 1 })][0]
    return last === undefined ? 0 : ((last.key as readonly [string, number])[1] ?? 0)
  }
}

const noFollow = 'it tells nobody of new entries; a program would have to ask again and again'

export const lmdb: System = {
  name: 'lmdb',
  title: 'lmdb',
  settings:
    'Buffered: noSync, the fastest there is; a power cut may damage the file. Synced: overlappingSync off, so ' +
    'that a put is answered when it is on disk, which was faster than the default and awaiting `flushed`. Values are ' +
    'JSON text, which was as fast as its msgpack or faster.',
  packages: ['lmdb'],
  eventsMost: 200_000,
  without: {
    follow: noFollow,
    'follow-across': noFollow,
    'replay-batches': 'getRange is the one way to read'
  },
  open: async (folder, durability) => {
    const { open } = await peer<{ readonly open: (options: object) => Root }>('lmdb')
    const path = join(folder, 'lmdb')
    const sync = durability === 'synced' ? { overlappingSync: false } : { noSync: true }
    return new LmdbSession(open({ path, maxDbs: 8, ...sync }), durability)
  }
}
