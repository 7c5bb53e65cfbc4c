// What counts as worse: a ratio to the floor that has lost more than a third of what was recorded.

/** By the name of a work. */
export type Ratios = Readonly<Record<string, number>>

const shareMost = 1 / 3

export interface Fall {
  readonly work: string
  /** How much of the recorded ratio is gone, 0 to 1. */
  readonly share: number
}

/** A work that is recorded and was not measured has lost everything. */
export function fallen(now: Ratios, recorded: Ratios): readonly Fall[] {
  return Object.entries(recorded)
    .map(([work, before]) => ({ work, share: 1 - (now[work] ?? 0) / before }))
    .filter(({ share }) => share > shareMost)
}
