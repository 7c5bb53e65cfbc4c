// The conditions of an append, checked against the log as it is at the moment the batch is planned: no event can come
// between the check and the write. All must hold; the first that does not is the one that is reported.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset, Version } from '../core/brand.ts'
import { ConditionFailed, InvalidArgument, Trimmed, type Condition, type DiskError } from '../core/error.ts'
import type { QueryCondition, VersionCondition } from '../core/error.ts'
import { queryItems, type QueryItem } from '../core/query.ts'

/** What conditions ask of the log, with what the group at hand has planned. */
export interface ConditionContext {
  /** The aggregate's version, 0 when it has no event. */
  versionOf(aggregateId: string): Either<DiskError, number>
  /** The newest event from `since` on that matches one of the items, or undefined. There is at least one item. */
  lastMatch(items: readonly QueryItem[], since: number): Either<DiskError, number | undefined>
  /** Where the first event stands that is kept. */
  readonly first: number
}

type Unmet = ConditionFailed | InvalidArgument | Trimmed | DiskError

/** Whether all conditions hold where the log ends at `end`. */
export function checkConditions(
  conditions: readonly Condition[],
  end: number,
  context: ConditionContext
): Either<Unmet, void> {
  for (const condition of conditions) {
    const met = 'noneMatch' in condition ? checkQuery(condition, end, context) : checkVersion(condition, context)
    if (met._tag === 'Left') return met
  }
  return right(undefined)
}

function checkVersion(condition: VersionCondition, context: ConditionContext): Either<Unmet, void> {
  const { aggregateId } = condition
  const found = context.versionOf(aggregateId)
  if (found._tag === 'Left') return found
  if (versionHolds(condition, found.right)) return met
  const last = context.lastMatch([{ aggregateId }], 0)
  if (last._tag === 'Left') return last
  const actual = found.right as Version
  return left(new ConditionFailed(condition, { actual, offset: last.right as Offset | undefined }))
}

const met: Either<never, void> = right(undefined)

function versionHolds(condition: VersionCondition, version: number): boolean {
  switch (condition.version) {
    case 'none':
      return version === 0
    case 'exists':
      return version > 0
    default:
      return version === condition.version
  }
}

function checkQuery(condition: QueryCondition, end: number, context: ConditionContext): Either<Unmet, void> {
  const after = condition.after ?? 0
  if (after > end) {
    const reason = `${after} lies beyond the end of the log at ${end}; use the end that the decision was read at`
    return left(new InvalidArgument('conditions.after', reason))
  }
  const items = queryItems(condition.noneMatch)
  // The query that matches everything asks whether anything was added.
  const since = Math.max(after, context.first)
  const found = items.length === 0 ? right(end > since ? since : undefined) : context.lastMatch(items, after)
  if (found._tag === 'Left') return found
  // What is kept has no match; what was trimmed may have had one.
  if (found.right === undefined && condition.after !== undefined && after < context.first) {
    return left(new Trimmed(condition.after, context.first as Offset))
  }
  if (found.right === undefined) return met
  return left(new ConditionFailed(condition, { actual: undefined, offset: found.right as Offset }))
}
