// Damage below the point up to which a log is known to be durable, met by a recovery after a crash: it is told exactly,
// never cut, never taken for a torn tail, and its offsets are never used again. What is above all evidence is cut, and
// nothing else. The evidence is one kind at a time: the mark, the index of the active segment, a later frame.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { EventLog, orThrow, type NewEvent, type StoredEvent } from '../src/index.ts'
import { headerBytes } from '../src/core/header.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { all, diskOf, eventsOf, filesOf, folder, LabClock, labEntropy, type Files } from '../test/log-lab.ts'

type Evidence = 'mark' | 'index' | 'frames'

/** A log as a crash has left it, and what is known of it. */
interface Crashed {
  readonly files: Files
  readonly events: readonly StoredEvent[]
  /** The offset at which the batch of each event begins. */
  readonly batchOf: ReadonlyMap<number, number>
  /** Everything before it was synced. */
  readonly durable: number
  readonly segmentBytes: number
}

function openOn(disk: MemoryDisk, segmentBytes: number): Promise<EventLog> {
  return orThrow(EventLog.open(folder, { disk, segmentBytes, clock: new LabClock(), entropy: labEntropy() }))
}

/** Writes a log, closes it once on the way, and kills its writer when some of the last batches are not synced. */
async function crashedLog(chance: Chance, evidence: Evidence): Promise<Crashed> {
  const segmentBytes = chance.pick([300, 900, 100_000])
  const disk = await diskOf(new Map())
  const batchOf = new Map<number, number>()
  const append = async (log: EventLog, synced: boolean): Promise<void> => {
    const count = chance.happens(60) ? 1 : 2 + chance.below(3)
    const events = Array.from({ length: count }, (): NewEvent => {
      const fill = '{x'.repeat(chance.happens(20) ? chance.below(400) : chance.below(20))
      return { aggregateId: chance.pick(['a', 'b', 'c']), eventType: 'T', payload: { fill } }
    })
    const { offset } = await orThrow(synced ? log.appendSync(events) : log.append(events))
    for (const stored of await eventsOf(log.replay(offset))) batchOf.set(stored.offset, offset)
  }
  const first = await openOn(disk, segmentBytes)
  for (let round = 2 + chance.below(4); round > 0; round--) await append(first, chance.happens(50))
  await orThrow(first.close())
  const log = await openOn(disk, segmentBytes)
  // The index of the active segment is saved at closing, so it is evidence only up to there.
  let durable: number = log.end
  if (evidence !== 'index') {
    for (let round = 1 + chance.below(6); round > 0; round--) await append(log, chance.happens(50))
    await append(log, true)
    durable = log.end
  }
  if (evidence !== 'index') for (let round = chance.below(3); round > 0; round--) await append(log, false)
  const events = await eventsOf(log.replay())
  const files = filesOf(disk)
  // What is not the evidence is gone.
  const active = [...files.keys()].findLast((name) => name.endsWith('.log'))
  for (const name of [...files.keys()]) {
    if (name === 'MARK' ? evidence !== 'mark' : name.endsWith('.idx')) files.delete(name)
  }
  if (evidence === 'index') {
    const name = active?.replace('.log', '.idx') ?? ''
    files.set(name, filesOf(disk).get(name) as Buffer)
  }
  return { files, events, batchOf, durable, segmentBytes }
}

/** Changes bytes in place, as bit rot, lost blocks and misdirected writes do; the file keeps its length. */
function harm(bytes: Buffer, from: number, until: number, chance: Chance): void {
  const at = from + chance.below(until - from)
  const length = 1 + chance.below(Math.min(until - at, 120))
  const kind = chance.below(4)
  if (kind === 0) bytes[at] = (bytes[at] as number) ^ (1 << chance.below(8))
  else if (kind === 1) bytes.fill(0, at, at + length)
  else if (kind === 2) bytes.copy(bytes, from + chance.below(until - from - length + 1), at, at + length)
  else {
    const other = from + chance.below(until - from - length + 1)
    const moved = Buffer.from(bytes.subarray(other, other + length))
    bytes.copy(bytes, other, at, at + length)
    moved.copy(bytes, at)
  }
}

/** A whole frame is written where another one begins. */
function misplace(bytes: Buffer, frames: readonly (readonly [from: number, until: number])[], chance: Chance): void {
  const [from, until] = chance.pick(frames)
  const [at] = chance.pick(frames)
  const last = frames.at(-1)?.[1] ?? 0
  if (at + until - from <= last) bytes.copy(bytes, at, from, until)
}

/** Where the frames of a segment stand in its file. */
function framesIn(crashed: Crashed, base: number, limit: number): readonly (readonly [from: number, until: number])[] {
  return crashed.events
    .map(({ offset, nextOffset }) => [offset - base + headerBytes, nextOffset - base + headerBytes] as const)
    .filter(([from, until]) => from >= headerBytes && until <= limit)
}

interface Run {
  readonly offset: number
  readonly nextOffset: number
}

/** Damaged frames that follow each other within a segment are one region. */
function runsOf(damaged: readonly StoredEvent[], bases: readonly number[]): readonly Run[] {
  const runs: { offset: number; nextOffset: number }[] = []
  for (const { offset, nextOffset } of damaged) {
    const last = runs.at(-1)
    if (last?.nextOffset === offset && !bases.includes(offset)) last.nextOffset = nextOffset
    else runs.push({ offset, nextOffset })
  }
  return runs
}

function baseOf(name: string): number {
  return Number(name.slice(0, 20))
}

