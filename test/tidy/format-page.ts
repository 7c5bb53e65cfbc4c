// docs/format.md as its tests read it: tables and examples by name, and what holds of every table of fields.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect } from 'vitest'
import { codeBlocks, hexLines, tables, type HexLine, type Row } from './markdown.ts'

export const text = readFileSync(join(import.meta.dirname, '..', '..', 'docs', 'format.md'), 'utf8')
export const blocks = codeBlocks(text)
const named = tables(text)

export function table(name: string): readonly Row[] {
  const rows = named.get(name)
  if (rows === undefined) throw new Error(`the format document has no table "${name}"`)
  return rows
}

function block(info: string): string {
  const found = blocks.filter((one) => one.info === info)
  if (found.length !== 1) throw new Error(`the format document has ${found.length} blocks "${info}"`)
  return (found[0] as { readonly text: string }).text
}

export function json<A>(name: string): A {
  return JSON.parse(block(`json ${name}`)) as A
}

export const hex = (name: string): readonly HexLine[] => hexLines(block(`hex ${name}`))
export const bytesOf = (lines: readonly HexLine[]): Buffer => Buffer.concat(lines.map((line) => line.bytes))
export const code = (cell: string | undefined): string => /^`(.*)`$/.exec(cell ?? '')?.[1] ?? `not code: ${cell}`
const widths = { bytes: undefined, u16: 2, u32: 4, u64: 8 }

/** Every field begins where the one before it ends, and is as wide as its type. */
export function expectSizesAddUp(rows: readonly Row[], end: number): void {
  let position = 0
  for (const row of rows) {
    expect(Number(row['position']), row['field']).toBe(position)
    const width = widths[row['type'] as keyof typeof widths]
    if (width !== undefined) expect(Number(row['size']), row['field']).toBe(width)
    position += Number(row['size'])
  }
  expect(position).toBe(end)
}

/** A hex example has one line per field, as wide as the table says and named alike. */
export function expectLinesFollow(rows: readonly Row[], lines: readonly HexLine[]): void {
  expect(lines.map((line) => line.note)).toEqual(rows.map((row) => row['field']))
  expect(lines.map((line) => line.bytes.length)).toEqual(rows.map((row) => Number(row['size'])))
}

/** Changes one field of the value after the other, and sees only that field's bytes and the CRC change. */
export function expectFieldsStandThere<A extends object>(
  rows: readonly Row[],
  encode: (value: A) => Buffer,
  value: A
): void {
  const crc = rows.at(-1) as Row
  for (const field of Object.keys(value) as (keyof A & string)[]) {
    const row = rows.find((one) => one['field'] === field)
    // The mark's flag is the one field without a row of its own; its example shows it.
    if (row === undefined) {
      expect(field).toBe('clean')
      continue
    }
    const changed = encode({ ...value, [field]: (value[field] as number) + 0x1234 })
    const expected = encode(value)
    const [start, end] = [Number(row['position']), Number(row['position']) + Number(row['size'])]
    expect(changed.subarray(start, end), field).not.toEqual(expected.subarray(start, end))
    changed.copy(expected, start, start, end)
    changed.copy(expected, Number(crc['position']), Number(crc['position']))
    expect(changed, field).toEqual(expected)
  }
}
