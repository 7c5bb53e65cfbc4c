// Every call of a writer's work fails once, with every errno that a disk has for it, and then for a while: what must
// hold is written down in src/testing/crash-fault.ts. Here is decided what fails.

import { beforeAll, describe, expect, it, vi } from 'vitest'
import { EventLog } from '../src/index.ts'
import type { MemoryCall, MemoryFault, MemoryOperation } from '../src/disk/memory-calls.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import { checkState, type CheckContext } from '../src/testing/crash-check.ts'
import { faultRun, type FaultReport } from '../src/testing/crash-fault.ts'
import { Ledger } from '../src/testing/crash-ledger.ts'
import type { CrashState } from '../src/testing/crash-state.ts'
import type { OpenCrashLog } from '../src/testing/crash-subject.ts'
import { CrashClock, crashEntropy } from '../src/testing/crash-workload.ts'

// Some hundred runs in a test; on a busy machine they take their time.
vi.setConfig({ testTimeout: 600_000 })

const open: OpenCrashLog = (opening) => EventLog.open('/log', opening)()

/** The work without any failure: what can fail. */
let calls: readonly MemoryCall[] = []

beforeAll(async () => {
  const plain = await faultRun({ open, seed: 1, percent: 0, fault: () => undefined })
  expect([plain.errors, plain.refused]).toEqual([[], []])
  calls = plain.calls.filter((call) => !isAboveTheLog(call))
})

/**
 * Left out: when the sync of the parent fails as the log's own folder is made, no later sync says whether that name is
 * on disk, and the port has no call that would make it anew.
 */
function isAboveTheLog(call: MemoryCall): boolean {
  return call.operation === 'sync folder' && call.path === '/'
}

async function failOnce(call: MemoryCall, fault: MemoryFault, percent: number): Promise<FaultReport> {
  const errno = typeof fault === 'string' ? fault : `${fault.errno} after ${fault.writtenBytes} bytes`
  const share = isAboveTheLog(call) ? 0 : percent
  try {
    return await faultRun({
      open,
      seed: 1,
      percent: share,
      fault: ({ index }) => (index === call.index ? fault : undefined)
    })
  } catch (error) {
    throw new Error(`${errno} at call ${call.index} (${call.operation} ${call.path}): ${(error as Error).message}`, {
      cause: error
    })
  }
}

/** At most one batch is to blame for one failing call, unless nobody can know any more. */
function expectOneVictim(report: FaultReport, call: MemoryCall): void {
  const blamed = report.refused.filter(({ _tag: tag }) => tag !== 'Poisoned')
  expect(blamed.length, `refusals for call ${call.index}`).toBeLessThanOrEqual(1)
  const syncs = call.operation === 'sync' || call.operation === 'sync folder'
  if (!syncs) expect(report.poisoned, `${call.operation} ${call.path} poisons`).toBe(false)
  if (call.operation === 'sync' && call.path.endsWith('.log') && report.refused.length > 0) {
    expect(report.poisoned, 'a failed sync of a segment is found out').toBe(true)
  }
}

describe('one failing call', () => {
  for (const errno of ['EIO', 'ENOSPC'] as const) {
    it(`that answers ${errno} fails only the batch it concerns, and every crash behind it is explained`, async () => {
      let states = 0
      for (const call of calls) {
        const report = await failOnce(call, errno, 2)
        expectOneVictim(report, call)
        expect(report.failed).toHaveLength(1)
        states += report.states
      }
      expect(states).toBeGreaterThan(2_000)
    })
  }

  it('with any other errno is the same to the log, and has its own name', async () => {
    const errnos = ['EDQUOT', 'EFBIG', 'EMFILE', 'EROFS', 'EACCES']
    const tags = new Map<string, Set<string>>()
    for (const call of calls) {
      const errno = errnos[call.index % errnos.length] as string
      const report = await failOnce(call, errno, 0)
      expectOneVictim(report, call)
      const seen = tags.get(errno) ?? new Set()
      tags.set(errno, seen)
      for (const { _tag: tag } of report.refused) if (tag !== 'Poisoned') seen.add(tag)
    }
    const named = Object.fromEntries([...tags].map(([errno, seen]) => [errno, [...seen].join()]))
    const full = 'DiskFull'
    const failed = 'DiskFailed'
    expect(named).toEqual({ EDQUOT: full, EFBIG: full, EMFILE: failed, EROFS: failed, EACCES: failed })
  })

  it('that writes a part and then fails leaves nothing of its batch', async () => {
    for (const call of calls) {
      if (call.operation !== 'write') continue
      const bytes = call.bytes ?? 0
      for (const writtenBytes of [Math.floor(bytes / 2), [1, bytes - 1, bytes][call.index % 3] ?? 1]) {
        expectOneVictim(await failOnce(call, { errno: 'ENOSPC', writtenBytes }, 3), call)
      }
    }
  })
})

