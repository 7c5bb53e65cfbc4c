// chronicle-log/testing: a disk that crashes on demand, arbitraries for fast-check, the contract suites, and properties
// to run on projections of one's own. It needs the optional peer dependency fast-check and no test runner.

import type * as fc from 'fast-check'
import type { Either } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { EventLog, type EventBody, type NewRecorded } from './index.ts'
import { crashProperty, type CrashCase } from './testing/projection-crash.ts'
import { damageProperty, type DamageCase } from './testing/projection-damage.ts'
import { resumeProperty, type ResumeCase } from './testing/projection-resume.ts'
import { projectedFolder, type OpenProjected } from './testing/projection-subject.ts'

export { MemoryDisk } from './disk/memory.ts'
export type { MemoryCall, MemoryFault, MemoryHooks, MemoryOperation } from './disk/memory-calls.ts'
export type { Choose } from './disk/memory-journal.ts'
export { json, key, name, newEvent, text } from './testing/arbitraries.ts'
export type { JsonValue } from './testing/arbitraries.ts'
export { logCommands, runLogCommands } from './testing/commands.ts'
export type {
  AppendCommand,
  CommandedLog,
  CommandOptions,
  CommandOutcome,
  CommandRun,
  CommandsOptions,
  LogCommand
} from './testing/commands.ts'
export { applyDamage, damage } from './testing/damage.ts'
export type { Damage } from './testing/damage.ts'
export { diskContract } from './testing/disk-contract.ts'
export type { ContractTest, DiskCapabilities, DiskFixture } from './testing/disk-contract.ts'
export { failNth, failWhere, faultPlan, plannedFaults } from './testing/fault-plan.ts'
export type { CallFilter, FaultPlan } from './testing/fault-plan.ts'
export { crashDisk, logCrash } from './testing/log-crash.ts'
export type { LogCrash } from './testing/log-crash.ts'
export { damageLog, logDamage } from './testing/log-damage.ts'
export type { LogHarm } from './testing/log-damage.ts'
export type { CrashCase } from './testing/projection-crash.ts'
export type { DamageCase } from './testing/projection-damage.ts'
export type { ResumeCase, ResumeStep } from './testing/projection-resume.ts'
export { storeContract } from './testing/store-contract.ts'
export type { StoreCapabilities } from './testing/store-contract.ts'
export type { StoreFixture } from './testing/store-probe.ts'
export { unstorable } from './testing/unstorable.ts'
export type { Unstorable } from './testing/unstorable.ts'

/** What a property needs to know of the log that it fills. */
interface SubjectOptions<A> {
  /** The log's codec; without one, payloads are unknown. */
  readonly codec?: t.Type<A, unknown, unknown> | undefined
  /** Histories that the log accepts, in an order that makes sense. */
  readonly events: fc.Arbitrary<readonly NoInfer<NewRecorded<A>>[]>
}

/** What projectionSurvivesDamage and projectionSurvivesCrash need to know. */
export interface ProjectionOptions<S, A extends EventBody = EventBody> extends SubjectOptions<A> {
  /**
   * The projection. Right(state) claims that this is the state of the whole log. Left says that it met something it
   * cannot go without; throwing an error of the log, as `orThrow` does, says the same.
   */
  readonly project: (log: EventLog<A>) => Promise<Either<unknown, S>>
  /** Whether two states are the same; deep equality unless told. */
  readonly equals?: ((actual: S, expected: S) => boolean) | undefined
}

/** What projectionResumes needs to know. */
export interface ResumeOptions<C, A extends EventBody = EventBody> extends SubjectOptions<A> {
  /**
   * Goes on from the checkpoint, or from nothing, to the end of the log, and answers the next checkpoint: the state
   * with the offset to go on from, plain data that structuredClone copies. Left and throwing as in `project`.
   */
  readonly catchUp: (log: EventLog<A>, checkpoint: C | undefined) => Promise<Either<unknown, C>>
  /** Whether two checkpoints are the same; deep equality unless told. */
  readonly equals?: ((actual: C, expected: C) => boolean) | undefined
}

function opener<A extends EventBody>(codec: t.Type<A, unknown, unknown> | undefined): OpenProjected<EventLog<A>> {
  return (opening) => EventLog.open<A>(projectedFolder, { ...opening, codec })
}

/**
 * The property that under any damage to the log's segments the projection is right, or gets a Left.
 * @example await fc.assert(projectionSurvivesDamage({ events: fc.array(newEvent()), project: countEvents }))
 */
export function projectionSurvivesDamage<S, A extends EventBody = EventBody>(
  options: ProjectionOptions<S, A>
): fc.IAsyncPropertyWithHooks<[DamageCase<NewRecorded<A>>]> {
  return damageProperty<NewRecorded<A>, EventLog<A>, S>(opener(options.codec), options)
}

/**
 * The property that after a power cut or a kill at any point the projection is that of a prefix of the history, with
 * everything that was acknowledged.
 * @example await fc.assert(projectionSurvivesCrash({ events: fc.array(newEvent()), project: countEvents }))
 */
export function projectionSurvivesCrash<S, A extends EventBody = EventBody>(
  options: ProjectionOptions<S, A>
): fc.IAsyncPropertyWithHooks<[CrashCase<NewRecorded<A>>]> {
  return crashProperty<NewRecorded<A>, EventLog<A>, S>(opener(options.codec), options)
}

/**
 * The property that a projection which goes on from its last checkpoint has the state of one that starts from nothing,
 * or gets a Left, through restarts, crashes and damage.
 * @example await fc.assert(projectionResumes({ events: fc.array(newEvent()), catchUp: countFrom }))
 */
export function projectionResumes<C, A extends EventBody = EventBody>(
  options: ResumeOptions<C, A>
): fc.IAsyncPropertyWithHooks<[ResumeCase<NewRecorded<A>>]> {
  return resumeProperty<NewRecorded<A>, EventLog<A>, C>(opener(options.codec), options)
}
