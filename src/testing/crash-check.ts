// Opens the log that a crash has left and holds it to its promises: a prefix of what was appended with everything that
// was acknowledged, no damage reported, torn bytes kept, the same answer when it is opened again, nothing written by
// a reader, and a log that goes on from there.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { StoredEvent } from '../core/event.ts'
import { headerBytes } from '../core/header.ts'
import type { MemoryDisk } from '../disk/memory.ts'
import type { Recovery } from '../port/store.ts'
import { Chance } from './crash-chance.ts'
import { crashEntropy } from './crash-workload.ts'
import type { Ledger, Shown } from './crash-ledger.ts'
import type { CrashState } from './crash-state.ts'
import { crashHooks } from './crash-state.ts'
import { logFolder, readAll, type CrashLog, type CrashOpening, type OpenCrashLog } from './crash-subject.ts'
import { good } from './disk-probe.ts'

export interface CheckContext {
  readonly open: OpenCrashLog
  readonly opening: Omit<CrashOpening, 'disk' | 'readOnly'>
  readonly ledger: Ledger
}

export interface Checked {
  readonly shown: Shown
  /** The disk after recovery, its writer gone. */
  readonly disk: MemoryDisk
  /** States of crashes that came into this recovery. */
  readonly inner: readonly CrashState[]
  /** Whether recovery has cut something that is not zeros. */
  readonly torn: boolean
}

/** How much is checked of one state. */
export interface CheckDepth {
  /** The share of the recovery's calls, in percent, whose crash states are handed on. */
  readonly innerPercent: number
  /** Whether a reader is tried first, the log is opened twice more, and then written to. */
  readonly thorough: boolean
}

export async function checkState(state: CrashState, run: CheckContext, depth: CheckDepth): Promise<Checked> {
  const { ledger } = run
  const chance = new Chance(state.seed)
  // Ids are drawn anew, so that one state's check does not depend on another's.
  const context = { ...run, opening: { ...run.opening, entropy: crashEntropy(new Chance(state.seed, 1)) } }
  const inner: CrashState[] = []
  const disk = state.disk.clone()
  const take = (crash: CrashState): number => inner.push({ ...crash, label: `${state.label}, then ${crash.label}` })
  const { acknowledged } = state
  const camera = { disk, chance, acknowledged: () => acknowledged, take, percent: depth.innerPercent, cuts: 1 }
  const asReader = depth.thorough ? await readerAnswer(state.disk, context) : undefined
  if (depth.innerPercent > 0) disk.arm(crashHooks(camera))
  const log = await openWriter(disk, context)
  disk.arm({})
  const shown = await readAll(log)
  const { events, first } = shown
  holds(ledger.fault(shown, acknowledged) ?? ledger.sequenceFault(shown, log.end))
  deepStrictEqual(log.recovery.damage, [], 'recovery reports damage after a mere crash')
  if (asReader !== undefined) deepStrictEqual(asReader, shown, 'a reader sees something else than the writer')
  const cut = checkTorn(state.disk, disk, { recovery: log.recovery, first })
  // What recovery has shown stays, whatever the power does next.
  const last = lastBatch(ledger, events)
  const safe = { ...acknowledged, buffered: last, synced: last, first }
  const kept = { disk: disk.crash(() => 0), acknowledged: safe, durable: true, seed: chance.u32() }
  take({ ...kept, label: 'a power cut right after recovery that keeps nothing' })
  // After a power cut all that is left is on the platter, and stays somewhere whatever happens to the recovery.
  if (cut !== undefined && state.durable) for (const crash of inner) checkKept(crash, cut)
  if (depth.thorough) {
    await checkAgain(disk, shown, context)
    await checkIndex(log, shown, ledger)
    await checkGoingOn(disk, shown, context)
  }
  return { shown, disk: disk.clone(), inner, torn: cut !== undefined }
}

