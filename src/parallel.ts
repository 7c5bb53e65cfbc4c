// chronicle-log/parallel: a fold over a log by several threads, each of which opens the log for itself. Functions cannot
// be sent to threads, so the fold is a module that each of them loads.

import { availableParallelism } from 'node:os'
import { resolve } from 'node:path'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Offset } from './core/brand.ts'
import { thrownText } from './core/canon.ts'
import { InvalidArgument, type OpenError } from './core/error.ts'
import { copyOfQuery, queryItems, type Query } from './core/query.ts'
import type { FoldFailed, ReplayError } from './core/read-error.ts'
import { Crew, foldAlone, type CrewOptions } from './parallel/crew.ts'
import { loadFold } from './parallel/module.ts'
import { openReading } from './parallel/reading.ts'
import type { Store } from './port/store.ts'
import { divide, pieceBytesDefault, workforce, type Workforce } from './replay/division.ts'
import { mergeStates, type FoldSource, type Piece } from './replay/fold.ts'
import { filterFault, offsetFault } from './replay/request.ts'

export { defineFold } from './replay/fold.ts'
export type { Fold } from './replay/fold.ts'

/** What is folded, and how. */
export interface ParallelOptions {
  /** Where to begin; default the first event that is kept. */
  readonly from?: Offset | undefined
  /** Where to stop; default where the log ends when the task is run. */
  readonly until?: Offset | undefined
  /** Only the events that match. */
  readonly query?: Query | undefined
  /** At most so many threads, this one among them; default as many as there are cores. */
  readonly workers?: number | undefined
  /**
   * Nobody is given less than so many bytes of the log at a time, and for every eight such pieces one more works: a log
   * of less than sixteen is folded in this thread. Default 4 MiB, which suits a fold that does little with an event; for
   * one that takes long, less is better.
   */
  readonly pieceBytes?: number | undefined
  /**
   * Node's options for the threads; default those of this process. A fold in TypeScript needs a loader there, such as a
   * module after `--import` that registers one.
   */
  readonly execArgv?: readonly string[] | undefined
  /** Ends the threads, and the answer is Left(Aborted). */
  readonly signal?: AbortSignal | undefined
}

/** What a fold over a part of the log has come to. */
export interface ParallelState<S> {
  readonly state: S
  /** Where the first event was looked for. */
  readonly from: Offset
  /** Where the log ended, or was to end, for this fold: go on from here. */
  readonly until: Offset
}

/** What a parallel fold can answer. */
export type ParallelError = ReplayError | OpenError | FoldFailed

/**
 * Folds the log in `folder` over several cores: threads fold parts of it with the fold that `module` exports under the
 * name `fold`, and `merge` makes their states one, in the order of the log. The log may be open, here or elsewhere:
 * the fold sees what it held when the task was run. The first error in the log is the answer, since a state without
 * an event would be wrong. States are copied between threads by structured clone.
 * @example
 * import type { fold } from './totals.js'
 * const { state } = await orThrow(foldInParallel<typeof fold>('./bank', new URL('./totals.js', import.meta.url)))
 */
export function foldInParallel<F extends { readonly initial: () => unknown }>(
  folder: string,
  module: URL,
  options: ParallelOptions = {}
): TaskEither<ParallelError, ParallelState<ReturnType<F['initial']>>> {
  const fault = argumentFault(folder, module, options)
  if (fault !== undefined) return () => Promise.resolve(left(fault))
  const query = queryItems(options.query && copyOfQuery(options.query))
  return async () => {
    const fold = await loadFold<ReturnType<F['initial']>>(module.href)
    if (fold._tag === 'Left') return fold
    const path = resolve(folder)
    const opened = await openReading(path)
    if (opened._tag === 'Left') return opened
    const store = opened.right
    try {
      return await foldStore(path, options, { store, fold: fold.right, module: module.href, query })
    } finally {
      await store.close()
    }
  }
}

