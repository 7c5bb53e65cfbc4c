// A naive model of an index: all events in an array, asked by filter. What the index answers must equal it.

import { left, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../src/core/brand.ts'
import type { CorruptReason, DamagedRegion } from '../src/core/read-error.ts'
import { strideBytes } from '../src/core/limit.ts'
import { matches, type EventKeys, type QueryItem } from '../src/core/query.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { IndexFile } from '../src/indexing/index-file.ts'
import { LayeredIndex } from '../src/indexing/layered-index.ts'
import { MemoryIndex, type ActiveIndex } from '../src/indexing/memory-index.ts'
import type { IndexError, SegmentIndex } from '../src/indexing/segment-index.ts'

/** What happens in a segment, in order: an event, or a region that cannot be read. */
export type Entry =
  | {
      readonly kind: 'event'
      /** Bytes between the end of what came before and the frame. */
      readonly gap: number
      readonly bytes: number
      readonly crc: number
      readonly version: number
      readonly writeTimestampMs: number
      readonly keys: EventKeys
    }
  | { readonly kind: 'damage'; readonly bytes: number; readonly reason: CorruptReason }

export interface Place {
  readonly logId: number
  readonly base: number
}

/** Adds the entries to an index, at its end. */
export function indexOf(place: Place, entries: readonly Entry[]): MemoryIndex {
  const index = new MemoryIndex(place)
  addEntries(index, entries)
  return index
}

export function addEntries(index: ActiveIndex, entries: readonly Entry[]): void {
  for (const entry of entries) {
    if (entry.kind === 'damage') {
      index.addDamage(regionAt(index.end, entry.bytes, entry.reason))
      continue
    }
    const { crc, version, writeTimestampMs } = entry
    const offset = index.end + entry.gap
    index.add({ offset, nextOffset: offset + entry.bytes, crc, version, writeTimestampMs }, entry.keys)
  }
}

function regionAt(offset: number, bytes: number, reason: CorruptReason): DamagedRegion {
  return { offset: offset as Offset, nextOffset: (offset + bytes) as Offset, reason }
}

/** Opens bytes as an index file. */
export function openBytes(
  bytes: Uint8Array,
  place: Place,
  disk: MemoryDisk = new MemoryDisk()
): Either<IndexError, IndexFile> {
  const created = disk.open('x.idx', 'create')
  if (created._tag === 'Left') return left(created.left)
  created.right.writeSync(bytes, 0)
  created.right.close()
  return IndexFile.open(disk, 'x.idx', place)
}

export function fileOf(index: ActiveIndex, place: Place): IndexFile {
  return right(openBytes(bytesOf(index), place))
}

/** The bytes of an index's file. */
export function bytesOf(index: ActiveIndex): Buffer {
  return right(joinParts(index.checkpoint()))
}

/** The parts in one piece, or the Left that came instead. */
export function joinParts(parts: Iterable<Either<IndexError, Uint8Array>>): Either<IndexError, Buffer> {
  const whole: Uint8Array[] = []
  for (const part of parts) {
    if (part._tag === 'Left') return part
    whole.push(part.right)
  }
  return { _tag: 'Right', right: Buffer.concat(whole) }
}

/** What must have gone well. */
export function right<Value>(answer: Either<IndexError, Value>): Value {
  if (answer._tag === 'Right') return answer.right
  throw new Error(`a whole file was refused: ${JSON.stringify(answer.left)}`)
}

export function isDamaged(answer: Either<IndexError, unknown>): boolean {
  return answer._tag === 'Left' && answer.left._tag === 'IndexDamaged'
}

export interface Questions {
  readonly names: readonly string[]
  readonly prefixes: readonly string[]
  readonly queries: readonly (readonly QueryItem[])[]
  readonly offsets: readonly number[]
  readonly times: readonly number[]
}

/** Questions about everything that occurs in the entries, and about some of what does not. */
export function questionsFor(base: number, entries: readonly Entry[]): Questions {
  const events = entries.filter((entry) => entry.kind === 'event')
  const names = [
    ...new Set(['missing', ...events.flatMap(({ keys }) => [keys.aggregateId, keys.eventType, ...keys.tags])])
  ]
  const end = entries.reduce((sum, entry) => sum + entry.bytes, base)
  const starts: number[] = []
  let start = base
  for (const entry of entries) {
    start += entry.kind === 'event' ? entry.gap : 0
    starts.push(start)
    start += entry.bytes
  }
  const times = [-1, 0, 1, 2 ** 53 - 1, ...events.map((event) => event.writeTimestampMs)]
  return {
    names,
    prefixes: ['', 'a', '\u{10000}', ...names.map((name) => name.slice(0, 1))],
    queries: names.flatMap((name, place) => queriesAbout(name, names[(place * 7 + 3) % names.length] as string)),
    offsets: [
      ...starts,
      base - 1,
      base,
      base + strideBytes - 1,
      base + strideBytes,
      base + 9_000,
      Math.floor((base + end) / 2),
      end - 1,
      end
    ],
    times: [...new Set(times)]
  }
}

function queriesAbout(one: string, other: string): readonly (readonly QueryItem[])[] {
  return [
    [{ types: [one] }],
    [{ types: [one, other, one] }],
    [{ tags: [one] }],
    [{ tags: [one, other] }],
    [{ tags: [one, one] }],
    [{ namespace: one }],
    [{ aggregateId: one }],
    [{ aggregateId: one, types: [other], tags: [] }],
    [{ namespace: one, tags: [other], types: [] }],
    [{ types: [one] }, { tags: [other] }, { aggregateId: other }],
    [{ aggregateId: one, namespace: one, types: [one, other], tags: [one] }],
    [{ typePrefix: one.slice(0, 1) }],
    [{ aggregatePrefix: one.slice(0, -1) || one }],
    [{ typePrefix: one, tags: [other] }],
    [{ aggregatePrefix: one.slice(0, 1), types: [other] }, { typePrefix: other }]
  ]
}

export type Answer = unknown

/** An index's answers, the same in number and order as the model's. */
export function answers(index: SegmentIndex, questions: Questions): readonly Answer[] {
  return [
    [index.base, index.end, index.lastFrameCrc, index.events, index.firstTimestampMs, index.lastTimestampMs],
    plain(index.damage()),
    ...questions.names.map((name) => plain(index.version(name))),
    ...questions.names.map((name) => plain(index.aggregateOffsets(name))),
    ...questions.queries.map((items) => plain(index.select(items))),
    ...questions.queries.map((items, place) => plain(index.select(items, sinceOf(questions, place)))),
    ...questions.prefixes.map((prefix) => list(index.aggregates(prefix))),
    ...questions.offsets.map((offset) => plain(index.frameBefore(offset))),
    ...questions.times.map((time) => plain(index.frameBeforeTime(time)))
  ]
}

export function plain(answer: Either<IndexError, unknown>): Answer {
  if (answer._tag === 'Right') return answer.right
  return answer.left._tag === 'IndexDamaged' ? 'damaged' : answer.left
}

export function list(summaries: Iterable<Either<IndexError, unknown>>): Answer {
  const all: Answer[] = []
  for (const summary of summaries) {
    const answer = plain(summary)
    if (answer === 'damaged') return 'damaged'
    all.push(answer)
  }
  return all
}

interface ModelEvent {
  readonly offset: number
  readonly version: number
  /** The greatest timestamp so far, not below 0. */
  readonly time: number
  readonly keys: EventKeys
}

/** What a filter over all events answers. */
export function modelAnswers(base: number, entries: readonly Entry[], questions: Questions): readonly Answer[] {
  const events: ModelEvent[] = []
  const damage: DamagedRegion[] = []
  let end = base
  let crc = 0
  for (const entry of entries) {
    if (entry.kind === 'damage') damage.push(regionAt(end, entry.bytes, entry.reason))
    else {
      const { version, keys } = entry
      crc = entry.crc
      events.push({
        offset: end + entry.gap,
        version,
        keys,
        time: Math.max(events.at(-1)?.time ?? 0, entry.writeTimestampMs)
      })
      end += entry.gap
    }
    end += entry.bytes
  }
  const strideOf = (event: ModelEvent): number => Math.floor((event.offset - base) / strideBytes)
  const strides = events.filter(
    (event, place) => place === 0 || strideOf(events[place - 1] as ModelEvent) < strideOf(event)
  )
  return [
    [base, end, crc, events.length, events[0]?.time ?? 0, events.at(-1)?.time ?? 0],
    damage,
    ...questions.names.map((name) => versionOf(events, name)),
    ...questions.names.map((name) => events.filter((event) => event.keys.aggregateId === name).map(offsetOf)),
    ...questions.queries.map((items) => events.filter((event) => matches(items, event.keys)).map(offsetOf)),
    ...questions.queries.map((items, place) =>
      events.filter((event) => matches(items, event.keys) && event.offset >= sinceOf(questions, place)).map(offsetOf)
    ),
    ...questions.prefixes.map((prefix) => modelSummaries(events, prefix)),
    ...questions.offsets.map(
      (offset) =>
        strides
          .filter((event) => event.offset <= offset)
          .map(offsetOf)
          .at(-1) ?? base
    ),
    ...questions.times.map(
      (time) =>
        strides
          .filter((event) => event.time < time)
          .map(offsetOf)
          .at(-1) ?? base
    )
  ]
}

/** Asks each query from another offset on. */
function sinceOf(questions: Questions, place: number): number {
  return questions.offsets[place % questions.offsets.length] as number
}

function offsetOf(event: ModelEvent): number {
  return event.offset
}

function versionOf(events: readonly ModelEvent[], aggregateId: string): number {
  return events.findLast((event) => event.keys.aggregateId === aggregateId)?.version ?? 0
}

function modelSummaries(events: readonly ModelEvent[], prefix: string): readonly unknown[] {
  const ids = [...new Set(events.map((event) => event.keys.aggregateId))].filter((id) => id.startsWith(prefix)).sort()
  return ids.map((aggregateId) => ({ aggregateId, version: versionOf(events, aggregateId) }))
}

/** `index` over its checkpoint; `between` is done between the steps. */
export function layered(file: IndexFile, index: ActiveIndex, between: () => void = () => {}): LayeredIndex {
  const steps = LayeredIndex.over(file, index)
  for (;;) {
    const step = steps.next()
    if (step.done === true) return step.value
    between()
  }
}
