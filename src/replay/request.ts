// From what a caller passes to what a store takes: checked, serialised, refused with a reason.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import type { Offset } from '../core/brand.ts'
import { InvalidArgument, type InvalidEvent, type Condition } from '../core/error.ts'
import type { ReplayError } from '../core/read-error.ts'
import type { QueryCondition, VersionCondition } from '../core/error.ts'
import { encodeEvent, type EncodedEvent } from '../core/event.ts'
import { batchEventsMax } from '../core/limit.ts'
import { copyOfQuery, queryFault } from '../core/query.ts'
import type { AppendRequest, Durability, EventReader } from '../port/store.ts'
import { encodeBody } from './typed-event.ts'

export interface Encoding {
  readonly codec: t.Any
  readonly newEventId: () => string
  readonly conditions: readonly Condition[] | undefined
  readonly durability: Durability
}

/** Checks and serialises a batch, now: what the caller changes later is not in it. */
export function appendRequest(
  events: readonly unknown[],
  encoding: Encoding
): Either<InvalidArgument | InvalidEvent, AppendRequest> {
  const { durability, conditions = [] } = encoding
  if (events.length === 0) return left(new InvalidArgument('events', 'a batch has at least one event'))
  if (events.length > batchEventsMax) {
    return left(
      new InvalidArgument('events', `a batch has at most ${batchEventsMax} events, this one ${events.length}`)
    )
  }
  const wrong = conditions.findIndex((condition) => !isCondition(condition))
  if (wrong !== -1) {
    const reason =
      "is either { aggregateId, version } with an integer from 0, 'none' or 'exists', or { noneMatch, after } with a " +
      'query and an offset'
    return left(new InvalidArgument(`conditions[${wrong}]`, reason))
  }
  const encoded: EncodedEvent[] = []
  for (let index = 0; index < events.length; index++) {
    const body = encodeBody(encoding.codec, events[index], index)
    const event = body._tag === 'Left' ? body : encodeEvent(body.right, index, encoding.newEventId)
    if (event._tag === 'Left') return event
    encoded.push(event.right)
  }
  return right({ events: encoded, conditions: conditions.map(copyOfCondition), durability })
}

function copyOfCondition(condition: Condition): Condition {
  return 'noneMatch' in condition ? { ...condition, noneMatch: copyOfQuery(condition.noneMatch) } : { ...condition }
}

function isCondition(condition: unknown): condition is Condition {
  if (typeof condition !== 'object' || condition === null) return false
  const { aggregateId, version, noneMatch, after } = condition as Partial<VersionCondition & QueryCondition>
  if ('noneMatch' in condition) {
    return queryFault(noneMatch) === undefined && aggregateId === undefined && offsetFault('after', after) === undefined
  }
  if (typeof aggregateId !== 'string') return false
  return version === 'none' || version === 'exists' || (Number.isSafeInteger(version) && (version as number) >= 0)
}

interface ArgumentFault {
  readonly argument: string
  readonly reason: string
}

export function offsetFault(argument: string, offset: number | undefined): ArgumentFault | undefined {
  if (offset === undefined || (Number.isSafeInteger(offset) && offset >= 0)) return undefined
  return { argument, reason: `an offset is an integer from 0, not ${String(offset)}` }
}

/** What is wrong with the query of a read; none reads everything. */
export function filterFault(query: unknown): ArgumentFault | undefined {
  const reason = query === undefined ? undefined : queryFault(query)
  return reason === undefined ? undefined : { argument: 'query', reason }
}

/** The longest that a timer can wait. */
const durationMsMax = 0x7fff_ffff

export function durationFault(argument: string, ms: number): ArgumentFault | undefined {
  const isOne = Number.isSafeInteger(ms) && ms > 0 && ms <= durationMsMax
  return isOne ? undefined : { argument, reason: `is not an integer from 1 to ${durationMsMax} ms: ${String(ms)}` }
}

export function limitFault(limit: number | undefined): ArgumentFault | undefined {
  if (limit === undefined || (Number.isSafeInteger(limit) && limit >= 0)) return undefined
  return { argument: 'limit', reason: `a limit is an integer from 0, not ${String(limit)}` }
}

/** A read that could not begin. */
export function failedReader(error: ReplayError): EventReader {
  let told = false
  return {
    next: () => {
      const batch = told ? undefined : [left(error)]
      told = true
      return Promise.resolve(batch)
    },
    close: () => {}
  }
}

/** A read whose start is looked up first. */
export function lazyReader(
  seek: () => Promise<Either<ReplayError, Offset>>,
  read: (from: Offset) => EventReader
): EventReader {
  let reader: EventReader | undefined
  let closed = false
  return {
    next: async () => {
      if (closed) return undefined
      if (reader === undefined) {
        const from = await seek()
        reader = from._tag === 'Left' ? failedReader(from.left) : read(from.right)
        if (closed) reader.close()
      }
      return reader.next()
    },
    close: () => {
      closed = true
      reader?.close()
    }
  }
}
