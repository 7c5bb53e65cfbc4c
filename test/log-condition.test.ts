// Conditions and retries: checked and appended as one step, reported exactly, and never failing because of themselves.

import * as fc from 'fast-check'
import { afterEach, describe, expect, it } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import { ConditionFailed, EventIdConflict, EventLog, InvalidArgument, Offset, orThrow } from '../src/index.ts'
import type { Condition, NewEvent, Query } from '../src/index.ts'

let opened: EventLog[] = []

afterEach(async () => {
  for (const log of opened) await log.close()()
  opened = []
})

async function open(disk = new MemoryDisk(), segmentBytes = 1_024): Promise<EventLog> {
  const log = await orThrow(EventLog.open('/log', { disk, segmentBytes }))
  opened.push(log)
  return log
}

function event(aggregateId: string, more: Partial<NewEvent> = {}): NewEvent {
  return { aggregateId, eventType: 'Happened', payload: { of: aggregateId }, ...more }
}

async function refused(log: EventLog, batch: NewEvent | NewEvent[], conditions: Condition[]): Promise<ConditionFailed> {
  const result = await log.append(batch, { conditions })()
  if (result._tag === 'Right' || !(result.left instanceof ConditionFailed)) throw new Error('it was not refused')
  return result.left
}

describe('a version condition', () => {
  it('that fails names what was expected, what was found and where', async () => {
    const log = await open()
    await orThrow(log.append(event('a')))
    const second = await orThrow(log.append(event('a')))
    const failed = await refused(log, event('b'), [{ aggregateId: 'a', version: 1 }])
    expect(failed).toMatchObject({ expected: 1, actual: 2, offset: second.offset })
    const none = await refused(log, event('b'), [{ aggregateId: 'c', version: 'exists' }])
    expect(none).toMatchObject({ expected: 'exists', actual: 0, offset: undefined })
    expect(await orThrow(log.version('b'))).toBe(0)
  })

  it('of several that does not hold refuses the whole batch', async () => {
    const log = await open()
    await orThrow(log.append(event('a')))
    const { end } = log
    await refused(
      log,
      [event('b'), event('c')],
      [
        { aggregateId: 'a', version: 1 },
        { aggregateId: 'b', version: 'none' },
        { aggregateId: 'a', version: 'none' }
      ]
    )
    expect(log.end).toBe(end)
  })

  it.each([2, 7, 64])('lets exactly one of %i concurrent appends win', async (count) => {
    const log = await open()
    const conditions: Condition[] = [{ aggregateId: 'a', version: 'none' }]
    const results = await Promise.all(
      Array.from({ length: count }, async (_, place) =>
        place % 2 === 0 ? log.append(event('a'), { conditions })() : log.appendSync(event('a'), { conditions })()
      )
    )
    expect(results.filter((result) => result._tag === 'Right')).toHaveLength(1)
    expect(await orThrow(log.version('a'))).toBe(1)
  })
})

