// The parser of the demo: transcripts of what git writes, and what becomes of it.

import { describe, expect, it } from 'vitest'
import { textOf, type Commit } from '../examples/git-history/commit.ts'
import { makeParser } from '../examples/git-history/parser.ts'

const hash = 'a'.repeat(40)
const other = 'b'.repeat(40)

/** A transcript with NUL as `|`. */
function parse(transcript: string | Buffer): readonly Commit[] | string {
  const parser = makeParser()
  const bytes = typeof transcript === 'string' ? Buffer.from(transcript.replaceAll('|', '\0')) : transcript
  const commits = parser.push(bytes)
  if (commits._tag === 'Left') return commits.left.message
  const last = parser.end()
  return last._tag === 'Left' ? last.left.message : [...commits.right, ...last.right]
}

function paths(commits: readonly Commit[] | string): readonly (readonly string[])[] | string {
  return typeof commits === 'string' ? commits : commits.map((commit) => commit.changes.map(({ path }) => path))
}

describe('parser', () => {
  it('reads a commit with text and binary changes', () => {
    expect(parse(`commit ${hash}|ada@x|Ada|10|20|Begin|\n3\t1\tsrc/a.ts|-\t-\tlogo.png|`)).toEqual([
      {
        hash,
        authorEmail: 'ada@x',
        authorName: 'Ada',
        authorDateMs: 10_000,
        commitDateMs: 20_000,
        subject: 'Begin',
        changes: [
          { path: 'src/a.ts', added: 3, deleted: 1 },
          { path: 'logo.png', added: null, deleted: null }
        ]
      }
    ])
  })

  it('reads empty commits, which have no line feed behind them', () => {
    const empty = `commit ${hash}|e|n|1|1||`
    expect(paths(parse(`${empty}commit ${other}|e|n|1|1|s|\n1\t0\ta|${empty}`))).toEqual([[], ['a'], []])
  })

  it('keeps tabs, line feeds, quotes and the look of a header in paths', () => {
    const odd = ['a\tb', '\nc', `commit ${other}`, '"d\\', '1\t1\te', ' ']
    const fields = odd.map((path) => `1\t0\t${path}|`).join('')
    expect(paths(parse(`commit ${hash}|e|n|1|1|s|\n${fields}`))).toEqual([odd])
  })

  it('is not misled by a subject or a name that looks like something else', () => {
    const [commit] = parse(`commit ${hash}|1\t1\tx|commit ${other}|1|1|1\t1\ty|\n1\t0\ta|`) as readonly Commit[]
    expect(commit).toMatchObject({ authorEmail: '1\t1\tx', authorName: `commit ${other}`, subject: '1\t1\ty' })
    expect(commit?.changes).toHaveLength(1)
  })

  it('takes the other date when git could not read one, and none that JavaScript cannot hold', () => {
    const dates = (authored: string, committed: string): readonly number[] => {
      const [commit] = parse(`commit ${hash}|e|n|${authored}|${committed}|s|`) as readonly Commit[]
      return [commit?.authorDateMs ?? NaN, commit?.commitDateMs ?? NaN]
    }
    expect(dates('', '7')).toEqual([7000, 7000])
    expect(dates('5', '')).toEqual([5000, 5000])
    expect(dates('', '')).toEqual([0, 0])
    expect(dates('-3', '18446744073709551615')).toEqual([-3000, -3000])
  })

  it('reads SHA-256 repositories', () => {
    expect(parse(`commit ${'c'.repeat(64)}|e|n|1|1|s|`)).toHaveLength(1)
  })

  it('reads no bytes as no commits', () => {
    expect(parse('')).toEqual([])
  })

  it.each([
    ['cut in a field', `commit ${hash}|e|n|1|1|s|\n1\t0\ta`, 'ends within a field'],
    ['cut in a header', `commit ${hash}|e|n|1|`, 'ends within a commit'],
    ['no hash', 'commit abc|e|n|1|1|s|', 'is no hash'],
    ['no commit first', '1\t0\ta|', 'unexpected'],
    ['a rename', `commit ${hash}|e|n|1|1|s|\n1\t0\t|old|new|`, 'unexpected'],
    ['counts of another kind', `commit ${hash}|e|n|1|1|s|\n1\tx\ta|`, 'unexpected'],
    ['a warning', `commit ${hash}|e|n|1|1|s|\nwarning: odd|`, 'unexpected']
  ])('refuses what is not in the format: %s', (_, transcript, reason) => {
    expect(parse(transcript)).toContain(reason)
  })
})

describe('textOf', () => {
  it('leaves UTF-8 as it is and spells out what is not', () => {
    expect(textOf(Buffer.from('données/❄.txt'))).toBe('données/❄.txt')
    expect(textOf(Buffer.from([0x63, 0xe9, 0x2e, 0xff]))).toBe('c\ufffde9.\ufffdff')
    expect(textOf(Buffer.from('\ufffd'))).toBe('\ufffd\ufffd')
    // Half a surrogate pair, as some tools write it, is no UTF-8.
    expect(textOf(Buffer.from([0xed, 0xa0, 0x80]))).toBe('\ufffded\ufffda0\ufffd80')
  })
})
