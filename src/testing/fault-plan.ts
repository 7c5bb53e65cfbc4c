// Plans of what a memory disk shall refuse, as plain data: drawn by fast-check, printed in a counterexample, kept in
// a test. `plannedFaults` makes of them the hook that the disk asks.

import * as fc from 'fast-check'
import type { MemoryCall, MemoryFault, MemoryHooks, MemoryOperation } from '../disk/memory-calls.ts'

/** Which calls are meant; what is left out says nothing. */
export interface CallFilter {
  readonly operation?: MemoryOperation | readonly MemoryOperation[] | undefined
  /** A part of the path: `.idx`, `MARK`, `torn/`. */
  readonly path?: string | undefined
}

/** What one plan does to the calls that it means. */
export interface FaultPlan extends CallFilter {
  /** The errno, and for a write how many bytes are written before it fails. */
  readonly fault: MemoryFault
  /** Which of the calls that are meant fails, from 1; undefined for all of them. */
  readonly nth: number | undefined
}

/**
 * Fails the `n`-th of the calls that are meant, from 1, and no other.
 * @example failNth(2, 'EIO', { operation: 'sync' })
 */
export function failNth(n: number, fault: MemoryFault, where: CallFilter = {}): FaultPlan {
  if (!Number.isSafeInteger(n) || n < 1) throw new RangeError(`calls are counted from 1, not ${n}`)
  return { ...where, fault, nth: n }
}

/**
 * Fails every call that is meant, until the disk is armed with something else.
 * @example failWhere({ operation: ['write', 'truncate'], path: '.log' }, 'ENOSPC')
 */
export function failWhere(where: CallFilter, fault: MemoryFault): FaultPlan {
  return { ...where, fault, nth: undefined }
}

/**
 * The hook that carries the plans out. Each plan counts its own calls, from here on; where several fail one call, the
 * first says how.
 * @example disk.arm({ fault: plannedFaults(failNth(1, 'EIO', { operation: 'sync' }), failWhere({ path: '.idx' }, 'EROFS')) })
 */
export function plannedFaults(...plans: readonly FaultPlan[]): NonNullable<MemoryHooks['fault']> {
  const seen = plans.map(() => 0)
  return (call) => {
    let fault: MemoryFault | undefined
    for (const [place, plan] of plans.entries()) {
      if (!isMeant(plan, call)) continue
      const count = (seen[place] ?? 0) + 1
      seen[place] = count
      if (plan.nth === undefined || plan.nth === count) fault ??= plan.fault
    }
    return fault
  }
}

function isMeant({ operation, path }: CallFilter, call: MemoryCall): boolean {
  if (path !== undefined && !call.path.includes(path)) return false
  return operation === undefined || [operation].flat().includes(call.operation)
}

/** Plans that a disk may well carry out: some call of some operation fails, now and then a write half done. */
export function faultPlan(): fc.Arbitrary<FaultPlan> {
  const errno = fc.constantFrom('EIO', 'ENOSPC', 'EROFS', 'EACCES', 'EMFILE')
  const operation = fc.constantFrom<MemoryOperation>(
    ...(['write', 'sync', 'sync folder', 'open', 'read', 'rename', 'truncate', 'remove', 'list', 'stat'] as const)
  )
  const nth = fc.integer({ min: 1, max: 20 })
  const torn = fc.record({ errno, writtenBytes: fc.nat({ max: 300 }) })
  return fc.oneof(
    fc.tuple(nth, errno, operation).map(([n, fault, one]) => failNth(n, fault, { operation: one })),
    fc.tuple(nth, torn).map(([n, fault]) => failNth(n, fault, { operation: 'write' })),
    fc.tuple(operation, errno).map(([one, fault]) => failWhere({ operation: one }, fault))
  )
}