describe('a query condition', () => {
  it('that fails names the newest event that matches', async () => {
    const log = await open()
    await orThrow(log.append(event('a', { tags: ['x'] })))
    const second = await orThrow(log.append(event('b', { tags: ['x', 'y'] })))
    const noneMatch = { tags: ['x'] }
    expect(await refused(log, event('c'), [{ noneMatch }])).toMatchObject({
      expected: 'no match',
      actual: undefined,
      offset: second.offset
    })
    await orThrow(log.append(event('c'), { conditions: [{ noneMatch, after: second.nextOffset }] }))
  })

  it('sees what is appended in the same turn before it', async () => {
    const log = await open()
    const conditions: Condition[] = [{ noneMatch: { tags: ['user:ada'] } }]
    const claim = (): NewEvent => event('registration', { tags: ['user:ada'] })
    const results = await Promise.all(Array.from({ length: 64 }, async () => log.append(claim(), { conditions })()))
    expect(results.map(({ _tag }) => _tag)).toEqual(['Right', ...Array.from({ length: 63 }, () => 'Left')])
  })

  it('that matches everything asks whether anything was added', async () => {
    const log = await open()
    const first = await orThrow(log.append(event('a')))
    await refused(log, event('b'), [{ noneMatch: [] }])
    await orThrow(log.append(event('b'), { conditions: [{ noneMatch: [], after: first.nextOffset }] }))
  })

  it('on a trimmed log names the first event that is kept, and is Trimmed where what is kept cannot tell', async () => {
    const log = await open(new MemoryDisk(), 256)
    for (let count = 0; count < 6; count++) await orThrow(log.append(event('a')))
    await orThrow(log.trim(log.end))
    expect(log.first).toBeGreaterThan(0)
    const failed = await refused(log, event('b'), [{ noneMatch: [], after: Offset(0) }])
    expect(failed.offset).toBe(log.first)
    // What it was asked of has gone, and nothing that is kept tells.
    const emptied = await open(new MemoryDisk(), 256)
    const { nextOffset } = await orThrow(emptied.append(event('a')))
    await orThrow(emptied.append(event('large', { payload: 'x'.repeat(300) })))
    await orThrow(emptied.trim(emptied.end))
    expect(emptied.first).toBe(nextOffset)
    const later = [{ noneMatch: { types: ['Never'] }, after: Offset(0) }]
    expect(await emptied.append(event('b'), { conditions: later })()).toMatchObject({ left: { _tag: 'Trimmed' } })
  })

  it('after an offset behind the end, or of the wrong form, is an argument that makes no sense', async () => {
    const log = await open()
    const conditions = [
      { noneMatch: {}, after: Offset(1) },
      { noneMatch: undefined },
      { aggregateId: 'a' },
      { aggregateId: 'a', version: -1 },
      { aggregateId: 'a', noneMatch: {} },
      { noneMatch: {}, after: 0.5 },
      { noneMatch: { types: 5 } },
      { noneMatch: { tags: 'x' } },
      { noneMatch: [null] }
    ] as unknown as Condition[]
    for (const condition of conditions) {
      const result = await log.append(event('a'), { conditions: [condition] })()
      expect(result).toMatchObject({ left: expect.any(InvalidArgument) as unknown })
    }
    expect(log.end).toBe(0)
  })

  it('is what it was when the append was called', async () => {
    const log = await open()
    await orThrow(log.append(event('a', { tags: ['x'] })))
    const tags = ['x']
    const append = log.append(event('b'), { conditions: [{ noneMatch: { tags } }] })
    tags[0] = 'y'
    expect(await append()).toMatchObject({ left: { condition: { noneMatch: { tags: ['x'] } } } })
  })

  it('comes with the state that the decision rests on', async () => {
    const log = await open()
    await orThrow(log.append(event('a', { tags: ['course:1'] })))
    const seats = { initial: 0, evolve: (count: number): number => count + 1 }
    const model = await orThrow(log.decide({ tags: ['course:1'] }, seats))
    expect(model.state).toBe(1)
    await orThrow(log.append(event('unrelated', { tags: ['course:2'] })))
    await orThrow(log.append(event('b', { tags: ['course:1'] }), { conditions: [model.condition] }))
    await refused(log, event('c', { tags: ['course:1'] }), [model.condition])
    const loaded = await orThrow(log.load('a', seats))
    await orThrow(log.append(event('a'), { conditions: [loaded.condition] }))
    await refused(log, event('a'), [loaded.condition])
  })

  it('and its state are of one moment, whatever is appended meanwhile', async () => {
    const log = await open()
    await orThrow(log.append(event('a')))
    // Taken before the decision is read, and written before its first event is.
    const appending = orThrow(log.append(event('b')))
    const model = await log.decide([], { initial: 0, evolve: (count: number): number => count + 1 })()
    await appending
    if (model._tag === 'Left') throw model.left
    expect(model.right.state).toBe(1)
    await refused(log, event('c'), [model.right.condition])
  })

  it('gives the verdict of a filter over all events, over rolls, closes and whatever else was appended', async () => {
    const tag = fc.constantFrom('x', 'y', 'z')
    const item = fc.record(
      {
        types: fc.uniqueArray(fc.constantFrom('A', 'B'), { maxLength: 2 }),
        tags: fc.uniqueArray(tag, { maxLength: 2 }),
        aggregateId: fc.constantFrom('a', 'b')
      },
      { requiredKeys: [] }
    )
    const step = fc.record({
      event: fc.record({
        aggregateId: fc.constantFrom('a', 'b', 'c'),
        eventType: fc.constantFrom('A', 'B'),
        tags: fc.uniqueArray(tag, { maxLength: 3 })
      }),
      query: fc.array(item, { minLength: 1, maxLength: 2 }),
      afterPick: fc.nat(),
      reopen: fc.integer({ min: 0, max: 9 }).map((n) => n === 0)
    })
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), async (steps) => {
        const disk = new MemoryDisk()
        let log = await open(disk, 512)
        const written: { offset: number; event: NewEvent }[] = []
        const offsets = [Offset(0)]
        for (const { event: fields, query, afterPick, reopen } of steps) {
          if (reopen) {
            await orThrow(log.close())
            log = await open(disk, 512)
          }
          const after = offsets[afterPick % offsets.length] as Offset
          const batch = [event('other'), { ...event(fields.aggregateId), ...fields }]
          const result = await log.append(batch, { conditions: [{ noneMatch: query, after }] })()
          const against = written.filter((one) => one.offset >= after && matchesNaively(query, one.event)).at(-1)
          if (against === undefined) {
            if (result._tag === 'Left') throw result.left
            offsets.push(result.right.nextOffset)
            for await (const { offset, event: read } of orThrow(log.replay(result.right.offset))) {
              written.push({ offset, event: read })
            }
          } else {
            // Where everything matches, what counts is that something was added, not what came last.
            const isOpen = query.some((one) => matchesNaively([one], event('nobody')))
            const offset = isOpen ? after : against.offset
            expect(result).toMatchObject({ left: { _tag: 'ConditionFailed', offset } })
          }
        }
      }),
      { numRuns: 60 }
    )
  })
})

