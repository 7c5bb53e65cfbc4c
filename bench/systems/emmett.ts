// Emmett's event store on SQLite (@event-driven-io/emmett-sqlite on sqlite3). Its getSQLiteEventStore opens the file
// anew for every call, so the functions that it exports are called here on one connection that stays open, which is
// faster and lets the sync level be chosen.

import { join } from 'node:path'
import { peer } from '../peer.ts'
import type { Durability, Session, System, Visit } from '../system.ts'
import type { BenchEvent } from '../workload.ts'

interface Connection {
  command(sql: string): Promise<unknown>
  close(): void
}

/** The aggregate is the stream; the rest of the event is the data. */
interface Message {
  readonly type: string
  readonly data: Omit<BenchEvent, 'eventType' | 'aggregateId' | 'metadata'>
  readonly metadata: BenchEvent['metadata'] & { readonly streamName?: string }
}

interface Module {
  sqliteConnection(options: { readonly fileName: string }): Connection
  createEventStoreSchema(connection: Connection): Promise<void>
  appendToStream(
    connection: Connection,
    stream: string,
    streamType: string,
    messages: readonly Message[],
    options?: { readonly expectedStreamVersion: bigint }
  ): Promise<{ readonly success: boolean }>
  readStream(connection: Connection, stream: string): Promise<{ readonly events: readonly Message[] }>
  readMessagesBatch(
    connection: Connection,
    options: { readonly after: bigint; readonly batchSize: number }
  ): Promise<{
    readonly messages: readonly Message[]
    readonly currentGlobalPosition: bigint
    readonly areEventsLeft: boolean
  }>
}

class EmmettSession implements Session {
  private readonly module: Module
  private readonly connection: Connection

  constructor(module: Module, connection: Connection) {
    this.module = module
    this.connection = connection
  }

  append(event: BenchEvent): Promise<unknown> {
    return this.module.appendToStream(this.connection, event.aggregateId, 'account', [messageOf(event)])
  }

  async appendIf(event: BenchEvent, version: number): Promise<void> {
    const condition = { expectedStreamVersion: BigInt(version) }
    const done = await this.module.appendToStream(
      this.connection,
      event.aggregateId,
      'account',
      [messageOf(event)],
      condition
    )
    if (!done.success) throw new Error('another version')
  }

  async fill(events: readonly BenchEvent[]): Promise<void> {
    for (const event of events) await this.append(event)
  }

  async replay(visit: Visit): Promise<void> {
    let after = 0n
    for (let more = true; more;) {
      const batch = await this.module.readMessagesBatch(this.connection, { after, batchSize: 1_000 })
      for (const message of batch.messages) visit(eventOf(message, message.metadata.streamName as string))
      after = batch.currentGlobalPosition
      more = batch.areEventsLeft
    }
  }

  async load(aggregateId: string, visit: Visit): Promise<void> {
    const { events } = await this.module.readStream(this.connection, aggregateId)
    for (const message of events) visit(eventOf(message, aggregateId))
  }

  close(): Promise<void> {
    this.connection.close()
    return Promise.resolve()
  }
}

function messageOf({ eventType, eventId, payload, metadata, tags }: BenchEvent): Message {
  return { type: eventType, data: { eventId, payload, tags }, metadata }
}

function eventOf({ type, data, metadata }: Message, aggregateId: string): BenchEvent {
  return { eventType: type, aggregateId, ...data, metadata }
}

async function openSession(folder: string, durability: Durability): Promise<Session> {
  const module = await peer<Module>('@event-driven-io/emmett-sqlite')
  const connection = module.sqliteConnection({ fileName: join(folder, 'emmett.sqlite') })
  await connection.command(`PRAGMA synchronous = ${durability === 'synced' ? 'FULL' : 'OFF'}`)
  await module.createEventStoreSchema(connection)
  return new EmmettSession(module, connection)
}

const serial = 'appends on one connection must follow one another'
const noIndex = 'it has no index by type, and tags are not known to it'

const noFollow = 'its consumer asks again every 50 ms by default: that would measure the setting'

export const emmett: System = {
  name: 'emmett-sqlite',
  title: 'Emmett on SQLite',
  settings:
    'One connection kept open, WAL. Buffered: synchronous=OFF. Synced: FULL. (As it comes, it opens the file for every ' +
    'call and leaves synchronous at FULL.)',
  packages: ['@event-driven-io/emmett-sqlite', '@event-driven-io/emmett', 'sqlite3'],
  eventsMost: 20_000,
  without: {
    follow: noFollow,
    'follow-across': noFollow,
    'append-64': serial,
    'append-sync-64': serial,
    'append-batch': 'an append is of one stream, so a batch over several aggregates is not atomic',
    'replay-batches': 'the replay reads in batches already',
    'select-aggregate': 'by aggregate is a load, which is a row of its own',
    'select-type': noIndex,
    'select-tag': noIndex
  },
  open: openSession
}
