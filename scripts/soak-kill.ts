// Kills a real writer at random moments, in its recovery too, and looks after each kill at what is left:
//
//   npm run soak:kill -- --rounds 500
//
// Batches are numbered in the order of their appends. After a kill the log must hold every acknowledged batch, whole
// batches only, in their order, and none that was not appended; and opening it must report no damage. A reader in a
// third process has the log open all the time, and must see the same without a gap, a fault or a step back.

import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EventLog, Offset, orThrow, type NewEvent, type StoredEvent } from '../src/index.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import { orders, report, say, sleep, startHand, type Hand } from './crew.ts'

interface Order {
  readonly folder: string
  readonly round: number
  /** The number of the next batch. */
  readonly from: number
  /** Whether the round's batches are megabytes: a kill tears such a write. */
  readonly large: boolean
  readonly seed: number
}

interface Body {
  readonly round: number
  readonly batch: number
  readonly place: number
  readonly of: number
  readonly fill: string
}

const segmentBytes = 256 * 1024
/** A round appends no more than this, or a large one no more than eight times this; then it waits for its end. */
const roundBytes = 6 * 1024 * 1024
/** The folder is made anew after so many rounds, so that the disk is not filled. */
const roundsPerLog = 40

function batchOf(order: Order, batch: number, chance: Chance): readonly NewEvent[] {
  const of = chance.happens(60) ? 1 : 2 + chance.below(6)
  return Array.from({ length: of }, (_, place) => {
    const bytes = order.large ? 500_000 + chance.below(1_500_000) : chance.below(chance.happens(4) ? 100_000 : 600)
    const payload: Body = { round: order.round, batch, place, of, fill: fillOf(batch, place, bytes) }
    return { aggregateId: `stream-${(batch + place) % 7}`, eventType: 'Soaked', payload }
  })
}

function fillOf(batch: number, place: number, bytes: number): string {
  return `${String.fromCharCode(97 + ((batch + place) % 26))}{`.repeat(Math.floor(bytes / 2))
}

/** The writer: appends until it is killed, a dozen batches at a time, and says what was acknowledged. */
async function write(): Promise<void> {
  for await (const line of orders()) {
    const order = JSON.parse(line) as Order
    const chance = new Chance(order.seed)
    const sync = chance.happens(30) ? { everyMs: 3 } : undefined
    const log = await orThrow(EventLog.open(order.folder, { segmentBytes, sync }))
    say('open')
    const { end } = log
    for (let batch = order.from; log.end - end < (order.large ? 8 : 1) * roundBytes;) {
      const group = Array.from({ length: 1 + chance.below(12) }, () => appendOne(log, order, batch++, chance))
      if (chance.happens(40)) await Promise.all(group)
      else await Promise.race(group)
    }
    if (chance.happens(50)) await orThrow(log.close())
    say('done')
    await sleep(60_000)
  }
}

function appendOne(log: EventLog, order: Order, batch: number, chance: Chance): Promise<void> {
  const events = batchOf(order, batch, chance)
  const synced = chance.happens(20)
  const receipt = orThrow(synced ? log.appendSync(events) : log.append(events))
  return receipt.then(() => say(`${synced ? 's' : 'b'} ${batch}`))
}

/** What must follow what was read: batches without a gap, whole, in order. */
class Sequence {
  offset = Offset(0)
  /** The last whole batch. */
  batch = -1
  events = 0
  #place = 0
  #round = 0
  readonly #versions = new Map<string, number>()

