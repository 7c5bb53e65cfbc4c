// What every read has in common: its range is settled at the first `next`, offsets are checked before anything is
// read, and limit, abort, close and final errors end it.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Closed, type DiskError, type Trimmed } from '../core/error.ts'
import { Aborted, InvalidOffset, type ReplayError } from '../core/read-error.ts'
import type { EventReader, ReadBatch, ReadRequest } from '../port/store.ts'
import { checkOffset } from './boundary.ts'
import type { Catalog } from './catalog.ts'
import type { Element } from './collect.ts'
import { BackwardReader, SequentialReader, trimmedAt, type BatchSource, type ReadRange } from './read.ts'
import { SelectiveReader } from './select.ts'

export interface ReaderHost {
  readonly catalog: Catalog
  readonly isClosed: () => boolean
  /** A reader in another process than the writer's looks where the log ends now. */
  readonly refresh: () => Promise<Either<DiskError | Closed, unknown>>
  /** As `refresh` where what is known of the log does not stand any more; else that is enough. */
  readonly confirm: () => Promise<Either<DiskError | Closed, unknown>>
  /** Gives other work its turn, now and then: reads that begin again and again must not keep the event loop. */
  readonly turn: () => Promise<void>
}

export class LogReader implements EventReader {
  private readonly host: ReaderHost
  private readonly request: ReadRequest
  private source: BatchSource | undefined
  /** How many events may still be read. */
  private left: number
  private done = false

  constructor(host: ReaderHost, request: ReadRequest) {
    this.host = host
    this.request = request
    this.left = request.limit ?? Number.POSITIVE_INFINITY
  }

  async next(): Promise<ReadBatch | undefined> {
    while (!this.done) {
      const stopped = this.stopped()
      if (stopped !== undefined) return this.fail(stopped)
      if (this.left <= 0) break
      const batch = await this.read()
      if (batch._tag === 'Left') return this.fail(batch.left)
      if (batch.right === undefined) break
      const elements = this.limited(batch.right)
      if (elements.length > 0) return elements
    }
    this.close()
    return undefined
  }

  close(): void {
    this.done = true
    this.source?.close()
    this.source = undefined
  }

  private async read(): Promise<Either<ReplayError, Element[] | undefined>> {
    let { source } = this
    if (source === undefined) {
      const begun = await this.begin()
      if (begun._tag === 'Left') return begun
      source = begun.right
      this.source = source
    }
    const batch = await source.next()
    // Who closes in the middle of a read cannot know what the read has opened since.
    if (this.done) source.close()
    const trimmed = batch._tag === 'Left' && batch.left._tag === 'DiskFailed' ? await this.trimmed(source) : undefined
    if (trimmed !== undefined) return left(trimmed)
    // A log that was closed meanwhile has taken its files along: that is no fault of the disk.
    const stopped = batch._tag === 'Left' ? this.stopped() : undefined
    return stopped === undefined ? batch : left(stopped)
  }

  /** A reader in another process than the writer's hears of a trim when it looks for the reason why a file is gone. */
  private async trimmed(source: BatchSource): Promise<Trimmed | undefined> {
    return source.trimmed() ?? ((await this.host.refresh())._tag === 'Right' ? source.trimmed() : undefined)
  }

  private stopped(): Closed | Aborted | undefined {
    if (this.host.isClosed()) return new Closed()
    const { signal } = this.request
    return signal?.aborted === true ? new Aborted(signal.reason) : undefined
  }

  private fail(error: ReplayError): ReadBatch {
    this.close()
    return [left(error)]
  }

  private limited(elements: Element[]): Element[] {
    if (this.left === Number.POSITIVE_INFINITY) return elements
    let taken = 0
    while (taken < elements.length && this.left > 0) {
      if ((elements[taken] as Element)._tag === 'Right') this.left--
      taken++
    }
    return taken === elements.length ? elements : elements.slice(0, taken)
  }

  private async begin(): Promise<Either<ReplayError, BatchSource>> {
    await this.host.turn()
    const { catalog } = this.host
    const { from, until, backwards } = this.request
    const isKnown = !backwards && until !== undefined && Math.max(from ?? 0, until) <= catalog.end()
    const looked = await (isKnown ? this.host.confirm() : this.host.refresh())
    if (looked._tag === 'Left') return looked
    let range = await settleRange(catalog, this.request)
    if (range._tag === 'Left' && range.left._tag === 'DiskFailed') {
      // A trim by another process, which was not seen yet, has taken the file away.
      const { first } = catalog
      await this.host.refresh()
      if (catalog.first > first) range = await settleRange(catalog, this.request)
    }
    if (range._tag === 'Left') return range
    const { query } = this.request
    if (query.length > 0) return right(new SelectiveReader(catalog, { ...range.right, query, backwards }))
    return right(backwards ? new BackwardReader(catalog, range.right) : new SequentialReader(catalog, range.right))
  }
}

/** Turns a request's bounds into [from, until) and refuses those that are no frame's. */
async function settleRange(catalog: Catalog, request: ReadRequest): Promise<Either<ReplayError, ReadRange>> {
  const end = catalog.end()
  const from = (request.backwards ? request.until : request.from) ?? catalog.first
  const until = request.backwards ? (request.from ?? end) : (request.until ?? end)
  for (const offset of [request.from, request.until]) {
    if (offset === undefined) continue
    if (offset > end) return left(new InvalidOffset(offset, `lies beyond the end of the log at ${end}`))
    if (offset < catalog.first) return left(trimmedAt(catalog, offset))
    const checked = await checkOffset(catalog, offset)
    if (checked._tag === 'Left') return checked
  }
  return right({ from, until })
}