function matchesNaively(query: Query, one: NewEvent): boolean {
  return (query as readonly { types?: string[]; tags?: string[]; aggregateId?: string }[]).some(
    ({ types = [], tags = [], aggregateId }) =>
      (types.length === 0 || types.includes(one.eventType)) &&
      tags.every((tag) => (one.tags ?? []).includes(tag)) &&
      (aggregateId === undefined || aggregateId === one.aggregateId)
  )
}

describe('a retried append', () => {
  const batch = (): NewEvent[] => [event('a', { eventId: 'e1' }), event('b', { eventId: 'e2', tags: ['t'] })]

  it.each<[string, Condition[]]>([
    ['a version', [{ aggregateId: 'a', version: 'none' }]],
    ['a version by number', [{ aggregateId: 'a', version: 0 }]],
    ['a version of its second aggregate', [{ aggregateId: 'b', version: 0 }]],
    ['a query', [{ noneMatch: { tags: ['t'] } }]],
    ['several', [{ noneMatch: { tags: ['t'] } }, { aggregateId: 'a', version: 'none' }]]
  ])('whose condition on %s fails only because of itself gets its first receipt', async (_, conditions) => {
    const disk = new MemoryDisk()
    let log = await open(disk)
    const first = await orThrow(log.append(batch(), { conditions }))
    for (let count = 0; count < 12; count++) await orThrow(log.append(event('c')))
    const again = await orThrow(log.append(batch(), { conditions }))
    expect(again).toEqual({ ...first, duplicate: true })
    await orThrow(log.close())
    log = await open(disk)
    const { end } = log
    const synced = await orThrow(log.appendSync(batch(), { conditions }))
    expect(synced).toEqual({ ...first, durability: 'synced', duplicate: true })
    expect(log.end).toBe(end)
  })

  it('waits for the disk when it asks for it', async () => {
    const disk = new MemoryDisk()
    const log = await open(disk, 65_536)
    const conditions: Condition[] = [{ aggregateId: 'a', version: 'none' }]
    await orThrow(log.append(batch(), { conditions }))
    const before = disk.counts.get('sync') ?? 0
    await orThrow(log.appendSync(batch(), { conditions }))
    expect(disk.counts.get('sync')).toBe(before + 1)
    const after = disk.crash(() => 0)
    const reopened = await open(after)
    expect(await orThrow(reopened.version('b'))).toBe(1)
  })

  it('with other content under the same ids is an error, and writes nothing', async () => {
    const log = await open()
    const conditions: Condition[] = [{ aggregateId: 'a', version: 'none' }]
    const first = await orThrow(log.append(batch(), { conditions }))
    const { end } = log
    for (const changed of [
      [event('a', { eventId: 'e1', payload: 'other' }), event('b', { eventId: 'e2', tags: ['t'] })],
      [event('a', { eventId: 'e1' }), event('b', { eventId: 'e3', tags: ['t'] })],
      [...batch(), event('c', { eventId: 'e4' })]
    ]) {
      const result = await log.append(changed, { conditions })()
      expect(result).toMatchObject({ left: expect.any(EventIdConflict) as unknown })
    }
    const result = await log.append(event('a', { eventId: 'e1', payload: 1 }), { conditions })()
    expect(result).toMatchObject({ left: { eventId: 'e1', offset: first.offset } })
    expect(log.end).toBe(end)
  })

  it('of somebody else, with ids of its own, is refused as ever', async () => {
    const log = await open()
    const conditions: Condition[] = [{ aggregateId: 'a', version: 'none' }]
    await orThrow(log.append(batch(), { conditions }))
    await refused(log, event('a', { eventId: 'e9' }), conditions)
    await refused(log, event('a'), conditions)
  })
})
