// What a reader has written down, held against what it was to handle.

export interface Handled {
  /** Ticks that were handled at least once. */
  readonly ticks: number
  /** How often a tick was handled again. */
  readonly again: number
  /** What was left out or came too early; undefined when nothing did. */
  readonly fault: string | undefined
}

/** At least once and in order: each tick follows the one before it, or one that was handled already. */
export function check(lines: readonly number[], ticks: number): Handled {
  let highest = 0
  let again = 0
  for (const [index, number] of lines.entries()) {
    const before = lines[index - 1] ?? 0
    if (number > highest + 1) return { ticks: highest, again, fault: `${number} came behind ${highest}` }
    if (number !== before + 1 && number > before)
      return { ticks: highest, again, fault: `${number} came behind ${before}` }
    if (number <= highest) again++
    highest = Math.max(highest, number)
  }
  const fault = highest === ticks ? undefined : `the last one was ${highest}, of ${ticks}`
  return { ticks: highest, again, fault }
}