/** A log whose last batches a power cut has torn, and the account of what must be in it. */
async function tornLog(seed: number): Promise<{ readonly state: CrashState; readonly context: CheckContext }> {
  const chance = new Chance(seed)
  const ledger = new Ledger()
  const opening = {
    segmentBytes: 700,
    checkpointBytes: 500,
    sync: undefined,
    clock: new CrashClock(),
    entropy: crashEntropy(chance)
  }
  const disk = new MemoryDisk()
  const opened = await open({ ...opening, disk, readOnly: false })
  expect(opened._tag).toBe('Right')
  const log = (opened as Extract<typeof opened, { readonly _tag: 'Right' }>).right
  for (let round = 0; round < 6; round++) {
    const fill = '{'.repeat(chance.below(300))
    const events = [0, 1].map((place) => ({
      ...{ aggregateId: 'a', eventId: `${round}-${place}`, eventType: 'T', payload: fill }
    }))
    const batch = ledger.issue(events)
    ledger.settle(batch, await (round < 3 ? log.appendSync(events) : log.append(events))())
  }
  const { synced } = ledger.acknowledged
  const acknowledged = { buffered: synced, synced, refusals: 0, first: 0 }
  const cut = disk.crash((count) => chance.below(count))
  return {
    state: { disk: cut, acknowledged, durable: true, label: `seed ${seed}`, seed },
    context: { open, opening, ledger }
  }
}

it('a recovery that meets an error at any call loses nothing, and the next one goes on', async () => {
  let failures = 0
  let torn = 0
  for (let seed = 0; seed < 12; seed++) {
    const { state, context } = await tornLog(seed)
    const whole = await checkState(state, context, { innerPercent: 0, thorough: true })
    if (whole.torn) torn++
    for (let index = 0; ; index++) {
      const disk = state.disk.clone()
      let hit = false
      disk.arm({
        fault: (call) => {
          hit ||= call.index === index
          return call.index === index && !isAboveTheLog(call) ? 'EIO' : undefined
        }
      })
      const opened = await open({ ...context.opening, disk, readOnly: false })
      if (!hit) break
      disk.arm({})
      const errno = opened._tag === 'Left' && 'errno' in opened.left ? opened.left.errno : undefined
      if (errno !== undefined) failures++
      const after = { ...state, disk: disk.clone(), durable: false, label: `${state.label}, call ${index}` }
      const { shown } = await checkState(after, context, { innerPercent: 0, thorough: false })
      expect(shown, after.label).toEqual(whole.shown)
    }
  }
  expect(torn).toBeGreaterThan(4)
  expect(failures).toBeGreaterThan(100)
})

describe('a cause that stays for a while', () => {
  const changing: readonly MemoryOperation[] = ['write', 'truncate', 'sync', 'sync folder', 'rename', 'remove']
  const causes: readonly { readonly errno: string; readonly operations: readonly MemoryOperation[] }[] = [
    { errno: 'ENOSPC', operations: ['write', 'make folder'] },
    { errno: 'EIO', operations: changing },
    { errno: 'EROFS', operations: changing },
    { errno: 'EIO', operations: ['read', 'stat'] },
    { errno: 'EMFILE', operations: ['open', 'list', 'lock', 'sync folder'] },
    { errno: 'EACCES', operations: ['open', 'rename', 'remove', 'make folder'] }
  ]
  for (const { errno, operations } of causes) {
    it(`(${errno} of ${operations.join(', ')}) and then is gone leaves a log that goes on`, async () => {
      let failures = 0
      for (let from = 3; from < calls.length; from += 7) {
        const lasts = 1 + (from % 40)
        const fault = (call: MemoryCall): string | undefined =>
          call.index >= from && call.index < from + lasts && operations.includes(call.operation) && !isAboveTheLog(call)
            ? errno
            : undefined
        const report = await faultRun({ open, seed: 2, percent: 2, fault }).catch((error: unknown) => {
          throw new Error(`${errno} from call ${from} to ${from + lasts}: ${(error as Error).message}`, {
            cause: error
          })
        })
        failures += report.failed.length
      }
      expect(failures).toBeGreaterThan(20)
    })
  }
})
