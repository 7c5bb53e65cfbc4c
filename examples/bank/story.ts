// What both programs play: the commands in their order, and how they are told. Nothing here is about the log.

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Command, Refusal } from './decider.ts'

export type Say = (line: string) => void

/** What a program found in the end. */
export interface Outcome {
  /** The `_tag` of every refusal, in the order of the commands. */
  readonly refusals: readonly Refusal['_tag'][]
  /** The balance of all accounts together. */
  readonly totalCents: number
}

/** One after the other. Both accounts get money. */
export const opening: readonly Command[] = [
  { type: 'Open', accountId: 'account-ada', owner: 'Ada', overdraftCents: 5_000 },
  { type: 'Deposit', accountId: 'account-ada', cents: 10_000 },
  { type: 'Open', accountId: 'account-bob', owner: 'Bob', overdraftCents: 0 },
  { type: 'Deposit', accountId: 'account-bob', cents: 2_000 }
]

/** Both at once. Each is fine alone, together they are too much: one has to see that the other was first. */
export const race: readonly Command[] = [
  { type: 'Withdraw', accountId: 'account-ada', cents: 9_000 },
  { type: 'Withdraw', accountId: 'account-ada', cents: 9_000 }
]

/** One after the other. Bob leaves, at the third attempt. */
export const ending: readonly Command[] = [
  { type: 'Withdraw', accountId: 'account-ada', cents: -1 },
  { type: 'Close', accountId: 'account-bob', reason: 'moves to Rome' },
  { type: 'Withdraw', accountId: 'account-bob', cents: 2_000 },
  { type: 'Close', accountId: 'account-bob', reason: 'moves to Rome' },
  { type: 'Deposit', accountId: 'account-bob', cents: 500 }
]

/** One line about a command and what came of it. */
export function told(command: Command, refusal: Refusal | undefined): string {
  const amount = 'cents' in command ? ` ${money(command.cents)}` : ''
  const result = refusal === undefined ? 'done' : `refused, ${reason(refusal)}`
  return `${command.type}${amount} on ${command.accountId}: ${result}`
}

function reason(refusal: Refusal): string {
  switch (refusal._tag) {
    case 'AlreadyOpened':
      return 'it was opened before'
    case 'NotOpen':
      return refusal.status === 'new' ? 'it was never opened' : 'it is closed'
    case 'InvalidAmount':
      return `${money(refusal.cents)} is no amount`
    case 'OverdraftExceeded':
      return `${money(refusal.missingCents)} are missing`
    case 'BalanceNotZero':
      return `there are still ${money(refusal.balanceCents)} on it`
  }
}

export function money(cents: number): string {
  return (cents / 100).toFixed(2)
}

/** Runs `use` in the folder that the command line names, or in a temporary one that is removed afterwards. */
export async function inFolder(named: string | undefined, use: (folder: string) => Promise<unknown>): Promise<void> {
  const folder = named ?? (await mkdtemp(join(tmpdir(), 'chronicle-bank-')))
  try {
    await use(folder)
  } finally {
    if (named === undefined) await rm(folder, { recursive: true, force: true })
  }
}
