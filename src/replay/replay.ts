// What a replay hands out: an async iterable of Either, one by one or in batches. Each iteration opens a reader of
// its own and gives it back when it ends, breaks or throws. The iterators are written by hand: a step costs about
// half of what an async generator takes.

import type { Readable } from 'node:stream'
import type { Either } from 'fp-ts/lib/Either.js'
import type { ReplayError } from '../core/read-error.ts'
import type { StoredEvent } from '../core/event.ts'
import type { EventReader } from '../port/store.ts'
import { BatchReadable, type ReadableOf, type ReadableOptions } from './readable.ts'

/** An element of a replay: an event, or what stands in its place. */
export type ReplayElement<E> = Either<ReplayError, StoredEvent<E>>

/** An EventReader whose events are decoded. */
export interface TypedReader<E> {
  next(): Promise<readonly ReplayElement<E>[] | undefined>
  close: EventReader['close']
}

/**
 * A range of the log, read when it is iterated. It can be iterated again, and then reads again.
 * Behind Left(Corrupt) and Left(InvalidStored) the iteration goes on; any other Left is its last element.
 */
export class Replay<E> implements AsyncIterable<ReplayElement<E>> {
  private readonly open: () => TypedReader<E>
  private readonly signal: AbortSignal | undefined

  constructor(open: () => TypedReader<E>, signal?: AbortSignal) {
    this.open = open
    this.signal = signal
  }

  [Symbol.asyncIterator](): AsyncIterator<ReplayElement<E>> {
    return new ElementIterator(this.open(), this.signal)
  }

  /**
   * The same elements in arrays as they come from the disk, some hundreds each: for a fold that does little with each
   * event, most of the time goes into the steps of the iteration, and a batch takes one.
   * @example for await (const batch of log.replay().readBatches()) for (const element of batch) count(element)
   */
  readBatches(): AsyncIterable<readonly ReplayElement<E>[]> {
    return { [Symbol.asyncIterator]: () => batchesOf(this.open()) }
  }

  /**
   * The events as a stream of Node's, in object mode. The first error destroys it, when all that stood before it has been
   * consumed; with `either` the stream has events and errors as they come, and none of them ends it.
   * @example await pipeline(log.replay().toReadable(), toLines, createWriteStream('events.jsonl'))
   */
  toReadable(options?: ReadableOptions & { readonly either?: false | undefined }): ReadableOf<StoredEvent<E>>
  toReadable(options: ReadableOptions & { readonly either: true }): ReadableOf<ReplayElement<E>>
  toReadable(options: ReadableOptions = {}): ReadableOf<StoredEvent<E>> | ReadableOf<ReplayElement<E>> {
    const stream: Readable = new BatchReadable({ open: this.open, signal: this.signal }, options)
    return stream
  }
}

class ElementIterator<E> implements AsyncIterator<ReplayElement<E>> {
  private readonly reader: TypedReader<E>
  private readonly signal: AbortSignal | undefined
  private batch: readonly ReplayElement<E>[] = []
  private at = 0
  private done = false
  /** Whether an abort was seen; what is read after that is the abort itself. */
  private aborted = false
  /** The batch under way; further calls of `next` wait for it and then take their turn. */
  private pulling: Promise<void> | undefined

  constructor(reader: TypedReader<E>, signal: AbortSignal | undefined) {
    this.reader = reader
    this.signal = signal
  }

  next(): Promise<IteratorResult<ReplayElement<E>>> {
    // What was read before an abort is not told after it: the reader answers with the abort.
    if (this.signal?.aborted === true && !this.aborted) {
      this.aborted = true
      const last = this.batch.at(-1)
      const told = last?._tag === 'Left' && last.left._tag === 'Aborted'
      this.at = told ? this.batch.length - 1 : this.batch.length
    }
    if (this.pulling === undefined && this.at < this.batch.length) {
      return Promise.resolve({ done: false, value: this.batch[this.at++] as ReplayElement<E> })
    }
    return this.done ? Promise.resolve({ done: true, value: undefined }) : this.nextBatch()
  }

  return(): Promise<IteratorResult<ReplayElement<E>>> {
    this.end()
    return Promise.resolve({ done: true, value: undefined })
  }

  private async nextBatch(): Promise<IteratorResult<ReplayElement<E>>> {
    this.pulling ??= this.pull()
    await this.pulling
    return this.next()
  }

  private async pull(): Promise<void> {
    try {
      const batch = await this.reader.next()
      if (batch === undefined || this.done) return this.end()
      this.batch = batch
      this.at = 0
    } finally {
      this.pulling = undefined
    }
  }

  private end(): void {
    this.done = true
    this.batch = []
    this.at = 0
    this.reader.close()
  }
}

function batchesOf<E>(reader: TypedReader<E>): AsyncIterator<readonly ReplayElement<E>[]> {
  const pull = async (): Promise<IteratorResult<readonly ReplayElement<E>[]>> => {
    const batch = await reader.next()
    return batch === undefined ? { done: true, value: undefined } : { done: false, value: batch }
  }
  let last: ReturnType<typeof pull> | undefined
  return {
    // A reader takes one call at a time, so calls at the same time wait for one another.
    next: () => {
      last = last === undefined ? pull() : last.then(pull)
      return last
    },
    return: () => {
      reader.close()
      return Promise.resolve({ done: true, value: undefined })
    }
  }
}