async function openWriter(disk: MemoryDisk, context: CheckContext): Promise<CrashLog> {
  const opened = await context.open({ ...context.opening, disk, readOnly: false })
  if (opened._tag === 'Left') throw new Error(`the log does not open: ${opened.left.message}`, { cause: opened.left })
  return opened.right
}

function holds(fault: string | undefined): void {
  if (fault !== undefined) throw new Error(fault)
}

/** What a reader sees before any recovery; undefined where there is no log yet. It writes nothing. */
async function readerAnswer(original: MemoryDisk, context: CheckContext): Promise<Shown | undefined> {
  const disk = original.clone()
  const opened = await context.open({ ...context.opening, disk, readOnly: true })
  for (const operation of ['write', 'truncate', 'rename', 'remove', 'make folder', 'sync', 'lock'] as const) {
    strictEqual(disk.counts.get(operation), undefined, `a reader calls ${operation}`)
  }
  if (opened._tag === 'Left') {
    const missing = opened.left._tag === 'NotFound'
    ok(missing, `a reader cannot open: ${opened.left.message}`)
    return undefined
  }
  deepStrictEqual(opened.right.recovery.damage, [], 'a reader reports damage after a mere crash')
  return readAll(opened.right)
}

/** Opens twice more, as after kills that came right behind recovery: each time the same, and nothing left to do. */
async function checkAgain(recovered: MemoryDisk, shown: Shown, context: CheckContext): Promise<void> {
  let disk = recovered
  for (const time of ['second', 'third']) {
    disk = disk.clone()
    const log = await openWriter(disk, context)
    deepStrictEqual(await readAll(log), shown, `the ${time} open differs`)
    strictEqual(log.recovery.torn, undefined, `the ${time} open cuts again`)
    deepStrictEqual(log.recovery.damage, [], `the ${time} open reports damage`)
  }
}

/** The index answers as the events do. */
async function checkIndex(log: CrashLog, { events, first }: Shown, ledger: Ledger): Promise<void> {
  const trimmed = ledger.versionsAt(first)
  const versions = new Map(trimmed)
  for (const { event, version } of events) versions.set(event.aggregateId, version)
  const listed: [string, number][] = []
  for await (const item of log.aggregates()) {
    if (item._tag === 'Left') throw item.left
    listed.push([item.right.aggregateId, item.right.version])
  }
  deepStrictEqual(listed, [...versions].sort(byName), 'the list of aggregates is wrong')
  for (const aggregateId of versions.keys()) {
    const loaded = await log.loadAggregate(aggregateId)()
    if (trimmed.has(aggregateId)) {
      ok(loaded._tag === 'Left' && loaded.left._tag === 'Trimmed', `${aggregateId} has lost its beginning in silence`)
      continue
    }
    if (loaded._tag === 'Left') throw loaded.left
    const expected = events.filter(({ event }) => event.aggregateId === aggregateId)
    deepStrictEqual(loaded.right, expected, `the history of ${aggregateId} is wrong`)
  }
}

function byName([a]: readonly [string, number], [b]: readonly [string, number]): number {
  return a < b ? -1 : 1
}

/** The log takes events, keeps them through a power cut, and opens cleanly after it was closed. */
async function checkGoingOn(recovered: MemoryDisk, { events, first }: Shown, context: CheckContext): Promise<void> {
  const disk = recovered.clone()
  const log = await openWriter(disk, context)
  const next = { aggregateId: 'account-1', eventId: 'next', eventType: 'Next', payload: 1 }
  const own = events.filter(({ event }) => event.aggregateId === 'account-1').length
  const before = own + (context.ledger.versionsAt(first).get('account-1') ?? 0)
  const receipt = await log.appendSync([next])()
  ok(receipt._tag === 'Right', 'the recovered log takes no event')
  strictEqual(receipt.right.offset, events.at(-1)?.nextOffset ?? first)
  deepStrictEqual(receipt.right.versions, [before + 1])
  const cut = await openWriter(
    disk.crash(() => 0),
    context
  )
  const afterCut = await readAll(cut)
  deepStrictEqual(afterCut.events.slice(0, -1), events)
  strictEqual(afterCut.events.at(-1)?.event.eventId, 'next', 'a synced event is lost')
  const closed = await log.close()()
  ok(closed._tag === 'Right', 'the recovered log does not close')
  const reopened = await openWriter(
    disk.crash(() => 0),
    context
  )
  ok(reopened.recovery.clean, 'a closed log is not clean')
  deepStrictEqual(await readAll(reopened), afterCut)
}

