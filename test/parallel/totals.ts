// A fold that is right: what it adds up, and in which order it has seen it.

import * as t from 'io-ts'
import { threadId } from 'node:worker_threads'
import { defineFold } from '../../src/parallel.ts'

export interface Totals {
  events: number
  cents: number
  /** The events' numbers, one behind the other: joined in any other order than the log's it is another text. */
  order: string
  readonly threads: Set<number>
}

const Deposited = t.type({ eventType: t.literal('Deposited'), payload: t.type({ cents: t.number }) })

export const fold = defineFold({
  codec: Deposited,
  initial: (): Totals => ({ events: 0, cents: 0, order: '', threads: new Set() }),
  evolve: (state, { event }) => {
    state.events += 1
    state.cents += event.payload.cents
    state.order += `${event.payload.cents},`
    state.threads.add(threadId)
    return state
  },
  merge: (earlier, later) => ({
    events: earlier.events + later.events,
    cents: earlier.cents + later.cents,
    order: earlier.order + later.order,
    threads: new Set([...earlier.threads, ...later.threads])
  })
})
