// A reader: handles tick by tick, here by a line in a file, and commits what it has handled. Killed in between, it
// handles some ticks again: at least once, and never none.
//
//   npx tsx examples/three-processes/reader.ts <log> <name> <ms per tick> <file>

import { appendFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { EventLog, orThrow } from '../../src/index.ts' // yours: from 'chronicle-log'
import { Ticks, type Tick } from './ticks.ts'

const [, , folder = './ticks', name = 'reader', pause = '0', file = './handled'] = process.argv

async function open(): Promise<EventLog<Tick>> {
  // The writer may still be about to make the log.
  for (;;) {
    const opened = await EventLog.open(folder, { readOnly: true, codec: Ticks.codec })()
    if (opened._tag === 'Right') return opened.right
    if (opened.left._tag !== 'NotFound') throw opened.left
    await sleep(20)
  }
}

const log = await open()
const reader = await orThrow(log.reader(name, { heartbeatMs: 500, writerLostMs: 1_000 }))
process.once('SIGTERM', () => void orThrow(log.close()))

for await (const element of reader) {
  if (element._tag === 'Right') {
    const { event, nextOffset } = element.right
    const { number } = event.payload
    appendFileSync(file, `${number}\n`)
    if (Number(pause) > 0) await sleep(Number(pause))
    // The fast one commits now and then, so that after a kill it handles a few more again.
    if (Number(pause) > 0 || number % 10 === 0 || nextOffset === log.end) await orThrow(reader.commit(nextOffset))
  } else if (element.left._tag === 'WriterLost') console.log(`${name}: ${element.left.message}`)
  else if (element.left._tag !== 'Closed') throw element.left
}
