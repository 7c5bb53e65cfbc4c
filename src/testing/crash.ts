// The crash proof: a random writer on a memory disk, a crash before and after every call that changes the disk, a
// crash inside of the recovery from it, and one inside of that; every log that is left is held to its promises
// (crash-check.ts). A life of a log goes on from one of the crashes of the life before.
//
// A failure names the seed and the state's index; `only` runs that state again and no other.

import { MemoryDisk } from '../disk/memory.ts'
import { checkState, type CheckContext, type CheckDepth, type Checked } from './crash-check.ts'
import { Chance } from './crash-chance.ts'
import { Ledger } from './crash-ledger.ts'
import { crashHooks, type CrashState } from './crash-state.ts'
import { readAll, type OpenCrashLog } from './crash-subject.ts'
import { CrashClock, crashEntropy, Workload } from './crash-workload.ts'

export interface CrashOptions {
  readonly open: OpenCrashLog
  readonly seed: number
  /** How often the log is opened, written to and crashed. */
  readonly lives: number
  /** How many things the writer does in each life. */
  readonly steps: number
  /** The share of calls, in percent, at which crashes are taken. */
  readonly percent: number
  /** Checks only the first-level state of this index, and the crashes inside its recovery. */
  readonly only?: number | undefined
}

export interface CrashReport {
  /** Logs that were opened after a crash and checked, those below included. */
  readonly states: number
  /** Of these: after a crash that came into a recovery. */
  readonly inRecovery: number
  /** Of these: after a crash that came into the recovery from such a crash. */
  readonly inRecoveryAgain: number
  /** Recoveries that cut something. */
  readonly torn: number
  /** Batches that were appended in all lives. */
  readonly batches: number
}

interface Count {
  states: number
  inRecovery: number
  inRecoveryAgain: number
  torn: number
  batches: number
}

/** Runs one log's lives. Throws on the first broken promise, with what is needed to see it again. */
export async function crashRun(options: CrashOptions): Promise<CrashReport> {
  const count: Count = { states: 0, inRecovery: 0, inRecoveryAgain: 0, torn: 0, batches: 0 }
  const chance = new Chance(options.seed)
  const ledger = new Ledger()
  let disk = new MemoryDisk()
  let index = 0
  for (let life = 0; life < options.lives; life++) {
    const states: CrashState[] = []
    const context = await told(options, `life ${life}`, () => live({ disk, life, chance, ledger, states }, options))
    count.batches += ledger.batches.length
    const next = chance.below(states.length)
    for (const [place, state] of states.entries()) {
      const mine = options.only === undefined || options.only === index
      if (mine) await told(options, `state ${index}`, () => checkAll(state, context, count))
      index++
      if (place === next) disk = state.disk.clone()
    }
    const [start] = [states[next] as CrashState]
    const opened = await check(start, context, { innerPercent: 0, thorough: false })
    ledger.restart(opened.shown)
    disk = opened.disk
  }
  return count
}

interface Life {
  readonly disk: MemoryDisk
  readonly life: number
  readonly chance: Chance
  readonly ledger: Ledger
  readonly states: CrashState[]
}

/** Opens, works, and gathers the states that crashes could have left. */
async function live(life: Life, options: CrashOptions): Promise<CheckContext> {
  const { disk, chance, ledger, states } = life
  const clock = new CrashClock()
  clock.tick(life.life * 1_000)
  const opening = {
    segmentBytes: chance.pick([256, 700, 2_000, 1_000_000]),
    checkpointBytes: chance.pick([200, 1_000, 1_000_000]),
    sync: chance.happens(40) ? { everyMs: 10 } : undefined,
    clock,
    entropy: crashEntropy(new Chance(options.seed, life.life))
  }
  const take = (state: CrashState): number => states.push(state)
  disk.arm(
    crashHooks({ disk, chance, acknowledged: () => ledger.acknowledged, take, percent: options.percent, cuts: 2 })
  )
  const opened = await options.open({ ...opening, disk, readOnly: false })
  if (opened._tag === 'Left') throw opened.left
  const shown = await readAll(opened.right)
  const workload = { disk, open: options.open, opening, clock, chance, ledger, life: life.life, steps: options.steps }
  await new Workload(opened.right, shown, workload).run()
  disk.arm({})
  const { acknowledged } = ledger
  take({ disk: disk.processCrash(), acknowledged, durable: false, label: 'a kill at the end', seed: chance.u32() })
  return { open: options.open, opening, ledger }
}

/** Checks a state, then samples of the crashes inside its recovery, then samples of those inside theirs. */
async function checkAll(state: CrashState, context: CheckContext, count: Count): Promise<void> {
  const chance = new Chance(state.seed, 1)
  const first = await check(state, context, { innerPercent: 25, thorough: chance.happens(35) })
  count.states++
  if (first.torn) count.torn++
  for (const inner of sample(first.inner, 2, chance)) {
    const second = await check(inner, context, { innerPercent: 25, thorough: chance.happens(10) })
    count.states++
    count.inRecovery++
    for (const again of sample(second.inner, chance.below(2), chance)) {
      await check(again, context, { innerPercent: 0, thorough: false })
      count.states++
      count.inRecoveryAgain++
    }
  }
}

function sample(states: readonly CrashState[], count: number, chance: Chance): readonly CrashState[] {
  return states.length <= count ? states : Array.from({ length: count }, () => chance.pick(states))
}

async function check(state: CrashState, context: CheckContext, depth: CheckDepth): Promise<Checked> {
  try {
    return await checkState(state, context, depth)
  } catch (error) {
    throw new Error(`${state.label}: ${messageOf(error)}`, { cause: error })
  }
}

/** Adds to a failure what is needed to see it again. */
async function told<A>(options: CrashOptions, where: string, work: () => Promise<A>): Promise<A> {
  try {
    return await work()
  } catch (error) {
    const { seed, lives, steps, percent } = options
    throw new Error(`seed ${seed}, lives ${lives}, steps ${steps}, percent ${percent}, ${where}: ${messageOf(error)}`, {
      cause: error
    })
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
