// The property of resuming: a sound projection passes, and each way in which checkpoints go wrong is found.

import * as fc from 'fast-check'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { Offset, orThrow } from '../src/index.ts'
import { projectionResumes } from '../src/testing.ts'
import { Bank, bank, book, catchUp, count, failureOf, nothing, type Checkpoint } from './testing/bank.ts'

describe('the property of resuming', () => {
  it('holds of a projection that syncs what it counts, and answers Left to every Left', () =>
    fc.assert(projectionResumes({ ...bank, catchUp })))

  it('finds a projection that resumes with offset instead of nextOffset', async () => {
    const property = projectionResumes({
      ...bank,
      catchUp: async (log, from: Checkpoint = nothing) => {
        let { balances, next } = from
        for await (const { offset, event } of orThrow(log.replay(Offset(next)))) {
          balances = book(balances, event)
          next = offset
        }
        await orThrow(log.sync())
        return right({ balances, next })
      }
    })
    const { counterexample, story } = await failureOf(property)
    expect(count(counterexample.steps)).toBe(1)
    expect(story).toMatch(/^the projection that goes on from its checkpoint differs/)
    expect(story).toMatch(/"ada":1\}.*\nanswered: .*"ada":2\}/)
  })

  it('finds a checkpoint that counts events which a power cut may take', async () => {
    const property = projectionResumes({
      ...bank,
      catchUp: async (log, from: Checkpoint = nothing) => {
        let { balances, next } = from
        for await (const { nextOffset, event } of orThrow(log.replay(Offset(next)))) {
          balances = book(balances, event)
          next = nextOffset
        }
        return right({ balances, next })
      }
    })
    const { counterexample } = await failureOf(property, 3_000)
    const types = counterexample.steps.map(({ type }) => type).join(' ')
    expect(types).toMatch(/^(?:append )+catchUp crash(?: append)+(?: catchUp)?$/)
    expect(counterexample.steps.length).toBeLessThan(8)
  })

  it('finds a projection that goes on behind damage', async () => {
    const property = projectionResumes({
      ...bank,
      catchUp: async (log, from: Checkpoint = nothing) => {
        let { balances, next } = from
        for await (const element of log.replay(Offset(next))) {
          if (element._tag === 'Left') continue
          balances = book(balances, element.right.event)
          next = element.right.nextOffset
        }
        await orThrow(log.sync())
        return right({ balances, next })
      }
    })
    expect((await failureOf(property)).story).toMatch(/- damage: 0{20}\.log/)
  })

  it('keeps a checkpoint as it was answered, whatever the projection does to its own later', async () => {
    const mine = { count: 0, next: 0 }
    const property = projectionResumes({
      ...bank,
      catchUp: async (log, from = { count: 0, next: 0 }) => {
        Object.assign(mine, from)
        for await (const { offset } of orThrow(log.replay(Offset(mine.next)))) {
          mine.count++
          mine.next = offset
        }
        await orThrow(log.sync())
        return right(mine)
      }
    })
    await failureOf(property)
  })

  it('allows a Left right behind a crash, and no longer', async () => {
    interface Counted extends Checkpoint {
      readonly runs: number
    }
    const property = projectionResumes({
      ...bank,
      catchUp: async (log, from?: Counted): Promise<Either<unknown, Counted>> => {
        if (from?.runs === refusedRun) return left('that is enough')
        const caughtUp = await catchUp(log, from)
        return caughtUp._tag === 'Left' ? caughtUp : right({ ...caughtUp.right, runs: (from?.runs ?? 0) + 1 })
      },
      equals: (a, b) => a.next === b.next
    })
    const deposit = Bank.make.Deposited('ada', { cents: 1 })
    const step = { type: 'catchUp' } as const
    const steps = [
      { type: 'append', events: [deposit], conditions: [], durability: 'synced', wait: true },
      step,
      { type: 'crash', crash: { kind: 'power cut', keeps: 'nothing' } },
      step,
      step
    ] as const
    let refusedRun = 1
    const run = () => fc.check(property, { examples: [[{ steps, segmentBytes: 10_000, damage: [] }]], numRuns: 1 })
    // The second run stands behind the crash, and what it answers counts as run 1 again; the fourth does not.
    const { errorInstance } = await run()
    expect((errorInstance as Error).message).toContain('answers Left on a log without damage: that is enough')
    refusedRun = 2
    expect((await run()).failed).toBe(true)
    refusedRun = 9
    expect((await run()).failed).toBe(false)
  })

  it('finds a projection that refuses a log which has lost nothing', async () => {
    const property = projectionResumes({
      ...bank,
      catchUp: async (log, from: Checkpoint | undefined) =>
        from === undefined ? catchUp(log) : left('a checkpoint is of no use to me')
    })
    expect((await failureOf(property)).story).toMatch(/answers Left on a log without damage: a checkpoint/)
  })
})
