// The demo as its user meets it: arguments, report, exit codes, the sample.

import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readArguments } from '../examples/git-history/arguments.ts'
import { run } from '../examples/git-history/demo.ts'
import { makeRepository, plainGit } from '../examples/git-history/sample/fast-import.ts'
import { inventedCommits } from '../examples/git-history/sample/invented.ts'
import { recordSample } from '../examples/git-history/sample/record.ts'
import { samplePath } from '../examples/git-history/sample.ts'
import { printable, table } from '../examples/git-history/text.ts'
import { oddCommits } from './git-history-repository.ts'
import { Collector } from './git-history-collector.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chronicle-git-demo-'))
})

afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Ran {
  readonly code: number
  readonly output: string
  readonly errors: string
}

async function demo(argv: readonly string[], options: { checkout?: string; signal?: AbortSignal } = {}): Promise<Ran> {
  const output = new Collector()
  const errors = new Collector()
  const { checkout = join(folder, 'nowhere'), signal = new AbortController().signal } = options
  const code = await run(argv, { checkout, home: folder, output, errors, signal })
  return { code, output: output.text, errors: errors.text }
}

function makeClone(): string {
  const clone = join(folder, 'tides.git')
  mkdirSync(clone)
  makeRepository(clone, inventedCommits())
  return clone
}

/** The lines under a title. */
function section(output: string, title: string): readonly string[] {
  const part = output.split('\n\n').join('\n').split('\n')
  const start = part.findIndex((line) => line.startsWith(title))
  const lines = part.slice(start + 1)
  const end = lines.findIndex((line) => line !== '' && !line.startsWith(' '))
  return start === -1 ? [] : lines.slice(0, end === -1 ? undefined : end).filter((line) => line.trim() !== '')
}

describe('demo', () => {
  it('ingests, projects, loads, goes back and measures', async () => {
    const clone = makeClone()
    const { code, output, errors } = await demo([clone, '--as-of', '2023-12-31', '--top', '3'])
    expect(errors).toContain('ingesting 100% 60/60')
    expect(code).toBe(0)
    expect(section(output, 'Ingest')[0]).toBe('  60 commits without merges: 0 known, 60 appended')
    const touched = plainGit(clone, ['log', '--no-renames', '--name-only', '--format=']).toString().split('\n')
    const events = 60 + touched.filter(Boolean).length
    expect(section(output, 'Replay')[0]).toContain(`  ${events} events`)
    const mainLines = plainGit(clone, ['log', '--numstat', '--format=', '--', 'src/main.ts'])
      .toString()
      .trim()
      .split('\n')
    const added = mainLines.reduce((sum, line) => sum + Number(line.split('\t')[0]), 0)
    const deleted = mainLines.reduce((sum, line) => sum + Number(line.split('\t')[1]), 0)
    expect(section(output, 'Most changed')[1]).toMatch(
      new RegExp(`^ +${mainLines.length} +${added} +${deleted}  src/main.ts$`)
    )
    expect(section(output, 'Most changed')).toHaveLength(4)
    expect(section(output, 'Commits by author').slice(1).join('\n')).toMatch(/^ +\d+ {2}Ada Brandt <ada@tides.example>/)
    expect(section(output, 'Commits by month').at(-1)).toMatch(/and \d+ commits in \d+ earlier months/)
    expect(section(output, 'The most changed file, loaded: src/main.ts')[0]).toContain(`version ${mainLines.length},`)
    const before = plainGit(clone, ['rev-list', '--count', '--before=2023-12-31T23:59:59Z', 'HEAD']).toString().trim()
    expect(section(output, 'As of 2023-12-31T23:59:59Z')[0]).toContain(`  ${before} commits by 4 authors`)
    expect(section(output, 'Sizes')[0]).toContain(`60 commits, ${events} events`)
  })

  it('appends nothing the second time, in the same log', async () => {
    const clone = makeClone()
    await demo([clone])
    const { code, output, errors } = await demo([clone])
    expect(code).toBe(0)
    expect(section(output, 'Ingest')[0]).toBe('  60 commits without merges: 60 known, 0 appended')
    expect(errors).toBe('')
  })

  it('takes the checkout when none is named, and the sample when that is no clone', async () => {
    mkdirSync(join(folder, 'checkout', '.git'), { recursive: true })
    makeRepository(join(folder, 'checkout', '.git'), oddCommits())
    const own = await demo([], { checkout: join(folder, 'checkout') })
    expect(own.output).toContain('The history of checkout\n')
    expect(section(own.output, 'Ingest')[0]).toContain('22 commits')
    const sample = await demo([])
    expect(sample.output).toContain('The history of sample\n')
    expect(section(sample.output, 'Ingest')[0]).toContain('60 commits')
    expect((await demo(['--sample'], { checkout: join(folder, 'checkout') })).output).toContain('60 known')
  })

  it('reads worktrees and subfolders, and warns of a shallow clone', async () => {
    const clone = makeClone()
    const worktree = join(folder, 'worktree')
    plainGit(clone, ['worktree', 'add', '--quiet', worktree])
    expect(section((await demo([join(worktree, 'src')])).output, 'Ingest')[0]).toContain('60 commits')
    const shallow = join(folder, 'shallow')
    plainGit(folder, ['clone', '--quiet', '--bare', '--depth=5', `file://${clone}`, shallow])
    const { output } = await demo([shallow])
    expect(output).toContain('The clone is shallow')
    expect(section(output, 'Ingest')[0]).toContain('5 commits')
  })

  it('prints names from the repository without their control characters', async () => {
    const clone = join(folder, 'odd.git')
    mkdirSync(clone)
    makeRepository(clone, oddCommits())
    const { output } = await demo([clone, '--top', '1000'])
    expect(output).toContain('tab\\x09here')
    expect(output).toContain('line\\x0afeed')
    expect(output).not.toContain('\t')
  })

  it('says what is wrong, with the exit code for it', async () => {
    const missing = await demo([join(folder, 'nothing')])
    expect(missing.code).toBe(1)
    expect(missing.errors).toContain('nothing')
    plainGit(folder, ['init', '--quiet', 'empty'])
    const empty = await demo([join(folder, 'empty')])
    expect(empty.code).toBe(1)
    expect(empty.errors).toContain('no commit yet')
    const unknown = await demo(['--nope'])
    expect(unknown.code).toBe(2)
    expect(unknown.errors).toContain('Usage: npm start')
    const help = await demo(['--help'])
    expect(help.code).toBe(0)
    expect(help.output).toContain('--as-of <date>')
  })

  it('ends an interrupted run with its own exit code, and goes on from there', async () => {
    const clone = makeClone()
    const stopped = await demo([clone], { signal: AbortSignal.abort() })
    expect(stopped.code).toBe(130)
    expect(stopped.errors).toContain('run it again to go on')
    expect(await demo([clone])).toMatchObject({ code: 0 })
  })

  it('runs as a program', () => {
    const root = fileURLToPath(new URL('..', import.meta.url))
    const args = ['--import', 'tsx', 'examples/git-history/main.ts', '--sample', '--log', join(folder, 'log')]
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    expect(stderr).toContain('60/60')
    expect(stdout).toContain('60 appended')
    expect(status).toBe(0)
  })
})

