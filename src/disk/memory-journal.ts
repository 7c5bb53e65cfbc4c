// Changes that a power cut may lose, in their order. A sync that succeeds makes the changes before its beginning
// durable. One that fails makes them doubtful for ever: the system has marked their pages clean, so no later sync
// writes them, and nobody knows whether the failed one did. That is what Linux does.
//
//   dirty ──sync──► durable ──► leaves the list once nothing before it is uncertain
//     └──failed sync──► doubtful

/** 'dirty' and 'doubtful' changes may be lost, each by itself; 'durable' ones wait for uncertain ones before them. */
export type Fate = 'dirty' | 'doubtful' | 'durable'

export interface Entry<Change> {
  readonly change: Change
  readonly fate: Fate
  /** Counts the changes, from 0. */
  readonly sequence: number
}

/** Picks one of the numbers from 0 to `count` − 1. */
export type Choose = (count: number) => number

export class Journal<Change> {
  /** In the order of their sequence. Entries are immutable and shared between clones. */
  #entries: Entry<Change>[] = []
  /** The sequence of the next change: what a sync that begins now will cover is before it. */
  #mark = 0

  get entries(): readonly Entry<Change>[] {
    return this.#entries
  }

  get mark(): number {
    return this.#mark
  }

  add(change: Change, fate: Fate = 'dirty'): void {
    this.#entries.push({ change, fate, sequence: this.#mark++ })
  }

  /** Ends a sync that began at `mark`. Answers the changes that are durable with all before them, which it forgets. */
  settle(mark: number, fate: 'doubtful' | 'durable'): readonly Change[] {
    const settled = this.#entries.map((entry) =>
      entry.fate === 'dirty' && entry.sequence < mark ? { ...entry, fate } : entry
    )
    const uncertain = settled.findIndex((entry) => entry.fate !== 'durable')
    this.#entries = uncertain === -1 ? [] : settled.slice(uncertain)
    return (uncertain === -1 ? settled : settled.slice(0, uncertain)).map((entry) => entry.change)
  }

  /** A copy whose changes are translated. */
  clone(translate: (change: Change) => Change): Journal<Change> {
    const copy = new Journal<Change>()
    copy.#entries = this.#entries.map((entry) => ({ ...entry, change: translate(entry.change) }))
    copy.#mark = this.#mark
    return copy
  }
}
