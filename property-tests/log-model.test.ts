// The log against a model of a list, driven by random commands on segments so small that nearly every batch rolls.
// The model holds what was acknowledged; whatever is opened, killed, rebuilt or deleted in between, the log answers
// what the list answers.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Offset, orThrow, type EventLog, type NewEvent, type QueryItem, type StoredEvent } from '../src/index.ts'
import { queryItems, matches } from '../src/core/query.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { all, eventsOf, folder, LabClock, labEntropy, namesOf, openOn, recorded } from '../test/log-lab.ts'

class Model {
  events: StoredEvent[] = []
  ids = 0

  get end(): number {
    return this.events.at(-1)?.nextOffset ?? 0
  }

  version(aggregateId: string): number {
    return this.events.filter(({ event }) => event.aggregateId === aggregateId).length
  }

  /** The events at [from, until) that match. */
  slice(from: number, until: number, query: readonly QueryItem[] = []): StoredEvent[] {
    const items = queryItems(query)
    return this.events.filter(
      ({ offset, event: { aggregateId, eventType, namespace, tags = [] } }) =>
        offset >= from && offset < until && matches(items, { aggregateId, eventType, namespace, tags })
    )
  }

  /** A frame's offset, or the end. */
  place(pick: number): number {
    return this.events[pick % (this.events.length + 1)]?.offset ?? this.end
  }
}

interface Real {
  disk: MemoryDisk
  log: EventLog
  /** Another log on the same disk that follows as a reader. */
  reader: EventLog | undefined
  readonly clock: LabClock
}

interface Step {
  readonly name: string
  readonly run: (model: Model, real: Real) => Promise<void>
}

class Command implements fc.AsyncCommand<Model, Real> {
  private readonly step: Step

  constructor(step: Step) {
    this.step = step
  }

  check(): boolean {
    return true
  }

  run(model: Model, real: Real): Promise<void> {
    return this.step.run(model, real)
  }

  toString(): string {
    return this.step.name
  }
}

function command<A>(name: string, parameters: fc.Arbitrary<A>, run: (a: A, model: Model, real: Real) => Promise<void>) {
  return parameters.map((a) => new Command({ name: `${name} ${fc.stringify(a)}`, run: (m, r) => run(a, m, r) }))
}

const segmentBytes = 256

function options(real: Pick<Real, 'clock'>, model: Model): Parameters<typeof openOn>[1] {
  const entropy = labEntropy()
  return {
    segmentBytes,
    checkpointBytes: 150,
    clock: real.clock,
    entropy: { ...entropy, eventId: () => `id-${++model.ids}` }
  }
}

const aggregateId = fc.constantFrom('a', 'b', '\u{1f600}', '\uffff')
const query: fc.Arbitrary<readonly QueryItem[]> = fc.array(
  fc.record(
    {
      types: fc.subarray(['Opened', 'Deposited', 'Closed']),
      tags: fc.subarray(['t', 'u']),
      aggregateId,
      typePrefix: fc.constantFrom('', 'D', 'Opened', 'X'),
      aggregatePrefix: fc.constantFrom('', 'a', '\ud83d', '\uffff'),
      namespace: fc.constantFrom('n', 'm')
    },
    { requiredKeys: [] }
  ),
  { maxLength: 3 }
)
const event: fc.Arbitrary<NewEvent> = fc.record(
  {
    aggregateId,
    eventType: fc.constantFrom('Opened', 'Deposited', 'Closed'),
    payload: fc.oneof(fc.nat(), fc.string({ maxLength: 200 })),
    namespace: fc.constantFrom('n', 'm'),
    tags: fc.subarray(['t', 'u'])
  },
  { requiredKeys: ['aggregateId', 'eventType', 'payload'] }
)
const batch = fc.array(event, { minLength: 1, maxLength: 4 })
const pick = fc.nat({ max: 60 })

/** What the model says the log must hold after a batch that begins at its end, given what the log answers. */
function accept(model: Model, events: readonly NewEvent[], stored: readonly StoredEvent[], firstId: number): void {
  expect(stored.map((one) => one.event)).toEqual(events.map((one, place) => recorded(one, `id-${firstId + place}`)))
  for (const one of stored) {
    expect(one.offset).toBe(model.end)
    expect(one.nextOffset).toBeGreaterThan(one.offset)
    expect(one.version).toBe(model.version(one.event.aggregateId) + 1)
    expect(one.writeTimestampMs).toBeGreaterThanOrEqual(model.events.at(-1)?.writeTimestampMs ?? 0)
    model.events.push(one)
  }
}

