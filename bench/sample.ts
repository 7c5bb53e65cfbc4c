// What a run leaves behind: the form of bench/results/<name>.json.

import type { Latency } from './work/measure.ts'

/** One measurement as it is kept. */
export interface Sample {
  readonly system: string
  readonly work: string
  readonly round: number
  readonly operations: number
  /** Events in the store, or that were appended. */
  readonly events: number
  readonly wallMs: number
  readonly cpuMs: number
  readonly latency?: Latency
  /** The store's size on disk, where the work writes one. */
  readonly bytes?: number
  readonly rssBytes: number
  /** The machine's load average of the last minute when the measurement had ended. */
  readonly load: number
}

/** What was not measured. */
export interface Omission {
  readonly system: string
  /** Absent: all of them. */
  readonly work?: string
  readonly reason: string
}

export interface SystemFacts {
  readonly name: string
  readonly title: string
  readonly settings: string
  /** Of its packages, and of its server. */
  readonly versions: readonly string[]
}

export interface Machine {
  readonly date: string
  readonly node: string
  readonly platform: string
  readonly cpus: readonly string[]
  readonly memoryGb: number
  /** The load averages of 1, 5 and 15 minutes. */
  readonly loadBefore: readonly number[]
  readonly loadAfter: readonly number[]
}

export interface Results {
  readonly name: string
  readonly events: number
  readonly appends: number
  readonly timeMs: number
  readonly rounds: number
  readonly machine: Machine
  readonly systems: readonly SystemFacts[]
  readonly omissions: readonly Omission[]
  readonly samples: readonly Sample[]
}
