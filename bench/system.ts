// What a benchmark can ask of a system. A new system is one file in bench/systems that implements this, and a line in
// bench/systems.ts. A session leaves out what its system cannot do; those measurements are then not made.
//
// Rules, so that numbers can be compared:
// - `append` and `appendBatch` resolve when the events would survive a crash of the process (they are the operating
//   system's), `appendSync` when they would survive a power cut.
// - What is visited is the whole event as it was appended, parsed, in the order of the appends.
// - Nothing is kept from one call to the next that a program could not keep: no results, no parsed events.

import type { BenchEvent, Selector } from './workload.ts'

export type Visit = (event: BenchEvent) => void

export interface Session {
  append?(event: BenchEvent): Promise<unknown>
  /** All of them or none. */
  appendBatch?(events: readonly BenchEvent[]): Promise<unknown>
  appendSync?(event: BenchEvent): Promise<unknown>
  /** Every event, by the system's most convenient iteration. */
  replay?(visit: Visit): Promise<void>
  /** Every event, by its fastest. */
  replayBatches?(visit: Visit): Promise<void>
  select?(selector: Selector, visit: Visit): Promise<void>
  /** The events of one aggregate, in order. */
  load?(aggregateId: string, visit: Visit): Promise<void>
  close(): Promise<unknown>
}

export interface System {
  /** Opens the store in `folder`, an existing folder; empty, or as an earlier session left it, closed or not. */
  open(folder: string): Promise<Session>
}