const append = command(
  'append',
  fc.record({ batch, synced: fc.boolean() }),
  async ({ batch: events, synced }, model, { log }) => {
    const firstId = model.ids + 1
    const { end } = model
    const receipt = await orThrow(synced ? log.appendSync(events) : log.append(events))
    const stored = await eventsOf(log.replayUntil(Offset(end), receipt.nextOffset))
    accept(model, events, stored, firstId)
    expect(receipt).toEqual({
      offset: end,
      nextOffset: model.end,
      versions: stored.map((one) => one.version),
      durability: synced ? 'synced' : 'buffered',
      duplicate: false
    })
    expect(log.end).toBe(model.end)
  }
)

const appendMany = command(
  'append many at once',
  fc.array(batch, { maxLength: 8 }),
  async (batches, model, { log }) => {
    const firstId = model.ids + 1
    const { end } = model
    const receipts = await Promise.all(
      batches.map((events, place) => orThrow(place % 3 === 0 ? log.appendSync(events) : log.append(events)))
    )
    accept(model, batches.flat(), await eventsOf(log.replay(Offset(end))), firstId)
    let at = end
    for (const receipt of receipts) {
      expect(receipt.offset).toBe(at)
      at = receipt.nextOffset
    }
    expect(at).toBe(model.end)
  }
)

const conditional = command(
  'append if',
  fc.record({ event, about: aggregateId, version: fc.oneof(fc.nat({ max: 8 }), fc.constantFrom('none', 'exists')) }),
  async ({ event: one, about, version }, model, { log }) => {
    const actual = model.version(about)
    const wanted = version === 'none' ? actual === 0 : version === 'exists' ? actual > 0 : actual === version
    const firstId = model.ids + 1
    const { end } = model
    const conditions = [{ aggregateId: about, version }]
    const result = await log.append(one, { conditions })()
    if (wanted) accept(model, [one], await eventsOf(log.replay(Offset(end))), firstId)
    else expect(result).toMatchObject({ _tag: 'Left', left: { _tag: 'ConditionFailed', actual, expected: version } })
    expect(log.end).toBe(model.end)
  }
)

const reopen = command('close and open', fc.constant(undefined), async (_, model, real) => {
  await orThrow(real.log.close())
  real.log = await openOn(real.disk, options(real, model))
  expect(real.log.recovery).toMatchObject({ clean: true, torn: undefined, damage: [], reindexed: [], scannedBytes: 0 })
  expect(real.log.end).toBe(model.end)
})

const kill = command('kill and open', fc.constant(undefined), async (_, model, real) => {
  real.disk = real.disk.processCrash()
  real.reader = undefined
  real.log = await openOn(real.disk, options(real, model))
  expect(real.log.recovery).toMatchObject({ torn: undefined, damage: [] })
  expect(real.log.end).toBe(model.end)
})

/** A kill inside one of the next writes: of the batch, of a header, of the mark. The batch is there whole or not at all. */
const killInside = command(
  'kill inside a write',
  fc.record({ batch, write: fc.nat({ max: 3 }), share: fc.nat({ max: 8 }), synced: fc.boolean() }),
  async ({ batch: events, write, share, synced }, model, real) => {
    const firstId = model.ids + 1
    const { end } = model
    let crashed: MemoryDisk | undefined
    let writes = 0
    real.disk.arm({
      calls: ({ operation }) => {
        if (operation !== 'write' || writes++ !== write) return
        crashed = real.disk.processCrash((bytes) => Math.floor((bytes * share) / 8))
      }
    })
    const result = await (synced ? real.log.appendSync(events) : real.log.append(events))()
    expect(result._tag).toBe('Right')
    real.disk = crashed ?? real.disk.processCrash()
    real.reader = undefined
    real.log = await openOn(real.disk, options(real, model))
    expect(real.log.recovery.damage).toEqual([])
    const stored = await eventsOf(real.log.replay(Offset(end)))
    if (stored.length > 0 || crashed === undefined) accept(model, events, stored, firstId)
    expect(real.log.end).toBe(model.end)
  }
)

const replay = command(
  'replay',
  fc.record({ from: pick, until: pick, query, backwards: fc.boolean(), limit: fc.option(fc.nat({ max: 9 })) }),
  async ({ from, until, query: items, backwards, limit }, model, { log, reader }) => {
    const [low, high] = [model.place(from), model.place(until)]
    const slice = model.slice(low, high, items)
    const expected = (backwards ? slice.reverse() : slice).slice(0, limit ?? undefined)
    const bounds = backwards ? [Offset(high), Offset(low)] : [Offset(low), Offset(high)]
    const asked = { query: items, backwards, until: bounds[1], limit: limit ?? undefined }
    expect(await eventsOf(log.replay(bounds[0], asked))).toEqual(expected)
    if (reader !== undefined) expect(await eventsOf(reader.replay(bounds[0], asked))).toEqual(expected)
  }
)

