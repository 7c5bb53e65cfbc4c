// What a crash test needs of a log: the part of EventLog that it calls, and how to open one on a disk. The harness
// knows the ports only; who runs it says which log is meant.

import type { Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Offset, Version } from '../core/brand.ts'
import type { AppendError, OpenError, VersionCondition } from '../core/error.ts'
import type { ReplayError } from '../core/read-error.ts'
import type { NewEvent, StoredEvent } from '../core/event.ts'
import type { Clock, Entropy } from '../port/clock.ts'
import type { Disk } from '../port/disk.ts'
import type { AggregateSummary, Receipt, Recovery } from '../port/store.ts'
import type { Shown } from './crash-ledger.ts'

export interface CrashLog {
  readonly first: Offset
  readonly end: Offset
  readonly recovery: Recovery
  append(
    events: readonly NewEvent[],
    options?: { readonly conditions?: readonly VersionCondition[] }
  ): TaskEither<AppendError, Receipt>
  appendSync(
    events: readonly NewEvent[],
    options?: { readonly conditions?: readonly VersionCondition[] }
  ): TaskEither<AppendError, Receipt>
  sync(): TaskEither<Error, void>
  close(): TaskEither<Error, void>
  replay(): { readBatches(): AsyncIterable<readonly Either<ReplayError, StoredEvent>[]> }
  loadAggregate(aggregateId: string): TaskEither<ReplayError, readonly StoredEvent[]>
  /** Removes the oldest events, as far as the log can. */
  trim(before: Offset, options?: { readonly dryRun?: boolean }): TaskEither<Error, { readonly first: Offset }>
  version(aggregateId: string): TaskEither<Error, Version>
  aggregates(): AsyncIterable<Either<Error, AggregateSummary>>
}

export interface CrashOpening {
  readonly disk: Disk
  readonly readOnly: boolean
  readonly segmentBytes: number
  readonly checkpointBytes: number
  readonly sync: { readonly everyMs: number } | undefined
  readonly clock: Clock
  readonly entropy: Entropy
}

/** Opens the log in `logFolder` on the disk. */
export type OpenCrashLog = (opening: CrashOpening) => Promise<Either<OpenError, CrashLog>>

export const logFolder = '/log'

/** Where a log begins, and every event that a replay shows; a Left fails the test. */
export async function readAll(log: CrashLog): Promise<Shown> {
  for (;;) {
    const events: StoredEvent[] = []
    const failed = await readInto(log, events)
    // A trim beside it has overtaken it.
    if (failed?._tag === 'Trimmed') continue
    if (failed !== undefined) throw new Error(`replay answers ${failed._tag}: ${failed.message}`)
    return { first: events[0]?.offset ?? log.first, events }
  }
}

async function readInto(log: CrashLog, events: StoredEvent[]): Promise<ReplayError | undefined> {
  for await (const batch of log.replay().readBatches()) {
    for (const element of batch) {
      if (element._tag === 'Left') return element.left
      events.push(element.right)
    }
  }
  return undefined
}
