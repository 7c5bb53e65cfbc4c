// The ready properties of projections under damage and crashes: sound ones pass, and each way of going silently wrong
// that they are made for is found, shrunk to a history of a few events, and told as a story.

import * as fc from 'fast-check'
import { left, right } from 'fp-ts/lib/Either.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { describe, expect, it } from 'vitest'
import { EventLog, orThrow, type NewEvent, type Receipt } from '../src/index.ts'
import { newEvent, projectionSurvivesCrash, projectionSurvivesDamage } from '../src/testing.ts'
import { crashProperty } from '../src/testing/projection-crash.ts'
import { projectedFolder, type OpenProjected, type ProjectedLog } from '../src/testing/projection-subject.ts'
import {
  balancesOf,
  Bank,
  bank,
  book,
  count,
  events,
  failureOf,
  noBalances,
  type Balances,
  type BankLog
} from './testing/bank.ts'

describe('a projection that answers Left to every Left', () => {
  it('survives any damage', () => fc.assert(projectionSurvivesDamage({ ...bank, project: balancesOf })))
  it('survives any crash', () => fc.assert(projectionSurvivesCrash({ ...bank, project: balancesOf })))
})

describe('a projection by orThrow', () => {
  it('tells of damage by the throw', () =>
    fc.assert(
      projectionSurvivesDamage({
        events: fc.array(newEvent(), { maxLength: 6 }),
        project: async (log) => {
          let bytes = 0
          for await (const { event } of orThrow(log.replay())) bytes += JSON.stringify(event.payload).length
          return right(bytes)
        }
      })
    ))
})

describe('a projection of single aggregates', () => {
  it('may go on where the damage is not its own', async () => {
    let answeredUnderDamage = 0
    const property = projectionSurvivesDamage({
      ...bank,
      project: async (log) => {
        const loaded = await log.load('ada', { initial: noBalances, evolve: book })()
        const whole = await balancesOf(log)
        if (whole._tag === 'Left' && loaded._tag === 'Right') answeredUnderDamage++
        return loaded
      }
    })
    await fc.assert(property)
    expect(answeredUnderDamage).toBeGreaterThan(0)
  })
})

describe('the property of damage', () => {
  it('finds a projection that skips what it cannot read', async () => {
    const property = projectionSurvivesDamage({
      ...bank,
      project: async (log) => {
        let balances: Balances = {}
        for await (const element of log.replay())
          if (element._tag === 'Right') balances = book(balances, element.right.event)
        return right(balances)
      }
    })
    const { counterexample, story } = await failureOf(property)
    expect(count(counterexample.commands)).toBe(1)
    expect(counterexample.damage).toHaveLength(1)
    expect(story).toMatch(/the state is not that of the whole log\ndamage: 0{20}\.log: /)
    expect(story).toMatch(/Left\(Corrupt: \w+\) up to \d+\nexpected: \{"ada":1\}\nanswered: \{\}$/)
  })

  it('finds a projection that stops at damage as if the log ended there', async () => {
    const property = projectionSurvivesDamage({
      ...bank,
      project: async (log) => {
        let balances: Balances = {}
        for await (const element of log.replay()) {
          if (element._tag === 'Left') break
          balances = book(balances, element.right.event)
        }
        return right(balances)
      }
    })
    expect((await failureOf(property)).story).toContain('the state is not that of the whole log')
  })

  it('finds a projection that throws an error of its own', async () => {
    const property = projectionSurvivesDamage({
      ...bank,
      project: async (log) => {
        let version = 0
        for await (const element of log.replay()) {
          if (element._tag === 'Left') throw new TypeError('a version is missing')
          version = element.right.version
        }
        return right(version)
      }
    })
    expect((await failureOf(property)).story).toBe(
      'the projection throws TypeError: a version is missing, which is no error of the log; it should answer Left'
    )
  })

  it('takes no Left where nothing is damaged', async () => {
    const property = projectionSurvivesDamage({ ...bank, project: async () => left('never mind') })
    expect((await failureOf(property)).story).toBe('the projection answers Left on a log without damage: never mind')
  })

  it('lets a projection say itself when states are the same', async () => {
    const tolerant = {
      ...bank,
      project: async (log: BankLog) => {
        let read = 0
        let lost = 0
        for await (const element of log.replay()) {
          if (element._tag === 'Left') lost++
          else read++
        }
        return right({ read, lost })
      }
    }
    await fc.assert(projectionSurvivesDamage({ ...tolerant, equals: (a, b) => a.lost > 0 || a.read === b.read }))
    await failureOf(projectionSurvivesDamage(tolerant))
  })

  it('says when the events that it draws are refused', async () => {
    const refused = fc.constant([{ aggregateId: 'ada', eventType: 'Deposited', payload: { cents: 'one' } }])
    const property = projectionSurvivesDamage({ ...bank, events: refused as never, project: balancesOf })
    expect((await failureOf(property)).story).toMatch(/^the log refuses command 0, append, of the events.*cents/)
  })
})

