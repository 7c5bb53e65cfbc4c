// The git program, run without a shell. Only plumbing commands are asked for the history: `git log` obeys a dozen
// settings of its user (renames, mailmap, relative paths, submodules, signatures, order of files), `git rev-list` and
// `git diff-tree` none of them, and `diff-tree` can be asked for just the commits that a log lacks.

import { spawn, type ChildProcessByStdio } from 'node:child_process'
import { basename, dirname, resolve } from 'node:path'
import { Readable, type Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Commit } from './commit.ts'
import { GitFailed, type History, type HistoryError } from './history.ts'
import { BadHistory, logFormat, makeParser, type Parser } from './parser.ts'

/** The history of the repository that `folder` is in: a clone, a bare clone, a linked worktree. */
export function gitHistory(folder: string): TaskEither<GitFailed, History> {
  const path = resolve(folder)
  return async () => {
    const answer = await runGit(path, ['rev-parse', '--absolute-git-dir', '--is-shallow-repository'])
    if (answer._tag === 'Left') return answer
    const [gitFolder = path, shallow = ''] = answer.right.trimEnd().split('\n')
    const head = await runGit(path, ['rev-parse', '--quiet', '--verify', 'HEAD^{commit}'])
    if (head._tag === 'Left') return left(new GitFailed(`${path} has no commit yet: HEAD leads nowhere`, head.left))
    return right({
      name: repositoryName(gitFolder),
      place: gitFolder,
      remarks: shallow === 'true' ? [shallowRemark] : [],
      list: listCommits(path, head.right.trim()),
      read: (hashes) => readCommits(path, hashes)
    })
  }
}

const shallowRemark =
  'The clone is shallow: its oldest commits stand without their parents and seem to touch every file. ' +
  'Once it is deepened, start a new log.'

function repositoryName(gitFolder: string): string {
  const name = basename(gitFolder)
  return name === '.git' ? basename(dirname(gitFolder)) : name.replace(/\.git$/, '')
}

/** By commit date, but never a child before its parent, as a wrong clock would have it. */
export const listArguments: readonly string[] = ['rev-list', '--date-order', '--reverse', '--no-merges']

function listCommits(folder: string, head: string): TaskEither<GitFailed, readonly string[]> {
  return async () => {
    const answer = await runGit(folder, [...listArguments, head])
    return answer._tag === 'Left' ? answer : right(answer.right.split('\n').filter((line) => line !== ''))
  }
}

/**
 * `--root` shows what the first commit brings, `--always` a commit that changes nothing; a submodule counts as a path
 * whatever .gitmodules says. Other settings do not reach a plumbing command.
 */
export const readArguments: readonly string[] = [
  ...['diff-tree', '--stdin', '-r', '-z', '--root', '--always', '--numstat', '--no-renames'],
  ...['--ignore-submodules=none', '--encoding=UTF-8', `--format=${logFormat}`]
]

/** Hashes go in and commits come out at the pace of the reader: unread output fills the pipe, and git waits. */
async function* readCommits(folder: string, hashes: readonly string[]): AsyncGenerator<Either<HistoryError, Commit>> {
  if (hashes.length === 0) return
  const git = startGit(folder, readArguments)
  const ended = endOf(git)
  // When git ends early its input breaks; why it ended is told by `ended`.
  const fed = pipeline(Readable.from(lines(hashes)), git.stdin).catch(() => undefined)
  const parser = makeParser()
  let count = 0
  try {
    for await (const chunk of git.stdout as AsyncIterable<Buffer>) {
      const commits = checked(parser.push(chunk), hashes, count)
      yield* commits
      if (commits.at(-1)?._tag === 'Left') return
      count += commits.length
    }
    await fed
    const failure = await ended
    yield* failure === undefined ? lastCommits(parser, hashes, count) : [left(failure)]
  } finally {
    git.kill()
    await ended
  }
}

function lastCommits(
  parser: Parser,
  hashes: readonly string[],
  count: number
): readonly Either<HistoryError, Commit>[] {
  const last = checked(parser.end(), hashes, count)
  if (last.some((commit) => commit._tag === 'Left') || count + last.length === hashes.length) return last
  return [...last, left(new BadHistory(`git told ${count + last.length} of ${hashes.length} commits`))]
}

/** Every commit must be the one that was asked for: none missing, none twice. */
function checked(
  parsed: Either<BadHistory, readonly Commit[]>,
  hashes: readonly string[],
  count: number
): readonly Either<HistoryError, Commit>[] {
  if (parsed._tag === 'Left') return [parsed]
  const wrong = parsed.right.findIndex((commit, index) => commit.hash !== hashes[count + index])
  if (wrong === -1) return parsed.right.map((commit) => right(commit))
  const fault = new BadHistory(`asked for ${hashes[count + wrong]}, told ${parsed.right[wrong]?.hash}`)
  return [...parsed.right.slice(0, wrong).map((commit) => right(commit)), left(fault)]
}

function* lines(hashes: readonly string[]): Generator<string> {
  const hashesPerWrite = 512
  for (let start = 0; start < hashes.length; start += hashesPerWrite) {
    yield `${hashes.slice(start, start + hashesPerWrite).join('\n')}\n`
  }
}

type Git = ChildProcessByStdio<Writable, Readable, Readable>

/** What points git elsewhere than at the folder it is given; set inside git's own hooks. */
const repositoryVariables = [
  ...['GIT_DIR', 'GIT_WORK_TREE', 'GIT_COMMON_DIR', 'GIT_INDEX_FILE', 'GIT_OBJECT_DIRECTORY', 'GIT_NAMESPACE'],
  ...['GIT_PREFIX', 'GIT_SHALLOW_FILE', 'GIT_GRAFT_FILE']
]

function startGit(folder: string, args: readonly string[]): Git {
  const env = { ...process.env, GIT_OPTIONAL_LOCKS: '0', GIT_TERMINAL_PROMPT: '0' }
  const kept = Object.fromEntries(Object.entries(env).filter(([name]) => !repositoryVariables.includes(name)))
  return spawn('git', ['-C', folder, ...args], { env: kept, stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true })
}

/** Resolves when git has ended and its output was taken: to undefined when all is well. */
function endOf(git: Git): Promise<GitFailed | undefined> {
  const said: Buffer[] = []
  git.stderr.on('data', (chunk: Buffer) => {
    // The first lines say what is wrong; a flood behind them must not fill the memory.
    if (said.length < 16) said.push(chunk)
  })
  return new Promise((settle) => {
    git.on('error', (error: NodeJS.ErrnoException) => {
      const missing = error.code === 'ENOENT'
      settle(new GitFailed(missing ? 'git was not found; install it, or try --sample' : error.message, error))
    })
    git.on('close', (code, signal) => {
      const words = Buffer.concat(said).toString('utf8').trim()
      const how = signal === null ? `exit code ${code}` : `signal ${signal}`
      settle(code === 0 ? undefined : new GitFailed(words === '' ? `git ended with ${how}` : `git: ${words}`))
    })
  })
}

async function runGit(folder: string, args: readonly string[]): Promise<Either<GitFailed, string>> {
  const git = startGit(folder, args)
  const chunks: Buffer[] = []
  git.stdin.on('error', () => undefined)
  git.stdin.end()
  git.stdout.on('data', (chunk: Buffer) => chunks.push(chunk))
  const failure = await endOf(git)
  return failure === undefined ? right(Buffer.concat(chunks).toString('utf8')) : left(failure)
}
