// NATS JetStream: one stream in files, a subject that names aggregate, type and tag, read by ordered consumers.

import { join } from 'node:path'
import { peer } from '../peer.ts'
import { freePort, programAt, startServer, type Server } from '../server.ts'
import type { Session, System, Visit } from '../system.ts'
import type { BenchEvent, Selector } from '../workload.ts'

interface Message {
  json<T>(): T
  readonly info: { readonly pending: number }
}

interface Consumer {
  info(): Promise<{ readonly num_pending: number }>
  consume(options: object): Promise<AsyncIterable<Message> & { stop(): void }>
}

interface JetStream {
  publish(
    subject: string,
    data: string,
    options?: { readonly expect: { readonly lastSequence: number } }
  ): Promise<{ readonly seq: number }>
  readonly consumers: {
    get(
      stream: string,
      options: { readonly filter_subjects?: string; readonly deliver_policy?: 'new' }
    ): Promise<Consumer>
  }
}

interface Manager {
  readonly streams: { add(config: object): Promise<{ readonly state: { readonly last_seq: number } }> }
}

interface Connection {
  close(): Promise<void>
}

interface Transport {
  readonly connect: (options: object) => Promise<Connection>
}

interface Module {
  readonly jetstream: (connection: Connection) => JetStream
  readonly jetstreamManager: (connection: Connection) => Promise<Manager>
}

const stream = 'events'
const messagesAtOnce = 1_000

class NatsSession implements Session {
  private readonly connection: Connection
  private readonly jetstream: JetStream
  private readonly server: Server
  private lastSequence: number

  constructor(
    connection: Connection,
    options: { readonly jetstream: JetStream; readonly server: Server; readonly last: number }
  ) {
    this.connection = connection
    this.jetstream = options.jetstream
    this.server = options.server
    this.lastSequence = options.last
  }

  append(event: BenchEvent): Promise<unknown> {
    return this.jetstream.publish(subjectOf(event), JSON.stringify(event))
  }

  /** Its conditions are on the whole stream or on one subject, and the subject is more than the aggregate here. */
  async appendIf(event: BenchEvent): Promise<void> {
    const expect = { lastSequence: this.lastSequence }
    const { seq } = await this.jetstream.publish(subjectOf(event), JSON.stringify(event), { expect })
    this.lastSequence = seq
  }

  async fill(events: readonly BenchEvent[]): Promise<void> {
    await Promise.all(events.map((event) => this.append(event)))
  }

  replay(visit: Visit): Promise<void> {
    return this.read({}, visit)
  }

  select({ field, value }: Selector, visit: Visit): Promise<void> {
    const subjects = {
      aggregateId: `${stream}.${value}.>`,
      eventType: `${stream}.*.${value}.*`,
      tag: `${stream}.*.*.${value}`
    }
    return this.read({ filter_subjects: subjects[field] }, visit)
  }

  load(aggregateId: string, visit: Visit): Promise<void> {
    return this.select({ field: 'aggregateId', value: aggregateId }, visit)
  }

  async follow(visit: Visit, signal: AbortSignal): Promise<{ readonly ended: Promise<unknown> }> {
    const consumer = await this.jetstream.consumers.get(stream, { deliver_policy: 'new' })
    const messages = await consumer.consume({ max_messages: messagesAtOnce })
    signal.addEventListener('abort', () => messages.stop())
    const visitAll = async (): Promise<void> => {
      for await (const message of messages) visit(message.json<BenchEvent>())
    }
    return { ended: visitAll() }
  }

  otherCpuMs(): number {
    return this.server.cpuMs()
  }

  async close(): Promise<void> {
    await this.connection.close()
    await this.server.stop()
  }

  private async read(filter: { readonly filter_subjects?: string }, visit: Visit): Promise<void> {
    const consumer = await this.jetstream.consumers.get(stream, filter)
    const { num_pending: pending } = await consumer.info()
    if (pending === 0) return
    for await (const message of await consumer.consume({ max_messages: messagesAtOnce })) {
      visit(message.json<BenchEvent>())
      if (message.info.pending === 0) return
    }
  }
}

function subjectOf({ aggregateId, eventType, tags }: BenchEvent): string {
  return `${stream}.${aggregateId}.${eventType}.${tags[0] as string}`
}

async function openSession(folder: string): Promise<Session> {
  const { connect } = await peer<Transport>('@nats-io/transport-node')
  const { jetstream, jetstreamManager } = await peer<Module>('@nats-io/jetstream')
  const port = await freePort()
  const args = ['-a', '127.0.0.1', '-p', String(port), '-js', '-sd', join(folder, 'nats')]
  const options = { servers: `127.0.0.1:${port}`, reconnect: false }
  const ready = async (): Promise<void> => {
    const connection = await connect(options)
    // The port answers before JetStream does.
    try {
      await jetstreamManager(connection)
    } finally {
      await connection.close()
    }
  }
  const server = await startServer({ command: programAt('nats-server'), args, ready })
  const connection = await connect(options)
  const manager = await jetstreamManager(connection)
  const config = { name: stream, subjects: [`${stream}.>`], storage: 'file', num_replicas: 1, duplicate_window: 0 }
  const { state } = await manager.streams.add(config)
  return new NatsSession(connection, { jetstream: jetstream(connection), server, last: state.last_seq })
}

const aServer = 'a server is not opened; it is there'
const noSync = 'servers before 2.10 sync on a timer, and no answer waits for it'

export const nats: System = {
  name: 'nats-jetstream',
  title: 'NATS JetStream',
  settings:
    'One stream in files, one replica, loopback, aggregate, type and tag in the subject. Buffered: each publish awaits ' +
    'its acknowledgement. Its condition is on the stream’s last sequence. Its processor time is the server’s and the ' +
    'client’s together.',
  packages: ['@nats-io/transport-node', '@nats-io/jetstream'],
  program: 'nats-server',
  eventsMost: 100_000,
  without: {
    'follow-across': 'its follower speaks to another process already',
    'append-sync': noSync,
    'append-sync-64': noSync,
    'append-batch': 'servers before 2.12 have no atomic batch',
    'replay-batches': 'the consumer reads in batches already',
    'load-cold': aServer,
    open: aServer,
    'open-killed': aServer
  },
  open: openSession
}