/** Harms segment files below `limit`, and answers which events no longer stand as they were. */
function damageFiles(crashed: Crashed, limit: number, chance: Chance): { files: Files; damaged: StoredEvent[] } {
  const files = new Map([...crashed.files].map(([name, bytes]) => [name, Buffer.from(bytes)]))
  const segments = [...files].filter(([name]) => name.endsWith('.log'))
  for (let time = 1 + chance.below(3); time > 0; time--) {
    const [name, bytes] = chance.pick(segments)
    const until = Math.min(bytes.length, limit - baseOf(name) + headerBytes)
    if (until <= headerBytes + 1) continue
    if (chance.happens(70)) harm(bytes, headerBytes, until, chance)
    else misplace(bytes, framesIn(crashed, baseOf(name), until), chance)
  }
  const damaged = crashed.events.filter(({ offset, nextOffset }) => {
    const [name, bytes] = segments.findLast(([one]) => baseOf(one) <= offset) as [string, Buffer]
    const at = offset - baseOf(name) + headerBytes
    const end = at + nextOffset - offset
    return !bytes.subarray(at, end).equals((crashed.files.get(name) as Buffer).subarray(at, end))
  })
  return { files, damaged }
}

/** Where the log must end, by the evidence of the frames that are left. */
function expectedEnd(crashed: Crashed, damaged: readonly StoredEvent[], evidence: Evidence): number {
  const { events, batchOf, files, durable } = crashed
  const end = events.at(-1)?.nextOffset ?? 0
  const lastBase = Math.max(...[...files.keys()].filter((name) => name.endsWith('.log')).map(baseOf))
  const lost = new Set(damaged)
  const stated = events.filter((stored) => !lost.has(stored)).map((stored) => statedBy(crashed, stored))
  // A sealed segment vouches for itself.
  const known = Math.max(lastBase, evidence === 'frames' ? Math.max(0, ...stated) : durable)
  const torn = damaged.find(({ offset }) => offset >= known)
  if (torn === undefined) return end
  const batch = batchOf.get(torn.offset) as number
  return batch < known ? torn.offset : batch
}

/** The `durableBefore` that a frame states. */
function statedBy({ files }: Crashed, { offset, nextOffset }: StoredEvent): number {
  const [name, bytes] = [...files].findLast(([one]) => one.endsWith('.log') && baseOf(one) <= offset) as [
    string,
    Buffer
  ]
  const at = offset - baseOf(name) + headerBytes
  const text = bytes.toString('utf8', at + 4, at + nextOffset - offset - 4)
  return (JSON.parse(text) as { readonly durableBefore?: number }).durableBefore ?? 0
}

async function checkDamage(seed: number, evidence: Evidence): Promise<number> {
  const chance = new Chance(seed)
  const crashed = await crashedLog(chance, evidence)
  const { events, segmentBytes, durable } = crashed
  const limit = evidence === 'frames' ? Number.POSITIVE_INFINITY : durable
  const { files, damaged } = damageFiles(crashed, limit, chance)
  const end = expectedEnd(crashed, damaged, evidence)
  if (evidence !== 'frames') ok(end >= durable)
  const bases = [...files.keys()].filter((name) => name.endsWith('.log')).map(baseOf)
  const lost = new Set(damaged)
  const kept = events.filter((stored) => !lost.has(stored) && stored.offset < end)
  const runs = runsOf(
    damaged.filter(({ offset }) => offset < end),
    bases
  )
  const disk = await diskOf(files)
  const log = await openOn(disk, segmentBytes)
  strictEqual(log.end, end, 'the log ends where it must')
  await checkAnswers(log, kept, runs)
  const told = log.recovery.damage.map(({ offset, nextOffset }) => ({ offset, nextOffset }))
  // An index that was saved before the damage spares the scan, and so the finding.
  if (evidence === 'index') ok(told.every((one) => runs.some((run) => run.offset === one.offset)))
  else deepStrictEqual(told, runs, 'recovery tells the damage')
  strictEqual(log.recovery.torn === undefined, end === (events.at(-1)?.nextOffset ?? 0))
  const receipt = await orThrow(log.appendSync({ aggregateId: 'a', eventType: 'Next', payload: null }))
  strictEqual(receipt.offset, end, 'the next event stands at the end')
  const versions = kept.filter(({ event }) => event.aggregateId === 'a').map(({ version }) => version)
  ok((receipt.versions[0] ?? 0) > Math.max(0, ...versions))
  for (const again of [disk.crash(() => 0), disk.clone()]) {
    const reopened = await openOn(again, segmentBytes)
    const after = await all(reopened.replay(receipt.offset))
    deepStrictEqual(
      after.map((one) => one._tag === 'Right' && one.right.event.eventType),
      ['Next']
    )
    strictEqual(reopened.recovery.torn, undefined)
    await checkAnswers(reopened, [...kept, ...(await eventsOf(reopened.replay(receipt.offset)))], runs)
  }
  return runs.length
}

async function checkAnswers(log: EventLog, kept: readonly StoredEvent[], runs: readonly Run[]): Promise<void> {
  const elements = await all(log.replay())
  const read = elements.flatMap((one) => (one._tag === 'Right' ? [one.right] : []))
  deepStrictEqual(read, kept, 'whatever is not damaged is read')
  const regions = elements.flatMap((one) => {
    if (one._tag === 'Right') return []
    ok(one.left._tag === 'Corrupt', one.left.message)
    const { offset, nextOffset } = one.left
    return [{ offset, nextOffset }]
  })
  deepStrictEqual(regions, runs, 'the damage is told, and nothing else')
}

describe('damage that a recovery meets is told and never cut', () => {
  const kinds: readonly Evidence[] = ['mark', 'index', 'frames']
  it.each(kinds)('where the evidence of durability is the %s', async (evidence) => {
    let found = 0
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 0xffff_ffff }), async (seed) => {
        found += await checkDamage(seed, evidence)
      }),
      { numRuns: 250 }
    )
    ok(found > 100, 'damage was done')
  })
})
