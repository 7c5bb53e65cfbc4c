// Merges the indexes of consecutive sealed segments, or smaller tiers, into a tier: one pass over their sorted keys,
// in memory no more than a key block of each source and the directories. Postings of single events are not read, so
// the cost is that of the keys. Which tiers it is merged from leaves no trace: the bytes depend on the segments alone.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { keyOrder } from './format.ts'
import { IndexWriter, noPostings, type WrittenKey } from './index-writer.ts'
import type { TimedOffsets } from './section.ts'
import type { IndexError } from './segment-index.ts'
import type { TierKey, TierSource } from './tier-source.ts'

/**
 * The bytes of the tier over `sources`, which follow on each other, oldest first, in pieces of a few KiB. A Left is
 * the last thing that comes, and what came before it is no file: a source that is damaged must be rebuilt first.
 */
export function* mergeTier(sources: readonly TierSource[]): Generator<Either<IndexError, Uint8Array>, void, undefined> {
  const first = sources[0]
  const last = sources.at(-1)
  assert(first !== undefined && last !== undefined, 'a tier is made of something')
  for (let place = 1; place < sources.length; place++) {
    assert(sources[place - 1]?.end === sources[place]?.base, 'the sources of a tier follow on each other')
  }
  const { logId, base } = first
  const segments = joinSegments(sources)
  if (segments._tag === 'Left') return yield segments
  const writer = new IndexWriter({ logId, base, end: last.end, lastFrameCrc: last.lastFrameCrc })
  for (const key of mergeKeys(sources, segments.right.firstNumbers)) {
    if (key._tag === 'Left') return yield key
    writer.add(key.right)
    if (writer.full) yield right(writer.closeGroup())
  }
  const { strides } = segments.right
  const tail = {
    tier: true,
    events: sources.reduce((sum, source) => sum + source.events, 0),
    firstTimestampMs: sources.find((source) => source.events > 0)?.firstTimestampMs ?? 0,
    lastTimestampMs: strides.times.at(-1) ?? 0,
    strides,
    damage: []
  }
  for (const part of writer.finish(tail)) yield right(part)
}

interface JoinedSegments {
  readonly strides: TimedOffsets
  /** The number that each source's first segment has in the tier. */
  readonly firstNumbers: readonly number[]
}

function joinSegments(sources: readonly TierSource[]): Either<IndexError, JoinedSegments> {
  const base = sources[0]?.base ?? 0
  const offsets: number[] = []
  const times: number[] = []
  const firstNumbers: number[] = []
  let time = 0
  for (const source of sources) {
    const segments = source.segments()
    if (segments._tag === 'Left') return segments
    firstNumbers.push(offsets.length)
    for (let place = 0; place < segments.right.offsets.length; place++) {
      // Another program's clock may have fallen between two segments.
      time = Math.max(time, segments.right.times[place] as number)
      offsets.push(source.base - base + (segments.right.offsets[place] as number))
      times.push(time)
    }
  }
  return right({ strides: { offsets, times }, firstNumbers })
}

/** The keys of all sources in order, those that are the same made one. */
function* mergeKeys(
  sources: readonly TierSource[],
  firstNumbers: readonly number[]
): Generator<Either<IndexError, WrittenKey>, void, undefined> {
  const lists = sources.map((source) => source.tierKeys()[Symbol.iterator]())
  const heads: (TierKey | undefined)[] = []
  for (const list of lists) {
    const head = nextOf(list)
    if (head._tag === 'Left') return yield head
    heads.push(head.right)
  }
  for (;;) {
    let least: TierKey | undefined
    for (const head of heads) {
      if (head !== undefined && (least === undefined || keyOrder(head, least) < 0)) least = head
    }
    if (least === undefined) return
    const { kind, key } = least
    const offsets: number[] = []
    let events = 0
    let version = 0
    for (let place = 0; place < heads.length; place++) {
      const head = heads[place]
      if (head === undefined || keyOrder(head, least) !== 0) continue
      events += head.events
      version = head.version
      for (const number of head.segments) offsets.push((firstNumbers[place] as number) + number)
      const next = nextOf(lists[place] as Iterator<Either<IndexError, TierKey>>)
      if (next._tag === 'Left') return yield next
      heads[place] = next.right
    }
    yield right({ kind, key, events, version, head: noPostings, offsets })
  }
}

function nextOf(list: Iterator<Either<IndexError, TierKey>>): Either<IndexError, TierKey | undefined> {
  const next = list.next()
  return next.done === true ? right(undefined) : next.value
}
