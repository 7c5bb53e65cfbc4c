// A writer in a process of its own. Told a number, it appends so many events and answers where the log ends; told
// "flood", it appends batches of megabytes until it is killed.

import { createInterface } from 'node:readline'
import { EventLog, orThrow, type NewEvent } from '../../src/index.ts'

const [, , folder = ''] = process.argv
const log = await orThrow(EventLog.open(folder))
process.stdout.write(`open ${log.recovery.torn?.bytes ?? 0}\n`)

function eventOf(fill: string): NewEvent {
  return { aggregateId: 'a', eventType: 'Appended', payload: { fill } }
}

for await (const line of createInterface({ input: process.stdin })) {
  while (line === 'flood') await orThrow(log.append(Array.from({ length: 8 }, () => eventOf('x'.repeat(300_000)))))
  for (let count = 0; count < Number(line); count++) await orThrow(log.append(eventOf('y')))
  process.stdout.write(`end ${log.end}\n`)
}
