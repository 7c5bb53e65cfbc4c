// Reads what the documents' tests need of Markdown: fenced blocks, tables that a comment names, and annotated bytes.

/** A fenced block: what stands behind the opening fence, the text inside, and the line of the fence, from 1. */
export interface CodeBlock {
  readonly info: string
  readonly text: string
  readonly line: number
}

/** The fenced blocks of a document, in order. */
export function codeBlocks(text: string): readonly CodeBlock[] {
  return [...text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)].map((match) => ({
    info: (match[1] as string).trim(),
    text: match[2] as string,
    line: text.slice(0, match.index).split('\n').length
  }))
}

/** A table's row by the names of its columns. */
export type Row = Readonly<Record<string, string>>

/** The tables that follow a line `<!-- table: name -->`. */
export function tables(text: string): ReadonlyMap<string, readonly Row[]> {
  const found = text.matchAll(/^<!-- table: ([\w-]+) -->\n+((?:\|.*\n)+)/gm)
  return new Map([...found].map((match) => [match[1] as string, rows(match[2] as string)]))
}

function rows(table: string): readonly Row[] {
  const [head, , ...body] = table.trimEnd().split('\n').map(cells)
  return body.map((row) =>
    Object.fromEntries((head as readonly string[]).map((name, place) => [name, row[place] ?? '']))
  )
}

function cells(line: string): readonly string[] {
  return line
    .slice(1, line.lastIndexOf('|'))
    .split('|')
    .map((cell) => cell.trim())
}

/** A line of an annotated example: bytes, and what they are. */
export interface HexLine {
  readonly bytes: Buffer
  readonly note: string
}

/** The lines of an example: bytes in hexadecimal, at least two spaces, a note. */
export function hexLines(text: string): readonly HexLine[] {
  return text
    .trimEnd()
    .split('\n')
    .map((line) => {
      const match = /^([0-9a-f]{2}(?: [0-9a-f]{2})*) {2,}(\S.*)$/.exec(line)
      if (match === null) throw new Error(`no annotated bytes: ${line}`)
      return { bytes: Buffer.from((match[1] as string).replaceAll(' ', ''), 'hex'), note: match[2] as string }
    })
}

/** A program of a document, put together from its blocks. */
export interface Program {
  /** The line of its first block. */
  readonly line: number
  readonly text: string
  readonly runs: boolean
  /** What it must print, when the document says so. */
  readonly output: string | undefined
}

/** The programs of a document, in order. */
export function programs(text: string): readonly Program[] {
  return codeBlocks(text).reduce<readonly Program[]>((found, block) => {
    const last = found.at(-1)
    const earlier = found.slice(0, -1)
    const [language, mode] = block.info.split(' ')
    if (last !== undefined && block.info === 'text output') return [...earlier, { ...last, output: block.text }]
    if (language !== 'ts' && language !== 'js' && language !== 'typescript' && language !== 'javascript') return found
    if (mode === 'file') return found
    if (last !== undefined && mode === 'more') return [...earlier, { ...last, text: `${last.text}\n${block.text}` }]
    return [...found, { line: block.line, text: block.text, runs: mode !== 'no-run', output: undefined }]
  }, [])
}

/** The files that the programs of a document import: blocks `ts file name.ts`. */
export function filesOf(text: string): readonly { readonly name: string; readonly text: string }[] {
  return codeBlocks(text).flatMap((block) => {
    const name = /^ts file ([\w-]+\.ts)$/.exec(block.info)?.[1]
    return name === undefined ? [] : [{ name, text: block.text }]
  })
}

function withoutCode(text: string): string {
  return text.replace(/^```.*\n[\s\S]*?^```$/gm, '').replace(/`[^`\n]*`/g, '')
}

/** Where the links of a document lead inside the repository: paths from its folder, with their anchors. */
export function linksOf(text: string): readonly string[] {
  return [...withoutCode(text).matchAll(/\]\(([^)\s]+)\)/g)]
    .map((match) => match[1] as string)
    .filter((link) => !/^[a-z]+:/.test(link))
}

/** The anchors of a document's headings, as GitHub makes them. */
export function anchors(text: string): readonly string[] {
  const headings = text.replace(/^```.*\n[\s\S]*?^```$/gm, '').matchAll(/^#+ (.+)$/gm)
  return [...headings].map((match) =>
    (match[1] as string)
      .trim()
      .toLowerCase()
      .replace(/[^\w\s-]/gu, '')
      .replaceAll(' ', '-')
  )
}
