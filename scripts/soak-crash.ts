// The crash proof of property-tests/crash.test.ts for as long as one likes, on other seeds:
//
//   npm run soak:crash -- --minutes 5 --seed 100000
//
// Ends at the first failure, and says the seed and the state.

import { parseArgs } from 'node:util'
import { EventLog } from '../src/index.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import { crashRun, type CrashReport } from '../src/testing/crash.ts'
import { report } from './crew.ts'

const { values } = parseArgs({ options: { minutes: { type: 'string' }, seed: { type: 'string' } } })
const first = Number(values.seed ?? 100_000)
const until = Date.now() + Number(values.minutes ?? 5) * 60_000
const total = { states: 0, inRecovery: 0, inRecoveryAgain: 0, torn: 0, batches: 0 }
let seed = first
for (; Date.now() < until; seed++) {
  const chance = new Chance(seed)
  const shape = chance.pick([
    { lives: 3, steps: 12, percent: 15 },
    { lives: 12, steps: 5, percent: 8 },
    { lives: 2, steps: 40, percent: 6 }
  ])
  const done: CrashReport = await crashRun({ open: (opening) => EventLog.open('/log', opening)(), seed, ...shape })
  for (const key of Object.keys(total) as (keyof CrashReport)[]) total[key] += done[key]
}
report(`soak-crash on seeds ${first} to ${seed - 1}`, { ...total, broken: 0 })
