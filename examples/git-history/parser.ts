// From git's bytes to commits, without I/O: chunks go in, commits come out, wherever the chunks are cut.
//
// The format, all fields ended by NUL, which no path and no name can hold:
//
//   "commit <hash>" · author email · author name · author time · commit time · subject     (times in s, see `logFormat`)
//   then for each touched path "<added> TAB <deleted> TAB <path>", counts "-" for binary; git puts a line feed
//   before the first of them
//
// A path's field begins with a digit or "-", so "commit " always begins the next commit, whatever a path is called.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { textOf, type Change, type Commit } from './commit.ts'

/** The --format that makes git write what the parser reads. */
export const logFormat = 'commit %H%x00%ae%x00%an%x00%at%x00%ct%x00%s'

/** The bytes are not in the format: another git, or a cut stream. */
export class BadHistory extends Error {
  readonly _tag = 'BadHistory'
  constructor(reason: string) {
    super(`the history cannot be read: ${reason}`)
    this.name = 'BadHistory'
  }
}

export interface Parser {
  /** Takes the next bytes; answers with the commits that are complete by now. After a Left the parser is spent. */
  readonly push: (chunk: Uint8Array) => Either<BadHistory, readonly Commit[]>
  /** There are no more bytes; answers with the last commit, if there is one. */
  readonly end: () => Either<BadHistory, readonly Commit[]>
}

const headerFields = 6
const nul = 0
const lineFeed = 0x0a
const tab = 0x09
const commitMark = Buffer.from('commit ')

export function makeParser(): Parser {
  /** Bytes of a field whose NUL has not come yet. */
  let rest: Uint8Array = Buffer.alloc(0)
  /** The fields of the commit being read; the header is complete when there are `headerFields` of them. */
  let header: Buffer[] = []
  /** The changes of the commit being read. */
  let changes: Change[] = []

  function takeField(field: Buffer): Either<BadHistory, Commit | undefined> {
    if (header.length > 0 && header.length < headerFields) {
      header.push(field)
      return right(undefined)
    }
    const body = header.length > 0 && changes.length === 0 && field[0] === lineFeed ? field.subarray(1) : field
    if (startsWith(body, commitMark)) {
      const done = takeCommit()
      header = [body.subarray(commitMark.length)]
      return done
    }
    const change = header.length > 0 ? readChange(body) : undefined
    if (change === undefined) return left(new BadHistory(`unexpected ${JSON.stringify(textOf(body.subarray(0, 200)))}`))
    changes.push(change)
    return right(undefined)
  }

  function takeCommit(): Either<BadHistory, Commit | undefined> {
    if (header.length === 0) return right(undefined)
    const commit = readCommit(header, changes)
    header = []
    changes = []
    return commit
  }

  return {
    push(chunk) {
      const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk])
      const commits: Commit[] = []
      let start = 0
      for (let stop = bytes.indexOf(nul); stop !== -1; stop = bytes.indexOf(nul, start)) {
        const taken = takeField(bytes.subarray(start, stop))
        if (taken._tag === 'Left') return taken
        if (taken.right !== undefined) commits.push(taken.right)
        start = stop + 1
      }
      rest = bytes.subarray(start)
      return right(commits)
    },
    end() {
      if (rest.length > 0) return left(new BadHistory('it ends within a field'))
      if (header.length > 0 && header.length < headerFields) return left(new BadHistory('it ends within a commit'))
      const last = takeCommit()
      return last._tag === 'Left' ? last : right(last.right === undefined ? [] : [last.right])
    }
  }
}

function readCommit(header: readonly Buffer[], changes: readonly Change[]): Either<BadHistory, Commit> {
  const [hash = '', authorEmail = '', authorName = '', authored = '', committed = '', subject = ''] = header.map(textOf)
  if (!/^(?:[0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)) return left(new BadHistory(`${JSON.stringify(hash)} is no hash`))
  // Git leaves a date that it cannot read empty; such commits exist in old, converted histories.
  const commitDateMs = readDate(committed) ?? readDate(authored) ?? 0
  const authorDateMs = readDate(authored) ?? commitDateMs
  return right({ hash, authorEmail, authorName, authorDateMs, commitDateMs, subject, changes })
}

/** The largest time that a JavaScript Date can hold, in ms. */
const dateMsMax = 8.64e15

function readDate(seconds: string): number | undefined {
  if (!/^-?\d+$/.test(seconds)) return undefined
  const ms = Number(seconds) * 1000
  return Math.abs(ms) <= dateMsMax ? ms : undefined
}

function readChange(field: Buffer): Change | undefined {
  const first = field.indexOf(tab)
  const second = field.indexOf(tab, first + 1)
  if (first === -1 || second === -1 || second + 1 === field.length) return undefined
  const added = readCount(field.toString('latin1', 0, first))
  const deleted = readCount(field.toString('latin1', first + 1, second))
  if (added === undefined || deleted === undefined) return undefined
  return { path: textOf(field.subarray(second + 1)), added, deleted }
}

/** null for "-", undefined for what is no count. */
function readCount(text: string): number | null | undefined {
  if (text === '-') return null
  return /^\d+$/.test(text) ? Number(text) : undefined
}

function startsWith(bytes: Buffer, mark: Buffer): boolean {
  return bytes.length >= mark.length && bytes.compare(mark, 0, mark.length, 0, mark.length) === 0
}
