// The state as of an earlier date, by bounded replay. The log's own clock says when events were written, which is the
// day of the import; what is asked for is the history's time. "As of D" means what `git log --before=D` means: every
// commit whose commit date is D or earlier.
//
// Commits stand in the log parents first and otherwise by commit date, but neither is the whole truth of time: clocks
// were wrong, and what was merged after the first run stands behind younger commits. So the replay is bounded by the
// last commit that belongs to the state, and the few before that bound which do not belong are left out by name.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { Offset, type EventLog, type ReplayError } from '../../src/index.ts'
import type { HistoryEvent } from './events.ts'
import { noTallies, tally, type Tallies } from './projections.ts'

/** A commit at its place: everything of it stands before `nextOffset`. */
export interface PlacedCommit {
  readonly hash: string
  readonly commitDateMs: number
  readonly nextOffset: Offset
}

export interface Bound {
  readonly until: Offset
  /** Commits before `until` that are younger than the date. */
  readonly younger: ReadonlySet<string>
  readonly commits: number
}

/** Every commit in the order of the log, found by type, so that the changes of files are not read. */
export async function placedCommits(
  log: EventLog<HistoryEvent>,
  signal: AbortSignal
): Promise<Either<ReplayError, readonly PlacedCommit[]>> {
  const commits: PlacedCommit[] = []
  for await (const stored of log.replay(undefined, { query: { types: ['CommitMade'] }, signal })) {
    if (stored._tag === 'Left') return stored
    const { event, nextOffset } = stored.right
    if (event.eventType !== 'CommitMade') continue
    commits.push({ hash: event.payload.commit, commitDateMs: event.payload.commitDateMs, nextOffset })
  }
  return right(commits)
}

/** Where the replay for the state as of `dateMs` may stop, and what it must leave out. */
export function boundAt(commits: readonly PlacedCommit[], dateMs: number): Bound {
  const last = commits.findLastIndex((commit) => commit.commitDateMs <= dateMs)
  const before = commits.slice(0, last + 1)
  const younger = new Set(before.filter((commit) => commit.commitDateMs > dateMs).map((commit) => commit.hash))
  return { until: before.at(-1)?.nextOffset ?? Offset(0), younger, commits: before.length - younger.size }
}

/** The middle between the earliest and the latest commit date; undefined when there is no commit. */
export function middleDateMs(commits: readonly PlacedCommit[]): number | undefined {
  if (commits.length === 0) return undefined
  let earliest = Infinity
  let latest = -Infinity
  for (const { commitDateMs } of commits) {
    earliest = Math.min(earliest, commitDateMs)
    latest = Math.max(latest, commitDateMs)
  }
  return Math.floor((earliest + latest) / 2)
}

/** Replays from the beginning to the bound. */
export async function talliesAsOf(
  log: EventLog<HistoryEvent>,
  bound: Bound,
  signal: AbortSignal
): Promise<Either<ReplayError, Tallies>> {
  const tallies = noTallies()
  for await (const batch of log.replayUntil(Offset(0), bound.until, { signal }).readBatches()) {
    for (const stored of batch) {
      if (stored._tag === 'Left') return stored
      const { event } = stored.right
      if (!bound.younger.has(event.payload.commit)) tally(tallies, event)
    }
  }
  return right(tallies)
}
