// A log that is trimmed again and again, against a model of a list that knows where it begins: whatever is appended,
// read, asked, closed, killed and deleted in between, what is kept is as it was, what is gone is said to be gone, and no
// aggregate's version begins again. A reader beside the writer sees the same.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Offset, orThrow, type NewEvent, type StoredEvent } from '../src/index.ts'
import { encodeEvent } from '../src/core/event.ts'
import type { Condition } from '../src/core/error.ts'
import { matches, queryItems, type QueryItem } from '../src/core/query.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { makeSlot } from '../src/disk/slot.ts'
import { FolderCursors } from '../src/log/cursors.ts'
import { LocalStore } from '../src/log/store.ts'
import type { ReadRequest, Store } from '../src/port/store.ts'
import { Retention } from '../src/replay/retention.ts'
import { TypedLog } from '../src/replay/typed-log.ts'
import { folder, LabClock, labEntropy, namesOf } from '../test/log-lab.ts'

class Model {
  /** All events that ever were. */
  events: StoredEvent[] = []
  first = 0

  get end(): number {
    return this.events.at(-1)?.nextOffset ?? 0
  }

  get kept(): readonly StoredEvent[] {
    return this.events.filter(({ offset }) => offset >= this.first)
  }

  version(aggregateId: string, before: number = this.end): number {
    return this.events.filter((one) => one.event.aggregateId === aggregateId && one.offset < before).length
  }

  /** The kept events at [from, until) that match. */
  slice(from: number, until: number, query: readonly QueryItem[] = []): StoredEvent[] {
    const items = queryItems(query)
    return this.kept.filter(
      ({ offset, event: { aggregateId, eventType, namespace, tags = [] } }) =>
        offset >= from && offset < until && matches(items, { aggregateId, eventType, namespace, tags })
    )
  }

  /** Any frame's offset, trimmed or not, or the end. */
  place(pick: number): number {
    return this.events[pick % (this.events.length + 1)]?.offset ?? this.end
  }
}

interface Real {
  disk: MemoryDisk
  store: LocalStore
  reader: LocalStore | undefined
  ids: number
}

async function open(disk: MemoryDisk, readOnly: boolean): Promise<LocalStore> {
  const opened = await LocalStore.open(folder, {
    disk,
    slot: makeSlot(disk),
    clock: new LabClock([5, 1, 9, 9, 30]),
    entropy: labEntropy(),
    readOnly,
    create: !readOnly,
    segmentBytes: 300,
    pendingBytes: 1 << 20,
    checkpointBytes: 200,
    syncEveryMs: undefined
  })
  if (opened._tag === 'Left') throw opened.left
  return opened.right
}

function right<A>(
  result: { readonly _tag: 'Left'; readonly left: Error } | { readonly _tag: 'Right'; readonly right: A }
): A {
  if (result._tag === 'Left') throw result.left
  return result.right
}

async function elements(store: Store, request: Partial<ReadRequest>): Promise<unknown[]> {
  const whole = { from: undefined, until: undefined, query: [], limit: undefined, backwards: false, signal: undefined }
  const reader = store.read({ ...whole, ...request })
  const all: unknown[] = []
  for (let batch = await reader.next(); batch !== undefined; batch = await reader.next()) {
    for (const one of batch) {
      if (one._tag === 'Right') all.push(one.right)
      else all.push(one.left._tag === 'Trimmed' ? ['Trimmed', one.left.offset, one.left.first] : one.left)
    }
  }
  return all
}

function typed(store: LocalStore): TypedLog {
  const disk = new MemoryDisk()
  const cursors = new FolderCursors({
    disk,
    slot: makeSlot(disk),
    folder,
    logId: store.logId,
    onNamesInDoubt: () => {}
  })
  const clock = new LabClock()
  const retention = new Retention({ store, cursors, clock, options: undefined })
  return new TypedLog(store, {
    codec: undefined,
    newEventId: () => 'none',
    readers: { cursors, clock, pid: 1 },
    retention
  })
}

class Command implements fc.AsyncCommand<Model, Real> {
  private readonly name: string
  private readonly act: (model: Model, real: Real) => Promise<void>

  constructor(name: string, act: (model: Model, real: Real) => Promise<void>) {
    this.name = name
    this.act = act
  }

  check(): boolean {
    return true
  }

  run(model: Model, real: Real): Promise<void> {
    return this.act(model, real)
  }

  toString(): string {
    return this.name
  }
}

function command<A>(name: string, drawn: fc.Arbitrary<A>, act: (a: A, model: Model, real: Real) => Promise<void>) {
  return drawn.map((a) => new Command(`${name} ${fc.stringify(a)}`, (model, real) => act(a, model, real)))
}

