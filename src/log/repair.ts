// Repairs a log: verifies it, plans, and does the plan's steps under the writer's lock. A healthy log is not touched,
// nor is one that no step can help: no file is made or changed, not even the lock's. A dry run never changes anything.
//
//   verify ─► plan ─► lock ─► verify, plan again ─► keep, change, keep, change … ─► verify ─► report.json
//
// Interrupted anywhere, the next repair goes on: what was done is no longer found, and what was not is found again.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError, Locked, NotFound, OpenError } from '../core/error.ts'
import { Aborted } from '../core/read-error.ts'
import type { Disk } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import { Keeper } from './repair-keep.ts'
import { planRepair, type RepairPlan, type RepairStep } from './repair-plan.ts'
import { doStep, openAndRebuild, type StepContext } from './repair-step.ts'
import type { VerifyReport } from './verify-finding.ts'
import { verifyLog, type VerifyOptions } from './verify.ts'

export interface RepairOptions extends VerifyOptions {
  readonly disk: Disk
  readonly slot: Slot
  /** Only plan. */
  readonly dryRun: boolean
  readonly nowMs: () => number
}

export interface RepairReport extends RepairPlan {
  readonly before: VerifyReport
  /** The log behind the last step; undefined when nothing was done. */
  readonly after: VerifyReport | undefined
  /** The folder in the log's that keeps what was removed or overwritten; undefined when nothing was done. */
  readonly kept: string | undefined
}

/** What opening can answer too, since a repair ends by opening the log. */
export type RepairError = OpenError | DiskError | NotFound | Locked | Aborted

/** Repairs the log in the folder, or with `dryRun` says what it would do. */
export async function repairLog(folder: string, options: RepairOptions): Promise<Either<RepairError, RepairReport>> {
  const before = await verifyLog(options.disk, folder, options)
  if (before._tag === 'Left') return before
  const plan = planRepair(before.right)
  if (options.dryRun || plan.steps.length === 0) {
    return right({ ...plan, before: before.right, after: undefined, kept: undefined })
  }
  const lock = await options.disk.lock(folder)
  if (lock._tag === 'Left') return lock
  try {
    return await repairLocked(folder, options, lock.right.kind)
  } finally {
    lock.right.release()
  }
}

/** What was seen without the lock may have been a writer's work. */
async function repairLocked(
  folder: string,
  options: RepairOptions,
  lock: StepContext['lock']
): Promise<Either<RepairError, RepairReport>> {
  const { disk, slot, nowMs } = options
  const before = await verifyLog(disk, folder, options)
  if (before._tag === 'Left') return before
  const plan = planRepair(before.right)
  if (plan.steps.length === 0) return right({ ...plan, before: before.right, after: undefined, kept: undefined })
  const keeper = await Keeper.make({ disk, slot, folder, nowMs: nowMs() })
  if (keeper._tag === 'Left') return keeper
  const begun = { ...plan, before: before.right, after: undefined, kept: keeper.right.name }
  const noted = await keeper.right.report(reportText(begun))
  if (noted._tag === 'Left') return noted
  const context = { disk, slot, folder, nowMs, lock, keeper: keeper.right, before: before.right }
  const done = await doSteps(context, plan.steps, options.signal)
  if (done._tag === 'Left') return done
  const after = await verifyLog(disk, folder, options)
  if (after._tag === 'Left') return after
  const report = { ...begun, after: after.right }
  const written = await keeper.right.report(reportText(report))
  return written._tag === 'Left' ? written : right(report)
}

/** The files first, then what needs an open log, at once; an orphan's evidence must be in the mark before it goes. */
async function doSteps(
  context: StepContext,
  steps: readonly RepairStep[],
  signal: AbortSignal | undefined
): Promise<Either<RepairError, void>> {
  const needsOpening = ({ action }: RepairStep): boolean => action === 'settle-tail' || action === 'rebuild-index'
  const opening = steps.filter(needsOpening)
  for (const step of steps) {
    if (signal?.aborted === true) return left(new Aborted(signal.reason))
    if (needsOpening(step) && step !== opening[0]) continue
    const done = needsOpening(step) ? await openAndRebuild(context, opening) : await doStep(context, step)
    if (done._tag === 'Left') return done
  }
  return right(undefined)
}

function reportText(report: RepairReport): string {
  const { before, steps, after } = report
  return `${JSON.stringify({ before, steps, after: after ?? null }, undefined, 2)}\n`
}
