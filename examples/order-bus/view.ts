// The state of every order, folded out of the events of all three departments.

import type { OrderEvent, PaymentEvent, ShippingEvent } from './events.ts'

type Status = 'placed' | 'paid' | 'shipped'

/** The status of each order by its name. */
export type View = ReadonlyMap<string, Status>

const ways: readonly Status[] = ['placed', 'paid', 'shipped']

const reached: Readonly<Record<(OrderEvent | PaymentEvent | ShippingEvent)['eventType'], Status>> = {
  OrderPlaced: 'placed',
  OrderPaid: 'paid',
  OrderShipped: 'shipped'
}

/** An event that comes late finds the order further on, and does not set it back. */
export function evolve(view: View, { eventType, payload }: OrderEvent | PaymentEvent | ShippingEvent): View {
  const before = view.get(payload.order)
  const after = reached[eventType]
  if (before !== undefined && ways.indexOf(before) >= ways.indexOf(after)) return view
  return new Map(view).set(payload.order, after)
}
