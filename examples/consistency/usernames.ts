// Unique user names: the classic rule that no single aggregate can hold. The name is a tag, and a registration demands
// that no event with this tag is in force. Names are given back when an account is closed, so the state decides, and the
// query's boundary makes sure that nothing has happened to the name since it was read.
//
// Run it: npx tsx examples/consistency/usernames.ts

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as t from 'io-ts'
import { ConditionFailed, EventLog, defineEvents, orThrow } from '../../src/index.ts'

const Accounts = defineEvents(
  { namespace: 'accounts' },
  { Registered: t.type({ username: t.string }), Closed: t.type({ username: t.string }) }
)
type AccountEvent = t.TypeOf<typeof Accounts.codec>
type Accounts = EventLog<AccountEvent>

/** Everything that happened to a name, whichever account it was. */
function nameOf(log: Accounts, username: string): ReturnType<typeof log.decide<string | undefined>> {
  return log.decide<string | undefined>(
    { tags: [tagOf(username)] },
    { initial: undefined, evolve: (_, event) => (event.eventType === 'Registered' ? event.aggregateId : undefined) }
  )
}

/** Names that look the same are the same. */
function tagOf(username: string): string {
  return `username:${username.normalize('NFKC').toLowerCase()}`
}

/** Registers an account under a free name; false when the name is taken. */
async function register(log: Accounts, accountId: string, username: string): Promise<boolean> {
  for (;;) {
    const { state: owner, condition } = await orThrow(nameOf(log, username))
    if (owner !== undefined) return false
    const registered = Accounts.make.Registered(accountId, { username }, { tags: [tagOf(username)] })
    const result = await log.appendSync(registered, { conditions: [condition] })()
    if (result._tag === 'Right') return true
    if (!(result.left instanceof ConditionFailed)) throw result.left
  }
}

/** Closes an account and gives its name back; false when the account does not own the name. */
async function close(log: Accounts, accountId: string, username: string): Promise<boolean> {
  const { state: owner, condition } = await orThrow(nameOf(log, username))
  if (owner !== accountId) return false
  const closed = Accounts.make.Closed(accountId, { username }, { tags: [tagOf(username)] })
  await orThrow(log.appendSync(closed, { conditions: [condition] }))
  return true
}

/** Twenty people want the same name at once; one gets it, and when the account is closed another can. */
export async function main(folder: string, say: (line: string) => void = console.log): Promise<readonly boolean[]> {
  await using log: Accounts = await orThrow(EventLog.open(folder, { codec: Accounts.codec }))
  const people = Array.from({ length: 20 }, (_, place) => `account-${place + 1}`)
  const got = await Promise.all(people.map((accountId) => register(log, accountId, 'Ada')))
  const winner = people[got.indexOf(true)] as string
  say(`${got.filter(Boolean).length} of ${people.length} registered "Ada": ${winner}`)
  say(`"ＡＤＡ" is taken too: ${!(await register(log, 'account-99', 'ＡＤＡ'))}`)
  await close(log, winner, 'ada')
  say(`free again after it was closed: ${await register(log, 'account-99', 'ada')}`)
  return got
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = await mkdtemp(join(tmpdir(), 'chronicle-usernames-'))
  await main(folder)
  await rm(folder, { recursive: true })
}