  take({ offset, nextOffset, version, event }: StoredEvent): void {
    const { aggregateId, payload } = event
    const { batch, place, of, fill, round } = payload as Body
    const expected = this.#place === 0 ? [this.batch + 1, 0] : [this.batch + 1, this.#place]
    const wrong =
      offset !== this.offset ||
      batch !== expected[0] ||
      place !== expected[1] ||
      round < this.#round ||
      fill !== fillOf(batch, place, fill.length) ||
      version !== (this.#versions.get(aggregateId) ?? 0) + 1
    if (wrong) {
      const last = `behind batch ${this.batch} and ${this.#place} events of the next, at offset ${this.offset}`
      throw new Error(`round ${round}, batch ${batch}, event ${place} of ${of}, offset ${offset}: wrong ${last}`)
    }
    this.#versions.set(aggregateId, version)
    this.#round = round
    this.#place = place + 1
    if (this.#place === of) {
      this.batch = batch
      this.#place = 0
    }
    this.offset = nextOffset
    this.events++
  }

  /** Reads on from where it stands. */
  async readOn(log: EventLog): Promise<void> {
    for await (const stored of orThrow(log.replay(this.offset))) this.take(stored)
    if (this.#place !== 0) throw new Error(`batch ${this.batch + 1} is not whole`)
  }
}

/** The reader: has the log open through all kills, and reads on as it grows. */
async function follow(): Promise<void> {
  for await (const folder of orders()) {
    const sequence = new Sequence()
    const log = await openReader(folder)
    for (;;) {
      await sequence.readOn(log)
      say(`${sequence.batch} ${sequence.events}`)
      await sleep(3)
    }
  }
}

async function openReader(folder: string): Promise<EventLog> {
  for (;;) {
    const opened = await EventLog.open(folder, { readOnly: true })()
    if (opened._tag === 'Right' && opened.right.recovery.damage.length > 0) throw new Error('a reader reports damage')
    if (opened._tag === 'Right') return opened.right
    if (opened.left._tag !== 'NotFound') throw opened.left
    await sleep(3)
  }
}

const figures = { rounds: 0, kills: 0, killsInOpening: 0, batches: 0, buffered: 0, synced: 0, torn: 0, lost: 0 }
let readBeside = 0

/** One writer's life; answers the last batch that it has acknowledged, −1 for none. */
async function live(hand: Hand, order: Order, chance: Chance): Promise<number> {
  const opened = new Promise<void>((resolve) => hand.listen(() => resolve()))
  hand.tell(JSON.stringify(order))
  // A quarter of the kills come into the opening, with its recovery.
  if (!chance.happens(25)) await Promise.race([opened, hand.ended])
  await Promise.race([sleep(chance.below(chance.happens(50) ? 40 : 250)), hand.ended])
  hand.process.kill('SIGKILL')
  const { code, signal } = await hand.ended
  if (signal !== 'SIGKILL') throw new Error(`the writer of round ${order.round} ended by itself with ${code}`)
  figures.kills++
  if (!hand.lines.includes('open')) figures.killsInOpening++
  let last = -1
  for (const line of hand.lines) {
    const [kind, batch] = line.split(' ')
    if (kind !== 'b' && kind !== 's') continue
    last = Math.max(last, Number(batch))
    if (kind === 's') figures.synced++
    else figures.buffered++
  }
  return last
}

/** Looks at what a kill has left: as a reader most times, so that the next writer recovers; else as a writer. */
async function look(folder: string, sequence: Sequence, readOnly: boolean): Promise<void> {
  const opened = await EventLog.open(folder, { readOnly, segmentBytes })()
  if (opened._tag === 'Left') {
    if (opened.left._tag === 'NotFound' && sequence.batch === -1) return
    throw opened.left
  }
  const log = opened.right
  if (log.recovery.damage.length > 0) throw new Error(`damage is reported: ${JSON.stringify(log.recovery.damage)}`)
  await sequence.readOn(log)
  await orThrow(log.close())
}

function tornFiles(folder: string): number {
  try {
    return readdirSync(join(folder, 'torn')).length
  } catch {
    return 0
  }
}

async function soakLog(first: number, rounds: number, seed: number): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'chronicle-soak-kill-'))
  const folder = join(root, 'log')
  const script = import.meta.filename
  const reader = startHand(script, 'follow')
  reader.tell(folder)
  const sequence = new Sequence()
  let next = startHand(script, 'write')
  for (let round = first; round < first + rounds; round++) {
    const chance = new Chance(seed, round)
    const hand = next
    next = startHand(script, 'write')
    const before = sequence.batch
    const order = { folder, round, from: before + 1, large: chance.happens(30), seed: chance.u32() }
    const last = await live(hand, order, chance)
    await look(folder, sequence, !chance.happens(25))
    figures.batches += sequence.batch - before
    if (sequence.batch < last)
      throw new Error(`round ${round}: batch ${last} was acknowledged, ${sequence.batch} is there`)
    if (reader.process.exitCode !== null) throw new Error(`the reader ended in round ${round}`)
    figures.rounds++
  }
  next.process.kill('SIGKILL')
  const whole = new Sequence()
  await look(folder, whole, false)
  if (whole.events !== sequence.events) throw new Error('a whole replay differs')
  while (!(reader.lines.at(-1) ?? '').startsWith(`${sequence.batch} `)) {
    if (reader.process.exitCode !== null) throw new Error('the reader ended')
    await sleep(10)
  }
  readBeside += Number(reader.lines.at(-1)?.split(' ')[1] ?? 0)
  reader.process.kill('SIGKILL')
  await reader.ended
  figures.torn += tornFiles(folder)
  rmSync(root, { recursive: true })
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { rounds: { type: 'string' }, seed: { type: 'string' } } })
  const rounds = Number(values.rounds ?? 500)
  const seed = Number(values.seed ?? 1)
  for (let done = 0; done < rounds; done += roundsPerLog) {
    await soakLog(done, Math.min(roundsPerLog, rounds - done), seed)
    report('soak-kill so far', { ...figures, readBeside })
  }
  report(`soak-kill with seed ${seed}`, { ...figures, readBeside })
}

const [, , role] = process.argv
await (role === 'write' ? write() : role === 'follow' ? follow() : main())
