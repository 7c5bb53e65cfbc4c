// What happens in a shop, as three departments tell it, each in a log of its own.

import * as t from 'io-ts'
import { defineEvents } from '../../src/index.ts' // yours: from 'chronicle-log'

export const Orders = defineEvents(
  { namespace: 'orders' },
  { OrderPlaced: t.type({ order: t.string, cents: t.number }) }
)
export const Payments = defineEvents({ namespace: 'payments' }, { OrderPaid: t.type({ order: t.string }) })
export const Shipping = defineEvents({ namespace: 'shipping' }, { OrderShipped: t.type({ order: t.string }) })

export type OrderEvent = t.TypeOf<typeof Orders.codec>
export type PaymentEvent = t.TypeOf<typeof Payments.codec>
export type ShippingEvent = t.TypeOf<typeof Shipping.codec>
