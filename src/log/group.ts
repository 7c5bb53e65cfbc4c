// The batches that will go to the disk in one write, while they are being planned. What is asked of the log is answered
// with what the group has planned, so that the second batch of a turn stands behind the first.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { LogFull, type AppendError, type DiskError, type Poisoned } from '../core/error.ts'
import { headerBytes } from '../core/header.ts'
import { matches, type QueryItem } from '../core/query.ts'
import type { AppendRequest, Receipt } from '../port/store.ts'
import type { Catalog, StaleIndex } from './catalog.ts'
import { lastMatch } from './lookup.ts'
import type { FrameBuffer, Plan, PlanContext } from './plan.ts'

/** A batch that was taken and is not written. */
export interface Pending {
  readonly request: AppendRequest
  readonly bytes: number
  readonly settle: (result: Either<AppendError, Receipt>) => void
}

/** A batch, or a caller of `sync`, that waits until everything before `end` is on disk. */
export interface Waiter {
  readonly end: number
  readonly settle: (result: Either<Poisoned, void>) => void
}

export interface PlannedBatch {
  readonly pending: Pending
  readonly plan: Plan
}

/** How much the log may hold, and when the next segment begins. */
export interface GroupOptions {
  readonly catalog: Catalog
  readonly segmentBytes: number
  /** Undefined: as much as the disk. */
  readonly logBytes: number | undefined
}

/** What a group is planned with. */
export interface GroupStart {
  readonly buffer: FrameBuffer
  readonly nowMs: number
  readonly durable: number
}

/**
 * It is what its own batches are planned with: an object made of it for each group, with functions of its own, cost an
 * append a third of its time (measured).
 */
export class Group implements PlanContext {
  readonly batches: PlannedBatch[] = []
  readonly logId: number
  readonly buffer: FrameBuffer
  readonly nowMs: number
  readonly durable: number
  /** The index that must be rebuilt before the answers mean anything; set by a question. */
  stale: StaleIndex | undefined
  readonly first: number
  private readonly catalog: Catalog
  private readonly options: GroupOptions
  /** The versions that the first `counted` batches give their aggregates; most groups have one batch and ask nothing. */
  private versions: Map<string, number> | undefined
  private counted = 0

  constructor(options: GroupOptions, { buffer, nowMs, durable }: GroupStart) {
    this.options = options
    this.catalog = options.catalog
    this.logId = options.catalog.options.logId
    this.first = options.catalog.first
    this.buffer = buffer
    this.nowMs = nowMs
    this.durable = durable
  }

  add(pending: Pending, plan: Plan): void {
    this.batches.push({ pending, plan })
  }

  versionOf(aggregateId: string): Either<DiskError, number> {
    const planned = this.batches.length === 0 ? undefined : this.plannedVersions().get(aggregateId)
    return planned === undefined ? this.settled(this.catalog.version(aggregateId), 0) : right(planned)
  }

  lastMatch(items: readonly QueryItem[], since: number): Either<DiskError, number | undefined> {
    for (let place = this.batches.length - 1; place >= 0; place--) {
      const { frames } = (this.batches[place] as PlannedBatch).plan
      const found = frames.findLast(({ offset, event }) => offset >= since && matches(items, event))
      if (found !== undefined) return right(found.offset)
    }
    return this.settled(lastMatch(this.catalog, items, since), undefined)
  }

  /** Why the log may not grow from `tail` to `end`: its segments would take more than the budget, headers included. */
  overBudget(tail: number, end: number): LogFull | undefined {
    const { segmentBytes, logBytes } = this.options
    if (logBytes === undefined) return undefined
    const { segments } = this.catalog
    const { base } = this.catalog.active()
    const rolls = tail > base && end - base > segmentBytes
    const bytes = end - (segments[0]?.base ?? 0) + headerBytes * (segments.length + (rolls ? 1 : 0))
    return bytes > logBytes ? new LogFull(bytes, logBytes) : undefined
  }

  private plannedVersions(): ReadonlyMap<string, number> {
    this.versions ??= new Map()
    for (; this.counted < this.batches.length; this.counted++) {
      const { frames } = (this.batches[this.counted] as PlannedBatch).plan
      for (const { event, version } of frames) this.versions.set(event.aggregateId, version)
    }
    return this.versions
  }

  private settled<T>(answer: Either<DiskError | StaleIndex, T>, unknown: T): Either<DiskError, T> {
    if (answer._tag === 'Right') return answer
    if (answer.left._tag !== 'StaleIndex') return left(answer.left)
    this.stale = answer.left
    return right(unknown)
  }
}
