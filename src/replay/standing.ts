// Where a reader stands when it is opened again. A power cut may have taken the end of the log with events that it had
// handled, and other events may stand in their place: then its cursor means nothing, and is not believed.
//
//   cursor, if the log reaches as far and the same events stand before it
//     └─► else `certain`, which was on disk: if the log reaches as far, and the same events or damage stand before it
//           └─► else the log was put back from an older copy: its first event

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import type { CursorRecord } from '../core/cursor.ts'
import type { DiskError } from '../core/error.ts'
import type { Store } from '../port/store.ts'

/** The log has been refreshed. */
export async function standingOf(store: Store, record: CursorRecord): Promise<Either<DiskError, Offset>> {
  const cursor = record.cursor as Offset
  const certain = record.certain as Offset
  const believed = isSame(store, cursor, record.cursorPrint)
  if (believed._tag === 'Left') return believed
  if (believed.right) return right(cursor)
  const stands = isSame(store, certain, record.certainPrint)
  if (stands._tag === 'Left') return stands
  if (stands.right) return right(certain)
  return right((await isDamagedBefore(store, certain)) ? certain : store.first())
}

/** Whether the events before the offset are those that the print was taken of, or none of them is kept. */
function isSame(store: Store, offset: Offset, print: number | undefined): Either<DiskError, boolean> {
  if (offset <= store.first()) return right(true)
  if (offset > store.end()) return right(false)
  const actual = store.fingerprint(offset)
  return actual._tag === 'Left' ? actual : right(print !== undefined && actual.right === print)
}

/** Damage gives no offset to another event. */
async function isDamagedBefore(store: Store, offset: Offset): Promise<boolean> {
  if (offset > store.end()) return false
  const request = { until: undefined, query: [], limit: 1, backwards: true, signal: undefined }
  const reader = store.read({ from: offset, ...request })
  const [last] = (await reader.next()) ?? []
  reader.close()
  return last?._tag === 'Left' && last.left._tag === 'Corrupt'
}
