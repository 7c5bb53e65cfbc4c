// A durable reader against a model of it, through kills and power cuts, in the writer's process and in another one:
//
// - it hands out the log's events from its cursor on, each in its turn, none left out;
// - a kill leaves the cursor where it was committed, and in the middle of a commit, where it was or where it will be;
// - syncs of its place may fail before the crash, and then nothing that they should have saved counts;
// - a power cut may set it back, but never behind an event that its owner has not handled, be it one that was appended
//   in the place of a lost one, and never before what commitSync has answered.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import { Offset, orThrow, type Event, type EventLog, type Reader, type StoredEvent } from '../src/index.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import { eventsOf, LabClock, openOn, turn } from '../test/log-lab.ts'

type Step =
  | { readonly kind: 'append'; readonly count: number; readonly synced: boolean }
  | { readonly kind: 'next'; readonly count: number; readonly byBatch: boolean }
  | { readonly kind: 'wait' }
  | { readonly kind: 'commit'; readonly back: number; readonly synced: boolean; readonly crash: Crash | undefined }
  | { readonly kind: 'seek'; readonly to: number; readonly crash: Crash | undefined }
  | { readonly kind: 'beat'; readonly crash: Crash | undefined }
  | { readonly kind: 'sync' | 'close' | 'open' | 'remove' }
  | { readonly kind: 'crash'; readonly crash: Crash }

/** A crash at so many disk calls from now, or when what is under way is done. */
interface Crash {
  readonly power: boolean
  readonly after: number
  /** Whether syncs of the reader's place fail until then. */
  readonly faulty: boolean
  readonly seed: number
}

const crashes = fc.record({
  power: fc.boolean(),
  after: fc.nat({ max: 9 }),
  faulty: fc.boolean(),
  seed: fc.nat()
})
const maybeCrash = fc.option(crashes, { nil: undefined, freq: 2 })
const steps: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({ kind: fc.constant('append'), count: fc.integer({ min: 1, max: 4 }), synced: fc.boolean() })
  },
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('next'), count: fc.integer({ min: 1, max: 4 }), byBatch: fc.boolean() })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait') }) },
  {
    weight: 7,
    arbitrary: fc.record({
      kind: fc.constant('commit'),
      back: fc.nat({ max: 2 }),
      synced: fc.boolean(),
      crash: maybeCrash
    })
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('seek'), to: fc.nat({ max: 100 }), crash: maybeCrash }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('beat'), crash: maybeCrash }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constantFrom('sync', 'close', 'open') }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('crash'), crash: crashes }) }
)

/** What must be true of the reader, whatever comes. */
class Model {
  /** The ids of the events that the owner has handled, or skipped by his own wish. */
  readonly handled = new Set<string>()
  /** No event before this offset may come again. */
  floor = 0
  /** Where the cursor may be after a kill; undefined when anything above the floor may be. */
  cursors: readonly number[] | undefined = [0]

  /** The owner is about to say that he has handled these. */
  try(events: readonly StoredEvent<Event>[], to: number): void {
    for (const { event } of events) this.handled.add(event.eventId)
    if (this.cursors !== undefined) this.cursors = [...this.cursors, to]
  }

  saved(cursor: number): void {
    this.cursors = [cursor]
  }
}

class World {
  readonly model = new Model()
  private readonly elsewhere: boolean
  private disk = new MemoryDisk()
  private clock = new LabClock()
  private log!: EventLog
  private readers: EventLog | undefined
  private reader: Reader<Event> | undefined
  private appended = 0

  constructor(elsewhere: boolean) {
    this.elsewhere = elsewhere
  }

  async begin(): Promise<void> {
    this.clock = new LabClock()
    const shared = { clock: this.clock, segmentBytes: 700, checkpointBytes: 500 }
    this.log = await openOn(this.disk, shared)
    this.readers = this.elsewhere ? await openOn(this.disk, { ...shared, readOnly: true }) : this.log
    this.reader = undefined
  }

