// What the tests of streams share: a replay whose reader keeps books of what is asked of it.

import { right } from 'fp-ts/lib/Either.js'
import { Offset } from '../src/index.ts'
import type { Event, ReplayElement, StoredEvent } from '../src/index.ts'
import { Replay } from '../src/replay/replay.ts'
import { turn } from './log-lab.ts'

export function stored(place: number): StoredEvent<Event> {
  return { offset: Offset(place), nextOffset: Offset(place + 1), version: 1, event: { place } } as never
}

/** A replay of batches, which writes down what is asked of its reader. */
export class Batches {
  /** How many batches were asked for. */
  asked = 0
  opened = 0
  closed = 0
  /** How many calls of `next` wait. */
  private waiting = 0
  readonly replay: Replay<Event>

  constructor(batches: readonly (readonly ReplayElement<Event>[])[], signal?: AbortSignal) {
    const open = () => {
      this.opened++
      const rest = [...batches]
      return {
        next: async () => {
          this.asked++
          if (++this.waiting > 1) throw new Error('two calls at once')
          await turn()
          this.waiting--
          return this.closed > 0 ? undefined : rest.shift()
        },
        close: () => {
          this.closed++
        }
      }
    }
    this.replay = new Replay(open, signal)
  }
}

/** Batches of so many events each, counted through. */
export function batchesOf(...sizes: readonly number[]): ReplayElement<Event>[][] {
  let place = 0
  return sizes.map((size) => Array.from({ length: size }, () => right(stored(place++))))
}
