// What a program does to a log, as plain data: a sequence that fast-check draws and shrinks, that prints as it is, and
// that one interpreter runs on any log. The answers are kept in the order in which they came.

import * as fc from 'fast-check'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { AppendError, Condition, OpenError, VersionCondition } from '../core/error.ts'
import type { StorageError } from '../core/read-error.ts'
import type { NewEvent } from '../core/event.ts'
import type { Durability, Receipt } from '../port/store.ts'
import { newEvent } from './arbitraries.ts'

/** One atomic batch. */
export interface AppendCommand<E = NewEvent> {
  readonly type: 'append'
  readonly events: readonly E[]
  readonly conditions: readonly Condition[]
  readonly durability: Durability
  /** Whether the answer is awaited before the next command; appends that are not awaited share writes and syncs. */
  readonly wait: boolean
}

/** One thing that a program does to a log, as plain data. */
export type LogCommand<E = NewEvent> =
  | AppendCommand<E>
  /** Everything so far survives a power cut. */
  | { readonly type: 'sync' }
  | { readonly type: 'rebuildIndex' }
  /** The log is closed and opened again. */
  | { readonly type: 'reopen' }

type AppendBatch<E> = (
  events: readonly E[],
  options?: { readonly conditions?: readonly Condition[] }
) => TaskEither<AppendError, Receipt>

/** What the interpreter needs of a log; EventLog has it. */
export interface CommandedLog<E> {
  append: AppendBatch<E>
  appendSync: AppendBatch<E>
  sync(): TaskEither<StorageError, void>
  rebuildIndex(): TaskEither<StorageError, void>
  close(): TaskEither<StorageError, void>
}

/** A command and what the log answered; a receipt for an append, undefined for the others. */
export interface CommandOutcome<E = NewEvent> {
  /** The command's place in the sequence, from 0. */
  readonly index: number
  readonly command: LogCommand<E>
  readonly result: Either<StorageError, Receipt | undefined>
}

/** How runLogCommands gets at the log, and whom it tells. */
export interface CommandOptions<L, E> {
  /** Opens the log: once at the beginning, and after each close. */
  readonly open: TaskEither<OpenError, L>
  /** Called before each command. */
  readonly onCommand?: ((index: number, log: L) => Promise<void> | void) | undefined
  /** Called with each answer as it comes. */
  readonly onOutcome?: ((outcome: CommandOutcome<E>) => void) | undefined
}

/** What runLogCommands leaves. */
export interface CommandRun<L, E = NewEvent> {
  /** The log, still open. */
  readonly log: L
  /** In the order in which they came. */
  readonly outcomes: readonly CommandOutcome<E>[]
}

/**
 * Runs the commands one after the other on the log that `open` opens. Left when it cannot be opened; whatever else the
 * log answers is an outcome.
 */
export async function runLogCommands<E, L extends CommandedLog<E>>(
  commands: readonly LogCommand<E>[],
  options: CommandOptions<L, E>
): Promise<Either<OpenError, CommandRun<L, E>>> {
  const opened = await options.open()
  if (opened._tag === 'Left') return opened
  let log = opened.right
  const outcomes: CommandOutcome<E>[] = []
  let pending: Promise<void>[] = []
  for (const [index, command] of commands.entries()) {
    // Without a wait where none is asked for: appends that follow each other in one turn share a write.
    const begun = options.onCommand?.(index, log)
    if (begun !== undefined) await begun
    const answered = (result: CommandOutcome<E>['result']): void => {
      const outcome = { index, command, result }
      outcomes.push(outcome)
      options.onOutcome?.(outcome)
    }
    pending.push(runCommand(log, command).then(answered))
    if (command.type === 'append' && !command.wait) continue
    await Promise.all(pending)
    pending = []
    if (command.type !== 'reopen') continue
    const reopened = await options.open()
    if (reopened._tag === 'Left') return reopened
    log = reopened.right
  }
  await Promise.all(pending)
  return right({ log, outcomes })
}

/** What the log answers to one command; 'reopen' closes it, and the caller opens it again. */
export async function runCommand<E>(
  log: CommandedLog<E>,
  command: LogCommand<E>
): Promise<CommandOutcome<E>['result']> {
  switch (command.type) {
    case 'append': {
      const { events, conditions, durability } = command
      return durability === 'synced' ? log.appendSync(events, { conditions })() : log.append(events, { conditions })()
    }
    case 'sync':
      return nothing(await log.sync()())
    case 'rebuildIndex':
      return nothing(await log.rebuildIndex()())
    case 'reopen':
      return nothing(await log.close()())
  }
}

