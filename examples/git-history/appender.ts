// Hands commits to the log: many batches on their way at once, and a bound on them, so that neither waits for the
// other for long and the memory does not depend on the history.
//
// A commit too large for one batch (over 65,536 paths, rare but real: imports of other repositories) goes in several,
// one after the other, with `CommitMade` in the last; its events carry a tag, by which the next run counts the parts
// that are there. Only such a commit can be seen half, until it is finished.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { AppendError, EventLog, ReplayError } from '../../src/index.ts'
import type { Commit } from './commit.ts'
import { commitEvents, type HistoryEvent, type NewHistoryEvent } from './events.ts'

/** The most events of one batch: the log's own limit. */
export const logBatchEventsMax = 65_536

/** Roughly the bytes of one event beside its path. */
const eventBytes = 400

/** Bytes of batches whose receipts may be outstanding: enough for the log to write in large pieces. */
const pendingBytesMax: number = 8 * 1024 * 1024

/** Roughly the bytes of one batch; far below the log's limit, so that long paths do not matter. */
const batchBytesMax: number = 32 * 1024 * 1024

/** Appends commits in the order of the calls. One call at a time. */
export class Appender {
  /** The events handed over so far; only `append` adds to it. */
  eventsAppended = 0
  readonly #log: EventLog<HistoryEvent>
  readonly #batchEventsMax: number
  /** Batches without a receipt, oldest first. */
  readonly #pending: { readonly bytes: number; readonly receipt: Promise<Either<AppendError, unknown>> }[] = []
  /** The sum of the bytes in `#pending`. */
  #pendingBytes = 0

  constructor(log: EventLog<HistoryEvent>, batchEventsMax: number) {
    this.#log = log
    this.#batchEventsMax = batchEventsMax
  }

  /** Hands the commit to the log, when there is room. A Left may speak of an earlier commit. */
  async append(commit: Commit): Promise<Either<AppendError | ReplayError, void>> {
    if (commit.changes.length < this.#batchEventsMax && bytesOf(commit) <= batchBytesMax) {
      return this.#send(commitEvents(commit), bytesOf(commit))
    }
    return this.#appendInParts(commit)
  }

  /** Waits until at most `bytes` are without a receipt. */
  async drain(bytes: number): Promise<Either<AppendError, void>> {
    let failure: Either<AppendError, void> = right(undefined)
    while (this.#pendingBytes > bytes || (bytes === 0 && this.#pending.length > 0)) {
      const oldest = this.#pending.shift()
      if (oldest === undefined) break
      const receipt = await oldest.receipt
      this.#pendingBytes -= oldest.bytes
      if (receipt._tag === 'Left' && failure._tag === 'Right') failure = left(receipt.left)
    }
    return failure
  }

  async #send(events: readonly NewHistoryEvent[], bytes: number): Promise<Either<AppendError, void>> {
    const room = await this.drain(Math.max(0, pendingBytesMax - bytes))
    if (room._tag === 'Left') return room
    this.#pending.push({ bytes, receipt: this.#log.append(events)() })
    this.#pendingBytes += bytes
    this.eventsAppended += events.length
    return right(undefined)
  }

  /** One part after the other, so that what is there is always the beginning. */
  async #appendInParts(commit: Commit): Promise<Either<AppendError | ReplayError, void>> {
    const tag = `commit:${commit.hash}`
    const events = commitEvents(commit, [tag])
    const there = await countTagged(this.#log, tag)
    if (there._tag === 'Left') return there
    const share = Math.ceil(bytesOf(commit) / batchBytesMax)
    const size = Math.min(this.#batchEventsMax, Math.ceil(events.length / share))
    for (let start = there.right; start < events.length; start += size) {
      // With the weight of all that may be pending, a part is sent only when those before it are written.
      const sent = await this.#send(events.slice(start, start + size), pendingBytesMax)
      if (sent._tag === 'Left') return sent
    }
    return right(undefined)
  }
}

function bytesOf(commit: Commit): number {
  return commit.changes.reduce((bytes, { path }) => bytes + path.length + eventBytes, eventBytes)
}

async function countTagged(log: EventLog<HistoryEvent>, tag: string): Promise<Either<ReplayError, number>> {
  let count = 0
  for await (const stored of log.replay(undefined, { query: { tags: [tag] } })) {
    if (stored._tag === 'Left') return stored
    count++
  }
  return right(count)
}
