// After a crash at any point a projection is that of a prefix of the history, with everything that was acknowledged.
// The history runs on a memory disk; in the middle of one of its commands, behind one of the calls to the disk, the
// crash is taken. The log that is left must end between two batches, behind what was acknowledged, and its projection
// must be that of a log which ends there and has never seen a crash.

import * as fc from 'fast-check'
import type { Either } from 'fp-ts/lib/Either.js'
import { headerBytes } from '../core/header.ts'
import { markName } from '../core/mark.ts'
import type { MemoryDisk } from '../disk/memory.ts'
import type { MemoryCall, MemoryOperation } from '../disk/memory-calls.ts'
import { logCommands, runLogCommands, type CommandOutcome, type Keyed, type LogCommand } from './commands.ts'
import { good } from './disk-probe.ts'
import { crashDisk, logCrash, type LogCrash } from './log-crash.ts'
import { segmentNames } from './log-damage.ts'
import {
  answerOf,
  must,
  mustEqual,
  mustSucceed,
  projectedFolder,
  projectedSegmentBytes,
  ProjectionWorld,
  stateOf,
  type OpenProjected,
  type ProjectedLog
} from './projection-subject.ts'

export interface CrashOptions<L, E, S> {
  readonly events: fc.Arbitrary<readonly E[]>
  readonly project: (log: L) => Promise<Either<unknown, S>>
  readonly equals?: ((actual: S, expected: S) => boolean) | undefined
}

/** A history with a crash in it. */
export interface CrashCase<E> {
  readonly commands: readonly LogCommand<E>[]
  readonly segmentBytes: number
  /** In which command the crash comes, around and around. */
  readonly command: number
  /** Behind which of the calls that change the disk, from 0; behind the last one when there are fewer. */
  readonly call: number
  readonly crash: LogCrash
}

export function crashProperty<E extends Keyed, L extends ProjectedLog<E>, S>(
  open: OpenProjected<L>,
  options: CrashOptions<L, E, S>
): fc.IAsyncPropertyWithHooks<[CrashCase<E>]> {
  const cases = fc.record({
    commands: logCommands(options.events),
    segmentBytes: projectedSegmentBytes(),
    command: fc.nat({ max: 20 }),
    call: fc.nat({ max: 8 }),
    crash: logCrash()
  })
  return fc.asyncProperty(cases, (one) => checkCrash(open, options, one))
}

async function checkCrash<E, L extends ProjectedLog<E>, S>(
  open: OpenProjected<L>,
  { project, equals }: CrashOptions<L, E, S>,
  one: CrashCase<E>
): Promise<void> {
  const world = new ProjectionWorld(open, one.segmentBytes)
  const ledger = new BatchLedger()
  const camera = new CrashCamera(world.disk, one, () => ledger.required(one.crash))
  const { log } = must(
    await runLogCommands<E, L>(one.commands, {
      open: world.open(),
      onCommand: (index) => camera.begin(index),
      onOutcome: (outcome) => {
        mustSucceed(outcome)
        ledger.note(outcome)
      }
    }),
    'the log does not open'
  )
  const left = camera.taken()
  must(await log.close()(), 'the log does not close')

  const recovered = must(await world.open(left.disk)(), 'the log does not open after the crash')
  const { end } = recovered
  if (!ledger.boundaries.has(end)) throw new Error(`after ${left.moment} the log ends at ${end}, inside of a batch`)
  if (end < left.required) throw new Error(`after ${left.moment} the log ends at ${end}, before what was acknowledged`)

  const prefix = world.disk.clone()
  await cutLog(prefix, end)
  const reference = must(await world.open(prefix)(), 'the prefix of the log does not open')
  const expected = stateOf(await answerOf(() => project(reference)), 'a log that has never seen a crash')
  const actual = stateOf(await answerOf(() => project(recovered)), `a log that was recovered after ${left.moment}`)
  const title = 'the projection of a log after a crash is not that of the same events without one'
  await mustEqual({ equals, actual, expected }, { title, happened: [`crash: ${left.moment}`], log: recovered })
}

