// One measurement on one log, told as a line of JSON.

import { loadavg } from 'node:os'
import type * as Chronicle from '../../src/index.ts'

const { EventLog, orThrow } = (await import(new URL('../../dist/index.js', import.meta.url).href)) as typeof Chronicle

const [work = '', folder = '', eventsText = '0', aggregatesText = '1'] = process.argv.slice(2)
const events = Number(eventsText)
const aggregates = Number(aggregatesText)

/** The n-th of all aggregates in an order that has nothing to do with the order of writing. */
function aggregateAt(n: number): string {
  return `account-${(n * 2_654_435_761) % aggregates}`
}

function eventAt(n: number): Chronicle.NewEvent {
  return {
    aggregateId: aggregateAt(n),
    eventId: `e-${n}`,
    eventType: n % 100 === 0 ? 'AccountReviewed' : 'MoneyDeposited',
    payload: { cents: n % 10_000, currency: 'EUR', note: 'a transfer between two accounts of the same person' }
  }
}

function open(): Promise<Chronicle.EventLog> {
  return orThrow(EventLog.open(folder))
}

function ms(since: number): number {
  return Math.round((performance.now() - since) * 100) / 100
}

async function fill(): Promise<object> {
  const log = await open()
  const since = performance.now()
  let slowestMs = 0
  for (let from = 0; from < events; from += 100) {
    const before = performance.now()
    await orThrow(log.append(Array.from({ length: Math.min(100, events - from) }, (_, place) => eventAt(from + place))))
    slowestMs = Math.max(slowestMs, performance.now() - before)
    // Other work gets its turn, as it would in a program.
    if (from % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve))
  }
  const seconds = (performance.now() - since) / 1_000
  const closing = performance.now()
  await orThrow(log.close())
  return { eventsPerSecond: Math.round(events / seconds), slowestAppendMs: Math.round(slowestMs), closeMs: ms(closing) }
}

async function openOnce(): Promise<object> {
  globalThis.gc?.()
  const before = process.memoryUsage().rss
  const since = performance.now()
  const log = await open()
  const openMs = ms(since)
  globalThis.gc?.()
  const heapMiB = Math.round(process.memoryUsage().heapUsed / 2 ** 20)
  const grownMiB = Math.round((process.memoryUsage().rss - before) / 2 ** 20)
  const { scannedBytes } = log.recovery
  await orThrow(log.close())
  return { openMs, scannedBytes, heapMiB, grownMiB, load: Math.round((loadavg()[0] ?? 0) * 10) / 10 }
}

async function rate(count: number, one: (n: number) => Promise<unknown>): Promise<number> {
  const since = performance.now()
  for (let n = 0; n < count; n++) await one(n)
  return Math.round(count / ((performance.now() - since) / 1_000))
}

async function lookup(): Promise<object> {
  const log = await open()
  const version = (id: string): Promise<unknown> => orThrow(log.version(id))
  const firstPerSecond = await rate(2_000, (n) => version(aggregateAt(n * 31)))
  const warmPerSecond = await rate(20_000, (n) => version(aggregateAt((n % 2_000) * 31)))
  const unknownPerSecond = await rate(2_000, (n) => version(`nobody-${n}`))
  const loadsPerSecond = await rate(300, (n) => orThrow(log.loadAggregate(aggregateAt(n * 31))))
  await orThrow(log.close())
  return { firstPerSecond, warmPerSecond, unknownPerSecond, loadsPerSecond }
}

async function conditional(): Promise<object> {
  const log = await open()
  const perSecond = await rate(5_000, async (n) => {
    const aggregateId = aggregateAt(n * 17)
    const version = await orThrow(log.version(aggregateId))
    await orThrow(
      log.append({ ...eventAt(n), aggregateId, eventId: `c-${n}` }, { conditions: [{ aggregateId, version }] })
    )
  })
  await orThrow(log.close())
  return { perSecond }
}

/** Appends for a while, then is gone. */
async function die(): Promise<object> {
  const log = await open()
  for (let n = 0; n < 60_000; n += 100) {
    await orThrow(
      log.append(Array.from({ length: 100 }, (_, place) => ({ ...eventAt(n + place), eventId: `d-${n + place}` })))
    )
  }
  process.kill(process.pid, 'SIGKILL')
  return {}
}

const works: Readonly<Record<string, () => Promise<object>>> = { fill, open: openOnce, lookup, conditional, die }
const measured = await works[work]?.()
process.stdout.write(`${JSON.stringify(measured)}\n`)
