// Those who ask for the same thing take turns, in the order in which they came: the first works, the next one follows
// when he has left. One who gives up before it is his turn leaves at once and holds up nobody.

interface Turn {
  /** Lets the one who waits go on. */
  begin: () => void
}

export class Turns {
  /** In the order of their coming; the first one has the turn. */
  private readonly waiting = new Set<Turn>()
  private readonly onEmpty: () => void

  /** `onEmpty` is called each time when the last one has left. */
  constructor(onEmpty: () => void) {
    this.onEmpty = onEmpty
  }

  get isEmpty(): boolean {
    return this.waiting.size === 0
  }

  /** Works when it is his turn. When the signal fires before that he works at once, and has to see it himself. */
  async take<A>(signal: AbortSignal | undefined, work: () => Promise<A>): Promise<A> {
    const turn: Turn = { begin: () => {} }
    const isFirst = this.isEmpty
    this.waiting.add(turn)
    try {
      if (!isFirst) await beginOf(turn, signal)
      return await work()
    } finally {
      this.leave(turn)
    }
  }

  private leave(turn: Turn): void {
    this.waiting.delete(turn)
    // If it was not the first one who left, the first one has begun already, and hears nothing.
    const [first] = this.waiting
    if (first === undefined) this.onEmpty()
    else first.begin()
  }
}

/** Resolves when the turn begins, or when the signal fires. */
function beginOf(turn: Turn, signal: AbortSignal | undefined): Promise<void> {
  if (signal?.aborted === true) return Promise.resolve()
  return new Promise((resolve) => {
    turn.begin = () => {
      signal?.removeEventListener('abort', turn.begin)
      resolve()
    }
    signal?.addEventListener('abort', turn.begin, { once: true })
  })
}
