// The writer: appends ticks until it is killed. What it does not know after that is in the log.
//
//   npx tsx examples/three-processes/writer.ts <log>

import { setTimeout as sleep } from 'node:timers/promises'
import { EventLog, orThrow } from '../../src/index.ts' // yours: from 'chronicle-log'
import { Ticks } from './ticks.ts'

const [, , folder = './ticks'] = process.argv
const log = await orThrow(EventLog.open(folder, { codec: Ticks.codec, sync: { everyMs: 20 } }))
for (let number = (await orThrow(log.version('clock'))) + 1; ;) {
  // Sometimes one, sometimes a handful; a batch is there whole or not at all.
  const batch = Array.from({ length: 1 + (number % 5) }, () => Ticks.make.Ticked('clock', { number: number++ }))
  await orThrow(log.append(batch))
  await sleep(2)
}
