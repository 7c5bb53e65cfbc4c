// Who folds: this thread, alone where the log is small, and otherwise with as many others as there are further cores.
// This one begins at once, while the others start; what they have not begun with it takes over.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { FoldFailed } from '../core/read-error.ts'
import { LocalFold, type FoldSource, type FoldWorker, type Piece } from '../replay/fold.ts'
import { foldJointly } from '../replay/joint-fold.ts'
import type { ThreadData } from './message.ts'
import type { ThreadError } from './parcel.ts'
import { ThreadFold } from './thread-fold.ts'

type States<S> = Either<ThreadError, readonly S[]>

/** The states of the parts of the log, in its order: one, without threads. */
export function foldAlone<S>(piece: Piece, source: FoldSource<S>, signal: AbortSignal | undefined): Promise<States<S>> {
  return foldJointly([piece], [copying(source)], signal)
}

export interface CrewOptions {
  /** How many besides this one. */
  readonly threads: number
  readonly data: ThreadData
  /** Node's options for the threads; undefined: those of this process. */
  readonly execArgv: readonly string[] | undefined
}

export class Crew<S> {
  private readonly threads: readonly ThreadFold<S>[]

  /** Starts the threads. Whoever makes a crew calls `end` or `stop`. */
  constructor({ threads, data, execArgv }: CrewOptions) {
    this.threads = Array.from({ length: threads }, () => new ThreadFold<S>(data, execArgv))
  }

  /** The states of the parts of the log, in its order. */
  fold(pieces: readonly Piece[], source: FoldSource<S>, signal: AbortSignal | undefined): Promise<States<S>> {
    return foldJointly<S, ThreadError>(pieces, [copying(source), ...this.threads], signal)
  }

  /** Lets threads that have nothing in hand end by themselves. Resolves when none is left. */
  async end(): Promise<void> {
    await Promise.all(this.threads.map((thread) => thread.end()))
  }

  /** Ends the threads wherever they are. Resolves when none is left. */
  async stop(): Promise<void> {
    for (const thread of this.threads) thread.stop()
    await Promise.all(this.threads.map((thread) => thread.gone))
  }
}

/**
 * Folds here, and copies the state as between threads: so `merge` is given states of one kind, and what a large log
 * would refuse a small one does too.
 */
function copying<S>(source: FoldSource<S>): FoldWorker<S> {
  const local = new LocalFold(source)
  return {
    fold: (piece) => local.fold(piece),
    take: async () => {
      const taken = await local.take()
      return taken._tag === 'Left' ? taken : copyOf(taken.right, source.module)
    },
    stop: () => local.stop()
  }
}

function copyOf<S>(state: S, module: string): Either<FoldFailed, S> {
  try {
    return right(structuredClone(state))
  } catch (error) {
    return left(new FoldFailed({ module, step: 'copy' }, error))
  }
}
