// The crash proof, run by seeds: a random writer, a crash before and after every call that changes the disk, crashes
// inside of the recoveries from them, and every log that is left held to its promises (src/testing/crash.ts). A failure
// names seed and state; `crashRun({ ..., only: state })` runs that state again.

import { expect, it } from 'vitest'
import { EventLog } from '../src/index.ts'
import { crashRun, type CrashReport } from '../src/testing/crash.ts'
import type { OpenCrashLog } from '../src/testing/crash-subject.ts'

const open: OpenCrashLog = (opening) => EventLog.open('/log', opening)()

interface Proof {
  readonly law: string
  readonly seed: number
  readonly lives: number
  readonly steps: number
  readonly percent: number
  readonly states: number
}

const proofs: readonly Proof[] = [
  {
    law: 'whatever a crash leaves, the log is a prefix of what was appended and holds what was acknowledged',
    ...{ seed: 1_000, lives: 3, steps: 12, percent: 15, states: 14_000 }
  },
  {
    law: 'a log that lives through many crashes keeps what each opening has shown',
    ...{ seed: 2_000, lives: 12, steps: 5, percent: 8, states: 7_000 }
  }
]

it.each(proofs)(
  '$law',
  async ({ seed: first, states, ...shape }) => {
    const total = { states: 0, inRecovery: 0, inRecoveryAgain: 0, torn: 0, batches: 0 }
    let seed = first
    for (; total.states < states; seed++) {
      const report: CrashReport = await crashRun({ open, seed, ...shape })
      for (const key of Object.keys(total) as (keyof CrashReport)[]) total[key] += report[key]
    }
    process.stdout.write(`crash states from seeds ${first} to ${seed - 1}: ${JSON.stringify(total)}\n`)
    expect(total.inRecovery).toBeGreaterThan(states / 4)
    expect(total.inRecoveryAgain).toBeGreaterThan(states / 20)
    expect(total.torn).toBeGreaterThan(10)
  },
  600_000
)