const aggregateId = fc.constantFrom('a', 'b', 'c', '\u{1f600}', '\ud800')
const event: fc.Arbitrary<NewEvent> = fc.record({
  aggregateId: fc.constantFrom('a', 'b', 'c', '\u{1f600}'),
  eventType: fc.constantFrom('Opened', 'Closed'),
  payload: fc.string({ maxLength: 120 }),
  tags: fc.subarray(['t', 'u'])
})
const pick = fc.nat({ max: 80 })
const query: fc.Arbitrary<readonly QueryItem[]> = fc.array(
  fc.record({ types: fc.subarray(['Opened', 'Closed']), aggregateId, tags: fc.subarray(['t']) }, { requiredKeys: [] }),
  { maxLength: 2 }
)

async function appendTo(real: Real, events: readonly NewEvent[], conditions: readonly Condition[]) {
  const encoded = events.map((one, index) => right(encodeEvent(one, index, () => `id-${++real.ids}`)))
  return real.store.append({ events: encoded, conditions, durability: real.ids % 2 === 0 ? 'synced' : 'buffered' })
}

/** Takes over what was appended: its versions go on from what was trimmed. */
async function accept(model: Model, { store }: Real, from: number): Promise<void> {
  for (const one of (await elements(store, { from: Offset(from) })) as StoredEvent[]) {
    expect(one.offset).toBe(model.end)
    expect(one.version).toBe(model.version(one.event.aggregateId) + 1)
    expect(one.writeTimestampMs).toBeGreaterThanOrEqual(model.events.at(-1)?.writeTimestampMs ?? 0)
    model.events.push(one)
  }
}

const append = command('append', fc.array(event, { minLength: 1, maxLength: 4 }), async (events, model, real) => {
  const { end } = model
  right(await appendTo(real, events, []))
  await accept(model, real, end)
})

const conditional = command(
  'append if',
  fc.record({ event, about: aggregateId, version: fc.oneof(fc.nat({ max: 9 }), fc.constantFrom('none', 'exists')) }),
  async ({ event: one, about, version }, model, real) => {
    const { end } = model
    const actual = model.version(about)
    const holds = version === 'none' ? actual === 0 : version === 'exists' ? actual > 0 : actual === version
    const result = await appendTo(real, [one], [{ aggregateId: about, version }])
    if (holds) await accept(model, real, end)
    else expect(result).toMatchObject({ _tag: 'Left', left: { _tag: 'ConditionFailed', actual } })
  }
)

const unlessMatched = command(
  'append unless',
  fc.record({ event, type: fc.constantFrom('Opened', 'Closed'), after: fc.option(pick, { nil: undefined }) }),
  async ({ event: one, type, after }, model, real) => {
    const { end } = model
    const since = after === undefined ? undefined : Offset(model.place(after))
    const found = model.slice(since ?? 0, end, [{ types: [type] }]).length > 0
    const condition = { noneMatch: { types: [type] }, ...(since !== undefined && { after: since }) }
    const result = await appendTo(real, [one], [condition])
    const expected = found ? 'ConditionFailed' : since !== undefined && since < model.first ? 'Trimmed' : 'Right'
    expect(result._tag === 'Left' ? result.left._tag : 'Right').toBe(expected)
    if (expected === 'Right') await accept(model, real, end)
  }
)

const trim = command('trim', pick, async (where, model, real) => {
  const before = model.place(where)
  const sealed = real.store.segments().filter((segment) => segment.sealed)
  const going = sealed.filter(({ end }) => end <= before)
  const report = right(await real.store.trim(Offset(before)))
  model.first = going.at(-1)?.end ?? model.first
  expect(report).toEqual({ first: model.first, segments: going })
  expect(real.store.first()).toBe(model.first)
  expect(namesOf(real.disk, 'log').map((name) => Number(name.slice(0, 20)))).toEqual(
    real.store.segments().map(({ base }) => base)
  )
})

const read = command(
  'read',
  fc.record({ from: fc.option(pick), until: fc.option(pick), query, backwards: fc.boolean() }),
  async ({ from, until, query: items, backwards }, model, { store, reader }) => {
    const offsetOf = (one: number | null) => (one === null ? undefined : Offset(model.place(one)))
    const bounds = [offsetOf(from), offsetOf(until)] as const
    const [low, high] = backwards ? [bounds[1], bounds[0]] : bounds
    const lost = bounds.find((offset) => offset !== undefined && offset < model.first)
    const slice = model.slice(low ?? 0, high ?? model.end, items)
    const expected = lost === undefined ? (backwards ? slice.reverse() : slice) : [['Trimmed', lost, model.first]]
    const request = { from: bounds[0], until: bounds[1], query: queryItems(items), backwards }
    for (const one of reader === undefined ? [store] : [store, reader]) {
      // With an end that it knows a reader does not look by itself.
      right(await one.refresh())
      expect(await elements(one, request)).toEqual(expected)
    }
  }
)

