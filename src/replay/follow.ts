// Replay that goes on live. There is no hand-over from disk to live that could lose or double an event: every event is
// read from the disk, and what is live is only the wake-up. So a slow consumer costs no memory, however far it is behind.
//
//            ┌────────── the log ends behind `at` ◄───────────┐
//            ▼                                                │
//   reading [at, end) ── all handed out: at = end ──► looking ─┴─ it ends at `at` ─► caught up ─► waiting ─ grown ─► looking
//
// Invariant: everything before `at` that matches has been handed out, once, in order; nothing behind it has.

import { left } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { InvalidOffset, type ReplayError } from '../core/read-error.ts'
import type { QueryItem } from '../core/query.ts'
import type { EventReader, ReadBatch, Store } from '../port/store.ts'

export interface FollowRequest {
  /** Where to begin; default the first event that is kept. */
  readonly from: Offset | undefined
  /** What stood before `from` when it was seen last (see `print`); undefined where that is not known. */
  readonly print?: number | undefined
  /** Empty: every event. */
  readonly query: readonly QueryItem[]
  /** At most so many events; a Left does not count. */
  readonly limit: number | undefined
  readonly signal: AbortSignal | undefined
  /** After how long WriterLost is told, once for each place where the log stands still; undefined for never. */
  readonly writerLostMs: number | undefined
  /** Told when everything there is has been handed out, before the reader waits; `at` is where the log ended. */
  readonly onCaughtUp: ((at: Offset) => void) | undefined
}

export class FollowReader implements EventReader {
  private readonly store: Store
  private readonly request: FollowRequest
  /** Fires when the reader is closed, or the caller aborts. */
  private readonly signal: AbortSignal
  private readonly closing = new AbortController()
  private at: Offset | undefined
  /** The read under way, and where it ends. */
  private reading: { readonly reader: EventReader; readonly end: Offset } | undefined
  /** What stood before the end of the log when it was caught up with; told by whoever reads only, since others write. */
  print: number | undefined
  /** Where the caller was told last that he has caught up. */
  private caughtUpAt: Offset | undefined
  /** Where WriterLost was told last. */
  private lostAt: Offset | undefined
  /** How many events may still be handed out. */
  private left: number
  private done = false

  constructor(store: Store, request: FollowRequest) {
    this.store = store
    this.request = request
    this.at = request.from
    this.left = request.limit ?? Number.POSITIVE_INFINITY
    const { signal } = this.closing
    this.signal = request.signal === undefined ? signal : AbortSignal.any([signal, request.signal])
  }

  async next(): Promise<ReadBatch | undefined> {
    while (!this.done && this.left > 0) {
      const batch = this.reading === undefined ? await this.look() : await this.read(this.reading)
      if (batch !== undefined) return this.done ? undefined : this.handOut(batch)
    }
    this.close()
    return undefined
  }

  close(): void {
    this.done = true
    this.reading?.reader.close()
    this.reading = undefined
    this.closing.abort()
  }

  private handOut(batch: ReadBatch): ReadBatch {
    const last = batch.at(-1)
    if (last?._tag === 'Left' && endsFollowing(last.left)) this.close()
    this.left -= batch.filter(({ _tag }) => _tag === 'Right').length
    return batch
  }

  private async read({ reader, end }: NonNullable<FollowReader['reading']>): Promise<ReadBatch | undefined> {
    const batch = await reader.next()
    if (batch !== undefined) return batch
    this.at = end
    this.reading = undefined
    return undefined
  }

  /** Begins to read what there is, or waits until there is more. */
  private async look(): Promise<ReadBatch | undefined> {
    const { store } = this
    const end = await store.refresh()
    if (end._tag === 'Left') return [end]
    const isFirst = this.caughtUpAt === undefined
    const at = (this.at ??= store.first())
    if (end.right < at && isFirst)
      return [left(new InvalidOffset(at, `lies beyond the end of the log at ${end.right}`))]
    if (isFirst && at === this.request.from && this.isReplaced(at)) return [left(takenBack(at))]
    return end.right > at ? this.begin(at, end.right) : this.wait(at)
  }

  private begin(at: Offset, end: Offset): undefined {
    const { store, request, signal } = this
    const { query } = request
    const limit = this.left === Number.POSITIVE_INFINITY ? undefined : this.left
    this.reading = { reader: store.read({ from: at, until: end, query, limit, backwards: false, signal }), end }
  }

  /**
   * What stands before the offset. A writer whose write fails half-way takes back what it has not acknowledged, which a
   * reader in another process may have seen, and other events come in its place.
   */
  private printOf(at: Offset): number | undefined {
    const { store } = this
    const print = store.readOnly && at > store.first() ? store.fingerprint(at) : undefined
    return print?._tag === 'Right' ? print.right : undefined
  }

  /** Whether other events stand there than when the caller saw it last. */
  private isReplaced(at: Offset): boolean {
    const { print } = this.request
    const actual = print === undefined ? undefined : this.printOf(at)
    return actual !== undefined && actual !== print
  }

  private async wait(at: Offset): Promise<ReadBatch | undefined> {
    const { store, request, signal } = this
    if (this.caughtUpAt !== at) {
      this.caughtUpAt = at
      this.print = this.printOf(at)
      request.onCaughtUp?.(at)
    }
    const { print } = this
    const grown = await store.grown(at, { signal, writerLostMs: this.lostAt === at ? undefined : request.writerLostMs })
    // Closed meanwhile, it begins nothing that nobody would end.
    if (grown._tag === 'Right' && this.done) return undefined
    if (grown._tag === 'Right') return this.printOf(at) === print ? this.begin(at, grown.right) : [left(takenBack(at))]
    if (grown.left._tag === 'WriterLost') this.lostAt = at
    return [grown]
  }
}

function takenBack(at: Offset): InvalidOffset {
  return new InvalidOffset(at, 'ends other events now: the writer has taken back some that it never acknowledged')
}

/** Behind damage, and when the writer is lost, there may be more. */
export function endsFollowing(error: ReplayError): boolean {
  return error._tag !== 'Corrupt' && error._tag !== 'InvalidStored' && error._tag !== 'WriterLost'
}
