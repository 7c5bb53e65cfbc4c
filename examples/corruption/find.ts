// Runs the three ready properties on a projection, and tells what they found.

import * as fc from 'fast-check'
import type { NewRecorded } from '../../src/index.ts'
import { projectionResumes, projectionSurvivesCrash, projectionSurvivesDamage } from '../../src/testing.ts'
import { balancesOf, Bank, type BankEvent, type BankLog, type CatchUp } from './balances.ts'

/** Histories of two accounts. Amounts of one digit make counterexamples that can be checked in the head. */
const events: fc.Arbitrary<readonly NewRecorded<BankEvent>[]> = fc.array(
  fc
    .record({
      account: fc.constantFrom('ada', 'bob'),
      eventType: fc.constantFrom('Deposited' as const, 'Withdrawn' as const),
      cents: fc.integer({ min: 1, max: 9 })
    })
    .map(({ account, eventType, cents }) => Bank.make[eventType](account, { cents })),
  { maxLength: 12 }
)

/** What a property says of the projection: undefined, or the story of the smallest history that it found. */
export interface Finding {
  readonly property: string
  readonly story: string | undefined
}

export async function findings(catchUp: CatchUp, parameters: fc.Parameters<unknown> = {}): Promise<readonly Finding[]> {
  const bank = { codec: Bank.codec, events }
  const project = (log: BankLog): ReturnType<typeof balancesOf> => balancesOf(log, catchUp)
  const found: Finding[] = []
  for (const [property, run] of [
    ['survives damage', () => fc.check(projectionSurvivesDamage({ ...bank, project }), parameters)],
    ['survives a crash', () => fc.check(projectionSurvivesCrash({ ...bank, project }), parameters)],
    ['resumes', () => fc.check(projectionResumes({ ...bank, catchUp }), parameters)]
  ] as const) {
    const { failed, errorInstance } = await run()
    found.push({ property, story: failed ? String((errorInstance as Error).message) : undefined })
  }
  return found
}
