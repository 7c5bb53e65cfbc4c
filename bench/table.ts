// The results as a table for a terminal.

import type { Metric, RowResult, Spread } from './rows.ts'

const units: Readonly<Record<Metric, string>> = {
  rate: '/s',
  wallMs: 'ms',
  p99Ms: 'ms',
  bytesPerEvent: 'B',
  rssMb: 'MB'
}

const header = ['', 'system', 'median', 'from – to', 'ratio', 'from – to', 'by CPU', 'target', ''] as const

export function table(results: readonly RowResult[]): string {
  const lines = [header, ...results.map(cells)]
  const widths = header.map((_, column) => Math.max(...lines.map((line) => (line[column] as string).length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => pad(cell, widths[column] as number, column < 2))
        .join('  ')
        .trimEnd()
    )
    .join('\n')
}

function pad(cell: string, width: number, isText: boolean): string {
  return isText ? cell.padEnd(width) : cell.padStart(width)
}

function cells(result: RowResult): readonly string[] {
  const { title, system, metric, value, ratio, cpuRatio, target, met } = result
  const verdict = met === undefined ? '' : met ? 'met' : 'missed'
  return [
    title,
    system,
    `${digits(value.median)} ${units[metric]}`,
    range(value),
    ratio === undefined ? '' : digits(ratio.median),
    ratio === undefined ? '' : range(ratio),
    cpuRatio === undefined ? '' : digits(cpuRatio.median),
    target,
    verdict
  ]
}

function range({ least, most }: Spread): string {
  return `${digits(least)} – ${digits(most)}`
}

/** Three significant digits, and no exponent. */
function digits(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
}
