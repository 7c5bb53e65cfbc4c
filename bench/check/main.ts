// npm run bench:check: how Chronicle stands to the floor now, by processor time and in a few rounds, against how it
// stood when bench/results/check.json was recorded (npm run bench:check -- --record). It fails when a ratio has fallen
// by more than a third. Quick and coarse; it is no test.

import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { ask, buildChild } from '../child.ts'
import { expectedOf } from '../expected.ts'
import { spreadOf } from '../report/statistic.ts'
import { markdownTable } from '../report/table.ts'
import { resultsFolder } from '../report/write.ts'
import { fallen, type Ratios } from './fallen.ts'

const recordedPath = join(resultsFolder, 'check.json')
const rounds = 5
const storedEvents = 150_000
const appendedEvents = 40_000

interface Check {
  readonly work: string
  /** The floor's work that it is held against; an operation of it is one event. */
  readonly floor: 'append-batch' | 'append-sync' | 'replay'
  readonly count: number
  readonly reads: boolean
}

const checks: readonly Check[] = [
  { work: 'append', floor: 'append-batch', count: appendedEvents, reads: false },
  { work: 'append-64', floor: 'append-batch', count: appendedEvents, reads: false },
  { work: 'append-batch', floor: 'append-batch', count: appendedEvents, reads: false },
  { work: 'append-if', floor: 'append-batch', count: appendedEvents, reads: false },
  { work: 'append-sync-64', floor: 'append-batch', count: 10_000, reads: false },
  { work: 'replay', floor: 'replay', count: 0, reads: true },
  { work: 'replay-batches', floor: 'replay', count: 0, reads: true },
  { work: 'select-aggregate', floor: 'replay', count: 0, reads: true },
  { work: 'select-type', floor: 'replay', count: 0, reads: true },
  { work: 'load', floor: 'replay', count: 1_000, reads: true }
]

class Measuring {
  private readonly child = buildChild()
  private readonly folder = mkdtempSync(join(tmpdir(), 'chronicle-check-'))
  private readonly aggregateIds = expectedOf(storedEvents).aggregateIds

  async ratios(): Promise<Ratios> {
    try {
      for (const system of ['floor', 'chronicle'])
        await this.cpuUs(system, { work: 'fill', count: storedEvents, reads: true })
      const found = new Map<string, number[]>()
      for (let round = 1; round <= rounds; round++) {
        console.log(`round ${round} of ${rounds}`)
        await this.round(found)
      }
      return Object.fromEntries([...found].map(([work, ratios]) => [work, spreadOf(ratios)?.median ?? 0]))
    } finally {
      rmSync(this.folder, { recursive: true, force: true })
    }
  }

  private async round(found: Map<string, number[]>): Promise<void> {
    const floors = new Map<string, number>()
    for (const { work, floor, count, reads } of checks) {
      const floorUs = floors.get(floor) ?? (await this.cpuUs('floor', { work: floor, count, reads }))
      floors.set(floor, floorUs)
      const ownUs = await this.cpuUs('chronicle', { work, count, reads })
      found.set(work, [...(found.get(work) ?? []), floorUs / ownUs])
    }
  }

  /** Microseconds of processor time for one operation. */
  private async cpuUs(system: string, check: Pick<Check, 'work' | 'count' | 'reads'>): Promise<number> {
    const { work, count, reads } = check
    const folder = join(this.folder, reads ? system : 'once')
    mkdirSync(folder, { recursive: true })
    const limits = { timeMsMost: 10_000, verify: false }
    const { aggregateIds } = this
    const { measured } = await ask(this.child, {
      system,
      work,
      before: undefined,
      folder,
      count,
      aggregateIds,
      ...limits
    })
    if (!reads) rmSync(folder, { recursive: true })
    return (measured.cpuMs * 1000) / measured.operations
  }
}

function table(now: Ratios, recorded: Ratios): string {
  const rows = Object.entries(now).map(([work, ratio]) => [
    work,
    ratio.toPrecision(3),
    recorded[work]?.toPrecision(3) ?? '',
    recorded[work] === undefined ? '' : `${Math.round((ratio / recorded[work] - 1) * 100)} %`
  ])
  return markdownTable(['floor ÷ Chronicle, by processor time', 'now', 'recorded', 'change'], rows)
}

const now = await new Measuring().ratios()
if (process.argv.includes('--record')) {
  mkdirSync(resultsFolder, { recursive: true })
  writeFileSync(recordedPath, `${JSON.stringify(now, undefined, 2)}\n`)
  console.log(`${table(now, {})}\n\nrecorded in bench/results/check.json`)
} else {
  const recorded = JSON.parse(readFileSync(recordedPath, 'utf8')) as Ratios
  console.log(table(now, recorded))
  const worse = fallen(now, recorded)
  for (const { work, share } of worse) console.log(`${work} has fallen by ${Math.round(share * 100)} %`)
  if (worse.length > 0) process.exitCode = 1
  else console.log('nothing has fallen by more than a third')
}