  async run(step: Step): Promise<void> {
    if (step.kind === 'append') return this.append(step.count, step.synced)
    if (step.kind === 'sync') return orThrow(this.log.sync())
    await this.noteFloor()
    if (step.kind === 'crash') return this.crashNow(step.crash)
    const reader = await this.opened()
    if (step.kind === 'next') return step.byBatch ? this.takeBatch(reader) : this.take(reader, step.count)
    if (step.kind === 'wait') return this.waitFor(reader)
    if (step.kind === 'commit') return this.commit(reader, step)
    if (step.kind === 'seek') return this.seek(reader, step)
    if (step.kind === 'beat') return this.crashing(step.crash, () => this.beat())
    if (step.kind === 'close') return this.close(reader)
  }

  /** Everything that is left comes, in order. */
  async finish(): Promise<void> {
    const reader = await this.opened()
    await this.take(reader, Number.POSITIVE_INFINITY)
    expect(await orThrow(reader.lag())).toEqual({
      bytes: this.log.end - reader.cursor,
      events: (await this.from(reader.cursor)).length
    })
    await orThrow(this.log.close())
    if (this.elsewhere) await orThrow((this.readers as EventLog).close())
  }

  /** What retention is told: nothing before it is asked for again. */
  private async noteFloor(): Promise<void> {
    const [listed] = await orThrow(this.log.readers())
    if (listed !== undefined && 'floor' in listed) this.model.floor = Math.max(this.model.floor, listed.floor)
  }

  private from(offset: number): Promise<StoredEvent<Event>[]> {
    return eventsOf(this.log.replay(Offset(offset)))
  }

  private async append(count: number, synced: boolean): Promise<void> {
    // All of one length, so that one can stand where another has stood.
    const events = Array.from({ length: count }, () => {
      const eventId = `event-${String(++this.appended).padStart(5, '0')}`
      return { aggregateId: 'a', eventId, eventType: 'Happened', payload: {} }
    })
    for (const event of events) await orThrow(synced ? this.log.appendSync(event) : this.log.append(event))
  }

  /** The reader, opened if it is not, and held to what may be of its cursor. */
  private async opened(): Promise<Reader<Event>> {
    if (this.reader !== undefined) return this.reader
    const { model } = this
    const reader = await orThrow((this.readers as EventLog).reader('r', { heartbeatMs: 1_000 }))
    const { cursor, position, recovered } = reader
    expect(position).toBe(cursor)
    if (model.cursors !== undefined) {
      expect(model.cursors).toContain(cursor)
      expect(recovered).toBeUndefined()
    }
    expect(cursor).toBeGreaterThanOrEqual(model.floor)
    if (recovered !== undefined) expect(recovered).toMatchObject({ to: cursor })
    // Nothing is behind the cursor that the owner has not handled; and it is an event's boundary.
    const before = (await this.from(0)).filter((stored) => stored.offset < cursor)
    expect(before.at(-1)?.nextOffset ?? 0).toBe(cursor)
    for (const { event } of before) expect(model.handled).toContain(event.eventId)
    model.saved(cursor)
    this.reader = reader
    return reader
  }

  private async take(reader: Reader<Event>, count: number): Promise<void> {
    for (const expected of (await this.from(reader.position)).slice(0, count)) {
      expect(await orThrow(reader.next())).toEqual(expected)
      expect(reader.position).toBe(expected.nextOffset)
    }
  }

  private async takeBatch(reader: Reader<Event>): Promise<void> {
    const expected = await this.from(reader.position)
    if (expected.length === 0) return
    const batch: StoredEvent<Event>[] = []
    for await (const elements of reader.readBatches()) {
      for (const element of elements) if (element._tag === 'Right') batch.push(element.right)
      break
    }
    expect(batch).toEqual(expected.slice(0, batch.length))
    expect(reader.position).toBe(batch.at(-1)?.nextOffset)
  }

  private async waitFor(reader: Reader<Event>): Promise<void> {
    await this.take(reader, Number.POSITIVE_INFINITY)
    const stop = new AbortController()
    const given = reader.next({ signal: stop.signal })()
    const first = reader.next()()
    const second = reader.next()()
    await turn()
    stop.abort()
    expect(await given).toMatchObject({ left: { _tag: 'Aborted' } })
    const { position } = reader
    await this.append(2, false)
    expect([await first, await second].map((one) => (one._tag === 'Right' ? one.right : one.left))).toEqual(
      await this.from(position)
    )
  }

