// One source of a merge: what a caller passes, and the lane that holds its next element.
//
//   idle ─pull─► pulling ─element─► idle, with a head ─take─► idle
//                   ├─────done────► ended
//                   └────throws───► ended, with what was thrown
//   any of them ─close─► closed
//
// Invariants: one call of the source's `next` at a time, none while there is a head, none behind the end. Its `return`
// is called once, by `close`, if it was opened and has not ended by itself.

import type { Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Offset } from '../core/brand.ts'
import { ChronicleError } from '../core/error.ts'
import type { StoredEvent } from '../core/event.ts'
import type { Place } from './merge-order.ts'

/** A source of a merge: a replay, a follow, a durable reader, or whatever else hands out stored events in order. */
export interface Source<E = unknown, A = unknown, C = unknown> {
  /** Unlike the name of any other source; it decides which of two events with the same timestamp comes first. */
  readonly name: string
  /**
   * Opened at the merge's first `next`, and closed by the merge, which waits for it: `return` should end a `next` that
   * waits. Those of this library do, an async generator that waits for something does not.
   */
  readonly events: AsyncIterable<Either<E, StoredEvent<A>>>
  /** A durable reader's own: `(offset) => reader.commit(offset)`. */
  readonly commit?: ((offset: Offset) => TaskEither<C, unknown>) | undefined
}

/** A source of a merge has an error in an event's place. The source goes on behind it or ends, as it does by itself. */
export class SourceFailed<E = unknown> extends ChronicleError {
  readonly _tag = 'SourceFailed'
  readonly code = 'CHRONICLE_SOURCE_FAILED'
  readonly source: string
  /** What the source answered; also the `cause`. */
  readonly error: E
  constructor(source: string, error: E) {
    super(`the source "${source}": ${error instanceof Error ? error.message : String(error)}`, error)
    this.source = source
    this.error = error
  }
}

/** The next element of a source, at its place. */
export interface Head extends Place {
  readonly element: Either<unknown, StoredEvent<unknown>>
}

export class Lane {
  readonly name: string
  /** The source's next element, once it is there. */
  head: Head | undefined
  /** What the source threw; a list, since also undefined can be thrown. */
  thrown: readonly unknown[] = []
  /** When the source was asked last. */
  askedMs = 0
  private state: 'idle' | 'pulling' | 'ended' | 'closed' = 'idle'
  private readonly events: Source['events']
  private readonly changed: () => void
  private iterator: AsyncIterator<Head['element']> | undefined
  /** The highest timestamp so far. An error has none of its own: it stands where the event before it stood. */
  private reachedMs = Number.NEGATIVE_INFINITY

  /** `changed` is called when a head is there, and when the source has ended. */
  constructor({ name, events }: Source, changed: () => void) {
    this.name = name
    this.events = events
    this.changed = changed
  }

  /** Whether the source has ended and nothing of it is left to be told. */
  get isOver(): boolean {
    return this.state === 'ended' && this.thrown.length === 0
  }

  /** Asks the source for its next element, if there is none and it has not been asked. */
  pull(nowMs: number): void {
    if (this.state !== 'idle' || this.head !== undefined) return
    this.state = 'pulling'
    this.askedMs = nowMs
    try {
      this.iterator ??= this.events[Symbol.asyncIterator]()
      this.iterator.next().then(this.arrive, this.fail)
    } catch (error) {
      // Not at once: whoever pulls is not to be interrupted.
      queueMicrotask(() => this.fail(error))
    }
  }

  /**
   * Releases what the source holds. Answers with everything that the source has thrown and that nobody was told; what
   * a pending `next` throws later than this is lost, since it may never come to an end.
   */
  async close(): Promise<readonly unknown[]> {
    const isOpen = this.state === 'idle' || this.state === 'pulling'
    this.state = 'closed'
    this.head = undefined
    try {
      if (isOpen) await this.iterator?.return?.()
    } catch (error) {
      this.thrown = [...this.thrown, error]
    }
    return this.thrown
  }

  private readonly arrive = (step: IteratorResult<Head['element']>): void => {
    if (this.state === 'closed') return
    this.state = step.done === true ? 'ended' : 'idle'
    if (step.done !== true) {
      const element = step.value
      if (element._tag === 'Right') this.reachedMs = Math.max(this.reachedMs, element.right.writeTimestampMs)
      this.head = { timestampMs: this.reachedMs, source: this.name, element }
    }
    this.changed()
  }

  private readonly fail = (error: unknown): void => {
    this.thrown = [...this.thrown, error]
    if (this.state === 'closed') return
    this.state = 'ended'
    this.changed()
  }
}
