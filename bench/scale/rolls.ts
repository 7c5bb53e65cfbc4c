// How long appends wait over rolls: one event after the other, into segments of a size, and the waits as percentiles.
// Which appends waited for a roll is told by the log's diagnostics channel.
//
//   npm run bench:rolls -- --segment 4 --events 500000 [--aggregates 10000] [--synced]

import { subscribe } from 'node:diagnostics_channel'
import { mkdtempSync, rmSync } from 'node:fs'
import { loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import type * as Chronicle from '../../src/index.ts'

const { EventLog, orThrow } = (await import(new URL('../../dist/index.js', import.meta.url).href)) as typeof Chronicle

const { values } = parseArgs({
  options: {
    segment: { type: 'string', default: '64' },
    events: { type: 'string', default: '500000' },
    aggregates: { type: 'string', default: '10000' },
    folder: { type: 'string', default: tmpdir() },
    synced: { type: 'boolean', default: false }
  }
})

const events = Number(values.events)
const aggregates = Number(values.aggregates)
const folder = mkdtempSync(join(values.folder, 'chronicle-rolls-'))
let appended = 0
const rolls: number[] = []
subscribe('chronicle:roll', () => rolls.push(appended))

function percentiles(waits: readonly number[]): Record<string, number> {
  const sorted = Float64Array.from(waits).sort()
  const at = (share: number): number => {
    const value = sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0
    return Math.round(value * 1_000) / 1_000
  }
  return { p50: at(0.5), p99: at(0.99), p999: at(0.999), p9999: at(0.9999), max: at(1) }
}

try {
  const log = await orThrow(EventLog.open(folder, { segmentBytes: Number(values.segment) * 2 ** 20 }))
  const waits: number[] = []
  for (let n = 0; n < events; n++) {
    appended = n
    const event = {
      aggregateId: `account-${(n * 2_654_435_761) % aggregates}`,
      eventType: 'MoneyDeposited',
      payload: { cents: n % 10_000, currency: 'EUR', note: 'a transfer between two accounts of the same person' }
    }
    const before = performance.now()
    await orThrow(values.synced ? log.appendSync(event) : log.append(event))
    waits.push(performance.now() - before)
  }
  await orThrow(log.close())
  const load = Math.round((loadavg()[0] ?? 0) * 10) / 10
  const rollMs = percentiles(rolls.map((n) => waits[n] as number))
  const measured = { segmentMiB: Number(values.segment), appendMs: percentiles(waits), rolls: rolls.length }
  process.stdout.write(`${JSON.stringify({ ...measured, rollMs, load })}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}
