// What is made of the events: tallies by file, by author and by month. A tally is the same whatever the order of the
// events, so a commit that was appended late, after a merge for instance, counts like any other.

import { emailOf, pathOf, type RecordedHistoryEvent } from './events.ts'

export interface FileTally {
  readonly path: string
  changes: number
  added: number
  deleted: number
}

export interface AuthorTally {
  readonly email: string
  /** As the latest of the author's events spells it. */
  name: string
  commits: number
}

/** Grows in place by `tally`, since a copy for each event would make replay quadratic. */
export interface Tallies {
  events: number
  commits: number
  readonly files: Map<string, FileTally>
  readonly authors: Map<string, AuthorTally>
  /** Commits by month of the author date, in UTC: `2024-05`. */
  readonly months: Map<string, number>
}

export function noTallies(): Tallies {
  return { events: 0, commits: 0, files: new Map(), authors: new Map(), months: new Map() }
}

/** Counts one event. */
export function tally(tallies: Tallies, event: RecordedHistoryEvent): void {
  tallies.events++
  if (event.eventType === 'FileChanged') tallyFile(tallies, event)
  else tallyCommit(tallies, event)
}

type Of<Type extends RecordedHistoryEvent['eventType']> = Extract<RecordedHistoryEvent, { readonly eventType: Type }>

function tallyFile(tallies: Tallies, event: Of<'FileChanged'>): void {
  let file = tallies.files.get(event.aggregateId)
  if (file === undefined) {
    file = { path: pathOf(event.aggregateId), changes: 0, added: 0, deleted: 0 }
    tallies.files.set(event.aggregateId, file)
  }
  file.changes++
  file.added += event.payload.added ?? 0
  file.deleted += event.payload.deleted ?? 0
}

function tallyCommit(tallies: Tallies, event: Of<'CommitMade'>): void {
  tallies.commits++
  const author = tallies.authors.get(event.aggregateId)
  if (author === undefined) {
    const { authorName } = event.payload
    tallies.authors.set(event.aggregateId, { email: emailOf(event.aggregateId), name: authorName, commits: 1 })
  } else {
    author.name = event.payload.authorName
    author.commits++
  }
  const month = monthOf(event.payload.authorDateMs)
  tallies.months.set(month, (tallies.months.get(month) ?? 0) + 1)
}

/** `2024-05`; years beyond 9999 as ISO 8601 writes them. */
function monthOf(dateMs: number): string {
  return new Date(dateMs).toISOString().replace(/-\d\dT.*$/, '')
}

/** The files with the most changes, and by name where they are equal. */
export function mostChanged(tallies: Tallies, count: number): readonly FileTally[] {
  return [...tallies.files.values()]
    .sort((one, other) => other.changes - one.changes || compareText(one.path, other.path))
    .slice(0, count)
}

/** The authors with the most commits, and by address where they are equal. */
export function busiest(tallies: Tallies, count: number): readonly AuthorTally[] {
  return [...tallies.authors.values()]
    .sort((one, other) => other.commits - one.commits || compareText(one.email, other.email))
    .slice(0, count)
}

/** The months in which commits were made, in order. */
export function monthsInOrder(tallies: Tallies): readonly (readonly [month: string, commits: number])[] {
  return [...tallies.months].sort(([one], [other]) => Date.parse(one) - Date.parse(other))
}

function compareText(one: string, other: string): number {
  return one < other ? -1 : one > other ? 1 : 0
}
