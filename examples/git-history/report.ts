// The report's sections: from what was found to lines of text. Pure, but for the style.

import type { Ingested } from './ingest.ts'
import { busiest, monthsInOrder, mostChanged, type FileTally, type Tallies } from './projections.ts'
import { bytes, count, counted, day, rate, seconds, table } from './text.ts'

export interface Timed<A> {
  readonly value: A
  readonly ms: number
}

export function ingestLines({ value, ms }: Timed<Ingested>): readonly string[] {
  const { commitsListed, commitsKnown, commitsAppended, eventsAppended, commitsOrphaned } = value
  const work =
    commitsAppended === 0
      ? `  nothing new, found in ${seconds(ms)}`
      : `  ${counted(eventsAppended, 'event')} appended in ${seconds(ms)}, git included: ${rate(eventsAppended, ms)}`
  const lines = [
    `  ${counted(commitsListed, 'commit')} without merges: ${count(commitsKnown)} known, ${count(commitsAppended)} appended`,
    work
  ]
  if (commitsOrphaned === 0) return lines
  return [...lines, `  ${counted(commitsOrphaned, 'commit')} of the log no longer in this history: it was rewritten`]
}

function fileLines(files: readonly FileTally[]): readonly string[] {
  return table(
    ['changes', 'added', 'deleted', 'path'],
    files.map((file) => [file.changes, file.added, file.deleted, file.path])
  )
}

/** The three projections. */
export function projectionLines(tallies: Tallies, top: number): readonly (readonly [string, readonly string[]])[] {
  return [
    [`Most changed of ${counted(tallies.files.size, 'file')}`, fileLines(mostChanged(tallies, top))],
    [`Commits by author, of ${count(tallies.authors.size)}`, authorLines(tallies, top)],
    [`Commits by month, of ${count(tallies.months.size)}`, monthLines(tallies, top)]
  ]
}

function authorLines(tallies: Tallies, top: number): readonly string[] {
  return table(
    ['commits', 'author'],
    busiest(tallies, top).map(({ commits, name, email }) => [commits, `${name} <${email}>`])
  )
}

const barWidth = 40

/** The latest months in which something was done. */
function monthLines(tallies: Tallies, top: number): readonly string[] {
  const months = monthsInOrder(tallies)
  const shown = months.slice(-top)
  const most = Math.max(...shown.map(([, commits]) => commits))
  const rows = table(
    ['commits', 'month', ''],
    shown.map(([month, commits]) => [commits, month, '▇'.repeat(Math.ceil((commits / most) * barWidth))])
  )
  const earlier = months.slice(0, -top)
  if (earlier.length === 0) return rows
  const commits = earlier.reduce((sum, [, inMonth]) => sum + inMonth, 0)
  return [...rows, `  and ${counted(commits, 'commit')} in ${counted(earlier.length, 'earlier month')}`]
}

export interface Travel {
  readonly bound: { readonly until: number; readonly younger: ReadonlySet<string>; readonly commits: number }
  readonly end: number
  readonly tallies: Timed<Tallies>
}

export function travelLines(travel: Travel, top: number): readonly string[] {
  const { bound, end, tallies } = travel
  const share = end === 0 ? 0 : Math.round((bound.until / end) * 100)
  const { commits, files, authors, events } = tallies.value
  const lines = [
    `  ${counted(commits, 'commit')} by ${counted(authors.size, 'author')} in ${counted(files.size, 'file')}`,
    `  replayed offsets 0 to ${count(bound.until)} of ${count(end)} (${share}%) in ${seconds(tallies.ms)}: ` +
      `${rate(events, tallies.ms)}`
  ]
  if (bound.younger.size > 0) lines.push(`  ${counted(bound.younger.size, 'younger commit')} among them left out`)
  return files.size === 0 ? lines : [...lines, '', ...fileLines(mostChanged(tallies.value, top))]
}

export interface Sizes {
  readonly commits: number
  readonly events: number
  readonly aggregates: number
  /** Bytes of frames. */
  readonly logBytes: number
  /** Bytes of all files in the log's folder. */
  readonly folderBytes: number
  readonly files: number
}

export function sizeLines(sizes: Sizes): readonly string[] {
  const { commits, events, aggregates, logBytes, folderBytes, files } = sizes
  const each = (value: number): string => (events === 0 ? '-' : `${count(Math.round(value / events))} bytes an event`)
  return [
    `  ${counted(commits, 'commit')}, ${counted(events, 'event')}, ${counted(aggregates, 'aggregate')}`,
    `  events   ${bytes(logBytes)}, ${each(logBytes)}`,
    `  on disk  ${bytes(folderBytes)} in ${counted(files, 'file')}, ${each(folderBytes)} with index`
  ]
}

export interface FileChange {
  readonly version: number
  readonly dateMs: number
  readonly commit: string
  readonly added: number | null
  readonly deleted: number | null
}

export function changeLines(changes: readonly FileChange[]): readonly string[] {
  return table(
    ['version', 'author date', 'commit', 'lines'],
    changes.map(({ version, dateMs, commit, added, deleted }) => [
      version,
      day(dateMs),
      commit.slice(0, 10),
      added === null ? 'binary' : `+${count(added)} -${count(deleted ?? 0)}`
    ])
  )
}
