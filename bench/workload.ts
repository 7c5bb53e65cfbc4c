// The events of every benchmark: a bank's, about 250 bytes of JSON each, on 10,000 aggregates whose sizes follow
// Zipf's law. A seeded generator makes them, so every system and every round gets the same ones in the same order,
// and what was read back can be told from its digest.

/** An event as every system is given it, its keys in the order in which people write them, which is not sorted. */
export interface BenchEvent {
  readonly eventType: string
  readonly aggregateId: string
  readonly eventId: string
  readonly payload: {
    readonly cents: number
    readonly currency: string
    readonly counterparty: string
    readonly note: string
  }
  readonly metadata: { readonly correlationId: string }
  readonly tags: readonly string[]
}

/** What a selective read asks for: one field, one value. */
export type Selector =
  | { readonly field: 'aggregateId'; readonly value: string }
  | { readonly field: 'eventType'; readonly value: string }
  | { readonly field: 'tag'; readonly value: string }

const aggregateCount = 10_000
const tagCount = 100
const commonTypes = ['MoneyDeposited', 'MoneyWithdrawn', 'TransferSent', 'TransferReceived', 'FeeCharged'] as const
const rareType = 'AccountReviewed'

/** Of each kind, one selector that about 1 event in 100 matches. By Zipf's law the tenth aggregate has 1.02 %. */
export const oneInHundred: Readonly<Record<'aggregate' | 'type' | 'tag', Selector>> = {
  aggregate: { field: 'aggregateId', value: aggregateName(9) },
  type: { field: 'eventType', value: rareType },
  tag: { field: 'tag', value: tagName(42) }
}

/** Tommy Ettinger's mulberry32: 32 bits of state, good enough for choices, and the same on every machine. */
function mulberry32(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000
  }
}

export class EventSource {
  private readonly random = mulberry32(20_240_229)
  private readonly cumulative = zipf(aggregateCount)

  next(): BenchEvent {
    const { random } = this
    return {
      eventType: random() < 0.01 ? rareType : (commonTypes[Math.floor(random() * commonTypes.length)] as string),
      aggregateId: aggregateName(this.rank()),
      eventId: `${hex(random)}-${hex(random)}`,
      payload: {
        cents: Math.floor(random() * 1_000_000),
        currency: 'EUR',
        counterparty: aggregateName(Math.floor(random() * aggregateCount)),
        note: `Invoice ${Math.floor(random() * 100_000)}`
      },
      metadata: { correlationId: hex(random) },
      tags: [tagName(Math.floor(random() * tagCount))]
    }
  }

  take(count: number): BenchEvent[] {
    return Array.from({ length: count }, () => this.next())
  }

  private rank(): number {
    const target = this.random()
    let low = 0
    let high = this.cumulative.length - 1
    while (low < high) {
      const middle = (low + high) >>> 1
      if ((this.cumulative[middle] as number) < target) low = middle + 1
      else high = middle
    }
    return low
  }
}

/** The digest of a sequence of events, continued by one. It sees their order, and costs some 20 ns an event. */
export function digestWith(digest: number, event: BenchEvent): number {
  const { aggregateId, eventId, payload, metadata, tags } = event
  let next = Math.imul(digest, 31) + payload.cents
  next = Math.imul(next, 31) + aggregateId.charCodeAt(aggregateId.length - 1) + (tags[0] as string).length
  next = Math.imul(next, 31) + eventId.charCodeAt(3) + event.eventType.length
  return (Math.imul(next, 31) + metadata.correlationId.charCodeAt(5) + payload.note.length) >>> 0
}

export function matches(selector: Selector, event: BenchEvent): boolean {
  return selector.field === 'tag' ? event.tags.includes(selector.value) : event[selector.field] === selector.value
}

/** The running sums of Zipf's weights 1, 1/2, 1/3, …, scaled to end at 1. */
function zipf(count: number): Float64Array {
  const sums = new Float64Array(count)
  let sum = 0
  for (let rank = 0; rank < count; rank++) {
    sum += 1 / (rank + 1)
    sums[rank] = sum
  }
  return sums.map((value) => value / sum)
}

function aggregateName(rank: number): string {
  return `account-${String(rank).padStart(5, '0')}`
}

function tagName(place: number): string {
  return `branch-${String(place).padStart(2, '0')}`
}

function hex(random: () => number): string {
  return Math.floor(random() * 0x1_0000_0000)
    .toString(16)
    .padStart(8, '0')
}
