// The receiving end: handles so many events and answers how late each one was. It runs in the sender's process or, when
// it is started as a program, in one of its own, and then says "ready" and in the end the summary.
//
//   handler.ts chronicle <log> <events>
//   handler.ts redis <socket> <events>

import type * as Chronicle from '../../src/index.ts'
import { Redis, type Reply } from './redis.ts'
import { nowUs, summaryOf } from './sample.ts'

const { EventLog, orThrow } = (await import(new URL('../../dist/index.js', import.meta.url).href)) as typeof Chronicle

/** Reads and commits until `events` have come. */
export async function handleChronicle(log: Chronicle.EventLog, events: number, ready: () => void): Promise<number[]> {
  const latencies: number[] = []
  await using reader = await orThrow(log.reader(`handler-${process.pid}`, { from: 'end' }))
  ready()
  for await (const { event, nextOffset } of orThrow(reader)) {
    latencies.push(nowUs() - (event.payload as { readonly sentUs: number }).sentUs)
    await orThrow(reader.commit(nextOffset))
    if (latencies.length === events) break
  }
  return latencies
}

/** The same by XREAD BLOCK, and a place kept under a key. */
export async function handleRedis(redis: Redis, events: number, ready: () => void): Promise<number[]> {
  const latencies: number[] = []
  let last = '0'
  ready()
  while (latencies.length < events) {
    const reply = await redis.ask('XREAD', 'COUNT', '100', 'BLOCK', '0', 'STREAMS', 'events', last)
    const [[, entries]] = reply as readonly [readonly [string, readonly (readonly [string, readonly Reply[]])[]]]
    for (const [id, fields] of entries) {
      latencies.push(nowUs() - (JSON.parse(String(fields[1])) as { readonly sentUs: number }).sentUs)
      last = id
      await redis.ask('SET', `handler-${process.pid}`, id)
    }
  }
  return latencies
}

async function main(system: string, at: string, events: number): Promise<void> {
  const ready = (): void => void process.stdout.write('ready\n')
  if (system === 'redis') {
    const redis = await Redis.open(at)
    process.stdout.write(`${JSON.stringify(summaryOf(await handleRedis(redis, events, ready)))}\n`)
    return redis.close()
  }
  const log = await orThrow(EventLog.open(at, { readOnly: true }))
  process.stdout.write(`${JSON.stringify(summaryOf(await handleChronicle(log, events, ready)))}\n`)
  await orThrow(log.close())
}

const [, script = '', system = '', at = '', events = '0'] = process.argv
if (script === import.meta.filename) await main(system, at, Number(events))
