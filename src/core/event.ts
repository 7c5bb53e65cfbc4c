// The event, and the record that a frame's payload holds:
//
//   {"durableBefore"?,"event":{"aggregateId","eventId","eventType","metadata"?,"namespace"?,"payload",
//                              "schemaId"?,"schemaVersion"?,"tags"?},"version","writeTimestampMs"}
//
// An event is checked and serialised once, inside the caller's call, so that what is stored is what was passed at
// that time. The record is put around that text when the batch is planned, since version and time are known then.

import { isUtf8 } from 'node:buffer'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import type { Offset, Version } from './brand.ts'
import { canonicalJson, quote } from './canon.ts'
import { InvalidEvent } from './error.ts'
import { depthMax, nameBytesMax, tagsMax } from './limit.ts'

/** An event as it is stored and read. Optional fields are absent, never undefined. */
export interface Event<Type extends string = string, Payload = unknown> {
  /** The entity whose history this event is part of: `account-42`. */
  readonly aggregateId: string
  /** Identifies the event across retries; a random UUID when the caller gave none. */
  readonly eventId: string
  readonly eventType: Type
  readonly payload: Payload
  /** What is about the event rather than in it: user, correlation, causation. */
  readonly metadata?: Readonly<Record<string, unknown>>
  /** The part of the system the event belongs to. */
  readonly namespace?: string
  readonly schemaId?: string
  /** An integer from 0. */
  readonly schemaVersion?: number
  /** Further keys the event is found by. */
  readonly tags?: readonly string[]
}

/** An event as a caller passes it: the event id may be left to the log. */
export type NewEvent<Type extends string = string, Payload = unknown> = Omit<Event<Type, Payload>, 'eventId'> & {
  readonly eventId?: string
}

/** An event at its place in the log. */
export interface StoredEvent<E = Event> {
  readonly offset: Offset
  /** Where the next event begins, or will. */
  readonly nextOffset: Offset
  readonly version: Version
  /** When the log wrote it, in ms since the epoch; never less than that of the event before. */
  readonly writeTimestampMs: number
  readonly event: E
}

/** What an event is found by. */
export interface EventKeys {
  readonly aggregateId: string
  readonly eventType: string
  readonly namespace: string | undefined
  readonly tags: readonly string[]
}

/** An event that was accepted and serialised. */
export interface EncodedEvent extends EventKeys {
  readonly eventId: string
  /** The event's canonical JSON. */
  readonly json: string
}

/** What a frame's payload says. */
export interface FrameRecord {
  readonly durableBefore?: number
  readonly event: Event
  readonly version: number
  readonly writeTimestampMs: number
}

/** The canonical JSON of a record, around an event's. */
export function recordJson(
  eventJson: string,
  record: { readonly durableBefore: number | undefined; readonly version: number; readonly writeTimestampMs: number }
): string {
  const tail = `,"version":${record.version},"writeTimestampMs":${record.writeTimestampMs}}`
  return record.durableBefore === undefined
    ? `{"event":${eventJson}${tail}`
    : `{"durableBefore":${record.durableBefore},"event":${eventJson}${tail}`
}

/** Checks and serialises the event at `index` of a batch. `newEventId` is asked only when the event has none. */
export function encodeEvent(
  input: unknown,
  index: number,
  newEventId: () => string
): Either<InvalidEvent, EncodedEvent> {
  if (typeof input !== 'object' || input === null || Array.isArray(input)) {
    return refuse('$', 'an event is an object', index)
  }
  const fields = readFields(input, index)
  return fields._tag === 'Left' ? fields : encodeFields(fields.right, index, newEventId)
}

type Fields = Partial<Record<keyof Event, unknown>>

const fieldNames: ReadonlySet<string> = new Set([
  'aggregateId',
  'eventId',
  'eventType',
  'metadata',
  'namespace',
  'payload',
  'schemaId',
  'schemaVersion',
  'tags'
])

/** Takes every field once, so that a getter cannot answer the check one thing and the writer another. */
function readFields(input: object, index: number): Either<InvalidEvent, Fields> {
  const fields: Fields = {}
  for (const key of Object.keys(input)) {
    if (!fieldNames.has(key)) return refuse('$', `an event has no field ${quote(key)}; put it into payload`, index)
    try {
      const value: unknown = (input as Readonly<Record<string, unknown>>)[key]
      if (value !== undefined) fields[key as keyof Event] = value
    } catch (error) {
      return refuse(`$.${key}`, `the getter throws: ${String(error)}`, index)
    }
  }
  return right(fields)
}

