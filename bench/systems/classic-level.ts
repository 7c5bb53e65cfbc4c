// classic-level, LevelDB: events as JSON text by position, and keys aggregate/version, type/position and tag/position
// that lead there, all in one database and written in one batch.

import { join } from 'node:path'
import { peer } from '../peer.ts'
import type { Durability, Session, System, Visit } from '../system.ts'
import type { BenchEvent, Selector } from '../workload.ts'

interface Chain {
  put(key: string, value: string): Chain
  write(options: { readonly sync: boolean }): Promise<void>
}

interface Range {
  readonly gt: string
  readonly lt: string
  readonly reverse?: boolean
  readonly limit?: number
}

interface Rows {
  nextv(size: number): Promise<readonly string[]>
  close(): Promise<void>
}

interface Level {
  open(): Promise<void>
  close(): Promise<void>
  batch(): Chain
  keys(range: Range): { all(): Promise<readonly string[]> }
  values(range: Range & { readonly highWaterMarkBytes?: number }): Rows
  getMany(keys: readonly string[]): Promise<readonly (string | undefined)[]>
}

const rowsAtOnce = 1_000
const prefixes = { aggregateId: 'a', eventType: 't', tag: 'g' } as const

class LevelSession implements Session {
  private readonly level: Level
  private readonly sync: boolean
  private readonly versions = new Map<string, number>()
  /** Whether the store held events when it was opened, so that a version may have to be looked up. */
  private readonly hasEarlier: boolean
  private next: number

  constructor(level: Level, options: { readonly durability: Durability; readonly next: number }) {
    this.level = level
    this.sync = options.durability === 'synced'
    this.next = options.next
    this.hasEarlier = options.next > 1
  }

  append(event: BenchEvent): Promise<void> {
    return this.appendBatch([event])
  }

  async appendBatch(events: readonly BenchEvent[]): Promise<void> {
    // An await would let a later append overtake this one, so there is none where there is nothing to look up.
    if (this.hasEarlier) for (const { aggregateId } of events) await this.findVersion(aggregateId)
    const chain = this.level.batch()
    for (const event of events) this.putOne(chain, event)
    await chain.write({ sync: this.sync })
  }

  async replay(visit: Visit): Promise<void> {
    const rows = this.level.values({ gt: 'e!', lt: 'e"', highWaterMarkBytes: 256 * 1024 })
    for (;;) {
      const values = await rows.nextv(rowsAtOnce)
      if (values.length === 0) return rows.close()
      for (const json of values) visit(JSON.parse(json) as BenchEvent)
    }
  }

  async select({ field, value }: Selector, visit: Visit): Promise<void> {
    const prefix = `${prefixes[field]}!${value}!`
    const rows = this.level.values({ gt: prefix, lt: `${prefix}~` })
    for (;;) {
      const keys = await rows.nextv(rowsAtOnce)
      if (keys.length === 0) return rows.close()
      for (const json of await this.level.getMany(keys)) visit(JSON.parse(json as string) as BenchEvent)
    }
  }

  load(aggregateId: string, visit: Visit): Promise<void> {
    return this.select({ field: 'aggregateId', value: aggregateId }, visit)
  }

  close(): Promise<void> {
    return this.level.close()
  }

  private putOne(chain: Chain, event: BenchEvent): void {
    const { aggregateId, eventType, tags } = event
    const version = (this.versions.get(aggregateId) ?? 0) + 1
    this.versions.set(aggregateId, version)
    const place = padded(this.next++)
    const key = `e!${place}`
    chain.put(key, JSON.stringify(event))
    chain.put(`a!${aggregateId}!${padded(version)}`, key)
    chain.put(`t!${eventType}!${place}`, key)
    chain.put(`g!${tags[0] as string}!${place}`, key)
  }

  private async findVersion(aggregateId: string): Promise<void> {
    if (this.versions.has(aggregateId)) return
    const found = await lastNumber(this.level, `a!${aggregateId}!`)
    if (!this.versions.has(aggregateId)) this.versions.set(aggregateId, found)
  }
}

/** Sorts as a string as the number does. */
function padded(value: number): string {
  return String(value).padStart(12, '0')
}

async function lastNumber(level: Level, prefix: string): Promise<number> {
  const last = (await level.keys({ gt: prefix, lt: `${prefix}~`, reverse: true, limit: 1 }).all())[0]
  return last === undefined ? 0 : Number(last.slice(-12))
}

const noFollow = 'its write event is the appender’s own, and no reader waits for what is to come'

export const classicLevel: System = {
  name: 'classic-level',
  title: 'classic-level',
  settings:
    'Snappy as by default, 64 MB of block cache, a write buffer of 32 MB. Buffered: sync false. Synced: sync true. ' +
    'A batch is a chained batch; reads take 1,000 rows at a time.',
  packages: ['classic-level'],
  eventsMost: 200_000,
  without: {
    follow: noFollow,
    'follow-across': noFollow,
    'append-if': 'LevelDB has no conditional write',
    'replay-batches': 'the replay reads in batches already'
  },
  open: async (folder, durability) => {
    const { ClassicLevel } = await peer<{ ClassicLevel: new (path: string, options: object) => Level }>('classic-level')
    const options = { cacheSize: 64 * 1024 * 1024, writeBufferSize: 32 * 1024 * 1024 }
    const level = new ClassicLevel(join(folder, 'level'), options)
    await level.open()
    return new LevelSession(level, { durability, next: (await lastNumber(level, 'e!')) + 1 })
  }
}
