// The steps of a repair. Each is safe to interrupt at any write and to do again: what it changes is kept first, and
// until it is done, verifying the log asks for it once more.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { BadSegment, type DiskError, type OpenError } from '../core/error.ts'
import { encodeHeader, headerBytes } from '../core/header.ts'
import { decodeMark, encodeMark, markFileBytes, markName, markPosition } from '../core/mark.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import type { Recovery } from '../port/store.ts'
import type { Catalog } from './catalog.ts'
import { readMark } from './marker.ts'
import { openLog } from './open.ts'
import type { RepairStep } from './repair-plan.ts'
import { indexName } from './segment.ts'
import { rewriteTrim, type TrimRepair } from './repair-trim.ts'
import { firstFrame } from './verify-survey.ts'

export interface StepContext extends TrimRepair {
  readonly nowMs: () => number
  readonly lock: Recovery['lock']
}

type Done = Promise<Either<OpenError | DiskError, void>>

/** Does one step; those that need an open log are better done together, by `openAndRebuild`. */
export function doStep(context: StepContext, step: RepairStep): Done {
  switch (step.action) {
    case 'remove-temporary':
    case 'move-aside':
    case 'move-orphan':
      return context.keeper.move(step.path)
    case 'rewrite-header':
      return rewriteHeader(context, step.path)
    case 'cut-overlap':
      return cutOverlap(context, step)
    case 'rewrite-mark':
      return rewriteMark(context)
    case 'rewrite-trim':
      return rewriteTrim(context, step.path)
    case 'settle-tail':
    case 'rebuild-index':
      return openAndRebuild(context, [step])
  }
}

function baseOf(name: string): number {
  return Number(name.slice(0, 20))
}

async function rewriteHeader({ disk, folder, nowMs, keeper, before }: StepContext, name: string): Done {
  const path = `${folder}/${name}`
  const kept = await keeper.copy(name, `${name}.header`, { from: 0, to: headerBytes })
  if (kept._tag === 'Left') return kept
  const logId = before.logId ?? 0
  const base = baseOf(name)
  const frame = await firstFrame(disk, { path, base, logId })
  if (frame._tag === 'Left') return frame
  // When it was made is lost; it was not after its first event.
  const createdAt = Math.max(0, frame.right?.writeTimestampMs ?? nowMs())
  return change(disk, path, (file) => file.writeSync(encodeHeader({ createdAt, baseOffset: base, logId }), 0))
}

async function cutOverlap({ disk, folder, keeper }: StepContext, { path: name, offset }: RepairStep): Done {
  if (offset === undefined) return right(undefined)
  const from = offset - baseOf(name) + headerBytes
  const kept = await keeper.copy(name, `${name}.from-${offset}`, { from, to: Number.POSITIVE_INFINITY })
  if (kept._tag === 'Left') return kept
  return change(disk, `${folder}/${name}`, (file) => file.truncate(from))
}

/** Changes a file in its place, and makes that durable. */
async function change(disk: Disk, path: string, work: (file: DiskFile) => Either<DiskError, void>): Done {
  const opened = disk.open(path, 'write')
  if (opened._tag === 'Left') return opened
  const file = opened.right
  try {
    const done = work(file)
    return done._tag === 'Left' ? done : await file.sync()
  } finally {
    file.close()
  }
}

/** Writes the mark anew, with one record that says what is known to be on disk; it is never ahead of that. */
async function rewriteMark({ disk, slot, folder, keeper, before }: StepContext): Done {
  const bytes = readMark(disk, folder)
  if (bytes._tag === 'Left') return bytes
  const kept = await keeper.copy(markName, markName)
  if (kept._tag === 'Left') return kept
  const logId = before.logId ?? 0
  const { sequence } = decodeMark(bytes.right, logId)
  const mark = { sequence: sequence + 1, durable: before.durable, clean: false, logId }
  const file = Buffer.alloc(markFileBytes)
  encodeMark(mark).copy(file, markPosition(mark))
  return slot.save(`${folder}/${markName}`, [file])
}

/**
 * Opens the log as its writer would, which settles its end and builds the indexes that opening misses; then builds
 * the others that the steps name.
 */
export async function openAndRebuild(context: StepContext, steps: readonly RepairStep[]): Done {
  const { disk, slot, folder, nowMs, lock, keeper } = context
  const rebuilds = steps.filter(({ action }) => action === 'rebuild-index')
  for (const { path } of rebuilds) {
    const kept = await keeper.copy(path, path)
    if (kept._tag === 'Left') return kept
  }
  const options = { disk, slot, folder, nowMs, lock, readOnly: false, create: false, newLogId: () => 0 }
  const opened = await openLog(options)
  if (opened._tag === 'Left') return opened
  const { catalog, file, recovery } = opened.right
  try {
    return await rebuildIndexes(catalog, rebuilds, recovery)
  } finally {
    file.close()
    catalog.close()
  }
}

async function rebuildIndexes(catalog: Catalog, steps: readonly RepairStep[], recovery: Recovery): Done {
  for (const { path } of steps) {
    const segment = catalog.segments.find(({ base }) => indexName(base) === path)
    if (segment === undefined) return left(new BadSegment(path, 'it has no segment'))
    // Opening has written those of sealed segments itself.
    if (segment !== catalog.active() && recovery.reindexed.some((base) => base === segment.base)) continue
    const rebuilt = await catalog.rebuild(segment)
    const saved = rebuilt._tag === 'Left' || segment !== catalog.active() ? rebuilt : await catalog.saveActive()
    if (saved._tag === 'Left') return saved
  }
  return right(undefined)
}