  private async commit(reader: Reader<Event>, step: Extract<Step, { kind: 'commit' }>): Promise<void> {
    const { model } = this
    const open = (await this.from(reader.cursor)).filter(({ offset }) => offset < reader.position)
    const events = open.slice(0, open.length - step.back)
    const to = Offset(events.at(-1)?.nextOffset ?? reader.cursor)
    model.try(events, to)
    await this.crashing(step.crash, async () => {
      const answer = await (step.synced ? reader.commitSync(to)() : reader.commit(to)())
      if (answer._tag === 'Left') return isExpected(step.crash, answer.left)
      expect(reader.cursor).toBe(to)
      return () => {
        model.saved(to)
        if (!step.synced) return
        const certain = answer.right as Offset
        if (!this.elsewhere) expect(certain).toBe(to)
        expect(certain).toBeLessThanOrEqual(to)
        model.floor = Math.max(model.floor, certain)
      }
    })
  }

  private async seek(reader: Reader<Event>, step: Extract<Step, { kind: 'seek' }>): Promise<void> {
    const { model } = this
    const events = await this.from(0)
    const skipped = events.slice(0, Math.floor((events.length * step.to) / 100))
    const to = Offset(skipped.at(-1)?.nextOffset ?? 0)
    model.try(skipped, to)
    model.floor = Math.min(model.floor, to)
    await this.crashing(step.crash, async () => {
      const answer = await reader.seek(to)()
      if (answer._tag === 'Left') return isExpected(step.crash, answer.left)
      expect(answer.right).toBe(to)
      expect([reader.cursor, reader.position]).toEqual([to, to])
      return () => model.saved(to)
    })
  }

  private async beat(): Promise<() => void> {
    this.clock.ring()
    await turn()
    return () => {}
  }

  private async close(reader: Reader<Event>): Promise<void> {
    const { cursor } = reader
    await orThrow(reader.close())
    const [listed] = await orThrow(this.log.readers())
    expect(listed).toMatchObject({ name: 'r', cursor, pid: undefined, live: false })
    this.reader = undefined
  }

  /** Works, and crashes at one of the disk's calls meanwhile or right behind; then the work was not acknowledged. */
  private async crashing(crash: Crash | undefined, work: () => Promise<() => void>): Promise<void> {
    if (crash === undefined) return (await work())()
    let left: MemoryDisk | undefined
    let calls = 0
    this.disk.arm({
      fault: ({ operation, path }) => {
        return crash.faulty && operation.startsWith('sync') && path.includes('/readers') ? 'EIO' : undefined
      },
      calls: () => {
        if (calls++ === crash.after) left = this.crashed(crash, true)
      }
    })
    const acknowledge = await work()
    this.disk.arm({})
    if (left === undefined) {
      acknowledge()
      left = this.crashed(crash, false)
    }
    await this.goOn(left, crash.power)
  }

  private crashNow(crash: Crash): Promise<void> {
    return this.goOn(this.crashed(crash, false), crash.power)
  }

  /** What a crash leaves; a kill may tear the write that has not returned yet. */
  private crashed(crash: Crash, inside: boolean): MemoryDisk {
    const chance = new Chance(crash.seed)
    const choose = (count: number): number => chance.below(count)
    return crash.power
      ? this.disk.crash(choose)
      : this.disk.processCrash(inside ? (bytes) => choose(bytes + 1) : undefined)
  }

  private async goOn(disk: MemoryDisk, power: boolean): Promise<void> {
    this.disk = disk
    if (power) this.model.cursors = undefined
    await this.begin()
  }
}

/** An answer that acknowledges nothing. */
function isExpected(crash: Crash | undefined, error: Error): () => void {
  expect(crash?.faulty).toBe(true)
  expect(error).toMatchObject({ errno: 'EIO' })
  return () => {}
}

it.each([
  ['in the process of the writer', false],
  ['in another process', true]
])(
  'a reader %s leaves out no event and repeats none that was committed for good, whatever fails',
  async (_, elsewhere) => {
    await fc.assert(
      fc.asyncProperty(fc.array(steps, { maxLength: 40, size: 'max' }), async (all) => {
        const world = new World(elsewhere)
        await world.begin()
        for (const step of all) await world.run(step)
        await world.finish()
      }),
      { numRuns: 400 }
    )
  }
)
