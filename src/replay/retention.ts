// Lets go of the oldest segments: by hand, by the rules when it is asked to, and by itself when a segment was sealed, on
// a timer, and when the log is full. One run at a time; what is asked for meanwhile waits, and runs once.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import {
  Poisoned,
  type AppendError,
  type Closed,
  type DiskError,
  type InvalidArgument,
  type ReadOnly
} from '../core/error.ts'
import { InvalidOffset } from '../core/read-error.ts'
import type { Clock } from '../port/clock.ts'
import type { Cursors } from '../port/cursor.ts'
import type { AppendRequest, Receipt, Store } from '../port/store.ts'
import { planTrim, type PlannedSegment, type RetentionRules } from './retention-plan.ts'

export type TrimError = DiskError | Closed | ReadOnly | Poisoned | InvalidOffset | InvalidArgument

/** What has gone, or in a dry run would go, and why. */
export interface TrimOutcome {
  readonly dryRun: boolean
  /** Where the log begins now; in a dry run, where it would. */
  readonly first: Offset
  /** The sealed segments that there were, oldest first; `goes` says which of them. */
  readonly segments: readonly PlannedSegment[]
}

export interface TrimOptions {
  /** Only tell what would go. */
  readonly dryRun?: boolean | undefined
  /** Trim also what live readers have not passed; they will get Trimmed. */
  readonly force?: boolean | undefined
}

/** How a log is kept from growing for ever; see RetentionRules. */
export interface RetentionOptions extends RetentionRules {
  /** How often the rules are looked at besides after each segment that is sealed, in ms. Default 60,000. */
  readonly everyMs?: number | undefined
}

export interface RetentionParts {
  readonly store: Store
  readonly cursors: Pick<Cursors, 'list'>
  readonly clock: Clock
  /** Undefined: nothing goes by itself. */
  readonly options: RetentionOptions | undefined
}

const everyMsDefault = 60_000

export class Retention {
  private readonly parts: RetentionParts
  private readonly rules: RetentionRules
  /** The last run that was asked for; each begins when the one before has ended. */
  private running: Promise<unknown> = Promise.resolve()
  /** A run by itself that waits for its turn; all that is asked for until then is done by it. */
  private waiting: Promise<void> | undefined
  private closed = false
  private readonly stopTimer: () => void
  /** What the last run by itself has met; undefined since one has succeeded. */
  lastError: TrimError | undefined

  constructor(parts: RetentionParts) {
    this.parts = parts
    const { store, clock, options } = parts
    this.rules = options ?? {}
    const runs = options !== undefined && !store.readOnly
    this.stopTimer = runs ? clock.every(options.everyMs ?? everyMsDefault, () => void this.wake()) : () => {}
  }

  /** Trims what ends at `before` or earlier, as far as live readers have passed it. */
  trim(before: Offset, options: TrimOptions): Promise<Either<TrimError, TrimOutcome>> {
    return this.inTurn(() => this.run(options, before))
  }

  /** Applies the rules. */
  retain(options: Omit<TrimOptions, 'force'>): Promise<Either<TrimError, TrimOutcome>> {
    return this.inTurn(() => this.run(options, undefined))
  }

  /**
   * Appends. When the log is full the rules are applied before the caller hears of it, so that he finds what room there is
   * when he tries again. Not by itself: what he has appended meanwhile would come before it.
   */
  append(request: AppendRequest): Promise<Either<AppendError, Receipt>> {
    const { store, options } = this.parts
    const appended = store.append(request)
    return options === undefined ? appended : appended.then((result) => this.afterAppend(result))
  }

  private async afterAppend(result: Either<AppendError, Receipt>): Promise<Either<AppendError, Receipt>> {
    if (result._tag === 'Left' && result.left._tag === 'LogFull') await this.wake()
    return result
  }

  /** The rules may have something to do; resolves when it is done. */
  wake(): Promise<void> {
    if (this.closed || this.parts.options === undefined || this.parts.store.readOnly) return Promise.resolve()
    this.waiting ??= this.inTurn(() => {
      this.waiting = undefined
      return this.runByItself()
    })
    return this.waiting
  }

  /** Waits for what is running. */
  async close(): Promise<void> {
    this.closed = true
    this.stopTimer()
    await this.running
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const done = this.running.then(work)
    this.running = done.catch(() => {})
    return done
  }

  private async runByItself(): Promise<void> {
    if (this.closed) return
    try {
      const outcome = await this.run({}, undefined)
      this.lastError = outcome._tag === 'Left' && outcome.left._tag !== 'Closed' ? outcome.left : undefined
    } catch (error) {
      // Nobody awaits this run: an assertion that failed in it is told as what it is, a reason to trust nothing more.
      this.lastError = new Poisoned(error)
    }
  }

  private async run(
    { dryRun = false, force = false }: TrimOptions,
    before: Offset | undefined
  ): Promise<Either<TrimError, TrimOutcome>> {
    const { store, cursors, clock } = this.parts
    const refreshed = await store.refresh()
    if (refreshed._tag === 'Left') return refreshed
    const readers = await cursors.list()
    if (readers._tag === 'Left') return readers
    const { rules } = this
    const plan = planTrim(store.segments(), { readers: readers.right, rules, before, force, nowMs: clock.nowMs() })
    const { segments } = plan
    if (before !== undefined && before > store.end()) return left(beyondEnd(before, store.end()))
    if (dryRun) return right({ dryRun, first: plan.before, segments })
    // Also where nothing goes: the store knows best whether it may be asked at all.
    const trimmed = await store.trim(plan.before)
    return trimmed._tag === 'Left' ? left(trimmed.left) : right({ dryRun, first: trimmed.right.first, segments })
  }
}

function beyondEnd(before: Offset, end: Offset): InvalidOffset {
  return new InvalidOffset(before, `lies beyond the end of the log at ${end}`)
}
