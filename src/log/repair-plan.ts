// What repair would do about a report. Pure: one step for each finding that something can be done about, in the order
// in which they are safe. Damaged frames are no step's business: nothing can bring them back, and no offset may move.

import { markName } from '../core/mark.ts'
import type { Finding, FindingCode, VerifyReport } from './verify-finding.ts'

/** In the order in which steps are done. */
const actions = [
  'remove-temporary',
  'move-aside',
  'rewrite-header',
  'cut-overlap',
  'rewrite-mark',
  'rewrite-trim',
  'settle-tail',
  'rebuild-index',
  'move-orphan'
] as const

export type RepairAction = (typeof actions)[number]

export interface RepairStep {
  readonly action: RepairAction
  /** The file in the log's folder. */
  readonly path: string
  readonly reason: string
  /** Where to cut. */
  readonly offset?: number
}

export interface RepairPlan {
  readonly steps: readonly RepairStep[]
  /** Why nothing is done, although something is wrong: the log would not open afterwards. */
  readonly refusal: string | undefined
}

const actionOf: Readonly<Partial<Record<FindingCode, RepairAction>>> = {
  'leftover-temporary': 'remove-temporary',
  'not-a-file': 'move-aside',
  'segment-not-ours': 'move-aside',
  'segment-unreadable': 'move-aside',
  'segment-foreign': 'move-aside',
  'header-damaged': 'rewrite-header',
  'segment-overlap': 'cut-overlap',
  'mark-missing': 'rewrite-mark',
  'mark-damaged': 'rewrite-mark',
  'mark-foreign': 'rewrite-mark',
  'mark-behind': 'rewrite-mark',
  'torn-tail': 'settle-tail',
  'segment-unfinished': 'settle-tail',
  'index-missing': 'rebuild-index',
  'index-damaged': 'rebuild-index',
  'index-stale': 'rebuild-index',
  'index-differs': 'rebuild-index',
  'index-orphan': 'move-orphan',
  'tier-damaged': 'move-aside',
  'trim-damaged': 'rewrite-trim',
  'trim-void': 'move-aside',
  'trim-unfinished': 'move-aside'
}

export function planRepair(report: VerifyReport): RepairPlan {
  const refusal = refusalOf(report)
  if (refusal !== undefined) return { steps: [], refusal }
  // Without a segment, all that is left is a creation that was cut off: opening makes the log anew.
  const found = report.counts.segments === 0 ? [] : report.findings.flatMap(stepsFor)
  const steps: RepairStep[] = []
  for (const action of actions) {
    for (const step of found) {
      const known = steps.some((other) => other.action === action && other.path === step.path)
      if (step.action === action && !known) steps.push(step)
    }
  }
  return { steps, refusal: undefined }
}

function stepsFor(finding: Finding): readonly RepairStep[] {
  const { code, path, message, offset } = finding
  const action = actionOf[code]
  if (action === undefined) return []
  const step: RepairStep = { action, path, reason: message }
  switch (action) {
    case 'cut-overlap':
      return [offset === undefined ? step : { ...step, offset }]
    case 'move-aside':
      return [step, ...replacementsFor(finding)]
    default:
      return [step]
  }
}

/** What the log keeps where something else stood. */
function replacementsFor({ code, path, message }: Finding): readonly RepairStep[] {
  if (code !== 'not-a-file') return []
  if (path === markName) return [{ action: 'rewrite-mark', path, reason: message }]
  return path.endsWith('.idx') ? [{ action: 'rebuild-index', path, reason: message }] : []
}

/** Why the log would not open afterwards, or is not this release's to change. */
function refusalOf({ findings, counts, totals }: VerifyReport): string | undefined {
  for (const { code, path, message } of findings) {
    const stands = code === 'segment-newer' || code === 'segment-misnamed' || code === 'segment-overlong'
    if (stands || (code === 'not-a-file' && path.startsWith('LOCK'))) return `${path}: ${message}`
  }
  const lost = counts.segments === 0 && totals.error > 0
  return lost ? 'no file in the folder can be read as a segment' : undefined
}
