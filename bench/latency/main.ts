// How long an event takes from append to its handler, in one process and across two; and the same for a Redis stream on
// this machine, if redis-server is on the PATH. One event at a time, a millisecond apart; each handler keeps its place.
//
//   npm run bench:latency -- --events 5000

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import type * as Chronicle from '../../src/index.ts'
import { handleChronicle, handleRedis } from './handler.ts'
import { Redis } from './redis.ts'
import { nowUs, summaryOf, type Summary } from './sample.ts'

const { EventLog, orThrow } = (await import(new URL('../../dist/index.js', import.meta.url).href)) as typeof Chronicle

const { values } = parseArgs({
  options: { events: { type: 'string', default: '5000' }, folder: { type: 'string', default: tmpdir() } }
})
const events = Number(values.events)

type Send = (payload: { readonly sentUs: number; readonly number: number }) => Promise<unknown>
type Handle = (ready: () => void) => Promise<number[]>

/** Sends all events when the handler is ready. */
async function sendAll(send: Send): Promise<void> {
  for (let number = 0; number < events; number++) {
    await send({ sentUs: nowUs(), number })
    await sleep(1)
  }
}

async function inOneProcess(send: Send, handle: Handle): Promise<Summary> {
  let ready = (): void => {}
  const begun = new Promise<void>((resolve) => (ready = resolve))
  const handled = handle(ready)
  await begun
  await sendAll(send)
  return summaryOf(await handled)
}

async function acrossTwo(send: Send, system: string, at: string): Promise<Summary> {
  const argv = [...process.execArgv, join(import.meta.dirname, 'handler.ts'), system, at, String(events)]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  await lines.next()
  await sendAll(send)
  const { value } = (await lines.next()) as { readonly value: string }
  return JSON.parse(value) as Summary
}

function tell(system: string, processes: number, summary: Summary): void {
  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10
  process.stdout.write(`${JSON.stringify({ system, processes, ...summary, load })}\n`)
}

async function measureChronicle(root: string): Promise<void> {
  const folder = join(root, 'log')
  const log = await orThrow(EventLog.open(folder))
  const send: Send = (payload) => orThrow(log.append({ aggregateId: 'a', eventType: 'Sent', payload }))
  tell('chronicle-log', 1, await inOneProcess(send, (ready) => handleChronicle(log, events, ready)))
  tell('chronicle-log', 2, await acrossTwo(send, 'chronicle', folder))
  await orThrow(log.close())
}

async function measureRedis(root: string): Promise<void> {
  const at = join(root, 'redis.sock')
  const options = ['--port', '0', '--unixsocket', at, '--dir', root, '--appendonly', 'yes', '--appendfsync', 'everysec']
  const server = spawn('redis-server', options, { stdio: 'ignore' })
  let isMissing = false
  server.on('error', () => (isMissing = true))
  try {
    const sender = await connected(at, () => isMissing)
    if (sender === undefined) return
    const send: Send = (payload) => sender.ask('XADD', 'events', '*', 'payload', JSON.stringify(payload))
    const receiver = await Redis.open(at)
    tell('redis stream', 1, await inOneProcess(send, (ready) => handleRedis(receiver, events, ready)))
    await sender.ask('DEL', 'events')
    tell('redis stream', 2, await acrossTwo(send, 'redis', at))
    for (const redis of [sender, receiver]) redis.close()
  } finally {
    const ended = once(server, 'exit')
    if (server.kill()) await ended
  }
}

/** A connection to the server that is just being started; undefined where there is none. */
async function connected(at: string, isMissing: () => boolean): Promise<Redis | undefined> {
  while (!isMissing()) {
    try {
      return await Redis.open(at)
    } catch {
      await sleep(50)
    }
  }
  return undefined
}

const root = mkdtempSync(join(values.folder, 'chronicle-latency-'))
try {
  await measureChronicle(root)
  await measureRedis(root)
} finally {
  rmSync(root, { recursive: true, force: true })
}