describe('arguments', () => {
  it.each([
    [['--as-of', '2024-02-29'], { asOfMs: Date.UTC(2024, 2, 1) - 1 }],
    [['--as-of', '2024-02-28T12:00'], { asOfMs: Date.UTC(2024, 1, 28, 12) }],
    [['--as-of', '2024-02-28T12:00:00+02:00'], { asOfMs: Date.UTC(2024, 1, 28, 10) }],
    [['repo', '--top', '5', '--log', 'x'], { repository: 'repo', top: 5, log: 'x' }],
    [[], { top: 10, sample: false, help: false, repository: undefined }]
  ])('reads %j', (argv, expected) => {
    expect(readArguments(argv)).toMatchObject({ _tag: 'Right', right: expected })
  })

  it.each([
    [['--as-of', '2023-02-29']],
    [['--as-of', 'yesterday']],
    [['--as-of', '2024-02-28T25:00']],
    [['--top', '0']],
    [['--top', '1e2']],
    [['--log', '']],
    [['']],
    [['one', 'two']],
    [['one', '--sample']],
    [['--no-such']]
  ])('refuses %j', (argv) => {
    expect(readArguments(argv)).toMatchObject({ _tag: 'Left', left: { _tag: 'BadUsage' } })
  })
})

describe('text', () => {
  it('spells out what would steer a terminal', () => {
    expect(printable('a\x1b[31m\nb\u202ec')).toBe('a\\x1b[31m\\x0ab\\u202ec')
    expect(printable('日本語 é')).toBe('日本語 é')
  })

  it('aligns tables: numbers to the right, the last column open', () => {
    expect(
      table(
        ['n', 'name'],
        [
          [1, 'a'],
          [1234, '日本']
        ]
      )
    ).toEqual(['      n  name', '      1  a', '  1,234  日本'])
  })
})

describe('sample', () => {
  it('is what git says of the invented history', () => {
    expect(readFileSync(samplePath, 'utf8').replaceAll('\r\n', '\n')).toBe(recordSample())
  })
})
