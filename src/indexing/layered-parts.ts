// The file of a checkpoint and what came since, merged into the file of the next checkpoint: key by key, in one pass,
// with the memory of a group and of what came since. Postings are taken over as bytes, so a key of very many events
// costs little more than a copy. The bytes are those of one index of all frames.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { keyOrder } from './format.ts'
import type { IndexFile } from './index-file.ts'
import type { RawKey } from './index-reader.ts'
import {
  contentKeys,
  IndexWriter,
  noPostings,
  type IndexContent,
  type IndexTail,
  type WrittenKey
} from './index-writer.ts'
import { lastPosting } from './section.ts'
import { IndexDamaged, type IndexError } from './segment-index.ts'

/** `above` goes on where the file ends. A Left is the last thing that comes, and what came before it is no file. */
export function* mergedParts(
  file: IndexFile,
  above: IndexContent
): Generator<Either<IndexError, Uint8Array>, void, undefined> {
  const writer = new IndexWriter(above)
  const newer = contentKeys(above)
  let next = newer.next()
  for (const older of file.rawKeys()) {
    if (older._tag === 'Left') return yield older
    for (; next.done !== true && keyOrder(next.value, older.right) < 0; next = newer.next()) {
      writer.add(next.value)
      if (writer.full) yield right(writer.closeGroup())
    }
    const same = next.done !== true && keyOrder(next.value, older.right) === 0 ? next.value : undefined
    const merged = mergeKey(file, older.right, same)
    if (merged._tag === 'Left') return yield merged
    writer.add(merged.right)
    if (writer.full) yield right(writer.closeGroup())
    if (same !== undefined) next = newer.next()
  }
  for (; next.done !== true; next = newer.next()) {
    writer.add(next.value)
    if (writer.full) yield right(writer.closeGroup())
  }
  const tail = mergeTail(file, above)
  if (tail._tag === 'Left') return yield tail
  for (const part of writer.finish(tail.right)) yield right(part)
}

/** A key of the file, and what `newer` adds to it. */
function mergeKey(file: IndexFile, older: RawKey, newer: WrittenKey | undefined): Either<IndexError, WrittenKey> {
  const { kind, key, events, postings } = older
  const last = lastPosting(postings, { events, limit: file.end - file.base })
  if (last._tag === 'Left') return left(new IndexDamaged(file.path, last.left))
  const added = newer ?? { events: 0, version: older.version, head: noPostings, offsets: [] }
  return right({
    kind,
    key,
    events: events + added.events,
    version: added.version,
    head: { bytes: postings.bytes, start: postings.start, end: postings.end, last: last.right },
    offsets: added.offsets
  })
}

function mergeTail(file: IndexFile, above: IndexContent): Either<IndexError, IndexTail> {
  const timeline = file.timeline()
  if (timeline._tag === 'Left') return timeline
  const damage = file.damage()
  if (damage._tag === 'Left') return damage
  const strides = timeline.right.copy()
  strides.append(above.timeline)
  return right({
    tier: false,
    events: file.events + above.events,
    firstTimestampMs: file.events > 0 ? file.firstTimestampMs : above.firstTimestampMs,
    lastTimestampMs: above.lastTimestampMs,
    strides,
    damage: [...damage.right, ...above.damage]
  })
}
