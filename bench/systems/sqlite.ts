// better-sqlite3: a table of events, its JSON in a column, an index for each way of finding them. Versions are counted
// in a map, as Chronicle does, which spares SQLite a query an append.

import { join } from 'node:path'
import { peerDefault } from '../peer.ts'
import type { Session, System, Visit } from '../system.ts'
import type { BenchEvent, Selector } from '../workload.ts'

interface Statement {
  run(...values: readonly unknown[]): unknown
  get(...values: readonly unknown[]): unknown
  iterate(...values: readonly unknown[]): IterableIterator<unknown>
  pluck(): Statement
}

interface Database {
  pragma(text: string): unknown
  exec(text: string): unknown
  prepare(text: string): Statement
  transaction<T extends readonly unknown[]>(run: (...values: T) => void): (...values: T) => void
  close(): void
}

type Mode = 'off' | 'off-lean' | 'normal' | 'full'

const columns = { aggregateId: 'aggregate_id', eventType: 'event_type', tag: 'tag' } as const

const table = `
  CREATE TABLE IF NOT EXISTS events (
    position INTEGER PRIMARY KEY,
    aggregate_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    event_type TEXT NOT NULL,
    tag TEXT NOT NULL,
    json TEXT NOT NULL
  );
  CREATE UNIQUE INDEX IF NOT EXISTS by_aggregate ON events (aggregate_id, version);`

const moreIndexes = `
  CREATE INDEX IF NOT EXISTS by_type ON events (event_type);
  CREATE INDEX IF NOT EXISTS by_tag ON events (tag);`

class SqliteSession implements Session {
  private readonly database: Database
  private readonly versions = new Map<string, number>()
  private readonly insert: Statement
  private readonly lastVersion: Statement
  private readonly all: Statement
  private readonly ofAggregate: Statement
  private readonly insertAll: (events: readonly BenchEvent[]) => void

  constructor(database: Database) {
    this.database = database
    const fields = 'aggregate_id, version, event_type, tag, json'
    this.insert = database.prepare(`INSERT INTO events (${fields}) VALUES (?, ?, ?, ?, ?)`)
    this.lastVersion = database.prepare('SELECT max(version) FROM events WHERE aggregate_id = ?').pluck()
    this.all = database.prepare('SELECT json FROM events ORDER BY position').pluck()
    this.ofAggregate = database.prepare('SELECT json FROM events WHERE aggregate_id = ? ORDER BY version').pluck()
    this.insertAll = database.transaction((events: readonly BenchEvent[]) => {
      for (const event of events) this.insertOne(event, this.versionOf(event.aggregateId))
    })
  }

  append(event: BenchEvent): Promise<void> {
    this.insertOne(event, this.versionOf(event.aggregateId))
    return Promise.resolve()
  }

  appendBatch(events: readonly BenchEvent[]): Promise<void> {
    this.insertAll(events)
    return Promise.resolve()
  }

  /** The unique index refuses a version that is there already. */
  appendIf(event: BenchEvent, version: number): Promise<void> {
    if (this.versionOf(event.aggregateId) !== version) return Promise.reject(new Error('another version'))
    this.insertOne(event, version)
    return Promise.resolve()
  }

  replay(visit: Visit): Promise<void> {
    return visitRows(this.all.iterate(), visit)
  }

  select({ field, value }: Selector, visit: Visit): Promise<void> {
    const text = `SELECT json FROM events WHERE ${columns[field]} = ? ORDER BY position`
    return visitRows(this.database.prepare(text).pluck().iterate(value), visit)
  }

  load(aggregateId: string, visit: Visit): Promise<void> {
    return visitRows(this.ofAggregate.iterate(aggregateId), visit)
  }

  close(): Promise<void> {
    this.database.close()
    return Promise.resolve()
  }

  private insertOne(event: BenchEvent, version: number): void {
    const { aggregateId, eventType, tags } = event
    this.insert.run(aggregateId, version + 1, eventType, tags[0], JSON.stringify(event))
    this.versions.set(aggregateId, version + 1)
  }

  private versionOf(aggregateId: string): number {
    const known = this.versions.get(aggregateId)
    if (known !== undefined) return known
    return (this.lastVersion.get(aggregateId) as number | null) ?? 0
  }
}

function visitRows(rows: Iterable<unknown>, visit: Visit): Promise<void> {
  for (const json of rows) visit(JSON.parse(json as string) as BenchEvent)
  return Promise.resolve()
}

const modes: Readonly<Record<Mode, { readonly title: string; readonly text: string; readonly only?: string[] }>> = {
  off: {
    title: 'better-sqlite3, OFF',
    text: 'WAL, synchronous=OFF: no sync ever; a power cut may damage the file.'
  },
  'off-lean': {
    title: 'better-sqlite3, OFF, one index',
    text: 'As OFF, without the indexes by type and tag: what a program pays that needs no more than aggregates.',
    only: ['append', 'append-64', 'append-batch', 'append-if', 'fill', 'load']
  },
  normal: {
    title: 'better-sqlite3, NORMAL',
    text: 'WAL, synchronous=NORMAL: synced at checkpoints, so a power cut takes the newest and leaves the file whole.',
    only: ['append', 'append-64', 'append-batch', 'append-if']
  },
  full: {
    title: 'better-sqlite3, FULL',
    text: 'WAL, synchronous=FULL: every commit is synced.',
    only: ['append-sync', 'append-sync-64']
  }
}

const unsynced = 'synchronous=OFF and NORMAL do not sync a commit; FULL is a row of its own'

const shared =
  ' Prepared statements, a transaction a batch, 64 MB of cache, mmap of 1 GB, WAL checkpoints every 10,000 pages.'

const noFollow = 'it tells nobody of new rows; a program would have to ask again and again'

export function sqlite(mode: Mode): System {
  const { title, text, only } = modes[mode]
  return {
    name: `sqlite-${mode}`,
    title,
    settings: text + shared,
    packages: ['better-sqlite3'],
    ...(only === undefined ? {} : { only }),
    ...(mode === 'off-lean' ? { eventsMost: 200_000 } : {}),
    without: {
      follow: noFollow,
      'follow-across': noFollow,
      ...(mode === 'full' ? {} : { 'append-sync': unsynced, 'append-sync-64': unsynced }),
      'replay-batches': 'iterate is the fastest way to read without holding everything in memory'
    },
    open: async (folder) => {
      const Sqlite = await peerDefault<new (path: string) => Database>('better-sqlite3')
      const database = new Sqlite(join(folder, 'events.sqlite'))
      const level = mode === 'off-lean' ? 'off' : mode
      database.pragma('journal_mode = WAL')
      database.pragma(`synchronous = ${level.toUpperCase()}`)
      database.pragma('cache_size = -65536')
      database.pragma('mmap_size = 1073741824')
      database.pragma('wal_autocheckpoint = 10000')
      database.exec(mode === 'off-lean' ? table : table + moreIndexes)
      return new SqliteSession(database)
    }
  }
}
