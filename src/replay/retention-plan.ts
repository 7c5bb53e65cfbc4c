// Which segments retention lets go: a pure function of the segments, the readers, the rules and the time. Segments go
// oldest first and without a gap, so the first that must stay keeps all behind it.

import type { Offset } from '../core/brand.ts'
import type { KnownReader, ReaderStatus } from '../port/cursor.ts'
import type { SegmentSummary } from '../port/store.ts'

/** How many heartbeats may be missed by a reader that counts as live. */
const missedBeatsMax = 3

/** When a registered reader counts as live, and protects what it has not passed. Without a limit it always does. */
export interface LiveReaders {
  /**
   * Its last heartbeat is not older than this; while it is open, three of its own periods are granted even where that is
   * more.
   */
  readonly heartbeatMs?: number | undefined
  /** No more than so many bytes of events stand behind what it has passed. */
  readonly maxLagBytes?: number | undefined
  /** What it has not passed is not older than this. */
  readonly maxLagMs?: number | undefined
}

/** What may go. A segment goes when one of the rules says so, and no live reader needs it. */
export interface RetentionRules {
  /** Segments whose events are all older than this go; as Kafka's `retention.ms`. */
  readonly maxAgeMs?: number | undefined
  /** The oldest segments go until the rest takes no more than this; as Kafka's `retention.bytes`. */
  readonly maxBytes?: number | undefined
  /** Segments that every live reader has passed go. While no reader is live, none goes by this rule. */
  readonly passed?: boolean | undefined
  readonly readers?: LiveReaders | undefined
}

/** Why a segment may go: by a rule, or since it lies before an offset that was named by hand. */
export type TrimReason = 'age' | 'bytes' | 'passed' | 'before'

export interface PlannedSegment {
  readonly base: Offset
  readonly end: Offset
  readonly bytes: number
  readonly goes: boolean
  /** Undefined: nothing says that it may go. */
  readonly why: TrimReason | undefined
  /** The live readers that have not passed it. */
  readonly heldBy: readonly string[]
}

export interface TrimPlan {
  /** Everything before this offset goes. */
  readonly before: Offset
  /** The sealed segments, oldest first. */
  readonly segments: readonly PlannedSegment[]
}

export interface PlanOptions {
  readonly readers: readonly ReaderStatus[]
  readonly rules: RetentionRules
  /** Instead of what the rules let go: what ends at this offset or before it. */
  readonly before?: Offset | undefined
  /** Whether segments go that live readers have not passed. */
  readonly force?: boolean | undefined
  readonly nowMs: number
}

/** `segments` are all of the log, oldest first, the active one last. */
export function planTrim(segments: readonly SegmentSummary[], options: PlanOptions): TrimPlan {
  const live = options.readers.filter((reader) => isLive(reader, segments, options))
  let excess =
    segments.reduce((sum, { bytes }) => sum + bytes, 0) - (options.rules.maxBytes ?? Number.POSITIVE_INFINITY)
  let going = true
  let before = (segments[0]?.base ?? 0) as Offset
  const planned = segments.slice(0, -1).map((segment, place): PlannedSegment => {
    const { base, end, bytes } = segment
    const heldBy = live.filter((reader) => passedBy(reader) < end).map(({ name }) => name)
    const youngestMs = newestEventMs(segments, place) ?? options.nowMs
    const why = reasonFor({ end, youngestMs, excess, passed: live.length > 0 && heldBy.length === 0 }, options)
    excess -= bytes
    going &&= why !== undefined && (heldBy.length === 0 || options.force === true)
    if (going) before = end
    return { base, end, bytes, goes: going, why, heldBy }
  })
  return { before, segments: planned }
}

interface Candidate {
  readonly end: Offset
  readonly youngestMs: number
  /** How many bytes too many there are, if all before it go. */
  readonly excess: number
  readonly passed: boolean
}

function reasonFor(
  { end, youngestMs, excess, passed }: Candidate,
  { rules, before, nowMs }: PlanOptions
): TrimReason | undefined {
  if (before !== undefined) return end <= before ? 'before' : undefined
  if (rules.maxAgeMs !== undefined && nowMs - youngestMs > rules.maxAgeMs) return 'age'
  if (excess > 0) return 'bytes'
  return rules.passed === true && passed ? 'passed' : undefined
}

/** What a reader will never ask for again ends here. One whose place cannot be read may ask for everything. */
function passedBy(reader: ReaderStatus): number {
  return reader.error === undefined ? reader.floor : 0
}

function isLive(reader: ReaderStatus, segments: readonly SegmentSummary[], { rules, nowMs }: PlanOptions): boolean {
  // Nothing is known of it, so nothing says that it is gone.
  if (reader.error !== undefined) return true
  const { heartbeatMs, maxLagBytes, maxLagMs } = rules.readers ?? {}
  if (heartbeatMs !== undefined && nowMs - reader.heartbeatMs > Math.max(heartbeatMs, grantedMs(reader))) return false
  const end = segments.at(-1)?.end ?? 0
  if (maxLagBytes !== undefined && end - reader.floor > maxLagBytes) return false
  if (maxLagMs === undefined || reader.floor >= end) return true
  const place = segments.findIndex((segment) => segment.end > reader.floor)
  return nowMs - (newestEventMs(segments, place) ?? nowMs) <= maxLagMs
}

/** How long a reader that is open may be silent, whatever the rules say: it cannot be heard of more often than it speaks. */
export function grantedMs({ pid, heartbeatEveryMs }: Pick<KnownReader, 'pid' | 'heartbeatEveryMs'>): number {
  return pid === undefined ? 0 : missedBeatsMax * heartbeatEveryMs
}

/** The time of a segment's newest event; where none can be read, of the oldest one behind it that can. */
function newestEventMs(segments: readonly SegmentSummary[], place: number): number | undefined {
  const own = segments[place]?.lastTimestampMs ?? 0
  if (own > 0) return own
  return segments.slice(place + 1).find(({ firstTimestampMs }) => firstTimestampMs > 0)?.firstTimestampMs
}
