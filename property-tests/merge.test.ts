// Merge against models: a sort, where nothing depends on time, and a small machine with one step after the other, where
// sources come and go, are late, and a watermark passes.

import { deepStrictEqual, ok } from 'node:assert'
import * as fc from 'fast-check'
import { describe, it } from 'vitest'
import { merge, orThrow, SourceFailed, type MergeElement, type Source } from '../src/index.ts'
import { all, turn } from '../test/log-lab.ts'
import { HandClock, HandSource, LabSource, series, type Element } from '../test/merge-lab.ts'

type LabElement = MergeElement<Source<string, string>>

/** What an element says, in one line. */
function line(element: LabElement): string {
  if (element._tag === 'Right') return `${element.right.event}${element.right.late ? ' late' : ''}`
  ok(element.left instanceof SourceFailed)
  return `${element.left.source}!${element.left.error}`
}

/** Times with many ties, in order, and now and then an error: all that a log can hand out. */
const times = fc
  .array(fc.oneof({ weight: 6, arbitrary: fc.nat({ max: 12 }) }, { weight: 1, arbitrary: fc.constantFrom('x', 'y') }), {
    maxLength: 8
  })
  .map((steps) => {
    const numbers = steps.filter((step) => typeof step === 'number').sort((a, b) => a - b)
    return steps.map((step) => (typeof step === 'number' ? (numbers.shift() as number) : step))
  })

/** As a replay backwards hands them out, or a source that is none of ours. */
const anyTimes = fc.array(fc.oneof(fc.integer({ min: -3, max: 12 }), fc.constantFrom('x', 'y')), { maxLength: 8 })

/** An element's line with its key in the order: the highest time of its source so far, the source, the position. */
function keyed(source: string, steps: readonly (number | string)[]): (readonly [number, string, number, string])[] {
  let reached = Number.NEGATIVE_INFINITY
  return steps.map((step, place) => {
    if (typeof step === 'number') reached = Math.max(reached, step)
    return [reached, source, place, typeof step === 'number' ? `${source}${place}` : `${source}!${step}`]
  })
}

function sorted(sources: readonly (readonly (number | string)[])[]): string[] {
  return sources
    .flatMap((steps, index) => keyed(nameOf(index), steps))
    .sort(([a, m, i], [b, n, j]) => (a === b ? (m === n ? i - j : m < n ? -1 : 1) : a < b ? -1 : 1))
    .map(([, , , text]) => text)
}

const nameOf = (index: number): string => 'dbeac'[index] as string

describe('a merge without a watermark', () => {
  const many = fc.array(fc.oneof(times, anyTimes), { maxLength: 5 })

  it('is a sort by time, source and position, in whatever order the elements arrive', async () => {
    const property = fc.asyncProperty(
      many,
      fc.scheduler(),
      fc.integer({ min: 1, max: 4 }),
      async (steps, s, atOnce) => {
        const sources = steps.map(
          (list, index) =>
            new LabSource(nameOf(index), series(nameOf(index), ...list), (step) =>
              s.schedule(Promise.resolve()).then(step)
            )
        )
        const merged = merge(sources)
        const taken: string[] = []
        // Several calls at once are answered in their order.
        const take = async (): Promise<void> => {
          for (let isDone = false; !isDone;) {
            const answers = await Promise.all(Array.from({ length: atOnce }, () => merged.next()))
            for (const { done, value } of answers) if (done !== true) taken.push(line(value))
            isDone = answers.at(-1)?.done === true
          }
        }
        await s.waitFor(take())
        deepStrictEqual(taken, sorted(steps))
        ok(sources.every((source) => source.isReleased))
      }
    )
    await fc.assert(property, { numRuns: 600 })
  })

  it('ended anywhere has handed out the beginning of that, and closes every source once', async () => {
    const property = fc.asyncProperty(
      many,
      fc.nat({ max: 10 }),
      fc.constantFrom('break', 'throw', 'abort'),
      async (...drawn) => {
        const [steps, count, how] = drawn
        const sources = steps.map((list, index) => new LabSource(nameOf(index), series(nameOf(index), ...list)))
        const aborting = new AbortController()
        const merged = merge(sources, { signal: aborting.signal })
        const taken: string[] = []
        let end = ''
        try {
          for await (const element of merged) {
            if (element._tag === 'Left' && element.left._tag === 'Aborted') {
              end = 'abort'
              continue
            }
            taken.push(line(element))
            if (taken.length <= count) continue
            if (how === 'break') break
            if (how === 'throw') throw new Error('enough')
            aborting.abort()
          }
        } catch (error) {
          end = (error as Error).message
        }
        const whole = sorted(steps)
        deepStrictEqual(taken, whole.slice(0, count + 1))
        deepStrictEqual(end, whole.length > count ? { break: '', throw: 'enough', abort: 'abort' }[how] : '')
        ok(sources.every((source) => source.isReleased))
        deepStrictEqual(await merged.next(), { done: true, value: undefined })
      }
    )
    await fc.assert(property, { numRuns: 400 })
  })
})

