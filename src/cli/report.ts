// The reports of verify and repair as people read them, and as programs do.

import type { RepairStep } from '../log/repair-plan.ts'
import type { Finding, VerifyReport } from '../log/verify-finding.ts'
import { columns, count, printable } from './text.ts'

/** A verify report as JSON has it: what is not known is null, so that every key is always there. */
export function reportJson(report: VerifyReport): object {
  const { logId, end, durable, counts, totals, findings, omitted } = report
  return { logId: logId ?? null, end, durable, counts, totals, findings, omitted }
}

/** What was read. */
export function summaryText(folder: string, report: VerifyReport): string {
  const { segments, frames, batches, aggregates, bytes } = report.counts
  return columns([
    ['log', printable(folder)],
    ['id', String(report.logId ?? 'unknown')],
    ['segments', String(segments)],
    ['frames', String(frames)],
    ['batches', String(batches)],
    ['aggregates', String(aggregates)],
    ['bytes', String(bytes)],
    ['end', String(report.end)]
  ])
}

/** The findings, each with its message on a line of its own. */
export function findingsText({ findings, omitted }: VerifyReport): string {
  const heads = columns(
    findings.map((finding) => [finding.severity, finding.code, printable(finding.path), place(finding)])
  )
  const lines = heads.split('\n').slice(0, -1)
  const text = lines.map((line, at) => `${line}\n         ${printable(findings[at]?.message ?? '')}\n`).join('')
  return omitted === 0 ? text : `${text}and ${omitted} more like these\n`
}

function place({ offset, nextOffset }: Finding): string {
  return offset === undefined ? '' : `${offset}–${nextOffset ?? '?'}`
}

/** `2 errors, 1 warning, 3 notes`; what there is none of is left out. */
export function totalsText({ totals }: VerifyReport): string {
  const parts = (['error', 'warning', 'note'] as const).filter((severity) => totals[severity] > 0)
  return parts.map((severity) => count(totals[severity], severity)).join(', ')
}

/** The steps of a repair, each with its reason on a line of its own. */
export function stepsText(steps: readonly RepairStep[]): string {
  const lines = columns(steps.map(({ action, path }) => [`  ${action}`, printable(path)])).split('\n')
  return steps.map(({ reason }, at) => `${lines[at] ?? ''}\n         ${printable(reason)}\n`).join('')
}
