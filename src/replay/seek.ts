// Offsets that a caller names: by themselves, by a time, or as an end of the log; checked against the log as it is now.

import { left, map, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { InvalidArgument, type Closed, type DiskError } from '../core/error.ts'
import type { QueryItem } from '../core/query.ts'
import type { ReplayError } from '../core/read-error.ts'
import type { Store } from '../port/store.ts'
import { offsetFault } from './request.ts'

/** Where to go on: an offset, the first event of a time (ms since the epoch) or later, or an end of the log. */
export type SeekTarget = Offset | { readonly timestampMs: number } | 'start' | 'end'

/** What a reader has not committed yet. */
export interface ReaderLag {
  /** How many events that match. */
  readonly events: number
  /** Bytes of the log. */
  readonly bytes: number
}

/** Whether an event begins at the offset, or the log ends there; what reading from there says otherwise. */
export async function boundaryFault(store: Store, offset: Offset): Promise<ReplayError | undefined> {
  const nothing = { query: [], limit: undefined, backwards: false, signal: undefined }
  const reader = store.read({ from: offset, until: offset, ...nothing })
  const [element] = (await reader.next()) ?? []
  reader.close()
  return element?._tag === 'Left' ? element.left : undefined
}

export async function offsetOf(store: Store, target: SeekTarget): Promise<Either<ReplayError, Offset>> {
  if (target === 'end') return store.refresh()
  if (target === 'start') return map(() => store.first())(await store.refresh())
  if (typeof target === 'object' && target !== null) {
    const { timestampMs } = target
    if (typeof timestampMs === 'number' && !Number.isNaN(timestampMs)) return store.offsetAt(timestampMs)
    return left(new InvalidArgument('timestampMs', `is no time in ms since the epoch: ${String(timestampMs)}`))
  }
  if (typeof target !== 'number')
    return left(new InvalidArgument('offset', 'is neither an offset nor a time nor an end'))
  const fault = offsetFault('offset', target)
  if (fault !== undefined) return left(new InvalidArgument(fault.argument, fault.reason))
  const wrong = await boundaryFault(store, target)
  return wrong === undefined ? right(target) : left(wrong)
}

/** What of the log stands behind a cursor. */
export async function lagBehind(
  store: Store,
  query: readonly QueryItem[],
  cursor: Offset
): Promise<Either<DiskError | Closed, ReaderLag>> {
  const end = await store.refresh()
  if (end._tag === 'Left') return end
  const from = Math.max(cursor, store.first()) as Offset
  const events = await store.count(query, from)
  return events._tag === 'Left' ? events : right({ events: events.right, bytes: Math.max(0, end.right - from) })
}
