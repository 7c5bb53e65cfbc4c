// Which element of a merge comes next: pure, a function of the heads, of what was handed out, and of the time.
//
// The order is (timestamp, name of the source), and within a source the source's own. One pass over the heads for each
// element, O(sources): a heap would win from some dozens of sources on, and has to be kept in step with sources that
// come and go.

/** Where an element stands. */
export interface Place {
  /** The event's timestamp, or the highest of its source so far when that is higher. */
  readonly timestampMs: number
  readonly source: string
}

export interface Situation<P extends Place> {
  /** The foremost elements of the sources that have one. */
  readonly heads: Iterable<P>
  /** Whether a source that has not ended has no head yet. */
  readonly isIncomplete: boolean
  /** The furthest place that was handed out. */
  readonly front: Place | undefined
  /** Up to this timestamp nobody is waited for; undefined for never. An error may stand at −Infinity. */
  readonly watermarkMs: number | undefined
}

/** `untilMs`: the watermark at which `head` would be handed out. */
export type Choice<P extends Place> =
  | { readonly act: 'handOut'; readonly head: P; readonly late: boolean }
  | { readonly act: 'wait'; readonly untilMs: number | undefined }
  | { readonly act: 'end' }

/** The next step. An element behind which others were handed out already is late, and not held back any longer. */
export function choose<P extends Place>({ heads, isIncomplete, front, watermarkMs }: Situation<P>): Choice<P> {
  let head: P | undefined
  for (const other of heads) if (head === undefined || precedes(other, head)) head = other
  if (head === undefined) return isIncomplete ? { act: 'wait', untilMs: undefined } : { act: 'end' }
  const late = front !== undefined && precedes(head, front)
  const isDue = late || !isIncomplete || (watermarkMs !== undefined && head.timestampMs <= watermarkMs)
  return isDue ? { act: 'handOut', head, late } : { act: 'wait', untilMs: head.timestampMs }
}

/** The further of the two. */
export function furthest(front: Place | undefined, { timestampMs, source }: Place): Place {
  const place = { timestampMs, source }
  return front === undefined || precedes(front, place) ? place : front
}

/** By UTF-16 code units, so that the order of the names is the same everywhere. */
function precedes(a: Place, b: Place): boolean {
  return a.timestampMs < b.timestampMs || (a.timestampMs === b.timestampMs && a.source < b.source)
}
