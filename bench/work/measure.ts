// What every work is told, answers, and measures with. Only what a user waits for is inside the clock; making events
// and checking digests are outside.

import type { Session, System, Visit } from '../system.ts'
import { digestWith } from '../workload.ts'

/** What a measurement is told. */
export interface Task {
  readonly folder: string
  /** How many events to append, or aggregates to load. */
  readonly count: number
  /** Appending ends after so much time in any case. */
  readonly timeMsMost: number
  /** Which aggregates to load. */
  readonly aggregateIds: readonly string[]
  /** Whether what was appended is read back and compared; not while a profile is taken. */
  readonly verify: boolean
}

/** How long single operations took. */
export interface Latency {
  readonly p50Ms: number
  readonly p99Ms: number
  readonly p999Ms: number
  readonly mostMs: number
}

/** What it answers. */
export interface Measured {
  readonly operations: number
  readonly wallMs: number
  /** Of this process, all its threads, and of the server where there is one. */
  readonly cpuMs: number
  /** The digest of the events that were visited, in order, or of those that were appended. */
  readonly digest: number
  readonly events: number
  readonly latency?: Latency
}

export type Work = (system: System, task: Task) => Promise<Measured>

export class Stopwatch {
  wallMs = 0
  cpuMs = 0
  private readonly session: Pick<Session, 'otherCpuMs'>

  constructor(session: Pick<Session, 'otherCpuMs'>) {
    this.session = session
  }

  async time<T>(run: () => Promise<T>): Promise<T> {
    const other = this.session.otherCpuMs?.() ?? 0
    const cpu = process.cpuUsage()
    const started = performance.now()
    const result = await run()
    this.wallMs += performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    this.cpuMs += (user + system) / 1000 + (this.session.otherCpuMs?.() ?? 0) - other
    return result
  }
}

export class Digest {
  /** Sees the order. */
  value = 0
  /** Does not. */
  sum = 0
  events = 0
  readonly visit: Visit = (event) => {
    this.value = digestWith(this.value, event)
    this.sum = (this.sum + digestWith(0, event)) >>> 0
    this.events++
  }
}

/** What a session lacks stands in the system's `without`, and is not asked for. */
export function assertAble(session: Session, call: keyof Session): void {
  if (session[call] === undefined) throw new Error(`the system has no ${call}, and does not say why`)
}
