// One fixed piece of a writer's work on a memory disk on which calls fail, and everything that must hold then: only the
// batch concerned gets the error, and it is the disk's own; after a failed sync everybody is told; what the log shows
// is what was acknowledged and not trimmed, and nothing else; once the cause is gone the log goes on or opens again; and a crash at any
// moment of it finds the log as after any other crash.

import { ok, strictEqual } from 'node:assert'
import type { AppendError, DiskError } from '../core/error.ts'
import type { NewEvent, StoredEvent } from '../core/event.ts'
import type { MemoryCall, MemoryFault } from '../disk/memory-calls.ts'
import { MemoryDisk } from '../disk/memory.ts'
import { checkState } from './crash-check.ts'
import { Chance } from './crash-chance.ts'
import { Ledger, type Shown } from './crash-ledger.ts'
import { crashHooks, type CrashState } from './crash-state.ts'
import { type CrashLog, type CrashOpening, type OpenCrashLog } from './crash-subject.ts'
import { CrashClock, crashEntropy } from './crash-workload.ts'

export interface FaultOptions {
  readonly open: OpenCrashLog
  readonly seed: number
  /** Answers what a call shall fail with. */
  readonly fault: (call: MemoryCall) => MemoryFault | undefined
  /** The share of calls, in percent, at which crashes are taken once something has failed. */
  readonly percent: number
}

export interface FaultReport {
  /** All calls of the run, failed ones too. */
  readonly calls: readonly MemoryCall[]
  /** The calls that failed. */
  readonly failed: readonly MemoryCall[]
  /** What appends answered instead of a receipt. */
  readonly refused: readonly AppendError[]
  /** What opening, reading and closing answered instead. */
  readonly errors: readonly Error[]
  readonly poisoned: boolean
  /** Crash states that were checked. */
  readonly states: number
}

export async function faultRun(options: FaultOptions): Promise<FaultReport> {
  const run = new FaultRun(options)
  await run.session([...single(0), ...together(1), ...rolling(2)])
  await run.session([...rolling(3), (session, log) => session.trim(log), ...together(4)])
  await run.end()
  return run
}

type Step = (run: FaultRun, log: CrashLog) => Promise<unknown>

function single(round: number): readonly Step[] {
  return [
    (run, log) => run.append(log, [event(round, 'account-1')], false),
    (run, log) =>
      run.append(log, [event(round, 'account-2'), event(round, 'order-1'), event(round, 'account-1')], false),
    (run, log) => run.append(log, [event(round, 'account-2')], true),
    (run, log) => run.read(log)
  ]
}

/** Appends in one turn, which are written as one group. */
function together(round: number): readonly Step[] {
  return [
    (run, log) =>
      Promise.all([
        run.append(log, [event(round, 'account-1')], false),
        run.append(log, [event(round, 'order-1'), event(round, 'order-2')], true),
        run.append(log, [event(round, 'account-1')], true),
        run.append(log, [event(round, 'order-2')], false)
      ]),
    (run, log) => run.sync(log)
  ]
}

/** Fills several segments, and asks for versions that only a sealed one knows. */
function rolling(round: number): readonly Step[] {
  return [
    (run, log) => run.append(log, [event(round, 'filler', 300)], false),
    (run, log) => run.append(log, [event(round, 'filler', 400)], true),
    (run, log) => run.append(log, [event(round, 'account-1')], true),
    (run, log) => run.read(log)
  ]
}

function event(round: number, aggregateId: string, fill = 10): NewEvent {
  return { aggregateId, eventType: 'Moved', payload: { fill: '{'.repeat(fill), round } }
}

class FaultRun implements FaultReport {
  readonly calls: MemoryCall[] = []
  readonly failed: MemoryCall[] = []
  readonly refused: AppendError[] = []
  readonly errors: Error[] = []
  poisoned = false
  states = 0
  readonly #options: FaultOptions
  readonly #opening: Omit<CrashOpening, 'disk' | 'readOnly'>
  readonly #disk = new MemoryDisk()
  readonly #ledger = new Ledger()
  #taken: CrashState[] = []
  #events = 0
  /** Whether the log that is open has answered Poisoned. */
  #poisonedNow = false