type Act =
  | { readonly act: 'ask' | 'arrive'; readonly source: number }
  | { readonly act: 'add' | 'remove'; readonly source: number }
  | { readonly act: 'move'; readonly byMs: number }

interface ModelLane {
  readonly rest: Element[]
  head: Element | undefined
  reachedMs: number
  asked: boolean
  askedMs: number
}

/** What a merge does, one thing at a time and without a promise. */
class Model {
  readonly lanes = new Map<string, ModelLane>()
  readonly taken: string[] = []
  requests = 0
  private front: readonly [number, string] = [Number.NEGATIVE_INFINITY, '']
  private readonly lagMs: number | undefined
  isDone = false

  constructor(lagMs: number | undefined) {
    this.lagMs = lagMs
  }

  add(name: string, elements: readonly Element[]): boolean {
    if (this.isDone || this.lanes.has(name)) return false
    const reachedMs = Number.NEGATIVE_INFINITY
    this.lanes.set(name, { rest: [...elements], head: undefined, reachedMs, asked: false, askedMs: 0 })
    return true
  }

  arrive(name: string): void {
    const lane = this.lanes.get(name)
    if (lane?.asked !== true) return
    lane.asked = false
    lane.head = lane.rest.shift()
    if (lane.head === undefined) this.lanes.delete(name)
    else if (lane.head._tag === 'Right') lane.reachedMs = Math.max(lane.reachedMs, lane.head.right.writeTimestampMs)
  }

  settle(nowMs: number): void {
    while (this.requests > 0 && !this.isDone) {
      const lanes = [...this.lanes].sort(([a], [b]) => (a < b ? -1 : 1))
      if (lanes.length === 0) return this.finish()
      for (const [, lane] of lanes.filter(([, { head, asked }]) => head === undefined && !asked)) {
        lane.asked = true
        lane.askedMs = nowMs
      }
      const ready = lanes.filter(([, lane]) => lane.head !== undefined)
      const leastMs = Math.min(...ready.map(([, lane]) => lane.reachedMs))
      const foremost = ready.find(([, lane]) => lane.reachedMs === leastMs)
      if (foremost === undefined) return
      const [name, ahead] = foremost
      const late = leastMs < this.front[0] || (leastMs === this.front[0] && name < this.front[1])
      const isSilent = (lane: ModelLane): boolean =>
        this.lagMs !== undefined && nowMs >= leastMs + this.lagMs && nowMs >= lane.askedMs + this.lagMs
      const isDue = lanes.every(([, lane]) => lane.head !== undefined || isSilent(lane))
      if (!late && !isDue) return
      if (!late) this.front = [leastMs, name]
      const { head } = ahead
      ahead.head = undefined
      this.requests--
      this.taken.push(head?._tag === 'Right' ? `${head.right.event}${late ? ' late' : ''}` : `${name}!${head?.left}`)
    }
  }

  private finish(): void {
    this.isDone = true
    for (; this.requests > 0; this.requests--) this.taken.push('done')
  }
}

