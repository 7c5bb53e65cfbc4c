// A naive model of a tier: the events of several segments in arrays, asked by filter; and tiers made of them.

import type { Either } from 'fp-ts/lib/Either.js'
import type { EventKeys } from '../src/core/query.ts'
import { matches } from '../src/core/query.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { keyKind, type KeyKind } from '../src/indexing/format.ts'
import type { IndexError } from '../src/indexing/segment-index.ts'
import { TierFile } from '../src/indexing/tier-file.ts'
import { mergeTier } from '../src/indexing/tier-merge.ts'
import type { TierSource } from '../src/indexing/tier-source.ts'
import {
  fileOf,
  indexOf,
  joinParts,
  list,
  plain,
  questionsFor,
  right,
  type Answer,
  type Entry,
  type Place,
  type Questions
} from './indexing-model.ts'

/** A segment with what happened in it; at least one byte did. */
export interface SegmentStory extends Place {
  readonly end: number
  readonly entries: readonly Entry[]
}

/** Segments that follow on each other, one for each history. */
export function segmentsOf(place: Place, histories: readonly (readonly Entry[])[]): readonly SegmentStory[] {
  let { base } = place
  return histories.map((entries) => {
    const story = { logId: place.logId, base, end: indexOf({ ...place, base }, entries).end, entries }
    base = story.end
    return story
  })
}

export function sourceOf(story: SegmentStory): TierSource {
  return fileOf(indexOf(story, story.entries), story)
}

/** The bytes of the tier over these sources. */
export function tierBytes(sources: readonly TierSource[]): Buffer {
  return right(joinParts(mergeTier(sources)))
}

export function openTier(
  bytes: Uint8Array,
  expected: Place & { readonly end: number },
  disk: MemoryDisk = new MemoryDisk()
): Either<IndexError, TierFile> {
  const created = disk.open('x.tier', 'create')
  if (created._tag === 'Left') return created
  created.right.writeSync(bytes, 0)
  created.right.close()
  return TierFile.open(disk, 'x.tier', expected)
}

export function tierOf(sources: readonly TierSource[]): TierFile {
  const { logId = 0, base = 0 } = sources[0] ?? {}
  return right(openTier(tierBytes(sources), { logId, base, end: sources.at(-1)?.end ?? 0 }))
}

export function questionsAbout(stories: readonly SegmentStory[]): Questions {
  const entries = stories.flatMap((story) => story.entries)
  return questionsFor(stories[0]?.base ?? 0, entries)
}

const kinds: readonly KeyKind[] = Object.values(keyKind)

/** A tier's answers, the same in number and order as the model's. */
export function tierAnswers(tier: TierFile, questions: Questions): readonly Answer[] {
  return [
    [tier.logId, tier.base, tier.end, tier.events, tier.firstTimestampMs, tier.lastTimestampMs],
    ...questions.names.map((name) => plain(tier.version(name))),
    ...questions.names.flatMap((name) => kinds.map((kind) => plain(tier.segmentsOf(kind, name)))),
    ...questions.names.flatMap((name) => kinds.map((kind) => plain(tier.counts(kind, name)))),
    ...questions.queries.map((items) => plain(tier.candidates(items))),
    ...questions.prefixes.map((prefix) => list(tier.aggregates(prefix))),
    ...questions.times.map((time) => plain(tier.segmentForTime(time)))
  ]
}

/** What a filter over all events answers. */
export function tierModelAnswers(stories: readonly SegmentStory[], questions: Questions): readonly Answer[] {
  const events = stories.flatMap(eventsOf)
  const times = events.map((event) => event.time)
  const version = (id: string): number => events.findLast((event) => event.keys.aggregateId === id)?.version ?? 0
  const ids = [...new Set(events.map((event) => event.keys.aggregateId))].sort()
  return [
    [
      ...[stories[0]?.logId, stories[0]?.base, stories.at(-1)?.end],
      ...[events.length, times[0] ?? 0, Math.max(0, ...times)]
    ],
    ...questions.names.map(version),
    ...questions.names.flatMap((name) => kinds.map((kind) => basesOf(events.filter(has(kind, name))))),
    ...questions.names.flatMap((name) => kinds.map((kind) => countsOf(events.filter(has(kind, name))))),
    ...questions.queries.map((items) =>
      stories.filter((story) => items.some((item) => holdsTerms(eventsOf(story), item))).map((story) => story.base)
    ),
    ...questions.prefixes.map((prefix) =>
      ids.filter((id) => id.startsWith(prefix)).map((aggregateId) => ({ aggregateId, version: version(aggregateId) }))
    ),
    ...questions.times.map((time) => segmentForTime(stories, time))
  ]
}

interface StoryEvent {
  readonly base: number
  readonly version: number
  /** The greatest time in its segment so far, not below 0. */
  readonly time: number
  readonly keys: EventKeys
}

function eventsOf(story: SegmentStory): readonly StoryEvent[] {
  let time = 0
  return story.entries.flatMap((entry) => {
    if (entry.kind === 'damage') return []
    time = Math.max(time, entry.writeTimestampMs)
    return [{ base: story.base, version: entry.version, time, keys: entry.keys }]
  })
}

function has(kind: KeyKind, key: string): (event: StoryEvent) => boolean {
  return ({ keys }) => {
    if (kind === keyKind.aggregate) return keys.aggregateId === key
    if (kind === keyKind.type) return keys.eventType === key
    return kind === keyKind.namespace ? keys.namespace === key : keys.tags.includes(key)
  }
}

function basesOf(events: readonly StoryEvent[]): readonly number[] {
  return [...new Set(events.map((event) => event.base))]
}

function countsOf(events: readonly StoryEvent[]): Answer {
  return { events: events.length, segments: basesOf(events).length }
}

/** Whether each term of the item holds for some event of the segment, not the same one for all. */
function holdsTerms(events: readonly StoryEvent[], item: Questions['queries'][number][number]): boolean {
  const { aggregateId, typePrefix, namespace, types = [], tags = [] } = item
  const terms = [
    ...(aggregateId === undefined ? [] : [{ aggregateId }]),
    ...(typePrefix === undefined ? [] : [{ typePrefix }]),
    ...(namespace === undefined ? [] : [{ namespace }]),
    ...(types.length === 0 ? [] : [{ types }]),
    ...tags.map((tag) => ({ tags: [tag] }))
  ]
  return terms.every((term) => events.some((event) => matches([term], event.keys)))
}

/** The first segment with an event of this time or a later one; time 0 is before every event. */
function segmentForTime(stories: readonly SegmentStory[], timestampMs: number): number | undefined {
  if (timestampMs <= 0) return stories[0]?.base
  return stories.find((story) => eventsOf(story).some((event) => event.time >= timestampMs))?.base
}
