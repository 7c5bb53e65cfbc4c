// The rules of a bank account and nothing else: no log, no clock, no promise, so every rule is tested as a function.
//
//   Command ─► decide(command, account) ─► events, or a refusal      what may happen
//   Event   ─► evolve(account, event)   ─► the next account          what it means
//
// `decide` may refuse; `evolve` may not: what has happened has happened.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { defineEvents, type NewRecorded } from '../../src/index.ts' // yours: from 'chronicle-log'

// Amounts are whole cents: 0.1 + 0.2 is no money.
export const Bank = defineEvents(
  { namespace: 'bank', schemaVersion: 1 },
  {
    Opened: t.type({ owner: t.string, overdraftCents: t.number }),
    Deposited: t.type({ cents: t.number }),
    Withdrawn: t.type({ cents: t.number }),
    Closed: t.type({ reason: t.string })
  }
)

/** `{ eventType: 'Opened', payload: { owner: string, … } } | { eventType: 'Deposited', … } | …` */
export type BankEvent = t.TypeOf<typeof Bank.codec>

export type Command =
  | { readonly type: 'Open'; readonly accountId: string; readonly owner: string; readonly overdraftCents: number }
  | { readonly type: 'Deposit'; readonly accountId: string; readonly cents: number }
  | { readonly type: 'Withdraw'; readonly accountId: string; readonly cents: number }
  | { readonly type: 'Close'; readonly accountId: string; readonly reason: string }

/** What `decide` needs to know of the past, and no more: nobody decides by the owner's name. */
export type Account =
  | { readonly status: 'new' }
  | { readonly status: 'open'; readonly balanceCents: number; readonly overdraftCents: number }
  | { readonly status: 'closed' }

/** Why a command is not carried out. A value, not an exception: to be refused is an ordinary day at a bank. */
export type Refusal =
  | { readonly _tag: 'AlreadyOpened' }
  | { readonly _tag: 'NotOpen'; readonly status: 'new' | 'closed' }
  | { readonly _tag: 'InvalidAmount'; readonly cents: number }
  | { readonly _tag: 'OverdraftExceeded'; readonly missingCents: number }
  | { readonly _tag: 'BalanceNotZero'; readonly balanceCents: number }

type OpenAccount = Extract<Account, { status: 'open' }>

type Decision = Either<Refusal, readonly NewRecorded<BankEvent>[]>

export function decide(command: Command, account: Account): Decision {
  if (command.type === 'Open') return open(command, account)
  if (account.status !== 'open') return left({ _tag: 'NotOpen', status: account.status })
  switch (command.type) {
    case 'Deposit':
      return deposit(command)
    case 'Withdraw':
      return withdraw(command, account)
    case 'Close':
      return close(command, account)
  }
}

type CommandOf<Type> = Extract<Command, { type: Type }>

function open({ accountId, owner, overdraftCents }: CommandOf<'Open'>, account: Account): Decision {
  if (account.status !== 'new') return left({ _tag: 'AlreadyOpened' })
  if (!isAmount(overdraftCents) && overdraftCents !== 0) return left({ _tag: 'InvalidAmount', cents: overdraftCents })
  return right([Bank.make.Opened(accountId, { owner, overdraftCents })])
}

function deposit({ accountId, cents }: CommandOf<'Deposit'>): Decision {
  if (!isAmount(cents)) return left({ _tag: 'InvalidAmount', cents })
  return right([Bank.make.Deposited(accountId, { cents })])
}

function withdraw({ accountId, cents }: CommandOf<'Withdraw'>, account: OpenAccount): Decision {
  if (!isAmount(cents)) return left({ _tag: 'InvalidAmount', cents })
  const missingCents = cents - account.balanceCents - account.overdraftCents
  if (missingCents > 0) return left({ _tag: 'OverdraftExceeded', missingCents })
  return right([Bank.make.Withdrawn(accountId, { cents })])
}

function close({ accountId, reason }: CommandOf<'Close'>, { balanceCents }: OpenAccount): Decision {
  if (balanceCents !== 0) return left({ _tag: 'BalanceNotZero', balanceCents })
  return right([Bank.make.Closed(accountId, { reason })])
}

function isAmount(cents: number): boolean {
  return Number.isSafeInteger(cents) && cents > 0
}

export function evolve(account: Account, event: BankEvent): Account {
  switch (event.eventType) {
    case 'Opened':
      return { status: 'open', balanceCents: 0, overdraftCents: event.payload.overdraftCents }
    case 'Deposited':
    case 'Withdrawn':
      return account.status === 'open' ? { ...account, balanceCents: account.balanceCents + change(event) } : account
    case 'Closed':
      return { status: 'closed' }
  }
}

/** By how much the event changes the bank's money. */
export function change(event: BankEvent): number {
  switch (event.eventType) {
    case 'Deposited':
      return event.payload.cents
    case 'Withdrawn':
      return -event.payload.cents
    case 'Opened':
    case 'Closed':
      return 0
  }
}

/** How `log.load` folds an account out of its events. */
export const account: {
  readonly initial: Account
  readonly evolve: (account: Account, event: BankEvent) => Account
} = { initial: { status: 'new' }, evolve }
