// The tour: ingest, project, load an aggregate, go back in time, and say what it cost. Each step prints its section.

import { readdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { Offset, orThrow, type EventLog } from '../../src/index.ts'
import { latestSubjects, loadFile } from './aggregate.ts'
import { boundAt, middleDateMs, placedCommits, talliesAsOf } from './asof.ts'
import type { HistoryEvent } from './events.ts'
import type { History } from './history.ts'
import { ingest, type Ingested } from './ingest.ts'
import { startProgress, type ProgressOutput } from './progress.ts'
import { busiest, mostChanged, noTallies, tally, type Tallies } from './projections.ts'
import { changeLines, ingestLines, projectionLines, sizeLines, travelLines, type Timed } from './report.ts'
import { bytes, count, counted, day, printable, rate, seconds } from './text.ts'

export interface TourOptions {
  readonly logFolder: string
  readonly asOfMs: number | undefined
  readonly top: number
  readonly signal: AbortSignal
  readonly progressOutput: ProgressOutput
  /** Prints one section of the report. */
  readonly print: (title: string, lines: readonly string[]) => void
}

export interface Toured {
  readonly interrupted: boolean
  readonly tallies: Tallies
}

/** Takes the tour; ends after the ingest when that was interrupted. */
export async function takeTour(log: EventLog<HistoryEvent>, history: History, options: TourOptions): Promise<Toured> {
  const ingested = await timed(() => ingestWithProgress(log, history, options))
  options.print('Ingest', ingestLines(ingested))
  if (ingested.value.interrupted) return { interrupted: true, tallies: noTallies() }

  const { value: tallies, ms } = await timed(() => replayAll(log, options.signal))
  const replayed = `${counted(tallies.events, 'event')}, ${bytes(log.end)} in ${seconds(ms)}`
  options.print('Replay', [`  ${replayed}: ${rate(tallies.events, ms)}`])
  for (const [title, lines] of projectionLines(tallies, options.top)) options.print(title, lines)
  await showAggregates(log, tallies, options)
  await travel(log, options)
  return { interrupted: false, tallies }
}

async function ingestWithProgress(
  log: EventLog<HistoryEvent>,
  history: History,
  options: TourOptions
): Promise<Ingested> {
  const progress = startProgress('ingesting', options.progressOutput)
  try {
    const ingested = await orThrow(ingest(log, history, { signal: options.signal, onProgress: progress.update }))
    await orThrow(log.sync())
    return ingested
  } finally {
    progress.stop()
  }
}

async function replayAll(log: EventLog<HistoryEvent>, signal: AbortSignal): Promise<Tallies> {
  const tallies = noTallies()
  for await (const batch of log.replay(Offset(0), { signal }).readBatches()) {
    for (const stored of batch) {
      if (stored._tag === 'Left') throw stored.left
      tally(tallies, stored.right.event)
    }
  }
  return tallies
}

async function showAggregates(log: EventLog<HistoryEvent>, tallies: Tallies, options: TourOptions): Promise<void> {
  const [file] = mostChanged(tallies, 1)
  if (file !== undefined) {
    const { value, ms } = await timed(() => loadFile(log, file.path))
    options.print(`The most changed file, loaded: ${printable(file.path)}`, [
      `  version ${count(value.version)}, changed from ${day(value.firstDateMs)} to ${day(value.lastDateMs)}, ` +
        `${count(value.added)} lines added, ${count(value.deleted)} deleted; loaded in ${seconds(ms)}`,
      '',
      ...changeLines(value.changes)
    ])
  }
  const [author] = busiest(tallies, 1)
  if (author !== undefined) {
    const subjects = await latestSubjects(log, author.email)
    options.print(
      `The latest commits of ${printable(author.name)}`,
      subjects.map((subject) => `  ${printable(subject)}`)
    )
  }
}

async function travel(log: EventLog<HistoryEvent>, options: TourOptions): Promise<void> {
  const commits = await orThrow(() => placedCommits(log, options.signal))
  const dateMs = options.asOfMs ?? middleDateMs(commits)
  if (dateMs === undefined) return
  const bound = boundAt(commits, dateMs)
  const tallies = await timed(() => orThrow(() => talliesAsOf(log, bound, options.signal)))
  const title = `As of ${new Date(dateMs).toISOString().replace(/\.\d+Z$/, 'Z')}`
  options.print(title, travelLines({ bound, end: log.end, tallies }, options.top))
}

/** Of a log that is closed, since closing writes the index of what came last. */
export async function showSizes(tallies: Tallies, logBytes: number, options: TourOptions): Promise<void> {
  const folder = await folderSize(options.logFolder)
  const aggregates = tallies.files.size + tallies.authors.size
  const { commits, events } = tallies
  options.print('Sizes', sizeLines({ commits, events, aggregates, logBytes, ...folder }))
}

async function folderSize(folder: string): Promise<{ readonly folderBytes: number; readonly files: number }> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size))
  return { folderBytes: sizes.reduce((sum, size) => sum + size, 0), files: sizes.length }
}

async function timed<A>(work: () => Promise<A>): Promise<Timed<A>> {
  const startMs = performance.now()
  const value = await work()
  return { value, ms: performance.now() - startMs }
}
