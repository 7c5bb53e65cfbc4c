// What verifying a log can find: a closed set of codes, each of one severity, and the report that holds the findings.
// Scripts match on the codes, so a code that was released keeps its meaning; docs/cli.md says what to do about each.

/** 'note': nothing to do. 'warning': it costs time, or what nobody was promised. 'error': data cannot be read. */
export type Severity = 'note' | 'warning' | 'error'

export const severities = {
  // The folder
  'not-a-file': 'error',
  'leftover-temporary': 'warning',
  'unknown-file': 'note',
  'kept-aside': 'note',
  // Segments as a whole
  'segment-newer': 'error',
  'segment-not-ours': 'error',
  'segment-unreadable': 'error',
  'segment-misnamed': 'error',
  'segment-overlong': 'error',
  'segment-foreign': 'error',
  'segment-overlap': 'error',
  'segment-unfinished': 'warning',
  'header-damaged': 'error',
  // Frames and what they hold
  'frames-missing': 'error',
  'frames-damaged': 'error',
  'record-invalid': 'error',
  'batch-unfinished': 'error',
  'version-wrong': 'error',
  'version-gap': 'note',
  'time-falls': 'warning',
  'durability-claim': 'warning',
  'not-canonical': 'warning',
  // The end of the log
  'end-missing': 'error',
  'torn-tail': 'warning',
  'tail-unwritten': 'note',
  'tail-growing': 'note',
  // The index
  'index-missing': 'warning',
  'index-damaged': 'warning',
  'index-stale': 'warning',
  'index-orphan': 'warning',
  'tier-damaged': 'warning',
  'index-differs': 'error',
  'index-before-damage': 'note',
  // What was trimmed
  'trim-damaged': 'error',
  'trim-void': 'warning',
  'trim-unfinished': 'warning',
  // The mark
  'mark-missing': 'warning',
  'mark-damaged': 'warning',
  'mark-foreign': 'warning',
  'mark-behind': 'warning'
} as const

export type FindingCode = keyof typeof severities

export interface Finding {
  readonly severity: Severity
  readonly code: FindingCode
  /** The file in the log's folder. */
  readonly path: string
  /** The part of the log it is about, [offset, nextOffset), where it is about a part. */
  readonly offset?: number
  readonly nextOffset?: number
  readonly message: string
}

export interface VerifyCounts {
  /** Segments that can be read, those whose header must be repaired first included. */
  readonly segments: number
  readonly frames: number
  readonly batches: number
  readonly aggregates: number
  /** Of intact frames. */
  readonly bytes: number
}

export interface VerifyReport {
  /** Undefined when no segment, index or mark tells it. */
  readonly logId: number | undefined
  /** Where the log ends: where the next event will stand. */
  readonly end: number
  /** Everything before this offset was once on disk: the mark, an index or a later segment says so. */
  readonly durable: number
  readonly counts: VerifyCounts
  /** How many findings of each severity there are, those left out included. */
  readonly totals: Readonly<Record<Severity, number>>
  /** The folder first, then each segment with its index, then the mark, and what may have come meanwhile. */
  readonly findings: readonly Finding[]
  /** How many findings were left out, since a badly damaged log could have millions. */
  readonly omitted: number
}

/** The worst severity of a report; undefined for a healthy log. A note is no fault. */
export function worstOf(report: VerifyReport): 'warning' | 'error' | undefined {
  if (report.totals.error > 0) return 'error'
  return report.totals.warning > 0 ? 'warning' : undefined
}

/** How many findings of one code are kept. Codes that are about a whole file are always kept: repair plans by them. */
export const findingsMax = 1_000

const perFrame: ReadonlySet<FindingCode> = new Set<FindingCode>([
  ...(['frames-damaged', 'record-invalid', 'batch-unfinished', 'version-wrong', 'version-gap'] as const),
  ...(['time-falls', 'durability-claim', 'not-canonical'] as const)
])

/** Gathers findings in their order. */
export class Findings {
  readonly list: Finding[] = []
  readonly totals: Record<Severity, number> = { note: 0, warning: 0, error: 0 }
  /** How many findings were counted and not kept. */
  omitted = 0
  private readonly counts = new Map<FindingCode, number>()

  add(code: FindingCode, finding: Omit<Finding, 'severity' | 'code'>): void {
    const severity = severities[code]
    this.totals[severity]++
    const count = this.counts.get(code) ?? 0
    this.counts.set(code, count + 1)
    if (count >= findingsMax && perFrame.has(code)) this.omitted++
    else this.list.push({ severity, code, ...finding })
  }
}
