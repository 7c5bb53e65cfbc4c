// The demo's ingest on a repository with everything that git allows: the log says what git says, whatever happens
// in between. Every test makes its repository anew, without the settings of whoever runs it.

import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { left } from 'fp-ts/lib/Either.js'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { boundAt, placedCommits, talliesAsOf } from '../examples/git-history/asof.ts'
import { textOf } from '../examples/git-history/commit.ts'
import { fileAggregate, HistoryEvent } from '../examples/git-history/events.ts'
import { gitHistory } from '../examples/git-history/git.ts'
import { ingest, type Ingested, type IngestOptions } from '../examples/git-history/ingest.ts'
import {
  extendRepository,
  makeRepository,
  plainGit,
  type CommitDescription
} from '../examples/git-history/sample/fast-import.ts'
import { DiskFull, EventLog, orThrow } from '../src/index.ts'
import { oddCommits, touchedPaths } from './git-history-repository.ts'

type Log = EventLog<HistoryEvent>

let folder: string
let repository: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chronicle-git-history-'))
  repository = mkdtempSync(join(folder, 'repository-'))
})

afterEach(() => {
  vi.unstubAllEnvs()
  rmSync(folder, { recursive: true, force: true })
})

const never = new AbortController().signal

async function withLog<A>(use: (log: Log) => Promise<A>): Promise<A> {
  const log = await orThrow(EventLog.open(join(folder, 'log'), { codec: HistoryEvent }))
  try {
    return await use(log)
  } finally {
    await orThrow(log.close())
  }
}

async function ingestAll(log: Log, options?: IngestOptions): Promise<Ingested> {
  return orThrow(ingest(log, await orThrow(gitHistory(repository)), options))
}

/** Commits that changed the path or what is under it, as git tells. */
function commitsOnPath(path: Buffer): readonly string[] {
  const log = ['--literal-pathspecs', 'log', '--no-merges', '--no-renames', '--full-history', '--format=%H']
  // Arguments are text, and some paths are none; those are told on the input, where a path cannot hold a line feed.
  const answer = path.equals(Buffer.from(path.toString()))
    ? plainGit(repository, [...log, '--', path.toString()])
    : plainGit(repository, [...log, '--stdin'], Buffer.concat([Buffer.from('HEAD\n--\n'), path, Buffer.from('\n')]))
  return answer.toString().split('\n').filter(Boolean).sort()
}

/** The hashes in the events of each file, as often as they stand there. */
async function commitsByFile(log: Log): Promise<ReadonlyMap<string, readonly string[]>> {
  const commits = new Map<string, string[]>()
  for await (const { event } of orThrow(log.replay(undefined, { query: { types: ['FileChanged'] } }))) {
    const hashes = commits.get(event.aggregateId) ?? []
    commits.set(event.aggregateId, [...hashes, event.payload.commit])
  }
  return commits
}

async function expectWhatGitSays(log: Log): Promise<void> {
  const byFile = await commitsByFile(log)
  const paths = touchedPaths()
  for (const path of paths) {
    const id = fileAggregate(textOf(path))
    // Asked for a path, git tells of everything under it too, when the path was once a folder.
    const under = [...byFile].filter(([other]) => other === id || other.startsWith(`${id}/`))
    const hashes = [...new Set(under.flatMap(([, own]) => own))].sort()
    expect(hashes, path.toString()).toEqual(commitsOnPath(path))
    const own = byFile.get(id) ?? []
    expect(new Set(own).size, `${path.toString()} holds no commit twice`).toBe(own.length)
    expect(await orThrow(log.version(id))).toBe(own.length)
  }
  const known = new Set(paths.map((path) => fileAggregate(textOf(path))))
  expect([...byFile.keys()].filter((id) => !known.has(id))).toEqual([])
  expect(await commitHashes(log)).toEqual(listed('--date-order', '--reverse'))
}

function listed(...order: readonly string[]): readonly string[] {
  return plainGit(repository, ['rev-list', '--no-merges', ...order, 'HEAD'])
    .toString()
    .split('\n')
    .filter(Boolean)
}

