// A fold that can be shared out: besides how state comes from events, how the states of two neighbouring parts of the
// log become one. LocalFold folds parts of a log here, in this thread; what goes wrong in the caller's functions is a
// value with the place of the event.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import type { Offset } from '../core/brand.ts'
import { AnyEvent, type StoredEvent } from '../core/event.ts'
import type { QueryItem } from '../core/query.ts'
import { Aborted, FoldFailed, type FoldStep, type ReplayError } from '../core/read-error.ts'
import type { Store } from '../port/store.ts'
import type { ReplayElement } from './replay.ts'
import { decodingReader, type EventBody, type Recorded } from './typed-event.ts'

/**
 * A fold over a log. The law that it must keep, for any two neighbouring parts of a log, is that folding the one and
 * going on with the other gives the same as folding each from `initial` and merging: `merge` is associative, and
 * `initial` changes nothing in it.
 */
export interface Fold<S, A extends EventBody = EventBody> {
  /** Decodes the events and gives them their type; without one, payloads are unknown. */
  readonly codec?: t.Type<A, unknown, unknown> | undefined
  /** The state of no event, made anew at each call: `evolve` may change the state that it is given. */
  readonly initial: () => S
  readonly evolve: (state: S, stored: StoredEvent<Recorded<A>>) => S
  /** The state of two neighbouring parts of the log. It may change what it is given. */
  readonly merge: (earlier: S, later: S) => S
}

/**
 * Gives a fold its types. A module that threads load exports it under the name `fold`.
 * @example
 * export const fold = defineFold({
 *   codec: BankEvent,
 *   initial: () => 0,
 *   evolve: (cents, { event }) => cents + event.payload.cents,
 *   merge: (earlier, later) => earlier + later
 * })
 */
export function defineFold<S, A extends EventBody = EventBody>(fold: Fold<S, A>): Fold<S, A> {
  return fold
}

/** A part of the log, [from, until). */
export interface Piece {
  readonly from: Offset
  readonly until: Offset
}

/** What a fold can answer while it reads. */
export type FoldError = ReplayError | FoldFailed

/** Who folds pieces: this thread, or another one. One call at a time. */
export interface FoldWorker<S, E = FoldError> {
  /** Folds a piece onto the state so far. After a Left that state is gone. */
  fold(piece: Piece): Promise<Either<E, void>>
  /** Hands the state over, and begins anew. */
  take(): Promise<Either<E, S>>
  /** Answers what is under way, and all that follows, with some Left, soon. */
  stop(): void
}

/** What is read, and by whose fold. */
export interface FoldSource<S> {
  readonly store: Pick<Store, 'read'>
  readonly fold: Fold<S>
  /** Where the fold comes from, for messages. */
  readonly module: string
  /** Empty: every event. */
  readonly query: readonly QueryItem[]
}

export class LocalFold<S> implements FoldWorker<S> {
  private readonly source: FoldSource<S>
  /** The state of the pieces since the last `take`, boxed: it may be undefined. */
  private held: { readonly state: S } | undefined
  private stopped = false

  constructor(source: FoldSource<S>) {
    this.source = source
  }

  async fold({ from, until }: Piece): Promise<Either<FoldError, void>> {
    const begun = this.begun()
    this.held = undefined
    if (begun._tag === 'Left') return begun
    const { store, fold, query } = this.source
    const source = store.read({ from, until, query, limit: undefined, backwards: false, signal: undefined })
    const reader = decodingReader(source, fold.codec ?? (AnyEvent as unknown as t.Type<EventBody, unknown, unknown>))
    let state = begun.right
    try {
      for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
        if (this.stopped) return left(new Aborted('this part is not wanted any more'))
        const folded = this.evolve(state, batch)
        if (folded._tag === 'Left') return folded
        state = folded.right
      }
    } finally {
      reader.close()
    }
    this.held = { state }
    return right(undefined)
  }

  take(): Promise<Either<FoldError, S>> {
    const taken = this.begun()
    this.held = undefined
    return Promise.resolve(taken)
  }

  stop(): void {
    this.stopped = true
  }

  private begun(): Either<FoldFailed, S> {
    const { held } = this
    if (held !== undefined) return right(held.state)
    return attempt(this.source, 'initial', () => this.source.fold.initial())
  }

  private evolve(before: S, batch: readonly ReplayElement<Recorded<EventBody>>[]): Either<FoldError, S> {
    const { fold, module } = this.source
    let state = before
    let offset: Offset | undefined
    try {
      for (const element of batch) {
        if (element._tag === 'Left') return element
        offset = element.right.offset
        state = fold.evolve(state, element.right)
      }
      return right(state)
    } catch (error) {
      return left(new FoldFailed({ module, step: 'evolve', offset }, error))
    }
  }
}

/** The states of neighbouring parts, in the order of the log, made one; that of no event if there is none. */
export function mergeStates<S>(
  states: readonly S[],
  source: Pick<FoldSource<S>, 'fold' | 'module'>
): Either<FoldFailed, S> {
  const { fold } = source
  const [first, ...rest] = states
  if (states.length === 0) return attempt(source, 'initial', () => fold.initial())
  return attempt(source, 'merge', () => rest.reduce((earlier, later) => fold.merge(earlier, later), first as S))
}

/** Calls a function of the caller's module. */
function attempt<T>({ module }: { readonly module: string }, step: FoldStep, work: () => T): Either<FoldFailed, T> {
  try {
    return right(work())
  } catch (error) {
    return left(new FoldFailed({ module, step }, error))
  }
}
