// Wakes those who wait for the log to grow. Who waits says which stroke he has heard last, and looks at the log between
// the two: a stroke that falls while he looks is not lost.

export class Bell {
  /** Counts the strokes; only `ring` may. */
  strokes = 0
  private readonly waiting = new Set<() => void>()

  ring(): void {
    this.strokes++
    if (this.waiting.size === 0) return
    const woken = [...this.waiting]
    this.waiting.clear()
    for (const wake of woken) wake()
  }

  /** Resolves at the first stroke behind `heard`, or when the signal fires. */
  async beyond(heard: number, signal: AbortSignal | undefined): Promise<void> {
    if (this.strokes > heard || signal?.aborted === true) return
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        this.waiting.delete(wake)
        signal?.removeEventListener('abort', wake)
        resolve()
      }
      this.waiting.add(wake)
      signal?.addEventListener('abort', wake, { once: true })
    })
  }
}
