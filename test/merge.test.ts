// Merge as a program meets it: real logs, live ones too, types that tell the sources apart, commits, and every way in
// which it ends. What comes in which order is held by property-tests/merge.test.ts.

import { getEventListeners } from 'node:events'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { Aborted, EventLog, InvalidArgument, merge, Offset, orThrow, Poisoned, SourceFailed } from '../src/index.ts'
import type { Event, Recorded, ReplayElement, Source } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { all, deposit, HandleDisk, lab, LabClock, openOn, turn } from './log-lab.ts'
import { at, HandClock, HandSource, LabSource, series } from './merge-lab.ts'

/** Calls that wait; `steps` fills as they are answered. */
function asking<T>(iterator: AsyncIterator<T>, count: number): { readonly steps: (IteratorResult<T> | Error)[] } {
  const steps: (IteratorResult<T> | Error)[] = []
  for (let place = 0; place < count; place++) {
    iterator.next().then(
      (step) => steps.push(step),
      (error: unknown) => steps.push(error as Error)
    )
  }
  return { steps }
}

/** Throws at its `place`th call. */
function thrower(name: string, place: number, error: unknown): LabSource {
  let calls = 0
  return new LabSource(name, series(name, 1, 2, 3, 4), (step) => {
    if (++calls > place) throw error
    return Promise.resolve(step())
  })
}

describe('merged logs', () => {
  it('are one stream in the order of time, with the names of the sources', async () => {
    const clock = new HandClock()
    const [orders, payments] = [(await lab({ clock })).log, (await lab({ clock })).log]
    for (const [log, ...times] of [[orders, 10, 20, 30] as const, [payments, 5, 20, 25] as const]) {
      for (clock.time of times) await orThrow(log.append(deposit('a')))
    }
    const merged = merge([
      { name: 'payments', events: payments.replay() },
      { name: 'orders', events: orders.replay() }
    ])
    const taken = await all(orThrow(merged))
    expect(taken.map(({ source, writeTimestampMs }) => `${source} ${writeTimestampMs}`)).toEqual([
      'payments 5',
      'orders 10',
      'orders 20',
      'payments 20',
      'payments 25',
      'orders 30'
    ])
    const whole = await all(orThrow(orders.replay()))
    expect(taken.filter(({ source }) => source === 'orders')).toEqual(
      whole.map((stored) => ({ ...stored, source: 'orders', late: false }))
    )
    for (const log of [orders, payments]) await orThrow(log.close())
  })

  it('that are followed go on live, are not waited for beyond the watermark, and give their files back', async () => {
    const disks = [new HandleDisk(new MemoryDisk()), new HandleDisk(new MemoryDisk())] as const
    const [busy, silent] = [
      await openOn(disks[0], { clock: new LabClock([100]) }),
      await openOn(disks[1], { clock: new LabClock([50]) })
    ]
    const handles = disks.map((disk) => disk.handles)
    const clock = new HandClock()
    const merged = merge(
      [
        { name: 'busy', events: busy.follow() },
        { name: 'silent', events: silent.follow() }
      ],
      { watermark: { lagMs: 50, clock } }
    )
    const next = async (): Promise<string> => {
      const step = await orThrow(merged)[Symbol.asyncIterator]().next()
      return step.done === true ? 'done' : `${step.value.source} ${step.value.writeTimestampMs} ${step.value.late}`
    }
    const first = next()
    await orThrow(busy.append(deposit('a')))
    await orThrow(busy.append(deposit('a')))
    // Nobody knows how long the wake-up takes; the clock stands until the element waits for it.
    while (clock.timers.size === 0) await turn()
    clock.move(149)
    await turn()
    expect(clock.timers.size).toBe(1)
    clock.move(1)
    expect(await first).toBe('busy 100 false')
    expect(await next()).toBe('busy 100 false')
    const late = next()
    await orThrow(silent.append(deposit('a')))
    expect(await late).toBe('silent 50 true')
    const waiting = next()
    await merged.return()
    expect(await waiting).toBe('done')
    expect(disks.map((disk) => disk.handles)).toEqual(handles)
    for (const log of [busy, silent]) await orThrow(log.close())
  })

  it('keep the types of their events apart', async () => {
    const disk = new MemoryDisk()
    const Paid = t.type({ eventType: t.literal('Paid'), payload: t.type({ cents: t.number }) })
    const Shipped = t.type({ eventType: t.literal('Shipped'), payload: t.type({ city: t.string }) })
    const paid = await orThrow(EventLog.open('/paid', { disk, codec: Paid }))
    const shipped = await orThrow(EventLog.open('/shipped', { disk, codec: Shipped }))
    await orThrow(paid.append({ aggregateId: 'a', eventType: 'Paid', payload: { cents: 3 } }))
    await orThrow(shipped.append({ aggregateId: 'a', eventType: 'Shipped', payload: { city: 'Rome' } }))
    const merged = merge([
      { name: 'paid', events: paid.replay(), commit: () => () => Promise.resolve(left(new Poisoned('why'))) },
      { name: 'shipped', events: shipped.replay() }
    ])
    let told = ''
    for await (const stored of orThrow(merged)) {
      expectTypeOf(stored.late).toEqualTypeOf<boolean>()
      if (stored.source === 'paid') {
        expectTypeOf(stored.event).toEqualTypeOf<Recorded<t.TypeOf<typeof Paid>>>()
        told += stored.event.payload.cents
      } else {
        expectTypeOf(stored.source).toEqualTypeOf<'shipped'>()
        told += stored.event.payload.city
      }
    }
    expect(['3Rome', 'Rome3']).toContain(told)
    const commit = merged.commit('paid', Offset(0))
    expectTypeOf(commit).toEqualTypeOf<() => Promise<Either<Poisoned | InvalidArgument, void>>>()
    expect(await commit()).toEqual(left(new Poisoned('why')))
    for (const log of [paid, shipped]) await orThrow(log.close())
  })
})

