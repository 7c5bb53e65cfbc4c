// A fold that takes some microseconds for each event: a hash over the text of its payload, some rounds of it.

interface Hashes {
  events: number
  sum: number
}

interface Stored {
  readonly event: { readonly payload: unknown }
}

const rounds = 8

function hashOf(text: string): number {
  let hash = 0x811c9dc5
  for (let round = 0; round < rounds; round++) {
    for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  }
  return hash >>> 0
}

export const fold = {
  initial: (): Hashes => ({ events: 0, sum: 0 }),
  evolve: (state: Hashes, { event }: Stored): Hashes => {
    state.events += 1
    state.sum = (state.sum + hashOf(JSON.stringify(event.payload))) % 2 ** 32
    return state
  },
  merge: (earlier: Hashes, later: Hashes): Hashes => ({
    events: earlier.events + later.events,
    sum: (earlier.sum + later.sum) % 2 ** 32
  })
}