describe('the property of crashes', () => {
  it('finds a projection that cannot stand a history cut short', async () => {
    const deposit = Bank.make.Deposited('ada', { cents: 1 })
    const property = projectionSurvivesCrash({
      codec: Bank.codec,
      events: fc.nat({ max: 4 }).map((pairs) => Array.from({ length: 2 * pairs }, () => deposit)),
      project: async (log) => {
        const { version } = await orThrow(log.load('ada', { initial: {}, evolve: book }))
        return version % 2 === 0 ? right(version) : left('half a pair')
      }
    })
    expect((await failureOf(property)).story).toBe(
      'the projection answers Left on a log that has never seen a crash: half a pair'
    )
  })

  it('finds state that leaks from one projection into the next', async () => {
    let total = 0
    const property = projectionSurvivesCrash({
      ...bank,
      project: async (log) => {
        for await (const { event } of orThrow(log.replay())) total += event.payload.cents
        return right(total)
      }
    })
    const { story } = await failureOf(property)
    expect(story).toMatch(
      /^the projection of a log after a crash is not that of the same events without one\ncrash: a /
    )
  })

  it('takes no Left: a crash damages nothing', async () => {
    const property = projectionSurvivesCrash({
      ...bank,
      project: async (log) => (log.recovery.torn === undefined ? right(1) : left('torn'))
    })
    expect((await failureOf(property)).story).toMatch(/answers Left on a log that was recovered after a .*: torn$/)
  })
})

describe('the property of crashes, on a log that lies', () => {
  type Append = ProjectedLog<NewEvent>['append']

  /** The log with another way to append. */
  function lying(appends: (log: EventLog) => Partial<Record<'append' | 'appendSync', Append>>) {
    const open: OpenProjected<ProjectedLog<NewEvent>> = (opening) => async () => {
      const opened = await EventLog.open(projectedFolder, opening)()
      if (opened._tag === 'Left') return opened
      const log = opened.right
      const honest: ProjectedLog<NewEvent> = {
        get end() {
          return log.end
        },
        append: (batch, options) => log.append(batch, options),
        appendSync: (batch, options) => log.appendSync(batch, options),
        sync: () => log.sync(),
        rebuildIndex: () => log.rebuildIndex(),
        close: () => log.close(),
        replay: () => log.replay()
      }
      return right(Object.assign(honest, appends(log)))
    }
    return crashProperty(open, { events, project: async (log) => right(log.end) })
  }

  it('finds that a batch is lost which was acknowledged as synced', async () => {
    const property = lying((log) => ({
      appendSync: (batch) =>
        TE.map((receipt: Receipt) => ({ ...receipt, durability: 'synced' as const }))(log.append(batch))
    }))
    expect((await failureOf(property)).story).toMatch(/^after a power cut .* the log ends at \d+, before what was ackn/)
  })

  it('finds that a batch is not atomic', async () => {
    const property = lying((log) => ({
      append: (batch) => async () => {
        const receipts = await Promise.all(batch.map((one) => log.append(one)()))
        return receipts.at(-1) ?? log.append([])()
      }
    }))
    expect((await failureOf(property)).story).toMatch(/ the log ends at \d+, inside of a batch$/)
  })

  it('looks inside of a command, where a kill may tear a write', async () => {
    const property = lying((log) => ({
      append: (batch) => async () => {
        const receipts = await Promise.all(batch.map((one) => log.append(one)()))
        return receipts.at(-1) ?? log.append([])()
      }
    }))
    const both = [Bank.make.Deposited('ada', { cents: 1 }), Bank.make.Deposited('ada', { cents: 2 })]
    const append = { type: 'append', events: both, conditions: [], durability: 'buffered', wait: true } as const
    const crash = { kind: 'kill', tornBytes: 250 } as const
    const one = { commands: [append], segmentBytes: 10_000, command: 0, call: 0, crash }
    const { errorInstance } = await fc.check(property, { examples: [[one]], numRuns: 1 })
    expect((errorInstance as Error).message).toMatch(
      /^after a kill in command 0, behind: write .*\.log the log ends at/
    )
  })

  it('finds nothing when it does not', () => fc.assert(lying(() => ({}))))
})
