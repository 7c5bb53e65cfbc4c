// PostgreSQL: the same table as SQLite's, through pg on a socket file, with a server of its own. Versions are counted
// in a map, which spares a query an append.

import { execFileSync } from 'node:child_process'
import { chownSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { peerDefault } from '../peer.ts'
import { makeSocketFolder, programAt, startServer, type Server } from '../server.ts'
import type { Durability, Session, System, Visit } from '../system.ts'
import type { BenchEvent, Selector } from '../workload.ts'

interface Query {
  readonly name?: string
  readonly text: string
  readonly values?: readonly unknown[]
}

interface Client {
  connect(): Promise<void>
  query(query: Query): Promise<{ readonly rows: readonly Readonly<Record<string, unknown>>[] }>
  end(): Promise<void>
  on(name: 'error', listener: () => void): unknown
}

interface Module {
  readonly Client: new (options: object) => Client
  readonly Pool: new (options: object) => Pick<Client, 'query' | 'end' | 'on'>
}

const columns = { aggregateId: 'aggregate_id', eventType: 'event_type', tag: 'tag' } as const

const schema = `
  CREATE TABLE IF NOT EXISTS events (
    position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    aggregate_id text NOT NULL,
    version int NOT NULL,
    event_type text NOT NULL,
    tag text NOT NULL,
    json text NOT NULL
  );
  CREATE UNIQUE INDEX IF NOT EXISTS by_aggregate ON events (aggregate_id, version);
  CREATE INDEX IF NOT EXISTS by_type ON events (event_type, position);
  CREATE INDEX IF NOT EXISTS by_tag ON events (tag, position);`

const fields = 'aggregate_id, version, event_type, tag, json'
const rowsAtOnce = 5_000
const connections = 16
/** It names the socket file. */
const port = 5432

interface Parts {
  readonly client: Client
  readonly pool: Pick<Client, 'query' | 'end'>
  readonly server: Server
  readonly versions: Map<string, number>
}

class PostgresSession implements Session {
  private readonly client: Client
  private readonly pool: Pick<Client, 'query' | 'end'>
  private readonly server: Server
  private readonly versions: Map<string, number>

  constructor({ client, pool, server, versions }: Parts) {
    this.client = client
    this.pool = pool
    this.server = server
    this.versions = versions
  }

  append(event: BenchEvent): Promise<unknown> {
    return this.appendIf(event, this.versions.get(event.aggregateId) ?? 0)
  }

  /** The unique index refuses a version that is there already. */
  appendIf(event: BenchEvent, version: number): Promise<unknown> {
    return this.client.query(this.insertOf(event, version))
  }

  /** A connection takes one query after the other, and several share a sync. */
  appendInFlight(event: BenchEvent): Promise<unknown> {
    return this.pool.query(this.insertOf(event, this.versions.get(event.aggregateId) ?? 0))
  }

  appendBatch(events: readonly BenchEvent[]): Promise<unknown> {
    const rows = events.map((event) => this.valuesOf(event, (this.versions.get(event.aggregateId) ?? 0) + 1))
    const values = [0, 1, 2, 3, 4].map((column) => rows.map((row) => row[column]))
    const text = `INSERT INTO events (${fields})
      SELECT a, v, t, g, j FROM unnest($1::text[], $2::int[], $3::text[], $4::text[], $5::text[])
      WITH ORDINALITY AS rows (a, v, t, g, j, place) ORDER BY place`
    return this.client.query({ name: 'append-batch', text, values })
  }

  async replay(visit: Visit): Promise<void> {
    let after: unknown = 0
    for (;;) {
      const text = `SELECT position, json FROM events WHERE position > $1 ORDER BY position LIMIT ${rowsAtOnce}`
      const { rows } = await this.client.query({ name: 'replay', text, values: [after] })
      if (rows.length === 0) return
      visitRows(rows, visit)
      after = rows.at(-1)?.['position']
    }
  }

  async select({ field, value }: Selector, visit: Visit): Promise<void> {
    const text = `SELECT json FROM events WHERE ${columns[field]} = $1 ORDER BY position`
    visitRows((await this.client.query({ text, values: [value] })).rows, visit)
  }

  async load(aggregateId: string, visit: Visit): Promise<void> {
    const text = 'SELECT json FROM events WHERE aggregate_id = $1 ORDER BY version'
    visitRows((await this.client.query({ name: 'load', text, values: [aggregateId] })).rows, visit)
  }

  otherCpuMs(): number {
    return this.server.cpuMs()
  }

  async close(): Promise<void> {
    await Promise.all([this.client.end(), this.pool.end()])
    await this.server.stop()
  }

  private insertOf(event: BenchEvent, version: number): Query {
    const text = `INSERT INTO events (${fields}) VALUES ($1, $2, $3, $4, $5)`
    return { name: 'append', text, values: this.valuesOf(event, version + 1) }
  }

  private valuesOf({ aggregateId, eventType, tags, ...rest }: BenchEvent, version: number): readonly unknown[] {
    this.versions.set(aggregateId, version)
    return [aggregateId, version, eventType, tags[0], JSON.stringify({ eventType, aggregateId, tags, ...rest })]
  }
}

function visitRows(rows: readonly Readonly<Record<string, unknown>>[], visit: Visit): void {
  for (const { json } of rows) visit(JSON.parse(json as string) as BenchEvent)
}

/** PostgreSQL refuses to be root; then it runs as the user that Debian makes for it. */
function serverUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined
  const id = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }))
  return { uid: id('-u'), gid: id('-g') }
}

