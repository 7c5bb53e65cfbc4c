// Retries. An append whose receipt was lost is repeated with the same event ids and the same conditions, and now its
// own first attempt stands against it. Whether that is so is looked up only when a condition has failed: the batch
// is searched where its conditions say that it must stand, so nothing has to be indexed by event id.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Offset, Version } from '../core/brand.ts'
import { canonicalJson } from '../core/canon.ts'
import { EventIdConflict, type DiskError } from '../core/error.ts'
import { decodeRecord, type EncodedEvent, type StoredEvent } from '../core/event.ts'
import { checkFrame, frameBytes, framePayloadBytes, frameSeed } from '../core/frame.ts'
import { headerBytes } from '../core/header.ts'
import type { AppendRequest } from '../port/store.ts'
import type { Catalog, StaleIndex } from './catalog.ts'
import type { Segment } from './segment.ts'

/** A batch that is in the log. */
export interface WrittenBatch {
  readonly offset: Offset
  readonly nextOffset: Offset
  readonly versions: readonly Version[]
}

/** How many events are compared at most, newest first, where the conditions do not say exactly where to look. */
const candidatesMax = 1_024

/** The batch in the log that has the request's events, by id and content; undefined when there is none. */
export function findWritten(
  catalog: Catalog,
  request: AppendRequest
): Either<DiskError | StaleIndex | EventIdConflict, WrittenBatch | undefined> {
  const first = request.events[0] as EncodedEvent
  const candidates = placesOf(catalog, request, first)
  if (candidates._tag === 'Left') return candidates
  for (const offset of candidates.right) {
    const stored = readEvent(catalog, offset)
    if (stored._tag === 'Left') return stored
    if (stored.right?.event.eventId === first.eventId) return compareBatch(catalog, request, stored.right)
  }
  return right(undefined)
}

/** Where the batch's first event can stand: it has the next version after the one that was expected, if one was. */
function placesOf(
  catalog: Catalog,
  request: AppendRequest,
  first: EncodedEvent
): Either<DiskError | StaleIndex, readonly number[]> {
  const { aggregateId, eventType } = first
  let since = 0
  let version: number | undefined
  for (const condition of request.conditions) {
    if ('noneMatch' in condition) since = Math.max(since, condition.after ?? 0)
    else if (condition.aggregateId === aggregateId && condition.version !== 'exists') {
      version = condition.version === 'none' ? 1 : condition.version + 1
    }
  }
  if (version !== undefined) return placeOfVersion(catalog, aggregateId, version)
  const without = catalog.without([{ aggregateId }])
  const found: number[] = []
  for (let place = catalog.segments.length - 1; place >= 0 && found.length < candidatesMax; place--) {
    const segment = catalog.segments[place] as Segment
    if (segment.end <= since) break
    if (without.has(segment.base)) continue
    const offsets = catalog.ask(segment, (index) => index.select([{ aggregateId, types: [eventType] }], since))
    if (offsets._tag === 'Left') return offsets
    found.push(...offsets.right.slice(-candidatesMax).reverse())
  }
  return right(found.slice(0, candidatesMax))
}

function placeOfVersion(
  catalog: Catalog,
  aggregateId: string,
  version: number
): Either<DiskError | StaleIndex, readonly number[]> {
  const without = catalog.without([{ aggregateId }])
  for (const segment of catalog.segments) {
    if (without.has(segment.base)) continue
    const last = catalog.ask(segment, (index) => index.version(aggregateId))
    if (last._tag === 'Left') return last
    if (last.right < version) continue
    const offsets = catalog.ask(segment, (index) => index.aggregateOffsets(aggregateId))
    if (offsets._tag === 'Left') return offsets
    // Versions are dense up to the last one; where events were lost, none stands here and nothing is found.
    const offset = offsets.right[offsets.right.length - 1 - (last.right - version)]
    return right(offset === undefined ? [] : [offset])
  }
  return right([])
}

/** The events follow each other as they were appended, or the first one's id was given to something else. */
function compareBatch(
  catalog: Catalog,
  request: AppendRequest,
  first: StoredEvent
): Either<DiskError | EventIdConflict, WrittenBatch> {
  const versions: Version[] = []
  let nextOffset: number = first.offset
  for (const event of request.events) {
    const stored = readEvent(catalog, nextOffset)
    if (stored._tag === 'Left') return stored
    if (stored.right === undefined || !isSame(stored.right, event)) {
      return left(new EventIdConflict(event.eventId, Offset(nextOffset)))
    }
    versions.push(stored.right.version)
    nextOffset = stored.right.nextOffset
  }
  return right({ offset: first.offset, nextOffset: Offset(nextOffset), versions })
}

function isSame(stored: StoredEvent, event: EncodedEvent): boolean {
  const json = canonicalJson(stored.event)
  return json._tag === 'Right' && json.right === event.json
}

/** The event that stands at `offset`, proven; undefined when none does. */
function readEvent(catalog: Catalog, offset: number): Either<DiskError, StoredEvent | undefined> {
  if (offset >= catalog.end()) return right(undefined)
  const segment = catalog.segments[catalog.placeOf(offset)] as Segment
  const opened = catalog.options.disk.open(segment.path, 'read')
  if (opened._tag === 'Left') return opened
  const file = opened.right
  const readAt = (bytes: number): Either<DiskError, Buffer> => {
    const target = Buffer.alloc(Math.min(bytes, segment.end - offset))
    const got = file.readSync(target, offset - segment.base + headerBytes)
    return got._tag === 'Left' ? got : right(target.subarray(0, got.right))
  }
  try {
    const word = readAt(4)
    if (word._tag === 'Left' || word.right.length < 4) return word._tag === 'Left' ? word : right(undefined)
    const payloadBytes = framePayloadBytes(word.right, 0)
    const frame = readAt(frameBytes(payloadBytes))
    if (frame._tag === 'Left') return frame
    const { logId } = catalog.options
    if (checkFrame(frame.right, 0, frame.right.length, frameSeed(logId, offset)) !== undefined) return right(undefined)
    const record = decodeRecord(frame.right, 4, 4 + payloadBytes)
    if (record._tag === 'Left') return right(undefined)
    const { version, writeTimestampMs, event } = record.right
    const nextOffset = Offset(offset + frameBytes(payloadBytes))
    return right({ offset: Offset(offset), nextOffset, version: Version(version), writeTimestampMs, event })
  } finally {
    file.close()
  }
}