const load = command('load', aggregateId, async (id, model, { log, reader }) => {
  const expected = model.slice(0, model.end, [{ aggregateId: id }])
  const reducer = { initial: [] as unknown[], evolve: (state: unknown[], e: NewEvent) => [...state, e.payload] }
  for (const one of reader === undefined ? [log] : [log, reader]) {
    expect(await orThrow(one.loadAggregate(id))).toEqual(expected)
    expect(await orThrow(one.version(id))).toBe(expected.length)
    expect(await orThrow(one.load(id, reducer))).toMatchObject({
      state: expected.map((stored) => stored.event.payload),
      version: expected.length
    })
  }
})

const fromVersion = command(
  'replay aggregate',
  fc.record({ aggregateId, from: fc.nat({ max: 12 }), limit: fc.option(fc.nat({ max: 4 })) }),
  async ({ aggregateId: id, from, limit }, model, { log }) => {
    const expected = model.slice(0, model.end, [{ aggregateId: id }]).slice(Math.max(0, from - 1))
    const read = log.replayAggregate(id, { fromVersion: from, limit: limit ?? undefined })
    expect(await eventsOf(read)).toEqual(expected.slice(0, limit ?? undefined))
  }
)

const aggregates = command(
  'aggregates',
  fc.constantFrom('', 'a', '\u{1f600}'),
  async (prefix, model, { log, reader }) => {
    const ids = [...new Set(model.events.map(({ event: e }) => e.aggregateId))].filter((id) => id.startsWith(prefix))
    const expected = ids.sort().map((id) => ({ aggregateId: id, version: model.version(id) }))
    expect(await all(orThrow(log.aggregates({ prefix })))).toEqual(expected)
    if (reader !== undefined) expect(await all(orThrow(reader.aggregates({ prefix })))).toEqual(expected)
  }
)

const offsetAt = command('offsetAt', fc.nat({ max: 40 }), async (time, model, { log }) => {
  const expected = model.events.find(({ writeTimestampMs }) => writeTimestampMs >= time)?.offset ?? model.end
  expect(await orThrow(log.offsetAt(time))).toBe(expected)
})

const rebuild = command('rebuildIndex', fc.option(pick), async (from, model, { log }) => {
  await orThrow(log.rebuildIndex(from === null ? {} : { from: Offset(model.place(from)) }))
})

const deleteIndex = command('delete an index and open', pick, async (which, model, real) => {
  await orThrow(real.log.close())
  const names = namesOf(real.disk, 'idx')
  real.disk.remove(`${folder}/${names[which % names.length] ?? 'none'}`)
  real.log = await openOn(real.disk, options(real, model))
  expect(real.log.end).toBe(model.end)
})

const follow = command('a reader opens', fc.constant(undefined), async (_, model, real) => {
  if (real.reader !== undefined) await orThrow(real.reader.close())
  real.reader = await openOn(real.disk, { readOnly: true })
  expect(real.reader.end).toBe(model.end)
})

const commands = [append, append, append, appendMany, conditional, reopen, kill, killInside, killInside, replay, replay]
const questions = [load, fromVersion, aggregates, offsetAt, rebuild, deleteIndex, follow]

it('whatever is done to a log, it answers what a list of the acknowledged events answers', async () => {
  const times = fc.array(fc.nat({ max: 40 }), { minLength: 1, maxLength: 10 })
  const property = fc.asyncProperty(
    times,
    fc.commands([...commands, ...questions] as fc.Arbitrary<fc.AsyncCommand<Model, Real>>[], { maxCommands: 60 }),
    async (readings, steps) => {
      const model = new Model()
      const disk = new MemoryDisk()
      const clock = new LabClock(readings)
      const real: Real = { disk, clock, reader: undefined, log: await openOn(disk, options({ clock }, model)) }
      await fc.asyncModelRun(() => ({ model, real }), steps)
      await orThrow(real.log.close())
      const again = await openOn(real.disk, { readOnly: true })
      expect(await eventsOf(again.replay())).toEqual(model.events)
      await orThrow(again.close())
    }
  )
  await fc.assert(property, { numRuns: 150 })
})
