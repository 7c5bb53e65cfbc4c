// What the tests of the projection properties share: a bank, its sound projections, and how a failure is looked at.

import * as fc from 'fast-check'
import { right, type Either } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { expect } from 'vitest'
import { defineEvents, Offset, type EventLog, type NewRecorded, type Recorded } from '../../src/index.ts'

export const Bank = defineEvents(
  { namespace: 'bank' },
  { Deposited: t.type({ cents: t.number }), Withdrawn: t.type({ cents: t.number }) }
)
export type BankEvent = t.TypeOf<typeof Bank.codec>
export type BankLog = EventLog<BankEvent>
export type Balances = Readonly<Record<string, number>>
export const noBalances: Balances = {}

const change = fc.record({
  account: fc.constantFrom('ada', 'bob'),
  cents: fc.integer({ min: 1, max: 9 }),
  isDeposit: fc.boolean().map((no) => !no)
})
export const events: fc.Arbitrary<readonly NewRecorded<BankEvent>[]> = fc.array(
  change.map(({ account, cents, isDeposit }) => Bank.make[isDeposit ? 'Deposited' : 'Withdrawn'](account, { cents })),
  { maxLength: 12 }
)
export const bank = { codec: Bank.codec, events }

export function book(balances: Balances, { aggregateId, eventType, payload }: Recorded<BankEvent>): Balances {
  const cents = eventType === 'Deposited' ? payload.cents : -payload.cents
  return { ...balances, [aggregateId]: (balances[aggregateId] ?? 0) + cents }
}

export async function balancesOf(log: BankLog): Promise<Either<unknown, Balances>> {
  let balances: Balances = {}
  for await (const element of log.replay()) {
    if (element._tag === 'Left') return element
    balances = book(balances, element.right.event)
  }
  return right(balances)
}

export interface Checkpoint {
  readonly balances: Balances
  readonly next: number
}

export const nothing: Checkpoint = { balances: {}, next: 0 }

export async function catchUp(log: BankLog, from: Checkpoint = nothing): Promise<Either<unknown, Checkpoint>> {
  let { balances, next } = from
  for await (const element of log.replay(Offset(next))) {
    if (element._tag === 'Left') return element
    balances = book(balances, element.right.event)
    next = element.right.nextOffset
  }
  const synced = await log.sync()()
  return synced._tag === 'Left' ? synced : right({ balances, next })
}

/** The counterexample that the property finds, and what it says of it. */
export async function failureOf<T>(
  property: fc.IAsyncPropertyWithHooks<[T]>,
  numRuns = 500
): Promise<{ readonly counterexample: T; readonly story: string }> {
  const details = await fc.check(property, { numRuns, seed: 1 })
  expect(details.failed, 'the fault is not found').toBe(true)
  const { counterexample, errorInstance } = details as fc.RunDetailsFailureProperty<[T]>
  return { counterexample: counterexample[0], story: (errorInstance as Error).message }
}

export function count(commands: readonly { readonly type: string }[]): number {
  return commands.filter(({ type }) => type === 'append').length
}
