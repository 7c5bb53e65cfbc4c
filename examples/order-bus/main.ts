// An order bus: three logs with a writer each, merged into one stream in the order of time, folded into a view. What
// the bus has handled it commits to each log by itself, so that it goes on where it was when it is started again.
//
//   orders ───┬────────────────────────────┐
//      └─ desk ─► payments ───┬────────────┼─► merge ─► view
//                    └─ desk ─► shipping ──┘
//
// Run it: npx tsx examples/order-bus/main.ts

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { EventLog, merge, orThrow } from '../../src/index.ts' // yours: from 'chronicle-log'
import { runDesk } from './desk.ts'
import { Orders, Payments, Shipping, type OrderEvent, type PaymentEvent, type ShippingEvent } from './events.ts'
import { evolve, type View } from './view.ts'

type Say = (line: string) => void

interface Shop {
  readonly orders: EventLog<OrderEvent>
  readonly payments: EventLog<PaymentEvent>
  readonly shipping: EventLog<ShippingEvent>
}

/** Handles so many events of the shop, whoever they are from, and commits each to the log that it came from. */
async function runBus(shop: Shop, start: View, count: number): Promise<View> {
  await using orders = await orThrow(shop.orders.reader('bus'))
  await using payments = await orThrow(shop.payments.reader('bus'))
  await using shipping = await orThrow(shop.shipping.reader('bus'))
  const merged = merge(
    [
      // Events of the same millisecond come in the order of these names, which happens to be that of the business.
      { name: 'orders', events: orders, commit: (offset) => orders.commit(offset) },
      { name: 'payments', events: payments, commit: (offset) => payments.commit(offset) },
      { name: 'shipping', events: shipping, commit: (offset) => shipping.commit(offset) }
    ],
    // Mostly two of the three have nothing to say: an event waits for them about so long, and no longer.
    { watermark: { lagMs: 100 } }
  )
  let view = start
  let left = count
  for await (const { source, event, nextOffset } of orThrow(merged)) {
    view = evolve(view, event)
    await orThrow(merged.commit(source, nextOffset))
    if (--left === 0) break
  }
  return view
}

/** A day in the shop: orders come in, and the bus runs until all of them are paid and shipped. */
async function openDay(folder: string, view: View, placed: readonly string[]): Promise<View> {
  await using orders = await orThrow(EventLog.open(join(folder, 'orders'), { codec: Orders.codec }))
  await using payments = await orThrow(EventLog.open(join(folder, 'payments'), { codec: Payments.codec }))
  await using shipping = await orThrow(EventLog.open(join(folder, 'shipping'), { codec: Shipping.codec }))
  const cashier = runDesk(orders, payments, ({ payload: { order } }) =>
    Payments.make.OrderPaid(`payment-${order}`, { order })
  )
  const packer = runDesk(payments, shipping, ({ payload: { order } }) =>
    Shipping.make.OrderShipped(`parcel-${order}`, { order })
  )
  const running = runBus({ orders, payments, shipping }, view, 3 * placed.length)
  for (const order of placed) await orThrow(orders.append(Orders.make.OrderPlaced(order, { order, cents: 1_999 })))
  const after = await running
  // The desks go home when there is nothing left to read.
  await orThrow(orders.close())
  await cashier
  await orThrow(payments.close())
  await packer
  return after
}

export async function main(folder: string, say: Say = console.log): Promise<View> {
  const days = [
    ['order-1', 'order-2', 'order-3'],
    ['order-4', 'order-5']
  ]
  let view: View = new Map()
  for (const [day, placed] of days.entries()) {
    view = await openDay(folder, view, placed)
    say(`Day ${day + 1}: ${placed.length} new orders`)
  }
  for (const [order, status] of view) say(`${order}: ${status}`)
  return view
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = await mkdtemp(join(tmpdir(), 'chronicle-order-bus-'))
  await main(folder)
  await rm(folder, { recursive: true })
}
