// The floor: the least that any store of this kind has to do, and nothing else. No store, so no guarantees.
//
//   write  JSON.stringify, a copy into a buffer, CRC-32, one writeSync a batch; a synced one also waits for fdatasync
//   read   sequential reads of 256 KiB, JSON.parse of each record; no checksum is looked at
//
// Its records carry what Chronicle's do, an event with a version and a time, between a length and a CRC.

import { closeSync, fdatasyncSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { crc32 } from 'node:zlib'
import type { Durability, Session, System, Visit } from '../system.ts'
import type { BenchEvent } from '../workload.ts'

const chunkBytes = 256 * 1024

class FloorSession implements Session {
  private readonly descriptor: number
  private buffer = Buffer.allocUnsafe(1024 * 1024)
  private length = 0
  private readonly durability: Durability

  constructor(path: string, durability: Durability) {
    this.descriptor = openSync(path, 'a+')
    this.durability = durability
  }

  append(event: BenchEvent): Promise<void> {
    this.encode(event)
    this.flush()
    return Promise.resolve()
  }

  appendBatch(events: readonly BenchEvent[]): Promise<void> {
    for (const event of events) this.encode(event)
    this.flush()
    return Promise.resolve()
  }

  replay(visit: Visit): Promise<void> {
    const chunk = Buffer.allocUnsafe(chunkBytes)
    let position = 0
    let rest = 0
    for (;;) {
      const count = readSync(this.descriptor, chunk, rest, chunk.length - rest, position)
      if (count === 0) return Promise.resolve()
      position += count
      const limit = rest + count
      const at = visitRecords(chunk, limit, visit)
      chunk.copyWithin(0, at, limit)
      rest = limit - at
    }
  }

  close(): Promise<void> {
    closeSync(this.descriptor)
    return Promise.resolve()
  }

  private encode(event: BenchEvent): void {
    const json = JSON.stringify({ event, version: 1, writeTimestampMs: Date.now() })
    const start = this.length
    const bytes = this.buffer.write(json, start + 4, 'utf8')
    this.buffer.writeUInt32LE(bytes, start)
    const end = start + 4 + bytes
    this.buffer.writeUInt32LE(crc32(this.buffer.subarray(start, end), 0), end)
    this.length = end + 4
  }

  private flush(): void {
    writeSync(this.descriptor, this.buffer, 0, this.length)
    this.length = 0
    if (this.durability === 'synced') fdatasyncSync(this.descriptor)
  }
}

/** Visits the records that are whole in `chunk[0, limit)`; returns where the first that is not begins. */
function visitRecords(chunk: Buffer, limit: number, visit: Visit): number {
  let at = 0
  while (at + 4 <= limit) {
    const end = at + 4 + chunk.readUInt32LE(at)
    if (end + 4 > limit) break
    visit((JSON.parse(chunk.toString('utf8', at + 4, end)) as { readonly event: BenchEvent }).event)
    at = end + 4
  }
  return at
}

const noStore = 'the floor has no index: it is a file and nothing else'

export const floor: System = {
  name: 'floor',
  title: 'the floor',
  settings:
    'JSON.stringify, CRC-32, one copy and one writeSync a call, with fdatasync where synced; JSON.parse to read.',
  packages: [],
  without: {
    follow: noStore,
    'follow-across': noStore,
    'append-64': 'one call at a time: as one by one',
    'append-sync-64': 'a synchronous fdatasync is waited for by one caller',
    'append-if': noStore,
    'replay-batches': 'there is one way to read a file',
    'select-aggregate': noStore,
    'select-type': noStore,
    'select-tag': noStore,
    load: noStore,
    'load-cold': noStore,
    open: noStore,
    'open-killed': noStore
  },
  open: (folder, durability) => Promise.resolve(new FloorSession(join(folder, 'floor'), durability))
}
