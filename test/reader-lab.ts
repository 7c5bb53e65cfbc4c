// What the tests of durable readers share: a log with events in it, and its reader "mailer".

import { expect } from 'vitest'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { orThrow, type Event, type EventLog, type Offset, type Reader, type ReaderOptions } from '../src/index.ts'
import type { StoredEvent } from '../src/index.ts'
import { deposit, eventsOf, folder, lab, type Lab } from './log-lab.ts'

export const place = `${folder}/readers/mailer`
export const cursorPath = `${place}/CURSOR`

/** A log with so many events, one each of the aggregates a0, a1, … */
export async function filled(events: number): Promise<Lab & { readonly stored: readonly StoredEvent[] }> {
  const made = await lab({ segmentBytes: 700 })
  for (let count = 0; count < events; count++) await orThrow(made.log.append(deposit(`a${count}`)))
  return { ...made, stored: await eventsOf(made.log.replay()) }
}

export function mailer(log: EventLog, options: ReaderOptions = {}): Promise<Reader<Event>> {
  return orThrow(log.reader('mailer', options))
}

export async function nextId(reader: Reader<Event>): Promise<string> {
  return (await orThrow(reader.next())).event.aggregateId
}

export function overwrite(disk: MemoryDisk, path: string, bytes: Uint8Array, position = 0): void {
  const file = disk.open(path, 'write')
  if (file._tag === 'Left') throw file.left
  expect(file.right.writeSync(bytes, position)._tag).toBe('Right')
  file.right.close()
}

export function endOf(stored: readonly StoredEvent[], index: number): Offset {
  return (stored[index] as StoredEvent).nextOffset
}
