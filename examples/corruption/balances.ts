// One projection, written four times: the balance of every account, with a checkpoint to go on from. Three of them have
// a bug that no test on a healthy log would show, since it takes a restart, a power cut or a bad sector.

import { right, type Either } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { defineEvents, Offset, orThrow, type EventLog, type Recorded, type StorageError } from '../../src/index.ts'

export const Bank = defineEvents(
  { namespace: 'bank' },
  { Deposited: t.type({ cents: t.number }), Withdrawn: t.type({ cents: t.number }) }
)
export type BankEvent = t.TypeOf<typeof Bank.codec>
export type BankLog = EventLog<BankEvent>

export type Balances = Readonly<Record<string, number>>

/** What is kept between two runs: the balances, and where in the log to go on. */
export interface Checkpoint {
  readonly balances: Balances
  readonly next: number
}

/** Goes on from the checkpoint, or from the first event, to the end of the log. */
export type CatchUp = (log: BankLog, from?: Checkpoint) => Promise<Either<StorageError, Checkpoint>>

const nothing: Checkpoint = { balances: {}, next: 0 }

function book(balances: Balances, { aggregateId, eventType, payload }: Recorded<BankEvent>): Balances {
  const cents = eventType === 'Deposited' ? payload.cents : -payload.cents
  return { ...balances, [aggregateId]: (balances[aggregateId] ?? 0) + cents }
}

/** Bug: what cannot be read is skipped, so the balances are those of a history that never was. */
export const skipping: CatchUp = async (log, from = nothing) => {
  let { balances, next } = from
  for await (const element of log.replay(Offset(next))) {
    if (element._tag === 'Left') continue
    balances = book(balances, element.right.event)
    next = element.right.nextOffset
  }
  await orThrow(log.sync())
  return right({ balances, next })
}

/** Bug: `offset` is where the last event stands, not where the next one will, so that one is counted again. */
export const repeating: CatchUp = async (log, from = nothing) => {
  let { balances, next } = from
  for await (const { offset, event } of orThrow(log.replay(Offset(next)))) {
    balances = book(balances, event)
    next = offset
  }
  await orThrow(log.sync())
  return right({ balances, next })
}

/** Bug: events that are not on disk yet are counted. A power cut takes them back; others may take their place. */
export const hasty: CatchUp = async (log, from = nothing) => {
  let { balances, next } = from
  for await (const { nextOffset, event } of orThrow(log.replay(Offset(next)))) {
    balances = book(balances, event)
    next = nextOffset
  }
  return right({ balances, next })
}

/** Mended: it stops at what it cannot read, goes on behind the last event, and counts only what stays. */
export const catchUp: CatchUp = async (log, from = nothing) => {
  let { balances, next } = from
  for await (const element of log.replay(Offset(next))) {
    if (element._tag === 'Left') return element
    balances = book(balances, element.right.event)
    next = element.right.nextOffset
  }
  const synced = await log.sync()()
  return synced._tag === 'Left' ? synced : right({ balances, next })
}

/** The balances without a checkpoint: from the first event on, every time. */
export async function balancesOf(log: BankLog, by: CatchUp): Promise<Either<StorageError, Balances>> {
  const caughtUp = await by(log)
  return caughtUp._tag === 'Left' ? caughtUp : right(caughtUp.right.balances)
}
