// A random writer's life from opening to close: single events and batches, with and without sync, some of them at the
// same time, conditions that fail, segments that roll and are trimmed, readers beside it. What it does is decided by a seed; the ledger
// keeps what the log has answered.

import type { Offset } from '../core/brand.ts'
import type { NewEvent } from '../core/event.ts'
import { Closed, type VersionCondition } from '../core/error.ts'
import type { Clock, Entropy } from '../port/clock.ts'
import type { Disk } from '../port/disk.ts'
import type { Chance } from './crash-chance.ts'
import type { Ledger, Shown } from './crash-ledger.ts'
import { readAll, type CrashLog, type CrashOpening, type OpenCrashLog } from './crash-subject.ts'

/** A clock that a test moves. */
export class CrashClock implements Clock {
  #nowMs = 1_700_000_000_000
  #tasks = new Set<() => void>()

  readonly nowMs = (): number => this.#nowMs
  readonly every = (_periodMs: number, task: () => void): (() => void) => {
    this.#tasks.add(task)
    return () => this.#tasks.delete(task)
  }

  /** Lets time pass, and what waits for it happen. */
  tick(ms: number): void {
    this.#nowMs += ms
    for (const task of this.#tasks) task()
  }
}

export function crashEntropy(chance: Chance): Entropy {
  return { u32: () => chance.u32(), eventId: () => `drawn-${chance.u32()}` }
}

export interface WorkloadOptions {
  readonly disk: Disk
  readonly open: OpenCrashLog
  readonly opening: Omit<CrashOpening, 'disk' | 'readOnly'>
  readonly clock: CrashClock
  readonly chance: Chance
  readonly ledger: Ledger
  /** Different in every life of a log, for the names of events. */
  readonly life: number
  readonly steps: number
}

const aggregateIds = ['account-1', 'account-2', 'order-1', 'a']

export class Workload {
  readonly #options: WorkloadOptions
  readonly #log: CrashLog
  /** Answers that are not there yet. */
  readonly #pending: Promise<void>[] = []
  #reader: CrashLog | undefined
  #events = 0
  /** What each aggregate's version will be when everything that was issued succeeds; conditions are made of it. */
  readonly #versions: Map<string, number>

  constructor(log: CrashLog, shown: Shown, options: WorkloadOptions) {
    this.#log = log
    this.#options = options
    this.#versions = options.ledger.versionsAt(shown.first)
    for (const { event, version } of shown.events) this.#versions.set(event.aggregateId, version)
  }

  /** Runs to the end, and waits for every answer. */
  async run(): Promise<void> {
    const { chance, steps } = this.#options
    for (let step = 0; step < steps; step++) {
      await this.#step()
      if (chance.happens(30)) await turns(chance.below(6))
    }
    if (chance.happens(50)) await this.#close()
    await Promise.all(this.#pending)
  }

  async #step(): Promise<void> {
    const { chance, clock } = this.#options
    const kind = chance.below(100)
    if (kind < 38) return this.#append(1 + chance.below(2), false)
    if (kind < 50) return this.#append(2 + chance.below(5), false)
    if (kind < 70) return this.#append(1 + chance.below(4), true)
    if (kind < 76) return this.#sync()
    if (kind < 82) return clock.tick(chance.below(50))
    if (kind < 86) return this.#check(this.#log)
    if (kind < 91) return this.#read()
    if (kind < 97) return this.#trim()
    await Promise.all(this.#pending.splice(0))
  }

  async #append(count: number, synced: boolean): Promise<void> {
    const { chance, ledger } = this.#options
    const events = Array.from({ length: count }, () => this.#event())
    const conditions = chance.happens(25) ? this.#conditions(events[0] as NewEvent) : []
    const batch = ledger.issue(events)
    const holds = conditions.every((condition) => this.#holds(condition))
    if (holds) for (const { aggregateId } of events) this.#versions.set(aggregateId, this.#version(aggregateId) + 1)
    const task = synced ? this.#log.appendSync(events, { conditions }) : this.#log.append(events, { conditions })
    const answer = task().then((result) => {
      ledger.settle(batch, result)
      if (result._tag === 'Right' && !holds) throw new Error(`batch ${batch.index} was written against its condition`)
      if (result._tag === 'Left' && holds) throw result.left
    })
    this.#pending.push(answer)
    if (chance.happens(35)) await answer
  }

  #event(): NewEvent {
    const { chance, life } = this.#options
    const fill = chance.happens(12) ? 400 + chance.below(1_500) : chance.below(60)
    return {
      // Some are of aggregates that are never heard of again: after a trim nothing but its record knows them.
      aggregateId: chance.happens(8) ? `visit-${life}-${this.#events}` : chance.pick(aggregateIds),
      eventId: `${life}-${this.#events++}`,
      eventType: chance.pick(['Opened', 'Moved', 'Closed']),
      payload: { fill: '{'.repeat(fill), number: chance.u32() },
      tags: [chance.pick(['red', 'green'])]
    }
  }

  #version(aggregateId: string): number {
    return this.#versions.get(aggregateId) ?? 0
  }

