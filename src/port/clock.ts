// Time and randomness come in through here, so that a test can replay any run from a seed.

/** Time, as the log asks for it. */
export interface Clock {
  /** The wall clock in ms since the epoch. It may jump and go back; the log keeps its own timestamps from falling. */
  readonly nowMs: () => number
  /** Runs `task` every `periodMs` until the returned function is called. It does not keep the process alive. */
  readonly every: (periodMs: number, task: () => void) => () => void
}

/** A caller's clock in whole milliseconds from 0: what it says beyond that could be written and not read back. */
export function wholeClock(clock: Clock): Clock {
  return {
    nowMs: () => {
      const now = Math.trunc(clock.nowMs())
      return Number.isSafeInteger(now) && now > 0 ? now : 0
    },
    every: (periodMs, task) => clock.every(periodMs, task)
  }
}

/** Randomness, as the log asks for it. */
export interface Entropy {
  /** A random number from 0 to 2^32 − 1. */
  readonly u32: () => number
  /** A fresh event id, unique among all events of all logs: a random UUID (RFC 9562). */
  readonly eventId: () => string
}