async function commitHashes(log: Log): Promise<readonly string[]> {
  const commits = await orThrow(() => placedCommits(log, never))
  return commits.map((commit) => commit.hash)
}

describe('ingest', () => {
  it('tells of every path what git log tells', async () => {
    makeRepository(repository, oddCommits())
    await withLog(async (log) => {
      const ingested = await ingestAll(log)
      expect(ingested).toMatchObject({ commitsListed: 22, commitsAppended: 22, commitsOrphaned: 0, interrupted: false })
      await expectWhatGitSays(log)
    })
  })

  it('keeps the counts of lines, null for a binary file, and the dates', async () => {
    makeRepository(repository, oddCommits())
    await withLog(async (log) => {
      await ingestAll(log)
      const [logo] = await orThrow(log.loadAggregate('file:logo.png'))
      expect(logo?.event.payload).toMatchObject({ added: null, deleted: null, authorDateMs: 1_600_000_000_000 })
      const c = await orThrow(log.loadAggregate('file:dir/c'))
      const counts = c.map(({ event }) => (event.eventType === 'FileChanged' ? event.payload : undefined))
      expect(counts).toMatchObject([
        { added: 2, deleted: 0 },
        { added: 0, deleted: 2 }
      ])
      const bob = await orThrow(log.loadAggregate('author:bob@x.example'))
      expect(bob).toHaveLength(6)
      expect(bob[3]?.event.payload).toMatchObject({
        authorName: 'Bób "the" B.',
        authorDateMs: 1_601_123_200_000,
        commitDateMs: 1_592_123_200_000,
        files: 1
      })
    })
  })

  it('writes each commit as one batch that ends with its CommitMade', async () => {
    makeRepository(repository, oddCommits())
    await withLog(async (log) => {
      await ingestAll(log)
      let files = 0
      const open = new Set<string>()
      for await (const { event } of orThrow(log.replay())) {
        open.add(event.payload.commit)
        expect(open.size).toBe(1)
        if (event.eventType === 'FileChanged') files++
        else {
          expect(event.payload.files).toBe(files)
          open.clear()
          files = 0
        }
      }
      expect(open.size).toBe(0)
    })
  })

  it('appends nothing the second time, and then only what is new', async () => {
    makeRepository(repository, oddCommits(12))
    const before = await withLog(async (log) => {
      await ingestAll(log)
      return log.end
    })
    await withLog(async (log) => {
      expect(await ingestAll(log)).toMatchObject({ commitsListed: 11, commitsAppended: 0, eventsAppended: 0 })
      expect(log.end).toBe(before)
    })
    extendRepository(repository, oddCommits())
    await withLog(async (log) => {
      expect(await ingestAll(log)).toMatchObject({ commitsListed: 22, commitsAppended: 11 })
      expect(log.end).toBeGreaterThan(before)
      await expectWhatGitSays(log)
    })
  })

  it('appends parents before children, although their clocks disagree', async () => {
    const author = { name: 'Ada', email: 'ada@x.example' }
    const commit = (authorTime: number, parents?: readonly number[]): CommitDescription => {
      return { author, authorTime, subject: '', files: [], ...(parents && { parents }) }
    }
    // The third commit is older than its parent, and git would tell it first.
    makeRepository(repository, [commit(100), commit(110), commit(50, [0]), commit(120, [1, 2]), commit(130)])
    const [root] = listed('--max-parents=0')
    expect(listed('--reverse')[0]).not.toBe(root)
    await withLog(async (log) => {
      await ingestAll(log)
      const hashes = await commitHashes(log)
      expect(hashes).toHaveLength(4)
      expect(hashes[0]).toBe(root)
    })
  })

  it('says how many commits a rewritten history has left behind', async () => {
    makeRepository(repository, oddCommits(12))
    await withLog((log) => ingestAll(log))
    plainGit(repository, ['update-ref', 'refs/heads/main', 'main~3'])
    await withLog(async (log) => {
      expect(await ingestAll(log)).toMatchObject({ commitsListed: 8, commitsAppended: 0, commitsOrphaned: 3 })
    })
  })

  it('goes on after an interruption behind any commit', async () => {
    makeRepository(repository, oddCommits())
    for (const step of [1, 2, 5, 9]) {
      await withLog(async (log) => {
        const interruption = new AbortController()
        const onProgress = (commits: number): void => (commits === step ? interruption.abort() : undefined)
        const ingested = await ingestAll(log, { signal: interruption.signal, onProgress })
        expect(ingested).toMatchObject({ commitsAppended: step, interrupted: true })
      })
    }
    await withLog(async (log) => {
      expect(await ingestAll(log)).toMatchObject({ commitsKnown: 17, commitsAppended: 5, interrupted: false })
      await expectWhatGitSays(log)
    })
  })

  it('fails with what the log says, and goes on when the cause is gone', async () => {
    makeRepository(repository, oddCommits())
    await withLog(async (log) => {
      const failure = await ingest(failingAfter(log, 4), await orThrow(gitHistory(repository)))()
      expect(failure).toMatchObject({ _tag: 'Left', left: { _tag: 'DiskFull' } })
      expect(await commitHashes(log)).toHaveLength(4)
      expect(await ingestAll(log)).toMatchObject({ commitsAppended: 18 })
      await expectWhatGitSays(log)
    })
  })

  it('splits a commit that is too large for a batch, and finishes one that was left half', async () => {
    makeRepository(repository, oddCommits())
    await withLog(async (log) => {
      const history = await orThrow(gitHistory(repository))
      // Commit 0 goes in two parts, commit 1 in six: it stops within it, three times.
      for (const appends of [3, 1, 2]) {
        const failure = await ingest(failingAfter(log, appends), history, { batchEventsMax: 3 })()
        expect(failure).toMatchObject({ _tag: 'Left', left: { _tag: 'DiskFull' } })
      }
      expect(await commitHashes(log)).toEqual([...listed('--date-order', '--reverse')].slice(0, 1))
      expect(await orThrow(log.version('file:a b'))).toBe(1)
      await ingestAll(log, { batchEventsMax: 3 })
      await expectWhatGitSays(log)
    })
  })

  it('is the same whatever the user has set for git', async () => {
    makeRepository(repository, oddCommits())
    writeFileSync(join(folder, 'order'), 'logo.png\nb\n')
    writeFileSync(join(folder, 'mailmap'), 'Eve <eve@x.example> <ada@x.example>\n')
    const hostile = [
      ['core.quotePath', 'true'],
      ['color.ui', 'always'],
      ['diff.algorithm', 'patience'],
      ['diff.external', 'false'],
      ['diff.ignoreSubmodules', 'all'],
      ['diff.noPrefix', 'true'],
      ['diff.orderFile', join(folder, 'order')],
      ['diff.relative', 'true'],
      ['diff.renames', 'copies'],
      ['i18n.logOutputEncoding', 'latin1'],
      ['log.mailmap', 'true'],
      ['log.showRoot', 'false'],
      ['log.showSignature', 'true'],
      ['mailmap.file', join(folder, 'mailmap')]
    ] as const
    const events = async (): Promise<readonly unknown[]> => {
      const history = await orThrow(gitHistory(repository))
      const commits: unknown[] = []
      for await (const commit of orThrow(history.read(await orThrow(history.list)))) commits.push(commit)
      return commits
    }
    const plain = await events()
    const bare = repository
    repository = join(folder, 'clone')
    plainGit(folder, ['clone', '--quiet', '--no-checkout', bare, repository])
    const submodule = ['[submodule "vendored"]', 'path = vendored', 'url = ../vendored', 'ignore = all']
    writeFileSync(join(repository, '.gitmodules'), submodule.join('\n'))
    for (const [name, value] of hostile) plainGit(repository, ['config', name, value])
    // As in a hook of another repository.
    vi.stubEnv('GIT_DIR', join(folder, 'elsewhere'))
    expect(await events()).toEqual(plain)
    expect(plain).toHaveLength(22)
  })
})

