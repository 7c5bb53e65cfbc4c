// A fold over pieces of the log by several workers. The answer does not depend on who was faster: it is the states of
// all runs in the order of the log, or the error of the earliest part that has one. So when a part fails, what lies
// behind it is dropped, and what lies before it is still folded: an earlier error may stand there.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Aborted } from '../core/read-error.ts'
import type { FoldWorker, Piece } from './fold.ts'
import { Share, type Turn } from './share.ts'

/** The state of neighbouring pieces that one worker has folded. */
interface Run<S> {
  readonly first: number
  readonly state: S
}

/**
 * Folds the pieces, which are neighbours, and answers the states of their parts in the order of the log. Workers that
 * are busy with what is not wanted any more are stopped; when this resolves, none has anything in hand.
 */
export async function foldJointly<S, E>(
  pieces: readonly Piece[],
  workers: readonly FoldWorker<S, E>[],
  signal?: AbortSignal
): Promise<Either<E | Aborted, readonly S[]>> {
  const joint = new JointFold(pieces, workers)
  const abort = (): void => joint.abort(signal?.reason)
  signal?.addEventListener('abort', abort)
  if (signal?.aborted === true) abort()
  try {
    return await joint.run()
  } finally {
    signal?.removeEventListener('abort', abort)
  }
}

class JointFold<S, E> {
  private readonly pieces: readonly Piece[]
  private readonly workers: readonly FoldWorker<S, E>[]
  private readonly share: Share
  private readonly runs: Run<S>[] = []
  /** The earliest error so far, and the piece that it stands for. */
  private failed: { readonly piece: number; readonly error: E | Aborted } | undefined

  constructor(pieces: readonly Piece[], workers: readonly FoldWorker<S, E>[]) {
    this.pieces = pieces
    this.workers = workers
    this.share = new Share(pieces.length, workers.length)
  }

  async run(): Promise<Either<E | Aborted, readonly S[]>> {
    await Promise.all(this.workers.map((worker, place) => this.work(worker, place)))
    if (this.failed !== undefined) return left(this.failed.error)
    return right(this.runs.toSorted((a, b) => a.first - b.first).map(({ state }) => state))
  }

  /** Comes before every error of the log. */
  abort(reason: unknown): void {
    this.fail(-1, new Aborted(reason))
  }

  private async work(worker: FoldWorker<S, E>, place: number): Promise<void> {
    /** Where the run begins whose state the worker holds. */
    let first: number | undefined
    for (;;) {
      const turn = this.share.next(place)
      if (first !== undefined && turn?.continues !== true) {
        await this.collect(worker, first)
        first = undefined
      }
      this.stopIdle()
      if (turn === undefined) return
      const folded = await worker.fold(this.rangeOf(turn))
      if (folded._tag === 'Left') this.fail(turn.first, folded.left)
      first = folded._tag === 'Left' ? undefined : (first ?? turn.first)
    }
  }

  private rangeOf({ first, end }: Turn): Piece {
    return { from: (this.pieces[first] as Piece).from, until: (this.pieces[end - 1] as Piece).until }
  }

  /** Once the answer is an error, no state is wanted. */
  private async collect(worker: FoldWorker<S, E>, first: number): Promise<void> {
    if (this.failed !== undefined) return
    const taken = await worker.take()
    if (taken._tag === 'Left') this.fail(first, taken.left)
    else this.runs.push({ first, state: taken.right })
  }

  private fail(piece: number, error: E | Aborted): void {
    if (this.failed !== undefined && this.failed.piece <= piece) return
    this.failed = { piece, error }
    this.share.cut(piece)
    this.stopIdle()
  }

  /** When nothing before the error is left to be folded, whoever still folds does so for nothing. */
  private stopIdle(): void {
    if (this.failed === undefined || !this.share.isDone()) return
    for (const worker of this.workers) worker.stop()
  }
}
