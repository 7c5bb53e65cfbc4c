// Verifying and repairing logs that anything was done to, files of every kind and headers included. Verifying finds
// whatever reading would stumble over; repairing makes the log open, loses nothing, and has nothing left to do.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventLog, orThrow, type NewEvent } from '../src/index.ts'
import { makeSlot } from '../src/disk/slot.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { repairLog, type RepairReport } from '../src/log/repair.ts'
import { worstOf, type VerifyReport } from '../src/log/verify-finding.ts'
import { verifyLog } from '../src/log/verify.ts'
import { applyDamage, damage, type Damage } from '../src/testing/damage.ts'
import { all, diskOf, filesOf, folder, lab, LabClock, labEntropy, openOn, plain, type Files } from '../test/log-lab.ts'

const segmentBytes = 600

function batch(count: number, payload: number): NewEvent[] {
  return Array.from({ length: count }, (_, place) => ({
    aggregateId: `a${(payload + place) % 3}`,
    eventType: place === 0 ? 'T' : 'U',
    payload,
    tags: ['t']
  }))
}

/** A log of some segments, closed; the same, killed before it was closed; a small one; and one without an event. */
async function stories(): Promise<readonly Files[]> {
  const rolled = await lab({ segmentBytes, clock: new LabClock([1_000, 1_001, 1_002]) })
  for (let round = 0; round < 6; round++) await orThrow(rolled.log.appendSync(batch(1 + (round % 3), round)))
  await orThrow(rolled.log.append(batch(3, 7)))
  const killed = rolled.disk.processCrash()
  await orThrow(rolled.log.close())
  const small = await lab()
  await orThrow(small.log.append(batch(2, 1)))
  await orThrow(small.log.close())
  const empty = await lab()
  await orThrow(empty.log.close())
  // Trimmed, so that of some aggregates nothing is left; and the same in the middle of the trim.
  const trimmed = await lab({ segmentBytes, clock: new LabClock([1_000, 1_001, 1_002]) })
  for (let round = 0; round < 9; round++) await orThrow(trimmed.log.appendSync(batch(1 + (round % 3), round)))
  const cut: MemoryDisk[] = []
  trimmed.disk.arm({ calls: ({ operation }) => void (operation === 'remove' && cut.push(trimmed.disk.processCrash())) })
  await orThrow(trimmed.log.trim(trimmed.log.end))
  await orThrow(trimmed.log.close())
  const interrupted = cut[2] ?? trimmed.disk
  const logs = [rolled.disk, killed, small.disk, empty.disk, trimmed.disk, interrupted]
  return logs.map((disk) => filesOf(disk))
}

interface Harmed {
  readonly files: Files
  /** Which log it was, and what was done to it. */
  readonly done: readonly string[]
}

/** A counterexample shows what was done, not the bytes of all files. */
function shown(done: readonly string[], files: Files): Harmed {
  return Object.defineProperty({ done, files }, fc.toStringMethod, { value: () => done.join('; ') })
}

const logs = await stories()

function harmFile(files: Files, name: string, harm: Damage | undefined): Files {
  const changed = new Map(files)
  if (harm === undefined) changed.delete(name)
  else changed.set(name, applyDamage(files.get(name) ?? Buffer.alloc(0), harm))
  return changed
}

/** One more harm: a file is damaged or removed. */
function harmed(before: Harmed): fc.Arbitrary<Harmed> {
  const names = [...before.files].filter(([, bytes]) => bytes.length >= 2).map(([name]) => name)
  if (names.length === 0) return fc.constant(before)
  return fc.constantFrom(...names).chain((name) => {
    const size = before.files.get(name)?.length ?? 0
    return fc
      .oneof({ weight: 8, arbitrary: damage(size) }, { weight: 1, arbitrary: fc.constant(undefined) })
      .map((harm) => {
        const text = harm === undefined ? 'removed' : JSON.stringify(harm)
        return shown([...before.done, `${name} ${text}`], harmFile(before.files, name, harm))
      })
  })
}

const broken: fc.Arbitrary<Harmed> = fc
  .nat({ max: logs.length - 1 })
  .map((log) => shown([`log ${log}`], logs[log] as Files))
  .chain(harmed)
  .chain((one) => fc.oneof({ weight: 2, arbitrary: fc.constant(one) }, { weight: 1, arbitrary: harmed(one) }))

async function verified(disk: MemoryDisk): Promise<VerifyReport | undefined> {
  const report = await verifyLog(disk, folder)
  if (report._tag === 'Right') return report.right
  expect(report.left._tag).toBe('NotFound')
  return undefined
}

/** What a reader reads; the tag of what opening answers when it refuses. */
async function read(disk: MemoryDisk): Promise<readonly unknown[] | string> {
  const clock = new LabClock()
  const opened = await EventLog.open(folder, { disk, clock, entropy: labEntropy(), readOnly: true })()
  if (opened._tag === 'Left') return opened.left._tag
  const elements = await all(opened.right.replay())
  await orThrow(opened.right.close())
  return elements.map((element) => (element._tag === 'Right' ? element.right : plain(element)))
}

function isLeft(element: unknown): boolean {
  return typeof element === 'object' && element !== null && '_tag' in element
}

async function repaired(disk: MemoryDisk): Promise<RepairReport> {
  const nowMs = (): number => 1_700_000_000_000
  return orThrow(() => repairLog(folder, { disk, slot: makeSlot(disk), dryRun: false, nowMs }))
}

function errorsOf(report: VerifyReport): readonly string[] {
  return report.findings.filter(({ severity }) => severity === 'error').map(({ code }) => code)
}

describe('a log that anything was done to', () => {
  it('is verified without being changed, and every fault that reading meets is an error', async () => {
    await fc.assert(
      fc.asyncProperty(broken, async ({ files }) => {
        const disk = await diskOf(files)
        const report = await verified(disk)
        expect(filesOf(disk)).toEqual(files)
        const elements = await read(disk)
        if (elements === 'NotFound') return
        const fails = typeof elements === 'string' || elements.some(isLeft)
        if (fails) expect(report === undefined ? 'error' : worstOf(report)).toBe('error')
      }),
      { numRuns: 400 }
    )
  })

  it('opens when it was repaired, with every event that could be read, and nothing is left to repair', async () => {
    await fc.assert(
      fc.asyncProperty(broken, async ({ files }) => {
        const disk = await diskOf(files)
        const report = await verified(disk)
        if (report === undefined) return
        const before = await read(disk)
        const { refusal, after } = await repaired(disk)
        if (refusal !== undefined) return
        expect(errorsOf(report)).toEqual(expect.arrayContaining([...new Set(errorsOf(after ?? report))]))
        const again = await repaired(disk)
        expect(again.steps).toEqual([])
        const log = await openOn(disk.clone())
        const events = await all(log.replay())
        const kept = events.filter((one) => one._tag === 'Right').map((one) => one.right)
        if (typeof before !== 'string') {
          expect(kept).toEqual(expect.arrayContaining(before.filter((element) => !isLeft(element))))
        }
        await orThrow(log.close())
      }),
      { numRuns: 400 }
    )
  })
})