describe('an error of a source', () => {
  it('stands in its place with the name of the source, which goes on or ends as it does by itself', async () => {
    const merged = merge([
      new LabSource('a', series('a', 1, 'broken', 4)),
      new LabSource('b', series('b', 'gone')),
      new LabSource('c', series('c', 2, 3))
    ])
    const elements = await all(merged)
    expect(
      elements.map((one) => (one._tag === 'Right' ? one.right.event : `${one.left._tag} ${one.left.message}`))
    ).toEqual(['SourceFailed the source "b": gone', 'a0', 'SourceFailed the source "a": broken', 'c0', 'c1', 'a2'])
    const [failed] = elements
    expect(failed).toMatchObject(left({ source: 'b', error: 'gone', cause: 'gone', code: 'CHRONICLE_SOURCE_FAILED' }))
  })

  it('keeps the error that it is about', async () => {
    const error = new InvalidArgument('from', 'is odd')
    const events: AsyncIterable<ReplayElement<Event>> = (async function* () {
      yield await Promise.resolve(left(error))
    })()
    const [failed] = await all(merge([{ name: 'a', events }]))
    expect(failed?._tag === 'Left' && failed.left).toBeInstanceOf(SourceFailed)
    expect(failed).toMatchObject({ left: { error, cause: error, message: 'the source "a": from: is odd' } })
    await expect(all(orThrow(merge([{ name: 'a', events }])))).resolves.toEqual([])
  })
})

