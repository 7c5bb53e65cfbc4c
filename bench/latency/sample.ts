// Latencies in microseconds, from when an event was sent to when its handler ran. Both ends read the same clock: the
// monotonic one, which processes of one machine share.

export interface Summary {
  readonly events: number
  readonly p50Us: number
  readonly p99Us: number
  readonly p999Us: number
  readonly maxUs: number
}

export function nowUs(): number {
  return Number(process.hrtime.bigint() / 1_000n)
}

/** The first tenth is left out: code is still being compiled. */
export function summaryOf(latenciesUs: readonly number[]): Summary {
  const warm = latenciesUs.slice(Math.floor(latenciesUs.length / 10)).sort((a, b) => a - b)
  const at = (share: number): number => warm[Math.min(warm.length - 1, Math.floor(warm.length * share))] ?? 0
  return { events: warm.length, p50Us: at(0.5), p99Us: at(0.99), p999Us: at(0.999), maxUs: at(1) }
}