async function openSession(folder: string, durability: Durability): Promise<Session> {
  const { Client: PgClient, Pool } = await peerDefault<Module>('pg')
  const data = join(folder, 'postgres')
  const user = serverUser()
  const sockets = makeSocketFolder()
  if (user !== undefined) for (const path of [folder, sockets]) chownSync(path, user.uid, user.gid)
  const login = ['-U', 'bench', '--auth=trust', '-E', 'UTF8', '--locale=C']
  if (!existsSync(data)) execFileSync(programAt('initdb'), ['-D', data, ...login], { stdio: 'ignore', ...user })
  const address = { host: sockets, port, user: 'bench', database: 'postgres' }
  const connect = async (): Promise<Client> => {
    const client = new PgClient(address)
    await client.connect()
    return client
  }
  const settings = {
    listen_addresses: '',
    unix_socket_directories: sockets,
    port,
    shared_buffers: '256MB',
    max_wal_size: '4GB',
    synchronous_commit: durability === 'synced' ? 'on' : 'off'
  }
  const args = ['-D', data, ...Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])]
  const ready = async (): Promise<void> => (await connect()).end()
  const server = await startServer({ command: programAt('postgres'), args, user, ready, sockets })
  const client = await connect()
  await client.query({ text: schema })
  const { rows } = await client.query({ text: 'SELECT aggregate_id, max(version) AS v FROM events GROUP BY 1' })
  const versions = new Map(rows.map((row) => [row['aggregate_id'] as string, row['v'] as number]))
  const pool = new Pool({ ...address, max: connections })
  // An idle connection may see the server's end before its own; a query that fails rejects besides.
  for (const one of [client, pool]) one.on('error', () => undefined)
  return new PostgresSession({ client, pool, server, versions })
}

const aServer = 'a server is not opened; it is there'

const noFollow = 'NOTIFY tells that there is something, and does not deliver it'

export const postgres: System = {
  name: 'postgresql',
  title: 'PostgreSQL',
  settings:
    'pg on a socket file, named prepared statements, shared_buffers 256 MB. Buffered: synchronous_commit=off, which a ' +
    'crash of the client survives. Synced: on. What is in flight together goes through 16 connections. Its processor time is the server’s and the client’s together.',
  packages: ['pg'],
  program: 'postgres',
  eventsMost: 100_000,
  without: {
    follow: noFollow,
    'follow-across': noFollow,
    'replay-batches': 'the replay reads in batches already',
    'load-cold': aServer,
    open: aServer,
    'open-killed': aServer
  },
  open: openSession
}
