// The order bus brings every order to its end, goes on where it was, and runs by itself.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { main } from '../examples/order-bus/main.ts'
import { evolve, type View } from '../examples/order-bus/view.ts'
import { EventLog, orThrow } from '../src/index.ts'
import { all } from './log-lab.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chronicle-order-bus-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

it('every order is placed, paid and shipped, once, and nothing is left to the bus', async () => {
  const lines: string[] = []
  const view = await main(folder, (line) => lines.push(line))
  const orders = ['order-1', 'order-2', 'order-3', 'order-4', 'order-5']
  expect(view).toEqual(new Map(orders.map((order) => [order, 'shipped'])))
  expect(lines).toHaveLength(2 + orders.length)
  for (const name of ['orders', 'payments', 'shipping']) {
    await using log = await orThrow(EventLog.open(join(folder, name)))
    const events = await all(orThrow(log.replay()))
    expect(events.map(({ event }) => (event.payload as { order: string }).order)).toEqual(orders)
    await using bus = await orThrow(log.reader('bus'))
    expect(bus.cursor).toBe(log.end)
  }
})

it('an event that comes late does not set an order back', () => {
  const shipped: View = evolve(new Map(), { eventType: 'OrderShipped', payload: { order: 'a' } })
  expect([...evolve(shipped, { eventType: 'OrderPaid', payload: { order: 'a' } })]).toEqual([['a', 'shipped']])
  const placed = evolve(new Map(), { eventType: 'OrderPlaced', payload: { order: 'a', cents: 1 } })
  expect([...evolve(placed, { eventType: 'OrderPaid', payload: { order: 'a' } })]).toEqual([['a', 'paid']])
})

it('the program runs by itself and ends by itself', () => {
  const script = join('examples', 'order-bus', 'main.ts')
  const printed = execFileSync(process.execPath, ['--import', 'tsx', script], {
    cwd: join(import.meta.dirname, '..'),
    encoding: 'utf8'
  })
  expect(printed).toMatch(/^Day 1: 3 new orders\nDay 2: 2 new orders\n(?:order-\d: shipped\n){5}$/)
})
