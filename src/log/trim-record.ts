// What an open log knows of what was trimmed: where it begins, and the versions that its aggregates had there. Unlike an
// index the trim file cannot be made again, so a question that it cannot answer fails.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { DiskFailed, type DiskError } from '../core/error.ts'
import type { IndexError } from '../indexing/segment-index.ts'
import type { TrimFile } from '../indexing/trim-file.ts'
import type { AggregateSummary } from '../port/store.ts'
import { Retired } from './retired.ts'

export class TrimRecord {
  /** The file in force; undefined while nothing was trimmed. */
  file: TrimFile | undefined
  private readonly retired = new Retired<TrimFile>()

  /** Where the log begins. */
  get first(): number {
    return this.file?.trailer.first ?? 0
  }

  /** The greatest time of all that was trimmed, 0 when nothing was. */
  get lastTimestampMs(): number {
    return this.file?.trailer.lastTimestampMs ?? 0
  }

  /** Takes a later trim in the place of this one. */
  replace(file: TrimFile): void {
    const before = this.file
    this.file = file
    if (before !== undefined) this.retired.add(before)
  }

  /** The aggregate's version where the log begins, 0 when none of its events was trimmed. */
  version(aggregateId: string): Either<DiskError, number> {
    return this.file === undefined ? right(0) : readable(this.file.version(aggregateId))
  }

  /** The aggregates that had events before `first` and whose id begins with `prefix`, with their versions then. */
  *aggregates(prefix: string): Generator<Either<DiskError, AggregateSummary>, void, undefined> {
    if (this.file === undefined) return
    for (const summary of this.file.aggregates(prefix)) yield readable(summary)
  }

  close(): void {
    this.file?.close()
    this.retired.close()
  }
}

/** Damage to a trim file is the disk's failure to read it: there is nothing to make it from. */
export function readable<T>(answer: Either<IndexError, T>): Either<DiskError, T> {
  if (answer._tag === 'Right' || answer.left._tag !== 'IndexDamaged') return answer as Either<DiskError, T>
  const { path, reason } = answer.left
  return left(new DiskFailed({ operation: 'read', path, errno: 'EBADMSG', cause: new Error(reason) }))
}
