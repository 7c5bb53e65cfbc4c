// Loading aggregates: the history of one file folded into its state, and the latest events of it read by version.
// Both read the events of this one aggregate only, found by the index.

import { orThrow, type EventLog } from '../../src/index.ts'
import { authorAggregate, fileAggregate, type HistoryEvent, type RecordedHistoryEvent } from './events.ts'
import type { FileChange } from './report.ts'

interface FileState {
  readonly added: number
  readonly deleted: number
  readonly firstDateMs: number
  readonly lastDateMs: number
}

const fileReducer = {
  initial: { added: 0, deleted: 0, firstDateMs: Infinity, lastDateMs: -Infinity } as FileState,
  evolve(state: FileState, event: RecordedHistoryEvent): FileState {
    if (event.eventType !== 'FileChanged') return state
    const { added, deleted, authorDateMs } = event.payload
    return {
      added: state.added + (added ?? 0),
      deleted: state.deleted + (deleted ?? 0),
      firstDateMs: Math.min(state.firstDateMs, authorDateMs),
      lastDateMs: Math.max(state.lastDateMs, authorDateMs)
    }
  }
}

export interface LoadedFile extends FileState {
  readonly version: number
  /** The last few changes, oldest first. */
  readonly changes: readonly FileChange[]
}

const latestEvents = 5

export async function loadFile(log: EventLog<HistoryEvent>, path: string): Promise<LoadedFile> {
  const id = fileAggregate(path)
  const { state, version } = await orThrow(log.load(id, fileReducer))
  const changes: FileChange[] = []
  for await (const stored of orThrow(log.replayAggregate(id, { fromVersion: latestFrom(version) }))) {
    if (stored.event.eventType !== 'FileChanged') continue
    const { commit, authorDateMs: dateMs, added, deleted } = stored.event.payload
    changes.push({ version: stored.version, dateMs, commit, added, deleted })
  }
  return { ...state, version, changes }
}

/** The subjects of an author's latest commits, oldest first. */
export async function latestSubjects(log: EventLog<HistoryEvent>, email: string): Promise<readonly string[]> {
  const id = authorAggregate(email)
  const subjects: string[] = []
  const from = latestFrom(await orThrow(log.version(id)))
  for await (const { event } of orThrow(log.replayAggregate(id, { fromVersion: from }))) {
    if (event.eventType === 'CommitMade') subjects.push(event.payload.subject)
  }
  return subjects
}

function latestFrom(version: number): number {
  return Math.max(1, version - latestEvents + 1)
}