  constructor(options: FaultOptions) {
    this.#options = options
    const chance = new Chance(options.seed)
    this.#opening = {
      segmentBytes: 700,
      checkpointBytes: 500,
      sync: undefined,
      clock: new CrashClock(),
      entropy: crashEntropy(chance)
    }
    this.#arm(chance)
  }

  /** Opens, works and closes. A log that is poisoned is closed and opened again. */
  async session(steps: readonly Step[]): Promise<void> {
    let log = await this.#open()
    for (const step of steps) {
      if (this.#poisonedNow) log = await this.#reopen(log)
      await step(this, log)
    }
    await this.#close(log)
  }

  /** The cause is gone: everything is as it should be, and stays. */
  async end(): Promise<void> {
    this.#disk.arm({})
    const log = await this.#open()
    const last = await this.append(log, [event(9, 'account-1')], true)
    strictEqual(last, undefined, 'a healthy log refuses an event')
    for (const kept of [this.#disk.crash(() => 0), this.#disk.crash((count) => count - 1)]) {
      const { acknowledged } = this.#ledger
      this.#taken.push({ disk: kept, acknowledged, durable: true, label: 'a power cut at the end', seed: 1 })
    }
    await this.#checkTaken()
  }

  async append(log: CrashLog, events: readonly NewEvent[], synced: boolean): Promise<AppendError | undefined> {
    const wasPoisoned = this.#poisonedNow
    const named = events.map((item) => ({ ...item, eventId: `event-${this.#events++}` }))
    const batch = this.#ledger.issue(named)
    const result = await (synced ? log.appendSync(named) : log.append(named))()
    this.#ledger.settle(batch, result)
    if (result._tag === 'Right') {
      ok(!wasPoisoned, 'a poisoned log takes an event')
      strictEqual(result.right.durability, synced ? 'synced' : 'buffered')
      return undefined
    }
    this.refused.push(result.left)
    this.#explain(result.left)
    return result.left
  }

  async sync(log: CrashLog): Promise<void> {
    const last = this.#ledger.batches.length - 1
    const wasPoisoned = this.#poisonedNow
    const result = await log.sync()()
    if (result._tag === 'Right') {
      ok(!wasPoisoned, 'a poisoned log says that it is synced')
      this.#ledger.synced(last)
    } else this.#explain(result.left)
  }

  /** Trims everything that is sealed. What fails leaves the log beginning where it did, or where it should. */
  async trim(log: CrashLog): Promise<void> {
    const planned = await log.trim(log.end, { dryRun: true })()
    if (planned._tag === 'Left') return this.#explain(planned.left)
    const { first } = planned.right
    this.#ledger.mayBegin(first)
    const trimmed = await log.trim(first)()
    if (trimmed._tag === 'Left') return this.#explain(trimmed.left)
    strictEqual(trimmed.right.first, first)
    this.#ledger.begins(first)
  }

  /** Reads everything, twice: a disk error ends the first reading, changes nothing, and the second is whole. */
  async read(log: CrashLog): Promise<void> {
    const once = await this.#tryRead(log)
    const shown = once ?? (await this.#tryRead(log))
    if (shown === undefined) return
    const ledger = this.#ledger
    strictEqual(ledger.fault(shown, ledger.acknowledged) ?? ledger.sequenceFault(shown, log.end), undefined)
    await this.#readIndex(log, shown)
  }

  async #readIndex(log: CrashLog, { events, first }: Shown): Promise<void> {
    const trimmed = this.#ledger.versionsAt(first)
    for (const aggregateId of ['account-1', 'filler']) {
      const own = events.filter((stored) => stored.event.aggregateId === aggregateId)
      for (let time = 0; time < 2; time++) {
        const version = await log.version(aggregateId)()
        if (version._tag === 'Left') this.#explain(version.left)
        else strictEqual(version.right, own.at(-1)?.version ?? trimmed.get(aggregateId) ?? 0)
        const loaded = await log.loadAggregate(aggregateId)()
        if (loaded._tag === 'Left' && loaded.left._tag === 'Trimmed') ok(trimmed.has(aggregateId))
        else if (loaded._tag === 'Left') this.#explain(loaded.left)
        else strictEqual(loaded.right.length, own.length)
      }
    }
  }

  async #tryRead(log: CrashLog): Promise<Shown | undefined> {
    const events: StoredEvent[] = []
    for await (const batch of log.replay().readBatches()) {
      for (const element of batch) {
        if (element._tag === 'Right') events.push(element.right)
        else {
          this.#explain(element.left)
          return undefined
        }
      }
    }
    return { first: log.first, events }
  }

  /** Opens, a second time where the first met a failing call; what is shown is checked and counts from then on. */
  async #open(): Promise<CrashLog> {
    for (let time = 0; ; time++) {
      const opened = await this.#options.open({ ...this.#opening, disk: this.#disk, readOnly: false })
      if (opened._tag === 'Right') {
        await this.#restart(opened.right)
        return opened.right
      }
      this.#explain(opened.left)
      ok(time < 60, 'the log does not open again')
    }
  }

  async #restart(log: CrashLog): Promise<void> {
    strictEqual(log.recovery.damage.length, 0, 'recovery reports damage')
    const shown = (await this.#tryRead(log)) ?? (await this.#tryRead(log))
    if (shown === undefined) return
    const ledger = this.#ledger
    strictEqual(ledger.fault(shown, ledger.acknowledged) ?? ledger.sequenceFault(shown, log.end), undefined)
    await this.#checkTaken()
    ledger.restart(shown)
  }

  async #reopen(log: CrashLog): Promise<CrashLog> {
    await this.read(log)
    const closed = await log.close()()
    ok(closed._tag === 'Left' && '_tag' in closed.left && closed.left._tag === 'Poisoned', 'a poisoned log closes well')
    this.#poisonedNow = false
    return this.#open()
  }

  async #close(log: CrashLog): Promise<void> {
    const last = this.#ledger.batches.length - 1
    const closed = await log.close()()
    if (closed._tag === 'Right') {
      ok(!this.#poisonedNow, 'a poisoned log closes as if nothing were wrong')
      this.#ledger.synced(last)
    } else this.#explain(closed.left)
    this.#poisonedNow = false
  }

  /** An error is the disk's own, or Poisoned by it. */
  #explain(error: Error): void {
    const { _tag: tag } = error as unknown as { readonly _tag: string }
    if (tag === 'Poisoned') {
      this.poisoned = true
      this.#poisonedNow = true
    } else ok(tag === 'DiskFull' || tag === 'DiskFailed', `${tag}: ${error.message}`)
    const { errno } = (tag === 'Poisoned' ? error.cause : error) as DiskError
    ok(this.#failures.has(errno), `the error says ${errno}, which never happened`)
    this.errors.push(error)
  }

  readonly #failures = new Set<string>()

  #arm(chance: Chance): void {
    const { percent, fault } = this.#options
    const camera = {
      disk: this.#disk,
      chance,
      acknowledged: () => this.#ledger.acknowledged,
      take: (state: CrashState) => this.#taken.push(state),
      percent,
      cuts: 1
    }
    const hooks = crashHooks(camera)
    this.#disk.arm({
      gate: hooks.gate,
      fault: (call) => {
        this.calls.push(call)
        if (this.failed.length > 0) hooks.fault?.(call)
        const failure = fault(call)
        if (failure === undefined) return undefined
        this.failed.push(call)
        this.#failures.add(typeof failure === 'string' ? failure : failure.errno)
        return failure
      },
      calls: (call, error) => {
        if (this.failed.length > 0) hooks.calls?.(call, error)
      }
    })
  }

  async #checkTaken(): Promise<void> {
    const taken = this.#taken
    this.#taken = []
    const context = { open: this.#options.open, opening: this.#opening, ledger: this.#ledger }
    for (const state of taken) {
      this.states++
      const error = await failureOf(() => checkState(state, context, { innerPercent: 0, thorough: false }))
      if (error !== undefined) throw new Error(`${state.label}: ${error.message}`, { cause: error })
    }
  }
}

async function failureOf(work: () => Promise<unknown>): Promise<Error | undefined> {
  try {
    await work()
    return undefined
  } catch (error) {
    return error instanceof Error ? error : new Error(String(error))
  }
}
