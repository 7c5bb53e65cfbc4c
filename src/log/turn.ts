// When the queue is written: once for all appends of a turn of the event loop, in a microtask, since they are queued
// before any microtask of theirs runs on. But a loop that awaits one append after the other never ends its turn, and
// then no sync would ever be told and no timer run: so every MiB the write waits for the next turn, and more often
// while there is work that has to keep up with it.

import { groupBytes } from '../core/limit.ts'

/** What is chained to it runs as a microtask; queueMicrotask costs more, since Node makes a resource for each. */
const settled: Promise<void> = Promise.resolve()

/** As long as it takes to write these, the other work gets for a slice of its own. */
const sharedBytes = 64 * 1024

export class Turn {
  private readonly work: () => void
  /** Whether other work has to keep up. */
  private readonly isShared: () => boolean
  private scheduled = false
  /** Bytes noted since other work was last given its turn. */
  private bytes = 0

  constructor(work: () => void, isShared: () => boolean) {
    this.work = work
    this.isShared = isShared
  }

  /** Counts what the turn has taken. */
  note(bytes: number): void {
    this.bytes += bytes
  }

  /** Lets the work run soon, once for all calls until then. */
  schedule(): void {
    if (this.scheduled) return
    this.scheduled = true
    if (this.bytes < (this.isShared() ? sharedBytes : groupBytes)) void settled.then(this.run)
    else setImmediate(this.runInNextTurn)
  }

  private readonly run = (): void => {
    this.scheduled = false
    this.work()
  }

  private readonly runInNextTurn = (): void => {
    this.bytes = 0
    this.run()
  }
}
