// What was appended, what was acknowledged and what was trimmed: the account that a log must render after a crash.
// Batches are kept in the order of the calls, which is the order of the log.

import type { Either } from 'fp-ts/lib/Either.js'
import type { AppendError } from '../core/error.ts'
import type { NewEvent, StoredEvent } from '../core/event.ts'
import type { Receipt } from '../port/store.ts'

export interface LedgerBatch {
  /** Its place in the order of the calls. */
  readonly index: number
  readonly events: readonly NewEvent[]
  /**
   * 'open' until the append answers. 'written': it is in the log. 'refused': nothing of it may ever be. 'unknown':
   * it may be, as a whole, or not.
   */
  outcome: 'open' | 'written' | 'refused' | 'unknown'
  /** Which refusal by the disk it was, from 1; 0 for every other. Until it is told, the batch may be there. */
  refusal: number
  /** Where it ends in the log, once that is known. */
  end: number | undefined
}

/** What a log has told its callers. */
export interface Acknowledged {
  /** The last batch that must be there after a crash of the process, −1 for none. */
  readonly buffered: number
  /** The last batch that must be there after a power cut, −1 for none. */
  readonly synced: number
  /** How many batches were refused by the disk: these must not be there. */
  readonly refusals: number
  /** Where the log begins at least. */
  readonly first: number
}

/** What a log shows. */
export interface Shown {
  /** Where it begins. */
  readonly first: number
  readonly events: readonly StoredEvent[]
}

export class Ledger {
  #batches: LedgerBatch[] = []
  #buffered = -1
  #synced = -1
  #refusals = 0
  #first = 0
  /** Where the log may begin besides: a trim is under way, or has not said how it ended. */
  readonly #firsts = new Set<number>([0])

  get batches(): readonly LedgerBatch[] {
    return this.#batches
  }

  /** What is acknowledged now. */
  get acknowledged(): Acknowledged {
    return { buffered: this.#buffered, synced: this.#synced, refusals: this.#refusals, first: this.#first }
  }

  /** Notes an append that is about to be called. */
  issue(events: readonly NewEvent[]): LedgerBatch {
    const batch: LedgerBatch = { index: this.#batches.length, events, outcome: 'open', refusal: 0, end: undefined }
    this.#batches.push(batch)
    return batch
  }

  /** Notes what the append has answered. */
  settle(batch: LedgerBatch, result: Either<AppendError, Pick<Receipt, 'durability' | 'nextOffset'>>): void {
    if (result._tag === 'Left') {
      const { _tag: tag } = result.left
      batch.outcome = tag === 'Poisoned' ? 'unknown' : 'refused'
      if (tag === 'DiskFull' || tag === 'DiskFailed') batch.refusal = ++this.#refusals
      return
    }
    batch.outcome = 'written'
    batch.end = result.right.nextOffset
    this.#buffered = Math.max(this.#buffered, batch.index)
    if (result.right.durability === 'synced') this.#synced = Math.max(this.#synced, batch.index)
  }

  /** Notes that everything up to this batch is on disk. */
  synced(index: number): void {
    this.#synced = Math.max(this.#synced, index)
    this.#buffered = Math.max(this.#buffered, this.#synced)
  }

  /** Notes where the log may begin from now on, and may not yet. */
  mayBegin(first: number): void {
    this.#firsts.add(first)
  }

  /** Notes that the log begins here for good. */
  begins(first: number): void {
    this.#first = Math.max(this.#first, first)
    this.#firsts.add(first)
  }

  /** The log was opened and has shown these events: they are all there is, and must stay. */
  restart({ first, events }: Shown): void {
    const ends = new Map(events.map((stored) => [stored.event.eventId, stored.nextOffset]))
    const endOf = (batch: LedgerBatch): number | undefined => ends.get(batch.events.at(-1)?.eventId ?? '')
    const kept = this.#batches.filter((batch) => this.#isTrimmed(batch, first) || endOf(batch) !== undefined)
    this.#batches = kept.map((batch, index) => {
      const end = endOf(batch) ?? batch.end
      return { index, events: batch.events, outcome: 'written', refusal: 0, end }
    })
    this.#buffered = this.#synced = this.#batches.length - 1
    this.#first = first
  }

  /** The versions that the aggregates have where the log begins. */
  versionsAt(first: number): Map<string, number> {
    const versions = new Map<string, number>()
    for (const batch of this.#batches) {
      if (!this.#isTrimmed(batch, first)) continue
      for (const { aggregateId } of batch.events) versions.set(aggregateId, (versions.get(aggregateId) ?? 0) + 1)
    }
    return versions
  }

  /**
   * Checks that a log begins where it may, and shows whole batches in the order of the calls, without a gap among those
   * that were written, all that are acknowledged at least; and that each event is what was appended.
   * @returns what is wrong, or undefined
   */
  fault({ first, events }: Shown, acknowledged: Omit<Acknowledged, 'synced'>): string | undefined {
    const { buffered: required, refusals } = acknowledged
    if (first < acknowledged.first) return `the log begins at ${first}, and was trimmed up to ${acknowledged.first}`
    if (!this.#firsts.has(first)) return `the log begins at ${first}, where nobody has trimmed it`
    let at = 0
    for (const batch of this.#batches) {
      if (this.#isTrimmed(batch, first)) continue
      if (batch.outcome === 'refused' && batch.refusal <= refusals) continue
      const here = events[at]?.event.eventId === batch.events[0]?.eventId
      if (!here && (batch.outcome === 'unknown' || batch.outcome === 'refused')) continue
      if (!here && at < events.length) return `event ${at} is ${events[at]?.event.eventId}, not of batch ${batch.index}`
      if (!here) return batch.index <= required ? lost(batch.index, required, events.length) : undefined
      for (const expected of batch.events) {
        const stored = events[at++]
        if (stored === undefined) return `batch ${batch.index} is not whole`
        if (!isSame(stored, expected)) return `event ${at - 1} differs from what was appended`
      }
    }
    return at === events.length ? undefined : `event ${at}, ${events[at]?.event.eventId}, was never written`
  }

  /**
   * Checks what holds of any log without damage: frames without gaps, dense versions, time that does not fall.
   * @returns what is wrong, or undefined
   */
  sequenceFault({ first, events }: Shown, end: number): string | undefined {
    const versions = this.versionsAt(first)
    let offset = first
    let timestampMs = 0
    for (const stored of events) {
      const { aggregateId } = stored.event
      const version = (versions.get(aggregateId) ?? 0) + 1
      if (stored.offset !== offset) return `an event stands at ${stored.offset}, the one before ended at ${offset}`
      if (stored.version !== version) return `${aggregateId} has version ${stored.version} after ${version - 1}`
      if (stored.writeTimestampMs < timestampMs) return `time falls at offset ${offset}`
      versions.set(aggregateId, version)
      offset = stored.nextOffset
      timestampMs = stored.writeTimestampMs
    }
    return offset === end ? undefined : `the events end at ${offset}, the log at ${end}`
  }

  #isTrimmed(batch: LedgerBatch, first: number): boolean {
    return batch.end !== undefined && batch.end <= first
  }
}

function lost(index: number, required: number, count: number): string {
  return `batch ${index} is lost, acknowledged up to ${required}; the log ends after ${count} events`
}

function isSame({ event }: StoredEvent, expected: NewEvent): boolean {
  return (
    event.eventId === expected.eventId &&
    event.aggregateId === expected.aggregateId &&
    event.eventType === expected.eventType &&
    JSON.stringify(event.payload) === JSON.stringify(expected.payload) &&
    JSON.stringify(event.tags) === JSON.stringify(expected.tags)
  )
}
