// Makes repositories out of descriptions, by `git fast-import`: the same description gives the same hashes anywhere,
// whatever the user's git settings are. The sample is recorded from such a repository, and the tests run on some.

import { execFileSync } from 'node:child_process'

export interface Person {
  readonly name: string
  readonly email: string
}

export type FileAction =
  | {
      readonly path: string | Buffer
      readonly content: string | Buffer
      readonly mode?: '100644' | '100755' | '120000'
    }
  | { readonly path: string | Buffer; readonly submodule: string }
  | { readonly path: string | Buffer; readonly remove: true }

export interface CommitDescription {
  readonly author: Person
  /** Seconds since the epoch. */
  readonly authorTime: number
  /** Default: the author time. */
  readonly commitTime?: number
  readonly subject: string
  readonly files: readonly FileAction[]
  /** Places in the list of commits, from 0; default: the commit before. More than one: a merge. */
  readonly parents?: readonly number[]
}

/** Git without the settings of its user, in this folder. */
export function plainGit(folder: string, args: readonly string[], input?: Buffer): Buffer {
  const kept = Object.entries(process.env).filter(([name]) => !name.startsWith('GIT_'))
  const env = { ...Object.fromEntries(kept), GIT_CONFIG_GLOBAL: '/dev/null', GIT_CONFIG_NOSYSTEM: '1' }
  return execFileSync('git', ['-C', folder, ...args], {
    env,
    input,
    maxBuffer: 1 << 30,
    stdio: ['pipe', 'pipe', 'pipe']
  })
}

/** Makes a repository in an existing folder; the last commit becomes HEAD. Bare, since nobody looks at the files. */
export function makeRepository(folder: string, commits: readonly CommitDescription[]): void {
  plainGit(folder, ['init', '--quiet', '--bare', '--initial-branch=main'])
  extendRepository(folder, commits)
}

/** Makes HEAD the last of these commits. The list may begin with the commits that are there: they come out the same. */
export function extendRepository(folder: string, commits: readonly CommitDescription[]): void {
  plainGit(folder, ['fast-import', '--quiet', '--force'], Buffer.concat([...importStream(commits)]))
}

function* importStream(commits: readonly CommitDescription[]): Generator<Buffer> {
  for (const [index, commit] of commits.entries()) {
    const { author, authorTime, commitTime = authorTime, subject } = commit
    const parents = commit.parents ?? (index === 0 ? [] : [index - 1])
    if (parents.length === 0) yield Buffer.from('reset refs/heads/main\n\n')
    yield Buffer.from(`commit refs/heads/main\nmark :${index + 1}\n`)
    yield Buffer.from(`author ${author.name} <${author.email}> ${authorTime} +0000\n`)
    yield Buffer.from(`committer ${author.name} <${author.email}> ${commitTime} +0000\n`)
    yield data(subject)
    for (const [place, parent] of parents.entries()) {
      yield Buffer.from(`${place === 0 ? 'from' : 'merge'} :${parent + 1}\n`)
    }
    for (const file of commit.files) yield* fileCommand(file)
    yield Buffer.from('\n')
  }
}

function* fileCommand(file: FileAction): Generator<Buffer> {
  const path = quoted(file.path)
  if ('remove' in file) {
    yield Buffer.from(`D ${path}\n`)
  } else if ('submodule' in file) {
    yield Buffer.from(`M 160000 ${file.submodule} ${path}\n`)
  } else {
    yield Buffer.from(`M ${file.mode ?? '100644'} inline ${path}\n`)
    yield data(file.content)
  }
}

function data(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string)
  return Buffer.concat([Buffer.from(`data ${bytes.length}\n`), bytes, Buffer.from('\n')])
}

/** A path as git quotes it, every byte that could mean something in octal. */
function quoted(path: string | Buffer): string {
  const bytes = [...Buffer.from(path as string)]
  const plain = /[\w./-]/
  return `"${bytes.map((byte) => (plain.test(String.fromCharCode(byte)) ? String.fromCharCode(byte) : octal(byte))).join('')}"`
}

function octal(byte: number): string {
  return `\\${byte.toString(8).padStart(3, '0')}`
}