function encodeFields(fields: Fields, index: number, newEventId: () => string): Either<InvalidEvent, EncodedEvent> {
  const { aggregateId, eventType, namespace, schemaId, schemaVersion, metadata } = fields
  const eventId = fields.eventId === undefined ? newEventId() : fields.eventId
  const tags: unknown = tagsOf(fields.tags)
  const fault =
    nameFault('aggregateId', aggregateId) ??
    nameFault('eventId', eventId) ??
    nameFault('eventType', eventType) ??
    (namespace === undefined ? undefined : nameFault('namespace', namespace)) ??
    (schemaId === undefined ? undefined : nameFault('schemaId', schemaId)) ??
    schemaVersionFault(schemaVersion) ??
    metadataFault(metadata) ??
    tagsFault(tags)
  if (fault !== undefined) return refuse(fault.path, fault.reason, index)
  const payload = canonicalJson(fields.payload, '$.payload')
  if (payload._tag === 'Left') return refuse(payload.left.path, payload.left.reason, index)
  const meta = metadata === undefined ? undefined : canonicalJson(metadata, '$.metadata')
  if (meta?._tag === 'Left') return refuse(meta.left.path, meta.left.reason, index)

  let json = `{"aggregateId":${quote(aggregateId as string)},"eventId":${quote(eventId as string)}`
  json += `,"eventType":${quote(eventType as string)}`
  if (meta !== undefined) json += `,"metadata":${meta.right}`
  if (namespace !== undefined) json += `,"namespace":${quote(namespace as string)}`
  json += `,"payload":${payload.right}`
  if (schemaId !== undefined) json += `,"schemaId":${quote(schemaId as string)}`
  if (schemaVersion !== undefined) json += `,"schemaVersion":${schemaVersion as number}`
  const tagList = tags as readonly string[]
  if (fields.tags !== undefined) json += `,"tags":[${tagList.map(quote).join(',')}]`
  return right({
    aggregateId: aggregateId as string,
    eventId: eventId as string,
    eventType: eventType as string,
    namespace: namespace as string | undefined,
    tags: tagList,
    json: `${json}}`
  })
}

/** The tags as the check and the writer both see them: a copy, since the caller's array may be a proxy. */
function tagsOf(value: unknown): unknown {
  if (value === undefined) return []
  return Array.isArray(value) ? [...(value as unknown[])] : value
}

interface Fault {
  readonly path: string
  readonly reason: string
}

function refuse(path: string, reason: string, index: number): Either<InvalidEvent, never> {
  return left(new InvalidEvent({ path, reason, index }))
}

/** Names become index keys, so two of them may never become the same bytes: a lone surrogate is refused. */
function nameFault(field: string, value: unknown): Fault | undefined {
  const path = `$.${field}`
  if (typeof value !== 'string') return { path, reason: value === undefined ? 'is missing' : 'is not a string' }
  if (value === '') return { path, reason: 'is empty' }
  if (!value.isWellFormed()) return { path, reason: 'holds half of a surrogate pair' }
  const bytes = value.length * 3 <= nameBytesMax ? 0 : Buffer.byteLength(value)
  return bytes > nameBytesMax ? { path, reason: `has ${bytes} bytes, the limit is ${nameBytesMax}` } : undefined
}

function schemaVersionFault(value: unknown): Fault | undefined {
  if (value === undefined || (Number.isSafeInteger(value) && (value as number) >= 0)) return undefined
  return { path: '$.schemaVersion', reason: 'is not an integer from 0' }
}

function metadataFault(value: unknown): Fault | undefined {
  if (value === undefined || (typeof value === 'object' && value !== null && !Array.isArray(value))) return undefined
  return { path: '$.metadata', reason: 'is not an object' }
}

function tagsFault(value: unknown): Fault | undefined {
  if (!Array.isArray(value)) return { path: '$.tags', reason: 'is not an array of strings' }
  if (value.length > tagsMax) return { path: '$.tags', reason: `has ${value.length} tags, the limit is ${tagsMax}` }
  for (let place = 0; place < value.length; place++) {
    const fault = nameFault(`tags[${place}]`, value[place])
    if (fault !== undefined) return fault
  }
  return undefined
}