const load = command(
  'load',
  fc.record({ aggregateId, from: fc.integer({ min: 1, max: 9 }) }),
  async ({ aggregateId: id, from }, model, { store, reader }) => {
    const own = model.slice(0, model.end, [{ aggregateId: id }])
    const gone = model.version(id, model.first)
    for (const one of reader === undefined ? [store] : [store, reader]) {
      const log = typed(one)
      expect(right(await one.version(id))).toBe(model.version(id))
      expect(right(await one.trimmedVersion(id))).toBe(gone)
      const loaded = await log.loadAggregate(id)()
      if (gone > 0) expect(loaded).toMatchObject({ left: { _tag: 'Trimmed', first: model.first } })
      else expect(loaded).toEqual({ _tag: 'Right', right: own })
      const seen: unknown[] = []
      for await (const element of log.replayAggregate(id, { fromVersion: from })) {
        seen.push(element._tag === 'Right' ? element.right : element.left._tag)
      }
      expect(seen).toEqual(from <= gone ? ['Trimmed'] : own.filter(({ version }) => version >= from))
      const wanted = own.find(({ version }) => version >= from)
      expect(right(await one.seekVersion(id, from))).toBe(wanted?.offset ?? model.end)
    }
  }
)

const ask = command(
  'ask',
  fc.record({ query, time: fc.nat({ max: 40 }) }),
  async ({ query: items, time }, model, real) => {
    for (const one of real.reader === undefined ? [real.store] : [real.store, real.reader]) {
      expect(right(await one.count(queryItems(items), undefined))).toBe(model.slice(0, model.end, items).length)
      const since = model.kept.find(({ writeTimestampMs }) => writeTimestampMs >= time)?.offset ?? model.end
      expect(right(await one.offsetAt(time))).toBe(since)
      const listed: unknown[] = []
      for await (const item of one.aggregates('')) listed.push(right(item))
      const ids = [...new Set(model.events.map((stored) => stored.event.aggregateId))].sort()
      expect(listed).toEqual(ids.map((id) => ({ aggregateId: id, version: model.version(id) })))
      expect(one.first()).toBe(model.first)
      expect(one.segments()[0]?.base).toBe(model.first)
      expect(one.end()).toBe(model.end)
    }
  }
)

const reopen = command('close and open', fc.constant(undefined), async (_, model, real) => {
  right(await real.store.close())
  real.store = await open(real.disk, false)
  expect(real.store.recovery).toMatchObject({ clean: true, damage: [], reindexed: [] })
  expect([real.store.first(), real.store.end()]).toEqual([model.first, model.end])
})

const kill = command('kill and open', fc.constant(undefined), async (_, model, real) => {
  real.disk = real.disk.processCrash()
  real.reader = undefined
  real.store = await open(real.disk, false)
  expect(real.store.recovery).toMatchObject({ torn: undefined, damage: [] })
  expect([real.store.first(), real.store.end()]).toEqual([model.first, model.end])
})

const deleteIndexes = command('delete an index and open', pick, async (which, _model, real) => {
  right(await real.store.close())
  const names = namesOf(real.disk, 'idx')
  real.disk.remove(`${folder}/${names[which % names.length] ?? 'none'}`)
  real.store = await open(real.disk, false)
})

const rebuild = command('rebuild the index', pick, async (from, model, { store }) => {
  right(await store.rebuildIndex({ from: Offset(model.place(from)) }))
})

const follow = command('a reader opens', fc.constant(undefined), async (_, model, real) => {
  if (real.reader !== undefined) right(await real.reader.close())
  real.reader = await open(real.disk, true)
  expect(real.reader.recovery.damage).toEqual([])
  expect(real.reader.first()).toBe(model.first)
})

const commands = [append, append, append, append, conditional, unlessMatched, trim, trim, read, read, load, load, ask]
const rare = [reopen, kill, deleteIndexes, rebuild, follow]

it('whatever is trimmed, what is kept is as it was, and versions go on', async () => {
  const steps = fc.commands([...commands, ...rare] as fc.Arbitrary<fc.AsyncCommand<Model, Real>>[], {
    maxCommands: 60,
    size: 'max'
  })
  await fc.assert(
    fc.asyncProperty(steps, async (drawn) => {
      const disk = new MemoryDisk()
      const model = new Model()
      const real: Real = { disk, store: await open(disk, false), reader: undefined, ids: 0 }
      await fc.asyncModelRun(() => ({ model, real }), drawn)
      await orThrow(() => real.store.close())
      await real.reader?.close()
    }),
    { numRuns: 250 }
  )
}, 120_000)
