// Redis streams: one stream of all events, and one of their ids for each aggregate, type and tag. A script does the
// five writes of an append, and the reads that follow ids, in one round trip.

import { join } from 'node:path'
import { peer } from '../peer.ts'
import { makeSocketFolder, programAt, startServer, type Server } from '../server.ts'
import type { Durability, Session, System, Visit } from '../system.ts'
import type { BenchEvent, Selector } from '../workload.ts'

interface Client {
  on(name: 'error', listener: () => void): void
  connect(): Promise<unknown>
  destroy(): void
  close(): Promise<unknown>
  sendCommand(args: readonly string[]): Promise<unknown>
}

interface Module {
  readonly createClient: (options: object) => Client
}

/** Appends the events in ARGV, four values each: JSON, aggregate, type, tag. ARGV[1] is a version, or empty. */
const appendScript = `
  if ARGV[1] ~= '' and redis.call('XLEN', 'a:' .. ARGV[3]) ~= tonumber(ARGV[1]) then
    return redis.error_reply('another version')
  end
  for at = 2, #ARGV, 4 do
    local id = redis.call('XADD', 'events', '*', 'e', ARGV[at])
    redis.call('XADD', 'a:' .. ARGV[at + 1], id, 'e', '')
    redis.call('XADD', 't:' .. ARGV[at + 2], id, 'e', '')
    redis.call('XADD', 'g:' .. ARGV[at + 3], id, 'e', '')
  end
  return 1`

/** The events whose ids stand in the stream ARGV[1] behind the id ARGV[2], 1,000 at most, and the last id. */
const followScript = `
  local found = redis.call('XRANGE', ARGV[1], '(' .. ARGV[2], '+', 'COUNT', 1000)
  local texts = {}
  for place, entry in ipairs(found) do
    texts[place] = redis.call('XRANGE', 'events', entry[1], entry[1])[1][2][2]
  end
  return { #found > 0 and found[#found][1] or '', texts }`

const prefixes = { aggregateId: 'a', eventType: 't', tag: 'g' } as const
const beforeAll = '0-0'
const rowsAtOnce = '5000'

type Entry = readonly [id: string, fields: readonly [string, string]]

interface Parts {
  readonly client: Client
  readonly connect: () => Promise<Client>
  readonly server: Server
  readonly scripts: { readonly append: string; readonly follow: string }
}

class RedisSession implements Session {
  private readonly client: Client
  private readonly server: Server
  private readonly scripts: { readonly append: string; readonly follow: string }

  private readonly connect: () => Promise<Client>

  constructor({ client, connect, server, scripts }: Parts) {
    this.client = client
    this.connect = connect
    this.server = server
    this.scripts = scripts
  }

  append(event: BenchEvent): Promise<unknown> {
    return this.run('', [event])
  }

  appendBatch(events: readonly BenchEvent[]): Promise<unknown> {
    return this.run('', events)
  }

  appendIf(event: BenchEvent, version: number): Promise<unknown> {
    return this.run(String(version), [event])
  }

  async replay(visit: Visit): Promise<void> {
    let after = beforeAll
    for (;;) {
      const range = ['XRANGE', 'events', `(${after}`, '+', 'COUNT', rowsAtOnce]
      const entries = (await this.client.sendCommand(range)) as readonly Entry[]
      for (const [, [, json]] of entries) visit(JSON.parse(json) as BenchEvent)
      const last = entries.at(-1)
      if (last === undefined) return
      after = last[0]
    }
  }

  async select({ field, value }: Selector, visit: Visit): Promise<void> {
    let after = beforeAll
    while (after !== '') {
      const command = ['EVALSHA', this.scripts.follow, '0', `${prefixes[field]}:${value}`, after]
      const [last, texts] = (await this.client.sendCommand(command)) as readonly [string, readonly string[]]
      for (const json of texts) visit(JSON.parse(json) as BenchEvent)
      after = texts.length < 1_000 ? '' : last
    }
  }

  load(aggregateId: string, visit: Visit): Promise<void> {
    return this.select({ field: 'aggregateId', value: aggregateId }, visit)
  }

  /** A connection of its own, since it blocks. */
  async follow(visit: Visit, signal: AbortSignal): Promise<{ readonly ended: Promise<unknown> }> {
    const client = await this.connect()
    const visitAll = async (): Promise<void> => {
      let after = beforeAll
      while (!signal.aborted) {
        const found = await client.sendCommand(['XREAD', 'BLOCK', '100', 'STREAMS', 'events', after])
        const entries = (found as readonly [readonly [string, readonly Entry[]]] | null)?.[0][1] ?? []
        for (const [, [, json]] of entries) visit(JSON.parse(json) as BenchEvent)
        after = entries.at(-1)?.[0] ?? after
      }
      await client.close()
    }
    return { ended: visitAll() }
  }

  otherCpuMs(): number {
    return this.server.cpuMs()
  }

  async close(): Promise<void> {
    await this.client.close()
    await this.server.stop()
  }

  private run(version: string, events: readonly BenchEvent[]): Promise<unknown> {
    const values = events.flatMap((event) => [
      JSON.stringify(event),
      event.aggregateId,
      event.eventType,
      event.tags[0] as string
    ])
    return this.client.sendCommand(['EVALSHA', this.scripts.append, '0', version, ...values])
  }
}

async function openSession(folder: string, durability: Durability): Promise<Session> {
  const { createClient } = await peer<Module>('@redis/client')
  const sockets = makeSocketFolder()
  const path = join(sockets, 'socket')
  const connect = async (): Promise<Client> => {
    const client = createClient({ RESP: 2, socket: { path, reconnectStrategy: false } })
    client.on('error', () => undefined)
    await client.connect()
    return client
  }
  const settings = ['--port', '0', '--unixsocket', path, '--dir', folder, '--save', '', '--appendonly', 'yes']
  const fsync = durability === 'synced' ? 'always' : 'no'
  const ready = async (): Promise<void> => {
    const client = await connect()
    // It answers PING with an error while it loads its file.
    await client.sendCommand(['PING']).finally(() => client.destroy())
  }
  const args = [...settings, '--appendfsync', fsync]
  const server = await startServer({ command: programAt('redis-server'), args, ready, sockets })
  const client = await connect()
  const load = async (script: string): Promise<string> =>
    (await client.sendCommand(['SCRIPT', 'LOAD', script])) as string
  const scripts = { append: await load(appendScript), follow: await load(followScript) }
  return new RedisSession({ client, connect, server, scripts })
}

const aServer = 'a server is not opened; it is there'

export const redis: System = {
  name: 'redis',
  title: 'Redis streams',
  settings:
    'A socket file, append-only file on, no snapshots. Buffered: appendfsync no; the file is written before the ' +
    'answer. Synced: always. Everything is in memory. Its processor time is the server’s and the client’s together.',
  packages: ['@redis/client'],
  program: 'redis-server',
  eventsMost: 100_000,
  without: {
    'follow-across': 'its follower speaks to another process already',
    'replay-batches': 'the replay reads in batches already',
    'load-cold': aServer,
    open: aServer,
    'open-killed': aServer
  },
  open: openSession
}
