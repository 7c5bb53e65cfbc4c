// A replay or a follow as a stream of Node's, in object mode. Its own `read`, not a generator that is wrapped: a batch is
// asked for when the stream's buffer has room and the batch before it is used up.
//
//   reader ─batch─► `batch` ─push, while there is room─► the stream's buffer (highWaterMark) ─► consumer
//
// Invariants: one `next` of the reader at a time; no `next` while there is a rest of a batch; the reader is closed once
// the stream is destroyed, which Node also does at its end. An error that ends the stream waits until everything that
// stood before it has been consumed, since Node drops the buffer when a stream is destroyed.

import { Readable } from 'node:stream'
import type { Either } from 'fp-ts/lib/Either.js'
import type { ReplayError } from '../core/read-error.ts'

/** Where the batches come from. */
interface BatchReader<T> {
  next(): Promise<readonly T[] | undefined>
  close(): void
}

export interface ReadableOptions {
  /**
   * Stream the elements as they are, Either with errors among the events; none of them ends the stream. Default false:
   * stream the events, and let the first error destroy the stream, as orThrow does.
   */
  readonly either?: boolean | undefined
  /** How many elements the stream holds ready, besides the batch they are taken from. Default 16, as Node has it. */
  readonly highWaterMark?: number | undefined
}

/** A stream of Node's whose iteration knows what it streams; Node's own types do not know it anywhere else. */
export type ReadableOf<T> = AsyncIterable<T> & Readable

/** What a stream reads, and until when. */
interface Batches<T> {
  /** Called at the first read. */
  readonly open: () => BatchReader<T>
  /** The reader's own: it answers with an error when this fires, and what it has read before is not told any more. */
  readonly signal: AbortSignal | undefined
}

export class BatchReadable<E extends ReplayError, A> extends Readable {
  private readonly batches: Batches<Either<E, A>>
  private readonly either: boolean
  private reader: BatchReader<Either<E, A>> | undefined
  private batch: readonly Either<E, A>[] = []
  private at = 0
  private isPulling = false
  /** Whether an abort was seen; what is read after that is the abort itself. */
  private isAborted = false
  /** The error that the stream ends with when its buffer is empty. */
  private failure: E | undefined

  constructor(batches: Batches<Either<E, A>>, { either = false, highWaterMark }: ReadableOptions) {
    super({ objectMode: true, ...(highWaterMark !== undefined && { highWaterMark }) })
    this.batches = batches
    this.either = either
  }

  override read(size?: number): unknown {
    const chunk: unknown = super.read(size)
    if (this.failure !== undefined && this.readableLength === 0) this.destroy(this.failure)
    return chunk
  }

  override _read(): void {
    if (this.isPulling || this.failure !== undefined) return
    if (this.pushRest()) void this.pull()
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.batch = []
    this.reader?.close()
    done(error)
  }

  /** Pushes what is left of the batch; whether there is room for more. */
  private pushRest(): boolean {
    if (this.batches.signal?.aborted === true && !this.isAborted) {
      this.isAborted = true
      const last = this.batch.at(-1)
      this.at = this.batch.length - (last?._tag === 'Left' && last.left._tag === 'Aborted' ? 1 : 0)
    }
    while (this.at < this.batch.length) {
      const element = this.batch[this.at++] as Either<E, A>
      if (!this.either && element._tag === 'Left') return this.failWith(element.left)
      if (!this.push(this.either || element._tag === 'Left' ? element : element.right)) return false
    }
    return true
  }

  private failWith(error: E): false {
    this.failure = error
    if (this.readableLength === 0) this.destroy(error)
    return false
  }

  /** Reads batches until the buffer is full. */
  private async pull(): Promise<void> {
    this.isPulling = true
    try {
      this.reader ??= this.batches.open()
      for (let hasRoom = true; hasRoom && !this.destroyed;) {
        const batch = await this.reader.next()
        if (this.destroyed) return
        this.batch = batch ?? []
        this.at = 0
        if (batch === undefined) this.push(null)
        hasRoom = batch !== undefined && this.pushRest()
      }
    } catch (error) {
      this.destroy(error as Error)
    } finally {
      this.isPulling = false
    }
  }
}
