// Retention: what the rules let go, who holds it back, and when they are applied.

import { describe, expect, it } from 'vitest'
import { Offset, orThrow, type EventLog, type ReaderStatus, type TrimMessage } from '../src/index.ts'
import { channels } from '../src/port/channel.ts'
import type { SegmentSummary } from '../src/port/store.ts'
import { planTrim, type RetentionRules } from '../src/replay/retention-plan.ts'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { deposit, filesOf, lab, LabClock, openOn, turn, type LabOptions } from './log-lab.ts'

/** Segments of 100 bytes each, one a second from the first one on; the last is active. */
function segmentsOf(count: number): SegmentSummary[] {
  return Array.from({ length: count }, (_, nth) => ({
    base: Offset(nth * 100),
    end: Offset(nth * 100 + 100),
    sealed: nth < count - 1,
    bytes: 100,
    firstTimestampMs: 1_000 * nth + 1,
    lastTimestampMs: 1_000 * nth + 1_000
  }))
}

function reader(name: string, floor: number, heartbeatMs = 10_000): ReaderStatus {
  const offset = Offset(floor)
  return { name, cursor: offset, floor: offset, heartbeatMs, heartbeatEveryMs: 1_000, pid: undefined, error: undefined }
}

const nowMs = 10_000

function plan(
  rules: RetentionRules,
  readers: readonly ReaderStatus[] = [],
  more: { before?: Offset; force?: boolean } = {}
) {
  const { before, segments } = planTrim(segmentsOf(6), { rules, readers, nowMs, ...more })
  return { before, why: segments.map((one) => `${one.goes ? 'goes' : 'stays'} ${one.why ?? '-'} ${one.heldBy.join()}`) }
}