/** What recovery has cut from a segment. */
interface Cut {
  readonly name: string
  /** All of the segment's bytes before. */
  readonly whole: Buffer
  /** What was cut, up to its last byte that is not zero. */
  readonly bytes: Buffer
}

/** Whatever was cut from a segment, and is not zeros, stands in `torn/`. */
function checkTorn(
  before: MemoryDisk,
  after: MemoryDisk,
  { recovery, first }: { readonly recovery: Recovery; readonly first: number }
): Cut | undefined {
  let cut: Cut | undefined
  for (const name of segmentNames(before)) {
    const whole = bytesOf(before, name)
    // No frame was ever in it: it may be set aside and made anew.
    if (whole.length <= headerBytes) continue
    // A trim was on its way, and is finished.
    if (Number(name.slice(0, 20)) < first) continue
    const left = bytesOf(after, name)
    ok(whole.subarray(0, left.length).equals(left.subarray(0, whole.length)), `recovery has changed bytes of ${name}`)
    const bytes = withoutZeros(whole.subarray(left.length))
    if (bytes.length === 0) continue
    cut = { name, whole, bytes }
    const { torn } = recovery
    ok(torn !== undefined, `${bytes.length} bytes were cut from ${name}, and recovery tells nothing`)
    strictEqual(torn.bytes, whole.length - left.length, 'recovery tells another number of torn bytes')
    const kept = bytesOf(after, torn.path.slice(logFolder.length + 1))
    ok(kept.equals(bytes), 'the bytes in torn/ are not those that were cut')
  }
  if (cut === undefined) strictEqual(recovery.torn, undefined, 'recovery tells of a cut that was none')
  return cut
}

/** Torn bytes are in the segment until they are in `torn/`. */
function checkKept(crash: CrashState, cut: Cut): void {
  const { disk, label } = crash
  const there = segmentNames(disk).includes(cut.name)
  if (there && bytesOf(disk, cut.name).subarray(0, cut.whole.length).equals(cut.whole)) return
  const listed = disk.list(`${logFolder}/torn`)
  const names = listed._tag === 'Left' ? [] : listed.right.map(({ name }) => name)
  const kept = names.some((name) => bytesOf(disk, `torn/${name}`).equals(cut.bytes))
  ok(kept, `${label}: torn bytes are neither in ${cut.name} nor in torn/`)
}

function withoutZeros(bytes: Buffer): Buffer {
  let length = bytes.length
  while (length > 0 && bytes[length - 1] === 0) length--
  return bytes.subarray(0, length)
}

function segmentNames(disk: MemoryDisk): readonly string[] {
  const listed = disk.list(logFolder)
  return listed._tag === 'Left' ? [] : listed.right.map(({ name }) => name).filter((name) => name.endsWith('.log'))
}

function bytesOf(disk: MemoryDisk, name: string): Buffer {
  const file = good(disk.open(`${logFolder}/${name}`, 'read'))
  const bytes = Buffer.alloc(good(file.size()))
  good(file.readSync(bytes, 0))
  file.close()
  return bytes
}

/** The index of the last batch that is shown, −1 for none. */
function lastBatch(ledger: Ledger, events: readonly StoredEvent[]): number {
  const id = events.at(-1)?.event.eventId
  return ledger.batches.findLastIndex((batch) => batch.events.at(-1)?.eventId === id)
}