  #conditions({ aggregateId }: NewEvent): readonly VersionCondition[] {
    const { chance } = this.#options
    const other = chance.pick(aggregateIds)
    const exact = { aggregateId, version: this.#version(aggregateId) + (chance.happens(25) ? 1 : 0) }
    return chance.happens(70)
      ? [exact]
      : [exact, { aggregateId: other, version: chance.happens(90) ? 'exists' : 'none' }]
  }

  #holds({ aggregateId, version }: VersionCondition): boolean {
    const actual = this.#version(aggregateId)
    if (version === 'none') return actual === 0
    return version === 'exists' ? actual > 0 : actual === version
  }

  async #sync(): Promise<void> {
    const { chance, ledger } = this.#options
    const last = ledger.batches.length - 1
    const answer = this.#log
      .sync()()
      .then((result) => {
        if (result._tag === 'Left') throw result.left
        ledger.synced(last)
      })
    this.#pending.push(answer)
    if (chance.happens(50)) await answer
  }

  async #trim(): Promise<void> {
    const { chance, ledger } = this.#options
    const before = chance.below(this.#log.end + 1) as Offset
    const planned = await this.#log.trim(before, { dryRun: true })()
    if (planned._tag === 'Left') throw planned.left
    // Whatever is sealed meanwhile, it begins here or where it did.
    ledger.mayBegin(planned.right.first)
    const answer = this.#log
      .trim(planned.right.first)()
      .then((result) => {
        if (result._tag === 'Right') ledger.begins(result.right.first)
        // The close came before it had begun.
        else if (!(result.left instanceof Closed)) throw result.left
      })
    this.#pending.push(answer)
    if (chance.happens(50)) await answer
  }

  async #close(): Promise<void> {
    const { ledger } = this.#options
    const last = ledger.batches.length - 1
    const result = await this.#log.close()()
    if (result._tag === 'Left') throw result.left
    ledger.synced(last)
  }

  /** What the log shows must be what was appended, with everything that is acknowledged. */
  async #check(log: CrashLog): Promise<void> {
    const { ledger } = this.#options
    const { acknowledged } = ledger
    const shown = await readAll(log)
    const end = shown.events.at(-1)?.nextOffset ?? shown.first
    const { batches } = ledger
    // What was answered while reading is settled now, and what was not may be seen all the same.
    const fault = ledger.fault(shown, acknowledged) ?? ledger.sequenceFault(shown, end)
    if (fault !== undefined) throw new Error(`a reader beside ${batches.length} batches: ${fault}`)
  }

  /** A reader as another process has it, opened once and kept. */
  async #read(): Promise<void> {
    const { disk, open, opening } = this.#options
    if (this.#reader === undefined) {
      const opened = await open({ ...opening, disk, readOnly: true })
      if (opened._tag === 'Left') throw opened.left
      this.#reader = opened.right
      const [damage] = opened.right.recovery.damage
      if (damage !== undefined) {
        throw new Error(`a reader takes ${damage.offset} to ${damage.nextOffset} for ${damage.reason}`)
      }
    }
    await this.#check(this.#reader)
    if (this.#options.chance.happens(30)) {
      await this.#reader.close()()
      this.#reader = undefined
    }
  }
}

/** Lets other work go on for so many turns of the microtask queue. */
async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await Promise.resolve()
}
