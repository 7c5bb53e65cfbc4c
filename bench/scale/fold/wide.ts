// A fold whose state is as wide as the log has aggregates: what copying and merging states costs shows here.

interface Stored {
  readonly event: { readonly aggregateId: string; readonly payload: { readonly cents: number } }
}

export const fold = {
  initial: (): Map<string, number> => new Map(),
  evolve: (balances: Map<string, number>, { event }: Stored): Map<string, number> =>
    balances.set(event.aggregateId, (balances.get(event.aggregateId) ?? 0) + event.payload.cents),
  merge: (earlier: Map<string, number>, later: Map<string, number>): Map<string, number> => {
    for (const [id, cents] of later) earlier.set(id, (earlier.get(id) ?? 0) + cents)
    return earlier
  }
}
