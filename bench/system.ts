// What a benchmark can ask of a system. A new system is one file in bench/systems that exports a System, and a line in
// bench/systems.ts.
//
// Rules, so that numbers can be compared:
// - A store opened 'buffered' answers when the events would survive a crash of the process, one opened 'synced' when
//   they would survive a power cut. Each in the strongest setting that still keeps that promise; `settings` says which.
// - Every store finds events again by aggregate, type and tag, unless its `without` says that it cannot.
// - What is visited is the whole event as it was appended, parsed, in the order of the appends.
// - Nothing is kept from one call to the next that a program could not keep: no results, no parsed events.

import type { BenchEvent, Selector } from './workload.ts'

export type Durability = 'buffered' | 'synced'

export type Visit = (event: BenchEvent) => void

/** An open store. What it cannot do is left out, and the system's `without` says why. */
export interface Session {
  append?(event: BenchEvent): Promise<unknown>
  /**
   * As `append`, called 64 times before any answer is awaited; for systems that have a better call for that. Only these
   * may be stored in another order than they were called in.
   */
  appendInFlight?(event: BenchEvent): Promise<unknown>
  /** All of them or none. */
  appendBatch?(events: readonly BenchEvent[]): Promise<unknown>
  /** Appends the event if its aggregate has exactly `version` events so far, and fails if not. */
  appendIf?(event: BenchEvent, version: number): Promise<unknown>
  /** Stores many events by the fastest way there is; default `appendBatch`. */
  fill?(events: readonly BenchEvent[]): Promise<unknown>
  /** Every event, by the system's most convenient iteration. */
  replay?(visit: Visit): Promise<unknown>
  /** Every event, by its fastest. */
  replayBatches?(visit: Visit): Promise<unknown>
  select?(selector: Selector, visit: Visit): Promise<unknown>
  /** The events of one aggregate, in order. */
  load?(aggregateId: string, visit: Visit): Promise<unknown>
  /**
   * Visits every event that is appended from now on, as soon as it is there, until the signal. Resolves when it
   * listens; what it returns, when it has ended.
   */
  follow?(visit: Visit, signal: AbortSignal): Promise<{ readonly ended: Promise<unknown> }>
  /** The processor time that processes beside this one have taken for the store, in ms. */
  otherCpuMs?(): number
  close(): Promise<unknown>
}

export interface System {
  /** As the command line and the results name it. */
  readonly name: string
  readonly title: string
  /** How it is set up, and why that is its strongest honest setting. */
  readonly settings: string
  /** The npm packages that it needs, of bench/package.json. */
  readonly packages: readonly string[]
  /** The server that it starts, if one of this name is on the PATH. */
  readonly program?: string
  /** Only these works; the others would measure what another entry measures already. */
  readonly only?: readonly string[]
  /** The works that cannot be measured, each with the reason. */
  readonly without?: Readonly<Record<string, string>>
  /** At most so many events are stored for reading, where a million would take too long. */
  readonly eventsMost?: number
  /** Opens the store in `folder`, an existing folder; empty, or as an earlier session left it, closed or not. */
  open(folder: string, durability: Durability): Promise<Session>
  /** Opens the store to follow it, in another process than its writer's. */
  openBeside?(folder: string): Promise<Session>
}
