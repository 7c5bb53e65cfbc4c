// Appends what the log lacks of a history. Nothing but the log remembers how far it came: a commit is in it when its
// `CommitMade` is, since the whole commit is one atomic batch. So it may be killed anywhere, and the next run goes on.

import { right, type Either, type Left } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { AppendError, EventLog, ReplayError } from '../../src/index.ts'
import { Appender, logBatchEventsMax } from './appender.ts'
import type { Commit } from './commit.ts'
import type { HistoryEvent } from './events.ts'
import type { History, HistoryError } from './history.ts'

export type IngestError = HistoryError | AppendError | ReplayError

export interface IngestOptions {
  /** Stops after the commit under way; what was appended stays. */
  readonly signal?: AbortSignal | undefined
  /** Called after each commit that was handed to the log. */
  readonly onProgress?: ((commits: number, ofCommits: number) => void) | undefined
  /** The most events of one batch; the log's own limit unless a test wants less. */
  readonly batchEventsMax?: number | undefined
}

export interface Ingested {
  /** The commits of the history, without merges. */
  readonly commitsListed: number
  /** Those of them that the log had before. */
  readonly commitsKnown: number
  readonly commitsAppended: number
  readonly eventsAppended: number
  /** Commits that an earlier run appended and the history no longer leads to: it was rewritten. */
  readonly commitsOrphaned: number
  readonly interrupted: boolean
}

/** Appends every commit of `history` that `log` has not, oldest first. */
export function ingest(
  log: EventLog<HistoryEvent>,
  history: History,
  options: IngestOptions = {}
): TaskEither<IngestError, Ingested> {
  return async () => {
    const known = await knownCommits(log, options.signal)
    if (known._tag === 'Left') return known
    const listed = await history.list()
    if (listed._tag === 'Left') return listed
    const missing = listed.right.filter((hash) => !known.right.has(hash))
    const commitsKnown = listed.right.length - missing.length
    const appended = await appendCommits(log, history.read(missing), { ...options, ofCommits: missing.length })
    if (appended._tag === 'Left') return appended
    return right({
      ...appended.right,
      commitsListed: listed.right.length,
      commitsKnown,
      commitsOrphaned: known.right.size - commitsKnown
    })
  }
}

async function knownCommits(
  log: EventLog<HistoryEvent>,
  signal: AbortSignal | undefined
): Promise<Either<ReplayError, ReadonlySet<string>>> {
  const known = new Set<string>()
  for await (const stored of log.replay(undefined, { query: { types: ['CommitMade'] }, ...(signal && { signal }) })) {
    // A damaged region may have held commits: to go on would append them twice.
    if (stored._tag === 'Left') return stored
    if (stored.right.event.eventType === 'CommitMade') known.add(stored.right.event.payload.commit)
  }
  return right(known)
}

type Appended = Pick<Ingested, 'commitsAppended' | 'eventsAppended' | 'interrupted'>

async function appendCommits(
  log: EventLog<HistoryEvent>,
  commits: AsyncIterable<Either<HistoryError, Commit>>,
  options: IngestOptions & { readonly ofCommits: number }
): Promise<Either<IngestError, Appended>> {
  const appender = new Appender(log, options.batchEventsMax ?? logBatchEventsMax)
  let commitsAppended = 0
  for await (const commit of commits) {
    if (options.signal?.aborted === true) break
    const taken = commit._tag === 'Left' ? commit : await appender.append(commit.right)
    if (taken._tag === 'Left') return finished(appender, taken)
    commitsAppended++
    options.onProgress?.(commitsAppended, options.ofCommits)
  }
  const interrupted = options.signal?.aborted === true
  const drained = await appender.drain(0)
  return drained._tag === 'Left'
    ? drained
    : right({ commitsAppended, eventsAppended: appender.eventsAppended, interrupted })
}

/** After a failure: waits for what is on its way, so that nobody closes the log under it. */
async function finished(appender: Appender, failure: Left<IngestError>): Promise<Left<IngestError>> {
  await appender.drain(0)
  return failure
}
