// Reading one aggregate. Its versions are dense, which proves more than a checksum can: a damaged region between two
// events whose versions follow each other held none of this aggregate's, and is left out. A region that versions do
// not clear may hide an event, and stays as a Left in its place. When the first of the events that are wanted were
// trimmed, the answer is Trimmed and nothing else: what is kept is not the aggregate's history.

import { left } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { Trimmed } from '../core/error.ts'
import { Corrupt, type ReplayError } from '../core/read-error.ts'
import type { EventReader, ReadBatch, Store } from '../port/store.ts'

type Element = ReadBatch[number]

export interface AggregateRange {
  readonly aggregateId: string
  /** The first version that is wanted, from 1. */
  readonly fromVersion: number
  /** At most so many events. */
  readonly limit: number | undefined
}

export class AggregateReader implements EventReader {
  private readonly source: EventReader
  private readonly range: AggregateRange
  private readonly log: Pick<Store, 'first' | 'trimmedVersion'>
  private readonly fromVersion: number
  /** Whether it is known that the first of the events was not trimmed. */
  private begun = false
  /** The version that the next event must have if none is missing. */
  private expected: number
  private left: number
  /** Damaged regions since the last event, which the next one may clear. */
  private suspects: Element[] = []
  /** Where the last event ended. */
  private lastEnd = 0 as Offset
  private ended = false

  /** `source` reads the aggregate's events in order, from one of at most `fromVersion` on, or the first that is kept. */
  constructor(source: EventReader, range: AggregateRange, log: Pick<Store, 'first' | 'trimmedVersion'>) {
    this.source = source
    this.range = range
    this.log = log
    this.fromVersion = range.fromVersion
    this.expected = range.fromVersion
    this.left = range.limit ?? Number.POSITIVE_INFINITY
  }

  async next(): Promise<ReadBatch | undefined> {
    while (!this.ended) {
      const batch = this.left > 0 ? await this.source.next() : undefined
      const lost = this.begun ? undefined : await this.lostBeginning(batch)
      if (lost !== undefined) {
        this.close()
        return [left(lost)]
      }
      if (batch === undefined) return this.end()
      const elements: Element[] = []
      for (const element of batch) {
        if (this.left > 0) this.take(element, elements)
      }
      if (elements.length > 0) return elements
    }
    return undefined
  }

  close(): void {
    this.ended = true
    this.source.close()
  }

  private end(): ReadBatch | undefined {
    const rest = this.left > 0 ? this.suspects : []
    this.close()
    return rest.length > 0 ? rest : undefined
  }

  /** Why the aggregate's history cannot be told, asked when its first event is seen, or none is there. */
  private async lostBeginning(batch: ReadBatch | undefined): Promise<ReplayError | undefined> {
    const first = batch?.find((element) => element._tag === 'Right')
    if (batch !== undefined && first === undefined) return undefined
    this.begun = true
    const { aggregateId, fromVersion } = this.range
    const isThere = first?._tag === 'Right' && first.right.version <= fromVersion
    if (isThere || this.left === 0 || this.log.first() === 0) return undefined
    const trimmed = await this.log.trimmedVersion(aggregateId)
    if (trimmed._tag === 'Left') return trimmed.left
    return trimmed.right < fromVersion ? undefined : new Trimmed(0 as Offset, this.log.first())
  }

  private take(element: Element, elements: Element[]): void {
    if (element._tag === 'Left') {
      if (element.left._tag === 'Corrupt') this.suspects.push(element)
      else elements.push(element)
      return
    }
    const { version, offset, nextOffset } = element.right
    if (version >= this.fromVersion) {
      if (version > this.expected) this.reportLoss(offset, elements)
      elements.push(element)
      this.expected = version + 1
      this.left--
    }
    this.suspects = []
    this.lastEnd = nextOffset
  }

  /** Versions are missing before the event at `offset`. */
  private reportLoss(offset: Offset, elements: Element[]): void {
    if (this.suspects.length > 0) elements.push(...this.suspects)
    else elements.push(left(new Corrupt({ offset: this.lastEnd, nextOffset: offset, reason: 'missing' })))
  }
}
