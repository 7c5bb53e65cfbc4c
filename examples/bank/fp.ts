// The bank in fp-ts: every step is a TaskEither, nothing is thrown, and the type of `main` says all that can go wrong.
// The same program with plain await: await.ts.
//
//   npx tsx examples/bank/fp.ts            in a temporary folder
//   npx tsx examples/bank/fp.ts ./bank     in a folder that stays: run it twice

import { fileURLToPath } from 'node:url'
import * as E from 'fp-ts/lib/Either.js'
import { pipe } from 'fp-ts/lib/function.js'
import * as TE from 'fp-ts/lib/TaskEither.js'
import { EventLog, type Receipt, type ReplayError, type StorageError } from '../../src/index.ts' // yours: 'chronicle-log'
import { account, Bank, change, decide, type BankEvent, type Command, type Refusal } from './decider.ts'
import { ending, inFolder, money, opening, race, told, type Outcome, type Say } from './story.ts'

type Execution = TE.TaskEither<Refusal | StorageError, Receipt>

/** Load, decide, append, on the condition that nobody has appended to the account in between; else start over. */
export function execute(log: EventLog<BankEvent>, command: Command, attemptsLeft = 4): Execution {
  const aggregateId = command.accountId
  return pipe(
    log.load(aggregateId, account),
    TE.flatMap(({ state, condition }) =>
      pipe(
        TE.fromEither(decide(command, state)),
        TE.flatMap((events) => log.append(events, { conditions: [condition] }))
      )
    ),
    TE.orElse((error): Execution => {
      const retry = error._tag === 'ConditionFailed' && attemptsLeft > 0
      return retry ? execute(log, command, attemptsLeft - 1) : TE.left(error)
    })
  )
}

/** Plays a command and tells what came of it. A refusal is a result here; only the log's own errors stay errors. */
const play =
  (log: EventLog<BankEvent>, say: Say) =>
  (command: Command): TE.TaskEither<StorageError, Refusal | undefined> =>
    pipe(
      execute(log, command),
      TE.map((): Refusal | undefined => undefined),
      TE.orElse((error) => (isRefusal(error) ? TE.right(error) : TE.left(error))),
      TE.tapIO((refusal) => () => say(told(command, refusal)))
    )

// The log's errors are Errors, the bank's refusals plain values.
function isRefusal(error: Refusal | StorageError): error is Refusal {
  return !(error instanceof Error)
}

/** A projection: whatever is to be known is folded out of the events. The first error ends it. */
function totalCents(log: EventLog<BankEvent>): TE.TaskEither<ReplayError, number> {
  return async () => {
    let total = 0
    const query = { types: ['Deposited', 'Withdrawn'] }
    for await (const stored of log.replay(undefined, { query })) {
      if (E.isLeft(stored)) return stored
      total += change(stored.right.event)
    }
    return E.right(total)
  }
}

function perform(log: EventLog<BankEvent>, say: Say): TE.TaskEither<StorageError, Outcome> {
  return pipe(
    TE.Do,
    TE.bind('opened', () => TE.traverseSeqArray(play(log, say))(opening)), // Seq: one after the other
    TE.bind('raced', () => TE.traverseArray(play(log, say))(race)), // all at once
    TE.bind('ended', () => TE.traverseSeqArray(play(log, say))(ending)),
    TE.tap(() => log.sync()), // from here on a power cut takes nothing of it away
    TE.bindW('totalCents', () => totalCents(log)),
    TE.map(({ opened, raced, ended, totalCents: total }) => ({
      refusals: [...opened, ...raced, ...ended].flatMap((refusal) => refusal?._tag ?? []),
      totalCents: total
    })),
    TE.tapIO((outcome) => () => say(`The bank holds ${money(outcome.totalCents)} in all`))
  )
}

/** `bracket` closes the log when `perform` ends, however it ends. */
export function main(folder: string, say: Say = console.log): TE.TaskEither<StorageError, Outcome> {
  return TE.bracketW(
    EventLog.open(folder, { codec: Bank.codec }),
    (log) => perform(log, say),
    (log) => log.close()
  )
}

// The end of the world, as fp-ts calls it: here the TaskEither is run, and here an error is looked at.
if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await inFolder(process.argv[2], async (folder) => {
    const result = await main(folder)()
    if (E.isLeft(result)) {
      console.error(`${result.left.code}: ${result.left.message}`)
      process.exitCode = 1
    }
  })
}