describe('a merge whose sources come and go', () => {
  const source = fc.nat({ max: 4 })
  const act: fc.Arbitrary<Act> = fc.oneof(
    { weight: 6, arbitrary: fc.record({ act: fc.constant('ask' as const), source }) },
    { weight: 8, arbitrary: fc.record({ act: fc.constant('arrive' as const), source }) },
    { weight: 2, arbitrary: fc.record({ act: fc.constant('add' as const), source }) },
    { weight: 1, arbitrary: fc.record({ act: fc.constant('remove' as const), source }) },
    { weight: 3, arbitrary: fc.record({ act: fc.constant('move' as const), byMs: fc.nat({ max: 6 }) }) }
  )
  const lag = fc.option(fc.nat({ max: 5 }), { nil: undefined })
  const scripts = fc.array(fc.oneof(times, anyTimes), { minLength: 5, maxLength: 5 })

  it('hands out, marks late, asks and waits as its model does, at every step', async () => {
    const property = fc.asyncProperty(
      scripts,
      lag,
      fc.array(act, { maxLength: 80, size: 'max' }),
      async (steps, lagMs, acts) => {
        const clock = new HandClock()
        const model = new Model(lagMs)
        const sources: HandSource[] = []
        const current = new Map<string, HandSource>()
        const merged = merge<HandSource>([], lagMs === undefined ? {} : { watermark: { lagMs, clock } })
        const taken: string[] = []
        const perform = async (one: Act): Promise<void> => {
          if (one.act === 'move') return clock.move(one.byMs)
          const name = nameOf(one.source)
          const elements = series(name, ...(steps[one.source] as (number | string)[]))
          if (one.act === 'add') {
            const added = new HandSource(name, elements)
            sources.push(added)
            const answer = await merged.add(added)()
            deepStrictEqual(answer._tag === 'Right', model.add(name, elements))
            if (answer._tag === 'Right') current.set(name, added)
          } else if (one.act === 'remove') {
            model.lanes.delete(name)
            await orThrow(merged.remove(name))
          } else if (one.act === 'arrive') {
            // One of those that were asked, so that few of the acts come to nothing.
            const asked = [...model.lanes].filter(([, lane]) => lane.asked).map(([known]) => known)
            const arriving = asked[one.source % Math.max(asked.length, 1)] ?? name
            model.arrive(arriving)
            current.get(arriving)?.deliver()
          } else {
            model.requests++
            void merged.next().then(({ done, value }) => taken.push(done === true ? 'done' : line(value)))
          }
        }
        // Two to begin with, so that it does not end before it has begun.
        for (const one of [{ act: 'add', source: 0 }, { act: 'add', source: 3 }, ...acts] as const) {
          // A model that has ended has nothing more to say but that.
          const asked = model.isDone && one.act === 'ask'
          await perform(one)
          await turn()
          if (asked) {
            model.requests--
            model.taken.push('done')
          }
          model.settle(clock.time)
          deepStrictEqual(taken, model.taken)
          for (const [name, lane] of model.lanes) deepStrictEqual(current.get(name)?.asked === 1, lane.asked, name)
        }
        await merged.return()
        deepStrictEqual(clock.timers.size, 0)
        ok(sources.every((one) => one.isReleased))
      }
    )
    await fc.assert(property, { numRuns: 1_500 })
  })
})

it('everything that is read of a merge with a watermark is there once, in the order of its source', async () => {
  const property = fc.asyncProperty(fc.array(times, { maxLength: 5 }), fc.scheduler(), async (steps, s) => {
    const clock = new HandClock()
    const sources = steps.map(
      (list, index) =>
        new LabSource(nameOf(index), series(nameOf(index), ...list), (step) =>
          s
            .schedule(Promise.resolve())
            .then(() => clock.move(1))
            .then(step)
        )
    )
    const taken = (await s.waitFor(all(merge(sources, { watermark: { lagMs: 3, clock } })))).map(line)
    const plain = taken.map((text) => text.replace(' late', ''))
    for (const [index, list] of steps.entries()) {
      const own = keyed(nameOf(index), list).map(([, , , text]) => text)
      deepStrictEqual(
        plain.filter((text) => text.startsWith(nameOf(index))),
        own
      )
    }
    // Without those that are late the rest is in order.
    const onTime = taken.filter((text) => !text.endsWith(' late'))
    const order = sorted(steps).filter((text) => onTime.includes(text) && !text.includes('!'))
    deepStrictEqual(
      onTime.filter((text) => !text.includes('!')),
      order
    )
  })
  await fc.assert(property, { numRuns: 300 })
})

it('a past that is read is in order, though the watermark has passed it, while every source answers in time', async () => {
  const property = fc.asyncProperty(fc.array(times, { maxLength: 5 }), fc.scheduler(), async (steps, s) => {
    const clock = new HandClock()
    clock.time = 1_000
    const sources = steps.map(
      (list, index) =>
        new LabSource(nameOf(index), series(nameOf(index), ...list), (step) => s.schedule(Promise.resolve()).then(step))
    )
    const taken = await s.waitFor(all(merge(sources, { watermark: { lagMs: 1, clock } })))
    deepStrictEqual(taken.map(line), sorted(steps))
    deepStrictEqual(clock.timers.size, 0)
  })
  await fc.assert(property, { numRuns: 300 })
})