/** Where batches end, and how far the log has vouched for them. */
class BatchLedger {
  readonly boundaries: Set<number> = new Set([0])
  /** By the command's index: where its batch ends. */
  readonly #ends = new Map<number, number>()
  #synced = 0

  note<E>({ index, command, result }: CommandOutcome<E>): void {
    if (result._tag === 'Left') return
    if (result.right !== undefined) {
      this.#ends.set(index, result.right.nextOffset)
      this.boundaries.add(result.right.nextOffset)
      if (result.right.durability === 'synced') this.#synced = Math.max(this.#synced, result.right.nextOffset)
    } else if (command.type !== 'rebuildIndex') {
      this.#synced = Math.max(this.#synced, this.#written(index))
    }
  }

  /** What must be there after such a crash that comes now. */
  required(crash: LogCrash): number {
    return crash.kind === 'kill' ? Math.max(this.#synced, this.#written(Infinity)) : this.#synced
  }

  /** Where the last batch ends that was answered and called before the command. */
  #written(before: number): number {
    let end = 0
    for (const [index, batchEnd] of this.#ends) if (index < before) end = Math.max(end, batchEnd)
    return end
  }
}

const changing: ReadonlySet<MemoryOperation> = new Set([
  ...(['open', 'make folder', 'rename', 'remove', 'sync folder', 'write', 'truncate', 'sync'] as const)
])

type CrashPlan = Pick<CrashCase<unknown>, 'commands' | 'command' | 'call' | 'crash'>

interface TakenCrash {
  readonly disk: MemoryDisk
  /** How far the log must reach at least. */
  readonly required: number
  readonly moment: string
}

/** Takes the crash when its moment has come. */
class CrashCamera {
  readonly #disk: MemoryDisk
  readonly #plan: CrashPlan
  /** The command that the crash comes into. */
  readonly #target: number
  readonly #required: () => number
  /** Calls since the command of the crash began; undefined before it. */
  #calls: number | undefined
  #taken: TakenCrash | undefined

  constructor(disk: MemoryDisk, plan: CrashPlan, required: () => number) {
    this.#disk = disk
    this.#plan = plan
    this.#target = plan.command % Math.max(plan.commands.length, 1)
    this.#required = required
    disk.arm({ calls: (call) => this.#see(call) })
  }

  begin(index: number): void {
    if (index === this.#target) this.#calls = 0
    else if (index > this.#target) this.#takeBetween(`behind command ${this.#target}`)
  }

  /** What the crash has left; it comes now if it has not come before. */
  taken(): TakenCrash {
    this.#disk.arm({})
    return this.#takeBetween('behind the last command')
  }

  #see({ operation, path }: MemoryCall): void {
    if (this.#calls === undefined || !changing.has(operation)) return
    if (this.#calls++ === this.#plan.call) this.#take(`in command ${this.#target}, behind: ${operation} ${path}`)
  }

  /** Between two commands nobody is inside of a write. */
  #takeBetween(where: string): TakenCrash {
    const { crash } = this.#plan
    return this.#take(where, crash.kind === 'kill' ? { ...crash, tornBytes: undefined } : crash)
  }

  #take(where: string, crash: LogCrash = this.#plan.crash): TakenCrash {
    const moment = `a ${crash.kind} ${where}`
    this.#taken ??= { disk: crashDisk(this.#disk, crash), required: this.#required(), moment }
    return this.#taken
  }
}

/** Makes the log end at `end`, without a trace of what it was before. */
async function cutLog(disk: MemoryDisk, end: number): Promise<void> {
  const folder = projectedFolder
  for (const name of segmentNames(disk, folder)) {
    const base = Number(name.slice(0, 20))
    good(disk.remove(`${folder}/${name.replace('.log', '.idx')}`))
    if (base > 0 && base >= end) good(disk.remove(`${folder}/${name}`))
    else {
      const file = good(disk.open(`${folder}/${name}`, 'write'))
      const bytes = end - base + headerBytes
      if (good(file.size()) > bytes) good(file.truncate(bytes))
      good(await file.sync())
      file.close()
    }
  }
  good(disk.remove(`${folder}/${markName}`))
  good(await disk.syncFolder(folder))
}