interface LocalSource<S> extends FoldSource<S> {
  readonly store: Store
}

async function foldStore<S>(
  folder: string,
  options: ParallelOptions,
  source: LocalSource<S>
): Promise<Either<ParallelError, ParallelState<S>>> {
  const { from = source.store.first(), until = source.store.end() } = options
  const { workers = availableParallelism(), pieceBytes = pieceBytesDefault } = options
  const force = workforce(until - from, { workers, pieceBytes })
  const range = { from, until }
  const states =
    force.workers === 1
      ? await foldAlone(range, source, options.signal)
      : await foldTogether(range, source, { ...options, ...force, folder })
  if (states._tag === 'Left') return states
  const merged = mergeStates(states.right, source)
  return merged._tag === 'Left' ? merged : right({ state: merged.right, from, until })
}

interface Work extends Pick<ParallelOptions, 'execArgv' | 'signal'>, Workforce {
  readonly folder: string
}

async function foldTogether<S>(
  range: Piece,
  source: LocalSource<S>,
  { folder, workers, pieces: count, execArgv, signal }: Work
): Promise<Either<ParallelError, readonly S[]>> {
  const { store, module, query } = source
  // A range that is no range of this log is refused before a thread is started.
  const probe = store.read({ ...range, query: [], limit: 1, backwards: false, signal })
  const first = (await probe.next())?.[0]
  probe.close()
  if (first?._tag === 'Left' && first.left._tag !== 'Corrupt') return first
  const crew = startCrew<S>({ threads: workers - 1, data: { folder, module, query }, execArgv })
  if (crew._tag === 'Left') return crew
  let states: Either<ParallelError, readonly S[]> | undefined
  try {
    const pieces = await divide(store, range, count)
    states = pieces._tag === 'Left' ? pieces : await crew.right.fold(pieces.right, source, signal)
    return states._tag === 'Left' ? left(await wholeRegion(states.left, range, source)) : states
  } finally {
    await (states?._tag === 'Right' ? crew.right.end() : crew.right.stop())
  }
}

/** Node refuses some options for threads when it is given them. */
function startCrew<S>(options: CrewOptions): Either<InvalidArgument, Crew<S>> {
  try {
    return right(new Crew<S>(options))
  } catch (error) {
    return left(new InvalidArgument('execArgv', thrownText(error)))
  }
}

/** Damage that reaches over the end of a piece, as who reads on beyond it sees it. */
async function wholeRegion<S>(
  error: ParallelError,
  { until }: Piece,
  { store, query }: LocalSource<S>
): Promise<ParallelError> {
  if (error._tag !== 'Corrupt') return error
  const reader = store.read({ from: error.offset, until, query, limit: 1, backwards: false, signal: undefined })
  const first = (await reader.next())?.[0]
  reader.close()
  const isSame = first?._tag === 'Left' && first.left._tag === 'Corrupt' && first.left.offset === error.offset
  return isSame ? first.left : error
}

function argumentFault(folder: string, module: URL, options: ParallelOptions): InvalidArgument | undefined {
  if (typeof folder !== 'string' || folder === '' || folder.includes('\0')) {
    return new InvalidArgument('folder', 'is not a path')
  }
  if (!(module instanceof URL)) return new InvalidArgument('module', 'is no URL, as new URL(path, import.meta.url) is')
  const { from, until, query, workers, pieceBytes } = options
  const fault =
    offsetFault('from', from) ??
    offsetFault('until', until) ??
    filterFault(query) ??
    countFault('workers', workers) ??
    countFault('pieceBytes', pieceBytes)
  return fault && new InvalidArgument(fault.argument, fault.reason)
}

function countFault(
  argument: string,
  value: number | undefined
): { readonly argument: string; readonly reason: string } | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && value > 0)) return undefined
  return { argument, reason: `is not an integer from 1: ${value}` }
}