function nothing(result: Either<StorageError, void>): Either<StorageError, undefined> {
  return result._tag === 'Left' ? left(result.left) : right(undefined)
}

/** What logCommands may draw. */
export interface CommandsOptions {
  /** Whether some appends have conditions, which may not hold; default false. */
  readonly conditions?: boolean | undefined
}

/** What conditions are made of. */
export type Keyed = Pick<NewEvent, 'aggregateId' | 'eventType'>

/** Events of any shape, of a few aggregates, so that an aggregate has more than one. */
function anyEvents(): fc.Arbitrary<readonly NewEvent[]> {
  const event = fc
    .tuple(newEvent(), fc.constantFrom('a', 'b', '\u{1f600}'))
    .map(([drawn, aggregateId]) => ({ ...drawn, aggregateId }))
  return fc.array(event, { maxLength: 12 })
}

/** How some of the events are appended, and what comes behind it. */
interface Step<X> {
  /** How many events; none: no append. */
  readonly count: number
  readonly durability: Durability
  readonly wait: boolean
  /** What is demanded of the first event's aggregate: a version, or that it has no event of this type. */
  readonly demand: VersionCondition['version'] | 'no such event' | undefined
  readonly next: X | undefined
}

/**
 * Sequences of commands that append all of `events`, in their order, in batches of one to four. Whatever a history
 * needs to make sense (an account is opened before it is used) belongs into the arbitrary of the events.
 * @example fc.asyncProperty(logCommands(), async (commands) => runLogCommands(commands, { open: EventLog.open(folder) }))
 */
export function logCommands(): fc.Arbitrary<readonly LogCommand[]>
export function logCommands<E extends Keyed>(
  events: fc.Arbitrary<readonly E[]>,
  options?: CommandsOptions
): fc.Arbitrary<readonly LogCommand<E>[]>
export function logCommands(
  events: fc.Arbitrary<readonly NewEvent[]> = anyEvents(),
  options: CommandsOptions = {}
): fc.Arbitrary<readonly LogCommand[]> {
  return wovenCommands(events, { ...options, next: plainCommand() })
}

export type PlainCommand = Exclude<LogCommand, AppendCommand>

/** What a program does to a log besides appending. */
export function plainCommand(): fc.Arbitrary<PlainCommand> {
  return fc.constantFrom({ type: 'sync' }, { type: 'reopen' }, { type: 'rebuildIndex' })
}

/** As logCommands, with steps of any kind between the appends. */
export function wovenCommands<E extends Keyed, X>(
  events: fc.Arbitrary<readonly E[]>,
  options: CommandsOptions & { readonly next: fc.Arbitrary<X> }
): fc.Arbitrary<readonly (AppendCommand<E> | X)[]> {
  const demand = fc.oneof(
    fc.nat({ max: 3 }),
    fc.constantFrom('none' as const, 'exists' as const, 'no such event' as const)
  )
  const step: fc.Arbitrary<Step<X>> = fc.record({
    count: fc.nat({ max: 4 }),
    durability: fc.constantFrom('buffered', 'synced'),
    wait: fc.boolean().map((hurry) => !hurry),
    demand: options.conditions === true ? fc.option(demand, { nil: undefined }) : fc.constant(undefined),
    next: fc.option(options.next, { nil: undefined, freq: 2 })
  })
  return fc.tuple(events, fc.array(step, { maxLength: 12 })).map(([drawn, steps]) => weave(drawn, steps))
}

const plainStep: Step<never> = { count: 1, durability: 'buffered', wait: true, demand: undefined, next: undefined }

function conditionOf({ aggregateId, eventType }: Keyed, demand: NonNullable<Step<never>['demand']>): Condition {
  return demand === 'no such event'
    ? { noneMatch: { aggregateId, types: [eventType] } }
    : { aggregateId, version: demand }
}

function weave<E extends Keyed, X>(events: readonly E[], steps: readonly Step<X>[]): readonly (AppendCommand<E> | X)[] {
  const woven: (AppendCommand<E> | X)[] = []
  let taken = 0
  for (let place = 0; place < steps.length || taken < events.length; place++) {
    const { count, demand, next, ...how } = steps[place] ?? plainStep
    const batch = events.slice(taken, taken + count)
    taken += batch.length
    const [first] = batch
    if (first !== undefined) {
      const conditions = demand === undefined ? [] : [conditionOf(first, demand)]
      woven.push({ type: 'append', events: batch, conditions, ...how })
    }
    if (next !== undefined) woven.push(next)
  }
  return woven
}