/** The log, but for its disk, which takes this many batches and is full then. */
function failingAfter(log: Log, appends: number): Log {
  let taken = 0
  const full = new DiskFull({ operation: 'write', path: 'segment', errno: 'ENOSPC' })
  return new Proxy(log, {
    get(target, name) {
      if (name === 'append' && taken++ >= appends) return () => async () => left(full)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    }
  })
}

describe('kill', () => {
  /** Ends its own process, without a chance for anyone to clean up, once it has handed over so many commits. */
  const victim = `
    const [ingestUrl, gitUrl, eventsUrl, indexUrl, logFolder, repository, commits] = process.argv.slice(1)
    const { ingest } = await import(ingestUrl)
    const { gitHistory } = await import(gitUrl)
    const { HistoryEvent } = await import(eventsUrl)
    const { EventLog, orThrow } = await import(indexUrl)
    const log = await orThrow(EventLog.open(logFolder, { codec: HistoryEvent }))
    const onProgress = (done) => { if (done === Number(commits)) process.kill(process.pid, 'SIGKILL') }
    await orThrow(ingest(log, await orThrow(gitHistory(repository)), { onProgress }))
    await orThrow(log.close())
  `
  const modules = ['ingest', 'git', 'events'].map((name) => `../examples/git-history/${name}.ts`)
  const urls = [...modules, '../src/index.ts'].map((path) => new URL(path, pathToFileURL(import.meta.filename)).href)

  function killedAt(commits: number): NodeJS.Signals | null {
    const args = ['--import', 'tsx', '--input-type=module', '--eval', victim, ...urls, join(folder, 'log')]
    const { signal } = spawnSync(process.execPath, [...args, repository, `${commits}`], { stdio: 'ignore' })
    return signal
  }

  it('leaves no commit twice and none missing, wherever it strikes', async () => {
    const commits = manyCommits(600)
    makeRepository(repository, commits)
    for (const strike of [1, 40, 7, 222, 100]) expect(killedAt(strike)).toBe('SIGKILL')
    await withLog(async (log) => {
      const there = await commitHashes(log)
      expect(new Set(there).size).toBe(there.length)
      expect(there.length).toBeLessThanOrEqual(370)
      const ingested = await ingestAll(log)
      expect(ingested).toMatchObject({ commitsListed: 600, commitsAppended: 600 - there.length })
      const hashes = await commitHashes(log)
      expect([...hashes].sort()).toEqual([...listed()].sort())
      const byFile = await commitsByFile(log)
      for (const [id, own] of byFile) {
        expect([...own].sort(), id).toEqual(commitsOnPath(Buffer.from(id.slice('file:'.length))))
      }
      expect(byFile.size).toBe(13)
    })
  })

  function manyCommits(count: number): readonly CommitDescription[] {
    const author = { name: 'Ada', email: 'ada@x.example' }
    return Array.from({ length: count }, (_, index) => ({
      author,
      authorTime: 1_600_000_000 + index,
      subject: `Commit ${index}`,
      files: [index % 13, (index * 5 + 1) % 13].map((file) => ({
        path: `file-${file}`,
        content: `${index} in ${file}\n`
      }))
    }))
  }
})

describe('as of', () => {
  it('is what git log --before tells, although dates go back and forth', async () => {
    makeRepository(repository, oddCommits(12))
    await withLog((log) => ingestAll(log))
    // The rest comes behind, and some of it is older.
    extendRepository(repository, oddCommits())
    await withLog(async (log) => {
      await ingestAll(log)
      const commits = await orThrow(() => placedCommits(log, never))
      const dates = [0, ...commits.map((commit) => commit.commitDateMs), 1_600_500_000_000, 2_000_000_000_000]
      for (const dateMs of dates) {
        const bound = boundAt(commits, dateMs)
        const tallies = await orThrow(() => talliesAsOf(log, bound, never))
        const before = `--before=${new Date(dateMs).toISOString()}`
        const hashes = dateMs === 0 ? [] : listed(before)
        expect(bound.commits).toBe(hashes.length)
        expect(tallies.commits).toBe(hashes.length)
        const onA = plainGit(repository, ['log', '--no-merges', '--full-history', '--format=%H', before, '--', 'a'])
        const changes = dateMs === 0 ? 0 : onA.toString().split('\n').filter(Boolean).length
        expect(tallies.files.get('file:a')?.changes ?? 0).toBe(changes)
      }
    })
  })
})
