// What the writer tells of its acts to those who listen (see port/channel.ts).

import type { Offset } from '../core/brand.ts'
import { probes, timed } from '../port/channel.ts'
import type { Clock } from '../port/clock.ts'
import type { Catalog } from './catalog.ts'
import type { PlannedBatch } from './group.ts'

interface Context {
  readonly catalog: Catalog
  readonly clock: Clock
}

/** Tells of each batch that was written. */
export function tellWritten(batches: readonly PlannedBatch[], { catalog }: Context): void {
  if (!probes.append.hasSubscribers) return
  const { folder } = catalog.options
  for (const { plan } of batches) {
    const { offset, nextOffset } = plan.receipt
    probes.append.publish({ folder, offset, nextOffset, events: plan.frames.length, bytes: nextOffset - offset })
  }
}

/** Takes the time if somebody listens; what it returns tells them that the act on [from, until) has ended. */
export function timedRange(
  act: 'roll' | 'sync',
  { catalog, clock }: Context
): ((from: number, until: number) => void) | undefined {
  const tell = timed(probes[act], clock, catalog.options.folder)
  return tell && ((from, until) => tell({ offset: from as Offset, nextOffset: until as Offset, bytes: until - from }))
}