/** Reads the record in `bytes[start, end)`, whose CRC holds. What does not fit was written by another program. */
export function decodeRecord(bytes: Buffer, start: number, end: number): Either<Fault, FrameRecord> {
  const text = bytes.toString('utf8', start, end)
  // Only bytes that are no UTF-8 become U+FFFD, or text that holds one, which is rare: then the bytes are asked.
  if (text.includes('\ufffd') && !isUtf8(bytes.subarray(start, end))) return left({ path: '$', reason: 'is not UTF-8' })
  if (nestsTooDeep(bytes, start, end)) return left({ path: '$', reason: `nests deeper than ${depthMax} levels` })
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (error) {
    return left({ path: '$', reason: `is not JSON: ${(error as Error).message}` })
  }
  const fault = recordFault(value)
  return fault === undefined ? right(value as FrameRecord) : left(fault)
}

/** The record is up to two levels around a payload that may use all of depthMax. */
const recordDepthMax = depthMax + 2

/** Each level costs at least two bytes, so the frames of everyday are told from their length alone. */
function nestsTooDeep(bytes: Buffer, start: number, end: number): boolean {
  if (end - start <= 2 * recordDepthMax) return false
  let depth = 0
  for (let at = start; at < end; at++) {
    const byte = bytes[at]
    if (byte === 0x22) at = stringEnd(bytes, at + 1, end)
    else if (byte === 0x7b || byte === 0x5b) depth++
    else if (byte === 0x7d || byte === 0x5d) depth--
    if (depth > recordDepthMax) return true
  }
  return false
}

/** The place of the quote that ends the string whose first character is at `at`. */
function stringEnd(bytes: Buffer, at: number, end: number): number {
  let place = at
  while (place < end && bytes[place] !== 0x22) place += bytes[place] === 0x5c ? 2 : 1
  return place
}

function recordFault(value: unknown): Fault | undefined {
  if (!isObject(value)) return { path: '$', reason: 'is not an object' }
  const { durableBefore, version, writeTimestampMs, event } = value as Partial<Record<keyof FrameRecord, unknown>>
  if (!Number.isSafeInteger(version) || (version as number) < 1) return { path: '$.version', reason: 'is no version' }
  if (!Number.isSafeInteger(writeTimestampMs)) return { path: '$.writeTimestampMs', reason: 'is no time in ms' }
  if (durableBefore !== undefined && !(Number.isSafeInteger(durableBefore) && (durableBefore as number) >= 0)) {
    return { path: '$.durableBefore', reason: 'is no offset' }
  }
  if (!isObject(event)) return { path: '$.event', reason: 'is not an object' }
  const fault = eventFault(event)
  return fault === undefined ? undefined : { path: fault.path.replace('$', '$.event'), reason: fault.reason }
}

function eventFault(event: Fields): Fault | undefined {
  if (typeof event.aggregateId !== 'string') return { path: '$.aggregateId', reason: 'is not a string' }
  if (typeof event.eventId !== 'string') return { path: '$.eventId', reason: 'is not a string' }
  if (typeof event.eventType !== 'string') return { path: '$.eventType', reason: 'is not a string' }
  if (event.payload === undefined) return { path: '$.payload', reason: 'is missing' }
  if (event.namespace !== undefined && typeof event.namespace !== 'string') {
    return { path: '$.namespace', reason: 'is not a string' }
  }
  if (event.schemaId !== undefined && typeof event.schemaId !== 'string') {
    return { path: '$.schemaId', reason: 'is not a string' }
  }
  return schemaVersionFault(event.schemaVersion) ?? metadataFault(event.metadata) ?? storedTagsFault(event.tags)
}

function storedTagsFault(tags: unknown): Fault | undefined {
  return tags === undefined ? undefined : tagsFault(tags)
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/**
 * The io-ts codec of an event whose payload is not known. The guard is written by hand: for seven fields `t.type`
 * costs 280 to 820 ns, a guard by hand 11 ns (measured).
 */
export const AnyEvent: t.Type<Event, Event, unknown> = new t.Type<Event, Event, unknown>(
  'Event',
  (value): value is Event => isObject(value) && eventFault(value) === undefined,
  (value, context) => {
    const fault = isObject(value) ? eventFault(value) : { path: '$', reason: 'is not an object' }
    return fault === undefined ? t.success(value as Event) : t.failure(value, context, `${fault.path} ${fault.reason}`)
  },
  t.identity
)
