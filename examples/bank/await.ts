// The bank with plain await. `orThrow` turns what the log returns into a promise or an iterable that throws; what the
// bank refuses stays a value. The same program in fp-ts: fp.ts.
//
//   npx tsx examples/bank/await.ts            in a temporary folder
//   npx tsx examples/bank/await.ts ./bank     in a folder that stays: run it twice

import { fileURLToPath } from 'node:url'
import { isLeft, right, type Either } from 'fp-ts/lib/Either.js'
import { ConditionFailed, EventLog, orThrow, type Receipt } from '../../src/index.ts' // yours: from 'chronicle-log'
import { account, Bank, change, decide, type BankEvent, type Command, type Refusal } from './decider.ts'
import { ending, inFolder, money, opening, race, told, type Outcome, type Say } from './story.ts'

const attemptsMax = 5

/** Load, decide, append, on the condition that nobody has appended to the account in between; else start over. */
export async function execute(log: EventLog<BankEvent>, command: Command): Promise<Either<Refusal, Receipt>> {
  const aggregateId = command.accountId
  for (let attempt = 1; ; attempt++) {
    const { state, condition } = await orThrow(log.load(aggregateId, account))
    const decision = decide(command, state)
    if (isLeft(decision)) return decision
    try {
      return right(await orThrow(log.append(decision.right, { conditions: [condition] })))
    } catch (error) {
      if (!(error instanceof ConditionFailed) || attempt === attemptsMax) throw error
    }
  }
}

/** A projection: whatever is to be known is folded out of the events, all of them or those a query picks. */
async function totalCents(log: EventLog<BankEvent>): Promise<number> {
  let total = 0
  const query = { types: ['Deposited', 'Withdrawn'] }
  for await (const { event } of orThrow(log.replay(undefined, { query }))) total += change(event)
  return total
}

export async function main(folder: string, say: Say = console.log): Promise<Outcome> {
  // `await using` closes the log when main ends, however it ends.
  await using log = await orThrow(EventLog.open(folder, { codec: Bank.codec }))
  const refusals: Refusal['_tag'][] = []
  const play = async (command: Command): Promise<void> => {
    const result = await execute(log, command)
    const refusal = isLeft(result) ? result.left : undefined
    if (refusal !== undefined) refusals.push(refusal._tag)
    say(told(command, refusal))
  }

  for (const command of opening) await play(command)
  await Promise.all(race.map(play))
  for (const command of ending) await play(command)
  await orThrow(log.sync()) // from here on a power cut takes nothing of it away

  const total = await totalCents(log)
  say(`The bank holds ${money(total)} in all`)
  return { refusals, totalCents: total }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) await inFolder(process.argv[2], (folder) => main(folder))
