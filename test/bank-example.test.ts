// The bank examples: the rules one by one, both programs in this process, and both as a newcomer starts them.

import { execFile } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isRight, left, right } from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import * as plain from '../examples/bank/await.ts'
import { account, Bank, decide, evolve, type Account, type BankEvent, type Command } from '../examples/bank/decider.ts'
import * as fp from '../examples/bank/fp.ts'
import type { Outcome, Say } from '../examples/bank/story.ts'
import { EventLog, orThrow, Version } from '../src/index.ts'

const root = join(import.meta.dirname, '..')
let folder = ''
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'bank-example-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

const open: Account = { status: 'open', balanceCents: 1_000, overdraftCents: 500 }
const accountId = 'a'

describe('the rules of an account', () => {
  it('is opened once, before anything else', () => {
    const command: Command = { type: 'Open', accountId, owner: 'Ada', overdraftCents: 0 }
    expect(decide(command, account.initial)).toEqual(
      right([Bank.make.Opened('a', { owner: 'Ada', overdraftCents: 0 })])
    )
    expect(decide(command, open)).toEqual(left({ _tag: 'AlreadyOpened' }))
    expect(decide(command, { status: 'closed' })).toEqual(left({ _tag: 'AlreadyOpened' }))
    const tooClever = decide({ ...command, overdraftCents: -1 }, account.initial)
    expect(tooClever).toEqual(left({ _tag: 'InvalidAmount', cents: -1 }))
    const deposit: Command = { type: 'Deposit', accountId, cents: 1 }
    expect(decide(deposit, account.initial)).toEqual(left({ _tag: 'NotOpen', status: 'new' }))
    expect(decide(deposit, { status: 'closed' })).toEqual(left({ _tag: 'NotOpen', status: 'closed' }))
  })

  it('gives to the limit of the overdraft, and not a cent more', () => {
    const withdraw = (cents: number): Command => ({ type: 'Withdraw', accountId, cents })
    expect(decide(withdraw(1_500), open)).toEqual(right([Bank.make.Withdrawn('a', { cents: 1_500 })]))
    expect(decide(withdraw(1_501), open)).toEqual(left({ _tag: 'OverdraftExceeded', missingCents: 1 }))
  })

  it.each([0, -1, 0.5, Number.NaN, Infinity])('takes %s for no amount', (cents) => {
    const refused = left({ _tag: 'InvalidAmount', cents })
    expect(decide({ type: 'Deposit', accountId, cents }, open)).toEqual(refused)
    expect(decide({ type: 'Withdraw', accountId, cents }, open)).toEqual(refused)
  })

  it('is closed at a balance of zero only', () => {
    const close: Command = { type: 'Close', accountId, reason: 'moves' }
    expect(decide(close, open)).toEqual(left({ _tag: 'BalanceNotZero', balanceCents: 1_000 }))
    expect(decide(close, { ...open, balanceCents: -1 })).toEqual(left({ _tag: 'BalanceNotZero', balanceCents: -1 }))
    expect(decide(close, { ...open, balanceCents: 0 })).toEqual(right([Bank.make.Closed('a', { reason: 'moves' })]))
  })

  it('evolves by what has happened', () => {
    const history: readonly BankEvent[] = [
      Bank.make.Opened('a', { owner: 'Ada', overdraftCents: 500 }),
      Bank.make.Deposited('a', { cents: 300 }),
      Bank.make.Withdrawn('a', { cents: 700 })
    ]
    const state = history.reduce(evolve, account.initial)
    expect(state).toEqual({ status: 'open', balanceCents: -400, overdraftCents: 500 })
    expect(evolve(state, Bank.make.Closed('a', { reason: 'moves' }))).toEqual({ status: 'closed' })
  })
})

const mains: Readonly<Record<string, (folder: string, say: Say) => Promise<Outcome>>> = {
  'fp.ts': (at, say) => orThrow(fp.main(at, say)),
  'await.ts': (at, say) => plain.main(at, say)
}

describe.each(Object.entries(mains))('%s', (name, main) => {
  it('ends as the story says, whoever wins the race', async () => {
    const lines: string[] = []
    const outcome = await main(folder, (line) => lines.push(line))
    expect(outcome).toEqual({
      refusals: ['OverdraftExceeded', 'InvalidAmount', 'BalanceNotZero', 'NotOpen'],
      totalCents: 1_000
    })
    expect(lines.filter((line) => line === 'Withdraw 90.00 on account-ada: done')).toHaveLength(1)
    expect(lines).toContain('Withdraw 90.00 on account-ada: refused, 30.00 are missing')
    expect(lines.at(-1)).toBe('The bank holds 10.00 in all')
    expect(lines).toHaveLength(12)
  })

  it('finds at its second run what the first has left', async () => {
    await main(folder, () => undefined)
    const { refusals, totalCents } = await main(folder, () => undefined)
    expect(totalCents).toBe(2_000)
    expect(refusals.filter((tag) => tag === 'AlreadyOpened')).toHaveLength(2)
  })

  it('runs from the command line, in the folder that is named', async () => {
    const ran = promisify(execFile)
    const script = join('examples', 'bank', name)
    const { stdout } = await ran(process.execPath, ['--import', 'tsx', script, folder], { cwd: root })
    expect(stdout).toMatch(/The bank holds 10\.00 in all\n$/)
    expect(await readdir(folder)).toContain('00000000000000000000.log')
  })
})

describe('commands at the same time', () => {
  const deposits = Array.from({ length: 5 }, (): Command => ({ type: 'Deposit', accountId, cents: 1 }))

  it('are retried until each has seen the others', async () => {
    await using log = await orThrow(EventLog.open(folder, { codec: Bank.codec }))
    await orThrow(log.append(Bank.make.Opened(accountId, { owner: 'Ada', overdraftCents: 0 })))
    const byAwait = await Promise.all(deposits.map((command) => plain.execute(log, command)))
    const byTask = await Promise.all(deposits.map((command) => fp.execute(log, command)()))
    expect([...byAwait, ...byTask].every(isRight)).toBe(true)
    const { state, version } = await orThrow(log.load(accountId, account))
    expect(state).toMatchObject({ balanceCents: 10 })
    expect(version).toBe(11)
  })

  it('give up when somebody else is always first, and say who stood in the way', async () => {
    await using log = await orThrow(EventLog.open(folder, { codec: Bank.codec }))
    await orThrow(log.append(Bank.make.Opened(accountId, { owner: 'Ada', overdraftCents: 0 })))
    // What was loaded is never the newest: the account is at version 1.
    const stale = vi
      .spyOn(log, 'load')
      .mockImplementation(() =>
        TE.right({ state: open, version: Version(0), condition: { aggregateId: accountId, version: 0 } })
      )
    const command: Command = { type: 'Deposit', accountId, cents: 1 }
    const failed = { _tag: 'ConditionFailed', condition: { aggregateId: accountId, version: 0 }, actual: 1 }
    expect(await fp.execute(log, command, 2)()).toMatchObject(left(failed))
    expect(stale).toHaveBeenCalledTimes(3)
    await expect(plain.execute(log, command)).rejects.toMatchObject(failed)
    expect(stale).toHaveBeenCalledTimes(3 + 5)
    expect(await orThrow(log.version(accountId))).toBe(1)
  })
})
