// hypercore: one append-only log of blocks, each an event's JSON. It signs a Merkle tree over them, which is the point
// of it and the most of its cost.

import { join } from 'node:path'
import { peerDefault } from '../peer.ts'
import type { Session, System, Visit } from '../system.ts'
import type { BenchEvent } from '../workload.ts'

interface Core {
  ready(): Promise<void>
  append(blocks: string | readonly string[]): Promise<unknown>
  readonly length: number
  createReadStream(options?: object): AsyncIterable<string> & { destroy(): void }
  close(): Promise<void>
}

class HypercoreSession implements Session {
  private readonly core: Core

  constructor(core: Core) {
    this.core = core
  }

  append(event: BenchEvent): Promise<unknown> {
    return this.core.append(JSON.stringify(event))
  }

  appendBatch(events: readonly BenchEvent[]): Promise<unknown> {
    return this.core.append(events.map((event) => JSON.stringify(event)))
  }

  async replay(visit: Visit): Promise<void> {
    for await (const json of this.core.createReadStream()) visit(JSON.parse(json) as BenchEvent)
  }

  follow(visit: Visit, signal: AbortSignal): Promise<{ readonly ended: Promise<unknown> }> {
    const blocks = this.core.createReadStream({ live: true, start: this.core.length })
    signal.addEventListener('abort', () => blocks.destroy())
    const visitAll = async (): Promise<void> => {
      for await (const json of blocks) visit(JSON.parse(json) as BenchEvent)
    }
    visitAll().catch(() => undefined)
    // A live stream that is destroyed while it waits does not end; closing the core ends it.
    return Promise.resolve({ ended: Promise.resolve() })
  }

  close(): Promise<void> {
    return this.core.close()
  }
}

const oneLog = 'a core is one log without an index'
const noSync = 'it has no append that waits for a sync'

export const hypercore: System = {
  name: 'hypercore',
  title: 'hypercore',
  settings: 'One core, blocks of JSON text. Its storage, RocksDB, writes its log to the page cache.',
  packages: ['hypercore'],
  eventsMost: 100_000,
  without: {
    'follow-across': 'a store is opened by one process at a time; others replicate it',
    'append-sync': noSync,
    'append-sync-64': noSync,
    'append-if': oneLog,
    'replay-batches': 'its read stream is the one way to read in order',
    'select-aggregate': oneLog,
    'select-type': oneLog,
    'select-tag': oneLog,
    load: oneLog,
    'load-cold': oneLog,
    open: oneLog,
    'open-killed': oneLog
  },
  open: async (folder) => {
    const Hypercore = await peerDefault<new (path: string, options: object) => Core>('hypercore')
    const core = new Hypercore(join(folder, 'core'), { valueEncoding: 'utf-8' })
    await core.ready()
    return new HypercoreSession(core)
  }
}
