// How long callers wait, and how long the slowest of a hundred and of a thousand of them.

import type { Latency } from './measure.ts'

/** How long each call took, in ms: as many as fit, which is more than any measurement has calls. */
export class Waits {
  private readonly taken = new Float64Array(1_000_000)
  private count = 0

  add(sinceMs: number): void {
    this.addMs(performance.now() - sinceMs)
  }

  addMs(waitMs: number): void {
    if (this.count < this.taken.length) this.taken[this.count++] = waitMs
  }

  clear(): void {
    this.count = 0
  }

  latency(): Latency | undefined {
    if (this.count === 0) return undefined
    const sorted = this.taken.slice(0, this.count).sort()
    const at = (share: number): number => sorted[Math.min(this.count - 1, Math.floor(this.count * share))] as number
    return { p50Ms: at(0.5), p99Ms: at(0.99), p999Ms: at(0.999), mostMs: at(1) }
  }
}
