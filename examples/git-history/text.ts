// Text for the terminal: numbers, sizes, tables. Pure; colours only when asked for.

import { styleText } from 'node:util'

export interface Style {
  readonly title: (text: string) => string
  readonly faint: (text: string) => string
}

/** Colours when the output is a terminal and its user has not said no (https://no-color.org). */
export function styleFor(output: { readonly isTTY?: boolean | undefined }): Style {
  const plain = (text: string): string => text
  const noColor = process.env['NO_COLOR'] ?? ''
  if (output.isTTY !== true || noColor !== '') return { title: plain, faint: plain }
  return { title: (text) => styleText('bold', text), faint: (text) => styleText('dim', text) }
}

/**
 * Names from a repository are anyone's text: control characters would steer the terminal, and marks of direction
 * would turn the line around, so both are spelled out.
 */
export function printable(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (character) => {
    const code = character.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u${code.toString(16)}`
  })
}

const numbers = new Intl.NumberFormat('en')

/** `12,345` */
export function count(value: number): string {
  return numbers.format(value)
}

/** `1 event`, `2 events` */
export function counted(value: number, noun: string): string {
  return `${count(value)} ${noun}${value === 1 ? '' : 's'}`
}

/** `12.3 MiB` */
export function bytes(value: number): string {
  const units = ['bytes', 'KiB', 'MiB', 'GiB', 'TiB']
  const unit = value < 1 ? 0 : Math.min(Math.floor(Math.log2(value) / 10), units.length - 1)
  return unit === 0 ? `${count(value)} bytes` : `${(value / 1024 ** unit).toFixed(1)} ${units[unit]}`
}

/** `0.42 s` */
export function seconds(ms: number): string {
  return ms < 1000 ? `${ms.toFixed(ms < 10 ? 1 : 0)} ms` : `${(ms / 1000).toFixed(2)} s`
}

/** `23,400 events/s`, to three digits: more would be a lie. */
export function rate(events: number, ms: number): string {
  const perSecond = ms > 0 ? (events / ms) * 1000 : 0
  return `${count(Number(perSecond.toPrecision(3)))} events/s`
}

/** `2024-05-31` */
export function day(dateMs: number): string {
  return new Date(dateMs).toISOString().replace(/T.*$/, '')
}

/** Rows under their heads; numbers to the right. The last column is not padded, so wide characters may stand in it. */
export function table(heads: readonly string[], rows: readonly (readonly (string | number)[])[]): readonly string[] {
  const cells = rows.map((row) => row.map((cell) => (typeof cell === 'number' ? count(cell) : printable(cell))))
  const widths = heads.map((head, column) => Math.max(head.length, ...cells.map((row) => row[column]?.length ?? 0)))
  const isNumber = heads.map((_, column) => typeof rows[0]?.[column] === 'number')
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => padded(cell, widths[column] ?? 0, isNumber[column] === true)).join('  ')
  return [heads, ...cells].map((row) => `  ${line(row)}`.trimEnd())
}

function padded(cell: string, width: number, toTheRight: boolean): string {
  return toTheRight ? cell.padStart(width) : cell.padEnd(width)
}
