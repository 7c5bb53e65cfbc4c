// A fold that does next to nothing with an event: nearly all of its time is reading.

interface Totals {
  events: number
  cents: number
}

interface Stored {
  readonly event: { readonly payload: { readonly cents: number } }
}

export const fold = {
  initial: (): Totals => ({ events: 0, cents: 0 }),
  evolve: (state: Totals, { event }: Stored): Totals => {
    state.events += 1
    state.cents += event.payload.cents
    return state
  },
  merge: (earlier: Totals, later: Totals): Totals => ({
    events: earlier.events + later.events,
    cents: earlier.cents + later.cents
  })
}