describe('a plan', () => {
  it('lets nothing go without a rule', () => {
    expect(plan({})).toEqual({ before: 0, why: Array.from({ length: 5 }, () => 'stays - ') })
  })

  it('by age lets go of segments whose newest event is older', () => {
    expect(plan({ maxAgeMs: 8_000 })).toMatchObject({ before: 100, why: { 0: 'goes age ', 1: 'stays - ' } })
    expect(plan({ maxAgeMs: 7_999 }).before).toBe(200)
    expect(plan({ maxAgeMs: 0 }).before).toBe(500)
  })

  it('by age goes by the events behind it where a segment has none that can be read', () => {
    const segments = segmentsOf(4).map((one, nth) =>
      nth < 2 ? { ...one, firstTimestampMs: 0, lastTimestampMs: 0 } : one
    )
    expect(planTrim(segments, { rules: { maxAgeMs: 8_000 }, readers: [], nowMs }).before).toBe(0)
    expect(planTrim(segments, { rules: { maxAgeMs: 7_000 }, readers: [], nowMs }).before).toBe(200)
    const unknown = segments.map((one) => ({ ...one, firstTimestampMs: 0, lastTimestampMs: 0 }))
    expect(planTrim(unknown, { rules: { maxAgeMs: 1 }, readers: [], nowMs }).before).toBe(0)
  })

  it('by bytes lets go of the oldest until the rest fits', () => {
    expect(plan({ maxBytes: 600 }).before).toBe(0)
    expect(plan({ maxBytes: 599 })).toMatchObject({ before: 100, why: { 0: 'goes bytes ', 1: 'stays - ' } })
    expect(plan({ maxBytes: 250 }).before).toBe(400)
    expect(plan({ maxBytes: 0 }).before).toBe(500)
  })

  it('by readers lets go of what every live one has passed, and of nothing while there is none', () => {
    expect(plan({ passed: true }).before).toBe(0)
    expect(plan({ passed: true }, [reader('a', 300), reader('b', 250)])).toEqual({
      before: 200,
      why: ['goes passed ', 'goes passed ', 'stays - b', 'stays - a,b', 'stays - a,b']
    })
    const readers = { heartbeatMs: 5_000 }
    expect(plan({ passed: true, readers }, [reader('a', 300), reader('dead', 0, 4_999)]).before).toBe(300)
    expect(plan({ passed: true, readers }, [reader('dead', 500, 4_999)]).before).toBe(0)
  })

  it('keeps from every rule what a live reader has not passed', () => {
    const late = [reader('late', 150)]
    expect(plan({ maxAgeMs: 0 }, late)).toMatchObject({
      before: 100,
      why: { 1: 'stays age late', 2: 'stays age late' }
    })
    expect(plan({ maxBytes: 0 }, late).before).toBe(100)
    expect(plan({}, late, { before: Offset(400) }).before).toBe(100)
    expect(plan({}, late, { before: Offset(400), force: true })).toMatchObject({
      before: 400,
      why: { 0: 'goes before ', 1: 'goes before late', 4: 'stays - late' }
    })
  })

  it('takes a reader for live as long as its heartbeat is young and its lag is small', () => {
    const all = { maxAgeMs: 0 }
    const live = (readers: RetentionRules['readers'], status = reader('r', 0)) =>
      plan({ ...all, readers }, [status]).before === 0
    expect(live(undefined, reader('r', 0, 0))).toBe(true)
    expect(live({ heartbeatMs: 5_000 }, reader('r', 0, 5_000))).toBe(true)
    expect(live({ heartbeatMs: 5_000 }, reader('r', 0, 4_999))).toBe(false)
    // A clock that was set back makes nobody dead.
    expect(live({ heartbeatMs: 5_000 }, reader('r', 0, 99_999))).toBe(true)
    expect(live({ maxLagBytes: 600 })).toBe(true)
    expect(live({ maxLagBytes: 599 })).toBe(false)
    expect(live({ maxLagMs: 9_000 })).toBe(true)
    expect(live({ maxLagMs: 8_999 })).toBe(false)
    expect(plan({ passed: true, readers: { maxLagMs: 1 } }, [reader('r', 600)]).before).toBe(500)
  })

  it('keeps everything for a reader whose place cannot be read', () => {
    const unreadable = { name: 'broken', error: new Error('damaged') as never }
    expect(plan({ maxAgeMs: 0, readers: { heartbeatMs: 0 } }, [unreadable])).toMatchObject({
      before: 0,
      why: { 0: 'stays age broken' }
    })
  })
})

const small: LabOptions = { segmentBytes: 256 }

async function fill(log: EventLog, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) await orThrow(log.append(deposit('a', 'x'.repeat(90))))
}

const settle = async (): Promise<void> => {
  for (let time = 0; time < 20; time++) await turn()
}

