// A small repository with everything that git allows and a reader of it may get wrong.

import type { CommitDescription, FileAction, Person } from '../examples/git-history/sample/fast-import.ts'

const ada: Person = { name: 'Ada', email: 'ada@x.example' }
const bob: Person = { name: 'Bób "the" B.', email: 'bob@x.example' }
const nobody: Person = { name: '', email: '' }

const oddPaths: readonly (string | Buffer)[] = [
  'a b',
  'tab\there',
  'line\nfeed',
  '\nfirst',
  'quote"\'`$(x)',
  'back\\slash',
  '-dash',
  ':(glob)*',
  '*.ts',
  'commit 0123456789012345678901234567890123456789',
  '1\t1\tcount',
  'ünïcödé/日本語.txt',
  '\ufffd',
  '__proto__/constructor',
  Buffer.from([0x63, 0x61, 0x66, 0xe9]),
  Buffer.from([0x63, 0x61, 0x66, 0xe8]),
  Buffer.from([0xff, 0xfe, 0x2f, 0xc3, 0x28])
]

const put = (path: string | Buffer, content: string): FileAction => ({ path, content })
const remove = (path: string | Buffer): FileAction => ({ path, remove: true })

const binary: FileAction = { path: 'logo.png', content: Buffer.from([1, 0, 2, 0]) }

// The submodule asks to be ignored; it is a path of the history all the same.
const ignoring = '[submodule "vendored"]\n\tpath = vendored\n\turl = ../vendored\n\tignore = all\n'

interface Step {
  readonly author?: Person
  readonly time?: number
  readonly commitTime?: number
  readonly parents?: readonly number[]
  readonly files: readonly FileAction[]
}

const submodule = (digit: string): FileAction => ({ path: 'vendored', submodule: digit.repeat(40) })

const steps: readonly Step[] = [
  { files: [put('a', '1\n'), put('b', '1\n'), put('dir/c', '1\n2\n'), binary] },
  { files: oddPaths.map((path) => put(path, 'odd\n')) },
  { author: bob, files: [put('a', '1\n2\n')] },
  { author: nobody, files: [] },
  // The mode alone, then the type.
  { files: [{ path: 'b', content: '1\n', mode: '100755' }] },
  { files: [{ path: 'b', content: 'a', mode: '120000' }] },
  // A branch off commit 2, and its merge, which changes a file itself.
  { author: bob, parents: [2], files: [put('branch', '1\n'), put('a', '0\n1\n2\n')] },
  { author: bob, files: [put('branch', '2\n')] },
  { parents: [5, 7], files: [put('a', 'merged\n'), put('only-in-merge', '1\n')] },
  // A rename, with and without a change; the same content twice.
  { files: [remove('dir/c'), put('dir/d', '1\n2\n')] },
  { files: [remove('dir/d'), put('moved', '1\n2\n3\n'), put('copy', '1\n2\n3\n')] },
  // Clocks that went wrong: back, and far ahead.
  { time: -5_000_000, files: [put('a', 'past\n')] },
  { time: 9_000_000, files: [put('a', 'future\n'), put('copy', 'future\n')] },
  { author: bob, commitTime: -9_000_000, files: [put('a', 'now\n')] },
  // A file becomes a folder, the folder a submodule, the submodule a file.
  { files: [remove('moved'), put('moved/into/folder', '1\n')] },
  { files: [remove('moved/into/folder'), submodule('1'), put('.gitmodules', ignoring)] },
  { files: [submodule('2')] },
  { files: [remove('vendored'), put('vendored', 'a file\n'), { path: 'logo.png', content: Buffer.from([0, 1]) }] },
  // A second root, and a merge of unrelated histories.
  { author: bob, parents: [], files: [put('other-root', '1\n'), put('a', '1\n')] },
  { author: bob, files: [put('other-root', '2\n')] },
  { parents: [17, 19], files: [put('other-root', '2\n')] },
  { files: oddPaths.map((path, index) => (index % 2 === 0 ? remove(path) : put(path, 'odder\n'))) },
  // Undone again: nothing is left of it, but it was.
  { files: [put('passing', '1\n')] },
  { files: [remove('passing')] }
]

const startTime = 1_600_000_000

/** The commits; those of `oddCommits(n)` are the first n of all. */
export function oddCommits(length = steps.length): readonly CommitDescription[] {
  return steps.slice(0, length).map((step, index) => {
    const time = startTime + index * 86_400
    const authorTime = time + (step.time ?? 0)
    const commitTime = time + (step.commitTime ?? step.time ?? 0)
    const { author = ada, files, parents } = step
    const subject = index % 7 === 0 ? '' : `Step ${index}\n\nand more of it\n`
    return { author, authorTime, commitTime, subject, files, ...(parents && { parents }) }
  })
}

/** Every path that a commit touches, as bytes. */
export function touchedPaths(): readonly Buffer[] {
  const paths = steps.flatMap((step) => step.files.map((file) => Buffer.from(file.path as string).toString('latin1')))
  return [...new Set(paths)].map((path) => Buffer.from(path, 'latin1'))
}