describe('an exception of a source', () => {
  const error = new Error('defect')

  it('ends the merge at once, reaches the first who waits, and closes the other sources once', async () => {
    const silent = new HandSource('silent', series('silent', 1))
    const broken = thrower('broken', 0, error)
    const merged = merge([silent, broken])
    const { steps } = asking(merged, 2)
    await turn()
    expect(steps).toEqual([error, { done: true, value: undefined }])
    expect([silent.isReleased, silent.closed, broken.isReleased]).toEqual([true, 1, true])
    expect(await merged.next()).toEqual({ done: true, value: undefined })
  })

  it('that nobody was told yet comes out of a break', async () => {
    const clock = new HandClock()
    const merged = merge([new LabSource('a', series('a', -1, -1, -1)), thrower('b', 0, error)], {
      watermark: { lagMs: 0, clock }
    })
    const read = async (): Promise<void> => {
      for await (const _ of merged) {
        // The other one is asked at the same time and fails while we look.
        await turn()
        break
      }
    }
    await expect(read()).rejects.toBe(error)
  })

  it('in opening or closing a source is not lost either', async () => {
    const opening: Source<string, string> = {
      name: 'opening',
      events: {
        [Symbol.asyncIterator]: () => {
          throw error
        }
      }
    }
    const stubborn = (name: string): Source<string, string> => ({
      name,
      events: {
        [Symbol.asyncIterator]: () => ({
          next: () => Promise.resolve({ done: false, value: at(1, name) }),
          return: () => Promise.reject(new Error(`${name} stays`))
        })
      }
    })
    const merged = merge<Source<string, string>>([opening, stubborn('a'), stubborn('b')])
    const failed = await merged.next().catch((thrown: unknown) => thrown)
    expect(failed).toBeInstanceOf(AggregateError)
    expect((failed as AggregateError).errors).toEqual([error, new Error('a stays'), new Error('b stays')])

    const others = merge([stubborn('a'), new LabSource('c', series('c', 1, 2))])
    await others.next()
    await expect(others.remove('a')()).rejects.toThrow('a stays')
    expect(await others.next()).toMatchObject({ value: right({ event: 'c0' }) })
    await expect(merge([stubborn('a')])[Symbol.asyncDispose]()).resolves.toBeUndefined()
  })

  it('may be anything, also undefined', async () => {
    const asked = merge([thrower('a', 0, undefined)]).next()
    await expect(asked).rejects.toBe(undefined)
  })
})

describe('an abort', () => {
  it('ends a merge that waits for a silent source, and closes what it was asking', async () => {
    const aborting = new AbortController()
    const sources = [new HandSource('a', series('a', 1)), new HandSource('b', series('b', 1))] as const
    const merged = merge(sources, { signal: aborting.signal })
    const { steps } = asking(merged, 2)
    await turn()
    sources[0].deliver()
    await turn()
    expect(steps).toEqual([])
    aborting.abort('enough')
    await turn()
    expect(steps).toEqual([
      { done: false, value: left(new Aborted('enough')) },
      { done: true, value: undefined }
    ])
    expect(sources.map(({ closed }) => closed)).toEqual([1, 1])
  })

  it('before the first element opens nothing, and after the end says nothing', async () => {
    const source = new LabSource('a', series('a', 1))
    expect(await all(merge([source], { signal: AbortSignal.abort('early') }))).toEqual([left(new Aborted('early'))])
    expect(source.opened).toBe(0)
    const aborting = new AbortController()
    const merged = merge([source], { signal: aborting.signal })
    expect(await all(merged)).toHaveLength(1)
    expect(getEventListeners(aborting.signal, 'abort')).toEqual([])
    aborting.abort()
    expect(await merged.next()).toEqual({ done: true, value: undefined })
  })

  it('that nobody was told yet is not told after a return', async () => {
    const aborting = new AbortController()
    const merged = merge([new LabSource('a', series('a', 1, 2))], { signal: aborting.signal })
    await merged.next()
    expect(getEventListeners(aborting.signal, 'abort')).toHaveLength(1)
    aborting.abort()
    expect(await merged.return()).toEqual({ done: true, value: undefined })
    expect(await merged.next()).toEqual({ done: true, value: undefined })
  })
})

