// Text for people: aligned columns, numbers with their unit, and nothing that a terminal would obey. File names and
// ids come from outside and may hold anything.

/** The text with control characters, line breaks and changes of direction as escapes. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu, (char) => {
    const code = char.codePointAt(0) ?? 0
    return code < 0x100 ? `\\x${code.toString(16).padStart(2, '0')}` : `\\u{${code.toString(16)}}`
  })
}

/** Rows with their columns aligned; the last column is as long as it is. */
export function columns(rows: readonly (readonly string[])[]): string {
  const widths: number[] = []
  for (const row of rows) {
    for (const [place, cell] of row.entries()) widths[place] = Math.max(widths[place] ?? 0, cell.length)
  }
  return rows
    .map((row) =>
      row.map((cell, place) => (place < row.length - 1 ? cell.padEnd(widths[place] ?? 0) : cell)).join('  ')
    )
    .map((line) => `${line.trimEnd()}\n`)
    .join('')
}

/** `1 error`, `2 errors`. */
export function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`
}