describe('a log with retention', () => {
  it('applies the rules when a segment is sealed', async () => {
    const { log } = await lab({ ...small, retention: { maxBytes: 800 } })
    await fill(log, 20)
    await settle()
    const { segments, first } = await orThrow(log.retain({ dryRun: true }))
    expect(first).toBe(log.first)
    expect(first).toBeGreaterThan(0)
    expect(segments.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(800)
    expect(await orThrow(log.version('a'))).toBe(20)
    await orThrow(log.close())
  })

  it('applies them on a timer, which stops with the log', async () => {
    const clock = new LabClock(Array.from({ length: 400 }, (_, nth) => nth * 100))
    const { log } = await lab({ ...small, clock, retention: { maxAgeMs: 2_000 } })
    await fill(log, 6)
    await settle()
    const before = log.first
    for (let time = 0; time < 60; time++) clock.nowMs()
    clock.ring()
    await settle()
    expect(log.first).toBeGreaterThan(before)
    await orThrow(log.close())
    expect(clock.tasks.size).toBe(0)
  })

  it('changes nothing in a dry run, and says what would go and why', async () => {
    const { disk, log } = await lab(small)
    await fill(log, 8)
    await settle()
    const files = filesOf(disk)
    const planned = await orThrow(log.trim(log.end, { dryRun: true }))
    expect(planned.segments.length).toBeGreaterThan(3)
    expect(planned.segments.every(({ goes, why }) => goes && why === 'before')).toBe(true)
    expect(planned).toMatchObject({ dryRun: true, first: planned.segments.at(-1)?.end })
    expect(filesOf(disk)).toEqual(files)
    expect(log.first).toBe(0)
    expect(await orThrow(log.trim(log.end))).toEqual({ ...planned, dryRun: false })
    expect(log.first).toBe(planned.first)
    await orThrow(log.close())
  })

  it('keeps what a durable reader has not passed, unless it is forced', async () => {
    const { log } = await lab(small)
    await fill(log, 10)
    const slow = await orThrow(log.reader('slow'))
    await slow.next()()
    const held = await orThrow(log.trim(log.end))
    expect(held.first).toBe(0)
    expect(held.segments.every(({ goes, heldBy }) => !goes && heldBy.join() === 'slow')).toBe(true)
    const forced = await orThrow(log.trim(log.end, { force: true }))
    expect(forced.first).toBeGreaterThan(0)
    expect(log.first).toBe(forced.first)
    await orThrow(log.close())
  })

  it('tells on its channel what went', async () => {
    const told: TrimMessage[] = []
    const listen = (message: unknown): void => void told.push(message as TrimMessage)
    subscribe(channels.trim, listen)
    const { log } = await lab(small)
    await fill(log, 8)
    const { first, segments } = await orThrow(log.trim(log.end))
    await orThrow(log.trim(log.end))
    unsubscribe(channels.trim, listen)
    expect(told).toEqual([
      { folder: '/log', offset: 0, nextOffset: first, segments: segments.length, bytes: first, durationMs: 0 }
    ])
    await orThrow(log.close())
  })

  it('keeps what went wrong in a run by itself, until one succeeds', async () => {
    const { disk, log } = await lab({ ...small, retention: { maxBytes: 0 } })
    disk.arm({ fault: ({ path }) => (path.includes('.trim') ? 'ENOSPC' : undefined) })
    await fill(log, 6)
    await settle()
    expect(log.retentionError).toMatchObject({ _tag: 'DiskFull' })
    expect(log.first).toBe(0)
    disk.arm({})
    await fill(log, 6)
    await settle()
    expect(log.retentionError).toBeUndefined()
    expect(log.first).toBeGreaterThan(0)
    await orThrow(log.close())
  })

  it('that was opened for reading applies no rule, and may plan', async () => {
    const { disk, log } = await lab(small)
    await fill(log, 8)
    const reading = await openOn(disk, { readOnly: true, retention: { maxBytes: 0 } })
    expect((await orThrow(reading.retain({ dryRun: true }))).first).toBeGreaterThan(0)
    expect(await reading.retain()()).toMatchObject({ left: { _tag: 'ReadOnly' } })
    expect(await reading.trim(reading.end)()).toMatchObject({ left: { _tag: 'ReadOnly' } })
    expect(log.first).toBe(0)
  })

  it('refuses what makes no sense', async () => {
    const { log } = await lab(small)
    expect(await log.trim(-1 as Offset)()).toMatchObject({ left: { _tag: 'InvalidArgument' } })
    expect(await log.trim(Offset(1))()).toMatchObject({ left: { _tag: 'InvalidOffset' } })
    for (const retention of [{ maxAgeMs: -1 }, { maxBytes: 0.5 }, { everyMs: 0 }, { readers: { maxLagMs: NaN } }]) {
      await expect(lab({ retention })).rejects.toMatchObject({ _tag: 'InvalidArgument' })
    }
    await expect(lab({ segmentBytes: 256, logBytes: 511 })).rejects.toMatchObject({ argument: 'logBytes' })
    await expect(lab({ retention: { readers: { heartbeatMs: 0 } } })).rejects.toMatchObject({ _tag: 'InvalidArgument' })
    for (const dryRun of [false, true]) {
      const beyond = (log.end + 1) as Offset
      expect(await log.trim(beyond, { dryRun })()).toMatchObject({ left: { _tag: 'InvalidOffset' } })
    }
  })
})

describe('a log with a budget', () => {
  const bytesOf = (files: ReadonlyMap<string, Buffer>): number =>
    [...files].filter(([name]) => name.endsWith('.log')).reduce((sum, [, bytes]) => sum + bytes.length, 0)

  async function overfill(logBytes: number): Promise<void> {
    const { disk, log } = await lab({ ...small, logBytes })
    let taken = 0
    let full = 0
    for (let nth = 0; nth < 12; nth++) {
      const batch = Array.from({ length: 1 + (nth % 3) }, () => deposit('a', 'x'.repeat(nth * 7)))
      for (const result of await Promise.all([log.append(batch)(), log.append(deposit('b'))()])) {
        if (result._tag === 'Right') taken += result.right.versions.length
        else full++
        if (result._tag === 'Left') expect(result.left).toMatchObject({ _tag: 'LogFull', limitBytes: logBytes })
      }
      expect(bytesOf(filesOf(disk))).toBeLessThanOrEqual(logBytes)
    }
    expect(full).toBeGreaterThan(0)
    expect(await orThrow(log.count())).toBe(taken)
    await orThrow(log.close())
    expect((await openOn(disk, { ...small, logBytes })).recovery).toMatchObject({ clean: true, damage: [] })
  }

  it('takes no more bytes than it may, and nothing of what is refused', async () => {
    for (let logBytes = 700; logBytes < 1_100; logBytes += 13) await overfill(logBytes)
  })

  it('refuses one append and takes the next that fits, in the order of the calls, while the rules make room', async () => {
    const { log } = await lab({ ...small, logBytes: 1_500, retention: { maxBytes: 600 } })
    for (let burst = 0; burst < 30; burst++) {
      const results = await Promise.all([
        log.append(deposit('a', 'x'.repeat(90)))(),
        log.append(deposit('a', 'small'))(),
        log.append(deposit('a', 'x'.repeat(60)))()
      ])
      const versions = results.flatMap((result) => (result._tag === 'Right' ? result.right.versions : []))
      expect(versions).toEqual([...versions].sort((one, other) => one - other))
      if (results.some(({ _tag }) => _tag === 'Left')) await orThrow(log.append(deposit('a', 'x'.repeat(90))))
    }
    expect(log.first).toBeGreaterThan(0)
    await orThrow(log.close())
  })

  it('has room again when it is trimmed', async () => {
    const { log } = await lab({ ...small, logBytes: 1_200 })
    while ((await log.append(deposit('a', 'x'.repeat(90)))())._tag === 'Right');
    const version = await orThrow(log.version('a'))
    await orThrow(log.trim(log.end))
    expect((await orThrow(log.append(deposit('a')))).versions).toEqual([version + 1])
  })

  it('applies the rules when it is full, and takes the next that fits then', async () => {
    const { log } = await lab({ ...small, logBytes: 1_500, retention: { passed: true } })
    const mailer = await orThrow(log.reader('mailer'))
    let refused = 0
    for (let nth = 0; nth < 60; nth++) {
      const result = await log.append(deposit('a', 'x'.repeat(90)))()
      if (result._tag === 'Right') continue
      expect(result.left._tag).toBe('LogFull')
      refused++
      // It is the readers who make room.
      while (mailer.position < log.end) await orThrow(mailer.next())
      await orThrow(mailer.commitSync())
      // Who hears that it is full hears it when the rules have been applied.
      if ((await log.append(deposit('a', 'x'.repeat(90)))())._tag === 'Right') continue
      await orThrow(log.append(deposit('a', 'x'.repeat(90))))
    }
    expect(refused).toBeGreaterThan(1)
    expect(log.first).toBeGreaterThan(0)
    await orThrow(log.close())
  })
})