describe('sources', () => {
  it('may come and go', async () => {
    const a = new HandSource('a', series('a', 5))
    const merged = merge<LabSource>([a])
    const { steps } = asking(merged, 3)
    const late = new LabSource('b', series('b', 3, 7))
    expect(await merged.add(late)()).toEqual(right(undefined))
    a.deliver()
    await turn()
    expect(steps).toMatchObject([{ value: right({ event: 'b0', late: false }) }, { value: right({ event: 'a0' }) }])
    a.deliver()
    await turn()
    expect(steps[2]).toMatchObject({ value: right({ event: 'b1' }) })
    await orThrow(merged.add(new LabSource('a', series('again', 1, 9))))
    expect((await all(merged)).map((one) => one._tag === 'Right' && [one.right.event, one.right.late])).toEqual([
      ['again0', true],
      ['again1', false]
    ])
  })

  it('are told apart by their names, and come too late when the merge has ended', async () => {
    const twice = merge([new LabSource('a', []), new LabSource('a', [])])
    expect(await all(twice)).toEqual([left(new InvalidArgument('source', 'there is a source "a"'))])
    const merged = merge([new LabSource('a', series('a', 1))])
    expect(await merged.add(new LabSource('a', []))()).toEqual(
      left(new InvalidArgument('source', 'there is a source "a"'))
    )
    expect(await all(merged)).toHaveLength(1)
    const tooLate = new LabSource('b', series('b', 1))
    expect(await merged.add(tooLate)()).toEqual(left(new InvalidArgument('source', 'the merge has ended')))
    expect(tooLate.opened).toBe(0)
    expect(await merged.remove('a')()).toEqual(right(undefined))
  })

  it('that are none at all are an end', async () => {
    expect(await all(merge([]))).toEqual([])
  })

  it.each([-1, Number.NaN, Infinity])('are not waited for by a watermark of %s', async (lagMs) => {
    const source = new LabSource('a', series('a', 1))
    const elements = await all(merge([source], { watermark: { lagMs } }))
    expect(elements).toEqual([left(expect.objectContaining({ _tag: 'InvalidArgument', argument: 'watermark.lagMs' }))])
    expect(source.opened).toBe(0)
  })
})

describe('commit', () => {
  it('is the commit of the source, also when that has ended, and until it is removed', async () => {
    const committed: unknown[] = []
    const source = {
      name: 'a',
      events: new LabSource('a', series('a', 1, 2)).events,
      commit: (offset: Offset) => () => {
        committed.push(offset)
        return Promise.resolve(right(undefined))
      }
    } as const
    const merged = merge([source, new LabSource('b', series('b', 1))])
    for await (const stored of orThrow(merged)) {
      if (stored.source === 'a') expect(await merged.commit('a', stored.nextOffset)()).toEqual(right(undefined))
    }
    expect(committed).toEqual([1, 2])
    expect(await merged.commit('b', Offset(1))()).toMatchObject(left({ _tag: 'InvalidArgument', argument: 'source' }))
    expect(await merged.commit('none', Offset(1))()).toMatchObject(left({ _tag: 'InvalidArgument' }))
    await orThrow(merged.remove('a'))
    expect(await merged.commit('a', Offset(1))()).toMatchObject(left({ _tag: 'InvalidArgument' }))
  })
})

describe('the clock', () => {
  it('that goes back does not take back what has passed', async () => {
    const clock = new HandClock()
    clock.time = 100
    const silent = new HandSource('silent', series('silent', 300))
    const merged = merge([new LabSource('a', series('a', 90, 95, 101)), silent], { watermark: { lagMs: 0, clock } })
    expect(await merged.next()).toMatchObject({ value: right({ event: 'a0' }) })
    clock.time = 0
    expect(await merged.next()).toMatchObject({ value: right({ event: 'a1' }) })
    const { steps } = asking(merged, 1)
    await turn()
    expect(steps).toEqual([])
    clock.move(101)
    await turn()
    expect(steps).toMatchObject([{ value: right({ event: 'a2' }) }])
    await merged.return()
    expect(clock.timers.size).toBe(0)
  })
})
