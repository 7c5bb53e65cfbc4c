// The events of a git history. A commit becomes one `FileChanged` on the aggregate of each path it touched, and last,
// as the seal of its batch, one `CommitMade` on the aggregate of its author: where that stands, the commit is whole.
//
// No tags and no schema ids: every key of an event is an entry in the index, and type and aggregate answer all that
// is asked here. The commit's hash is in the payload and in the event id.

import * as t from 'io-ts'
import { defineEvents, type NewRecorded, type Recorded } from '../../src/index.ts'
import type { Change, Commit } from './commit.ts'

const CommitMade = t.type({
  commit: t.string,
  authorName: t.string,
  authorDateMs: t.number,
  commitDateMs: t.number,
  subject: t.string,
  files: t.number
})

const FileChanged = t.type({
  commit: t.string,
  authorDateMs: t.number,
  /** Lines; null for a binary file. */
  added: t.union([t.number, t.null]),
  deleted: t.union([t.number, t.null])
})

const history = defineEvents({ namespace: 'git' }, { CommitMade, FileChanged })

/** Decodes and encodes the events of this log. */
export const HistoryEvent = history.codec
export type HistoryEvent = t.TypeOf<typeof HistoryEvent>

export type NewHistoryEvent = NewRecorded<HistoryEvent>
export type RecordedHistoryEvent = Recorded<HistoryEvent>

const authorPrefix = 'author:'
const filePrefix = 'file:'

export function authorAggregate(email: string): string {
  return authorPrefix + email
}

export function fileAggregate(path: string): string {
  return filePrefix + path
}

export function emailOf(aggregateId: string): string {
  return aggregateId.slice(authorPrefix.length)
}

export function pathOf(aggregateId: string): string {
  return aggregateId.slice(filePrefix.length)
}

/** Subjects run to megabytes where someone forgot the empty line. */
const subjectLengthMax = 200

/** The commit's events, the same ones at every call: the ids come from the hash. `tags` go on each of them. */
export function commitEvents(commit: Commit, tags?: readonly string[]): readonly NewHistoryEvent[] {
  const events: NewHistoryEvent[] = commit.changes.map((change, index) => fileChanged(commit, change, { index, tags }))
  const { hash, authorName, authorDateMs, commitDateMs } = commit
  const subject = commit.subject.length <= subjectLengthMax ? commit.subject : clipped(commit.subject)
  const payload = { commit: hash, authorName, authorDateMs, commitDateMs, subject, files: commit.changes.length }
  events.push(history.make.CommitMade(authorAggregate(commit.authorEmail), payload, { eventId: hash, tags }))
  return events
}

function fileChanged(
  commit: Commit,
  change: Change,
  options: { readonly index: number; readonly tags: readonly string[] | undefined }
): NewHistoryEvent {
  const { hash, authorDateMs } = commit
  const payload = { commit: hash, authorDateMs, added: change.added, deleted: change.deleted }
  // By place and not by path: a path may be as long as an event id may be.
  const eventId = `${hash}/${options.index}`
  return history.make.FileChanged(fileAggregate(change.path), payload, { eventId, tags: options.tags })
}

function clipped(subject: string): string {
  return `${subject.slice(0, subjectLengthMax - 1).toWellFormed()}…`
}
