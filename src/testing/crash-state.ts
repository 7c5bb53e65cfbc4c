// Takes what a crash could leave of a memory disk, before and after every call that changes it.

import type { MemoryCall, MemoryHooks, MemoryOperation } from '../disk/memory-calls.ts'
import type { MemoryDisk } from '../disk/memory.ts'
import { Chance } from './crash-chance.ts'
import type { Acknowledged } from './crash-ledger.ts'

export interface CrashState {
  readonly disk: MemoryDisk
  /** What must be there now, and what must be there still when the power fails before recovery is done. */
  readonly acknowledged: Acknowledged
  /** Whether every byte of it is on the platter. */
  readonly durable: boolean
  /** Where the crash came and what it kept, for the report of a failure. */
  readonly label: string
  /** A seed of its own, so that a state can be checked without those before it. */
  readonly seed: number
}

/** What opening a file for its creation changes shows before the write that follows. */
const changing: ReadonlySet<MemoryOperation> = new Set([
  ...(['make folder', 'rename', 'remove', 'sync folder', 'write', 'truncate', 'sync'] as const)
])

export interface CrashCamera {
  /** Which disk is taken. */
  readonly disk: MemoryDisk
  readonly chance: Chance
  /** What is acknowledged at the moment of the crash. */
  readonly acknowledged: () => Acknowledged
  readonly take: (state: CrashState) => void
  /** The share of calls, in percent, at which states are taken. */
  readonly percent: number
  /** How many random power cuts are taken behind each call, besides the one that keeps nothing and the one that keeps all. */
  readonly cuts: number
}

/** Hooks that take crash states, and let the disk's asynchronous calls last a random while. */
export function crashHooks(camera: CrashCamera): MemoryHooks {
  const { chance } = camera
  const wanted = (call: MemoryCall): boolean => changing.has(call.operation) && chance.happens(camera.percent)
  return {
    fault: (call) => {
      if (wanted(call)) takeCuts(camera, call, 'before')
      return undefined
    },
    calls: (call) => {
      if (wanted(call)) takeCuts(camera, call, 'after')
      if (wanted(call)) takeKills(camera, call)
    },
    gate: async () => {
      for (let turn = chance.below(9); turn > 0; turn--) await Promise.resolve()
    }
  }
}

function takeCuts(camera: CrashCamera, call: MemoryCall, moment: 'before' | 'after'): void {
  const { disk, chance, acknowledged, cuts } = camera
  const { synced, refusals, first } = acknowledged()
  const cut = (keeping: string, choose: (count: number) => number): void => {
    const label = `a power cut ${moment} ${nameOf(call)} that keeps ${keeping}`
    camera.take({
      disk: disk.crash(choose),
      acknowledged: { buffered: synced, synced, refusals, first },
      durable: true,
      label,
      seed: chance.u32()
    })
  }
  cut('nothing', () => 0)
  if (moment === 'after') cut('everything', (count) => count - 1)
  for (let place = 0; place < (moment === 'before' ? 1 : cuts); place++) {
    const seed = chance.u32()
    cut(`some (${seed})`, someOf(new Chance(seed)))
  }
}

/** Keeps little, half or most: a change is either kept as it is drawn, or lost, or kept whole. */
function someOf(chance: Chance): (count: number) => number {
  const leaning = chance.below(3)
  return (count) => {
    if (leaning > 0 && chance.happens(70)) return leaning === 1 ? 0 : count - 1
    return chance.below(count)
  }
}

function takeKills(camera: CrashCamera, call: MemoryCall): void {
  const { disk, chance, acknowledged } = camera
  const kill = { acknowledged: acknowledged(), durable: false, seed: chance.u32() }
  camera.take({ ...kill, disk: disk.processCrash(), label: `a kill after ${nameOf(call)}` })
  if (call.operation !== 'write') return
  const torn = disk.processCrash((bytes) => chance.below(bytes + 1))
  camera.take({ ...kill, disk: torn, label: `a kill inside ${nameOf(call)}` })
}

function nameOf(call: MemoryCall): string {
  return `call ${call.index} (${call.operation} ${call.path}${call.bytes === undefined ? '' : `, ${call.bytes}`})`
}
