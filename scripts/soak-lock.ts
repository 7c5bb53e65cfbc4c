// Processes fight for one log's lock, and some of them are killed while they hold it:
//
//   npm run soak:lock -- --rounds 2000
//
// Whoever has the log open for writing makes a witness file that must not be there yet (O_EXCL), appends, removes the
// witness and closes. Two at a time would meet at the witness. At the end the log holds every acknowledged event once,
// in each writer's order.

import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, unlinkSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EventLog, orThrow } from '../src/index.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import { orders, report, say, sleep, startHand, type Hand } from './crew.ts'

interface Order {
  readonly root: string
  readonly writer: string
  readonly seed: number
}

const writersMax = 8

/** A writer: fights until it is killed. It says `got` when it holds the lock and `s n` when its event n is on disk. */
async function fight(): Promise<void> {
  for await (const line of orders()) {
    const order = JSON.parse(line) as Order
    const chance = new Chance(order.seed)
    for (let count = 0; ;) {
      const opened = await EventLog.open(join(order.root, 'log'))()
      if (opened._tag === 'Right') count = await hold(opened.right, order, { count, chance })
      else if (opened.left._tag === 'Locked') await sleep(chance.below(6))
      else throw opened.left
    }
  }
}

/** Uses the lock and gives it back; answers the number of the next event. */
async function hold(
  log: EventLog,
  { root, writer }: Order,
  { count, chance }: { readonly count: number; readonly chance: Chance }
): Promise<number> {
  const witness = join(root, 'witness')
  await takeWitness(witness)
  say(`got ${log.recovery.lock}`)
  let next = count
  for (let more = chance.below(3); more >= 0; more--, next++) {
    await orThrow(log.appendSync({ aggregateId: writer, eventType: 'Held', payload: next }))
    say(`s ${next}`)
  }
  await sleep(chance.below(4))
  unlinkSync(witness)
  await orThrow(log.close())
  return next
}

/** Makes the witness. One that a dead holder has left is removed: its lock has fallen with it. */
async function takeWitness(path: string): Promise<void> {
  for (;;) {
    try {
      const file = openSync(path, 'wx')
      writeSync(file, String(process.pid))
      return closeSync(file)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    }
    // Nobody who lives leaves it empty for so long.
    if (readFileSync(path, 'utf8') === '') await sleep(300)
    const holder = readFileSync(path, 'utf8')
    if (holder !== '' && isAlive(holder)) throw new Error(`two hold the lock: ${process.pid} and ${holder}`)
    unlinkSync(path)
  }
}

/** A process that was killed has let go of its locks, though its parent has not heard of it yet. */
function isAlive(pid: string): boolean {
  try {
    const status = readFileSync(`/proc/${pid}/stat`, 'utf8')
    return !/\) [ZX] /.test(status)
  } catch {
    return false
  }
}

const figures = { rounds: 0, kills: 0, killedHolding: 0, events: 0, twoAtOnce: 0, lost: 0 }
/** What each writer has been told to be on disk. */
const acknowledged = new Map<string, number>()
const kinds = new Set<string>()
let holder: Hand | undefined

function enlist(root: string, seed: number, fail: (error: Error) => void): Hand {
  const writer = `writer-${acknowledged.size}`
  acknowledged.set(writer, -1)
  const hand = startHand(import.meta.filename, 'fight')
  hand.listen((line) => {
    const [word, rest] = line.split(' ')
    if (word === 's') acknowledged.set(writer, Number(rest))
    else {
      figures.rounds++
      kinds.add(rest ?? '')
      holder = hand
    }
  })
  void hand.ended.then(({ signal, code }) => {
    if (signal !== 'SIGKILL') fail(new Error(`${writer} ended by itself with ${code}`))
  })
  hand.tell(JSON.stringify({ root, writer, seed }))
  return hand
}

async function checkLog(root: string): Promise<void> {
  const log = await orThrow(EventLog.open(join(root, 'log')))
  const last = new Map<string, number>()
  for await (const { event } of orThrow(log.replay())) {
    const expected = (last.get(event.aggregateId) ?? -1) + 1
    if (event.payload !== expected)
      throw new Error(`${event.aggregateId} wrote ${String(event.payload)}, not ${expected}`)
    last.set(event.aggregateId, expected)
    figures.events++
  }
  await orThrow(log.close())
  for (const [writer, count] of acknowledged) {
    if ((last.get(writer) ?? -1) < count) throw new Error(`${writer} lost an event after ${String(last.get(writer))}`)
  }
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } })
  const rounds = Number(values.rounds ?? 2_000)
  const seed = Number(values.seed ?? 1)
  const chance = new Chance(seed)
  const root = mkdtempSync(join(tmpdir(), 'chronicle-soak-lock-'))
  const failures: Error[] = []
  const call = (): Hand => enlist(root, chance.u32(), (error) => void failures.push(error))
  const hands = Array.from({ length: writersMax }, call)
  while (figures.rounds < rounds && failures.length === 0) {
    await sleep(300 + chance.below(1_200))
    // The one that has just got the lock, or any.
    const place = holder !== undefined && chance.happens(60) ? hands.indexOf(holder) : chance.below(writersMax)
    const victim = hands[Math.max(0, place)] as Hand
    if (victim === holder) figures.killedHolding++
    victim.process.kill('SIGKILL')
    figures.kills++
    await victim.ended
    hands[hands.indexOf(victim)] = call()
  }
  for (const hand of hands) hand.process.kill('SIGKILL')
  await Promise.all(hands.map((hand) => hand.ended))
  const [failure] = failures
  if (failure !== undefined) throw failure
  await checkLog(root)
  rmSync(root, { recursive: true })
  report(`soak-lock with seed ${seed}, ${writersMax} writers, lock ${[...kinds].join()}`, figures)
}

await (process.argv[2] === 'fight' ? fight() : main())
