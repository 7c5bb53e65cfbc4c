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
  /** When the last of the others was asked, of those that have not ended; undefined when all have a head. */
  readonly askedMs: number | undefined
  /** The furthest place that was handed out. */
  readonly front: Place | undefined
  readonly nowMs: number
  /** How long a source without a head is waited for; undefined for ever. */
  readonly lagMs: number | undefined
}

/** `untilMs`: when what there is will be handed out, if nothing comes before it. */
export type Choice<P extends Place> =
  | { readonly act: 'handOut'; readonly head: P; readonly late: boolean }
  | { readonly act: 'wait'; readonly untilMs: number | undefined }
  | { readonly act: 'end' }

/**
 * The next step. An element behind which others were handed out already is late, and not held back any longer. Another
 * one waits for those without a head, until they have been silent for `lagMs`: since its timestamp, and since they were
 * asked. The latter is for sources that have a past to read: its timestamps have gone by long ago, and still each of
 * them needs a moment for the next event.
 */
export function choose<P extends Place>({ heads, askedMs, front, nowMs, lagMs }: Situation<P>): Choice<P> {
  let head: P | undefined
  for (const other of heads) if (head === undefined || precedes(other, head)) head = other
  if (head === undefined) return askedMs === undefined ? { act: 'end' } : { act: 'wait', untilMs: undefined }
  const late = front !== undefined && precedes(head, front)
  if (late || askedMs === undefined) return { act: 'handOut', head, late }
  if (lagMs === undefined) return { act: 'wait', untilMs: undefined }
  const untilMs = Math.max(head.timestampMs, askedMs) + lagMs
  return untilMs <= nowMs ? { act: 'handOut', head, late } : { act: 'wait', untilMs }
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
