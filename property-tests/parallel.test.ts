// A fold that is shared out gives what a fold of the whole gives, however it is divided and whoever is slower. Workers
// are played here: what each does next is the scheduler's choice, so that thousands of races are run without a thread.

import * as fc from 'fast-check'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { Offset } from '../src/core/brand.ts'
import { divide, workforce } from '../src/replay/division.ts'
import type { FoldWorker, Piece } from '../src/replay/fold.ts'
import { foldJointly } from '../src/replay/joint-fold.ts'
import { Share } from '../src/replay/share.ts'

/** A log of so many events, of which the n-th is at offset n; some fail. */
interface Played {
  readonly events: number
  readonly workers: number
  /** Where the pieces begin, besides at 0. */
  readonly cuts: readonly number[]
  readonly bad: readonly number[]
}

function played(bad: fc.Arbitrary<readonly number[]>): fc.Arbitrary<Played> {
  const place = fc.nat({ max: 60 })
  return fc
    .record({ events: place, workers: fc.integer({ min: 1, max: 6 }), cuts: fc.uniqueArray(place), bad })
    .map(({ events, ...rest }) => ({
      ...rest,
      events,
      cuts: rest.cuts.filter((cut) => cut > 0 && cut < events).toSorted((a, b) => a - b),
      bad: rest.bad.filter((at) => at < events).toSorted((a, b) => a - b)
    }))
}

const whole = played(fc.constant([]))
const damaged = played(fc.uniqueArray(fc.nat({ max: 60 }), { maxLength: 5 }))

function piecesOf({ events, cuts }: Played): readonly Piece[] {
  const bounds = [0, ...cuts, events]
  return bounds.slice(1).map((until, place) => ({ from: Offset(bounds[place] ?? 0), until: Offset(until) }))
}

/** A worker that joins the numbers of its events; each answer comes when the scheduler says. */
class PlayedWorker implements FoldWorker<string, string> {
  readonly seen: number[] = []
  busy = false
  stopped = false
  taken = 0
  private state = ''
  private readonly log: Played
  private readonly wait: () => Promise<unknown>

  constructor(log: Played, wait: () => Promise<unknown>) {
    this.log = log
    this.wait = wait
  }

  async fold({ from, until }: Piece): Promise<Either<string, void>> {
    expect(this.busy, 'one call at a time').toBe(false)
    this.busy = true
    for (let at: number = from; at < until; at++) {
      await this.wait()
      if (this.stopped) return this.fail('stopped')
      if (this.log.bad.includes(at)) return this.fail(`bad ${at}`)
      this.seen.push(at)
      this.state += `${at} `
    }
    this.busy = false
    return right(undefined)
  }

  async take(): Promise<Either<string, string>> {
    await this.wait()
    const { state } = this
    this.state = ''
    this.taken++
    return right(state)
  }

  stop(): void {
    this.stopped = true
  }

  private fail(reason: string): Either<string, never> {
    this.state = ''
    this.busy = false
    return left(reason)
  }
}

interface Outcome {
  readonly answer: Awaited<ReturnType<typeof foldJointly<string, string>>>
  readonly workers: readonly PlayedWorker[]
}

async function play(log: Played, scheduler: fc.Scheduler, signal?: AbortSignal): Promise<Outcome> {
  const wait = (): Promise<unknown> => scheduler.schedule(Promise.resolve())
  const workers = Array.from({ length: log.workers }, () => new PlayedWorker(log, wait))
  const answer = await scheduler.waitFor(foldJointly(piecesOf(log), workers, signal))
  return { answer, workers }
}

function joined(events: number): string {
  return Array.from({ length: events }, (_, at) => `${at} `).join('')
}

describe('a fold that is shared out', () => {
  it('gives the states of the parts in the order of the log: joined, they are that of the whole', async () => {
    await fc.assert(
      fc.asyncProperty(whole, fc.scheduler(), async (log, scheduler) => {
        const { answer, workers } = await play(log, scheduler)
        expect(answer._tag === 'Right' && answer.right.join('')).toBe(joined(log.events))
        const seen = workers.flatMap((worker) => worker.seen)
        expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: log.events }, (_, at) => at))
        expect(workers.some(({ stopped }) => stopped)).toBe(false)
      }),
      { numRuns: 3_000 }
    )
  })

  it('answers the earliest error of the log, whoever meets one first, and leaves nobody at work', async () => {
    await fc.assert(
      fc.asyncProperty(damaged, fc.scheduler(), async (log, scheduler) => {
        const { answer, workers } = await play(log, scheduler)
        const [first] = log.bad
        if (first === undefined) expect(answer._tag === 'Right' && answer.right.join('')).toBe(joined(log.events))
        else expect(answer).toEqual(left(`bad ${first}`))
        expect(workers.filter(({ busy }) => busy)).toEqual([])
        expect(workers.every(({ stopped }) => stopped)).toBe(first !== undefined)
      }),
      { numRuns: 3_000 }
    )
  })

  it('answers an abort at any time, and leaves nobody at work', async () => {
    await fc.assert(
      fc.asyncProperty(damaged, fc.scheduler(), fc.nat({ max: 40 }), async (log, scheduler, steps) => {
        const controller = new AbortController()
        let before = steps
        const wait = async (): Promise<unknown> => {
          if (before-- === 0) controller.abort('enough')
          return scheduler.schedule(Promise.resolve())
        }
        const workers = Array.from({ length: log.workers }, () => new PlayedWorker(log, wait))
        const answer = await scheduler.waitFor(foldJointly(piecesOf(log), workers, controller.signal))
        if (controller.signal.aborted) expect(answer).toMatchObject({ _tag: 'Left', left: { _tag: 'Aborted' } })
        else expect(answer._tag).toBe(log.bad.length > 0 ? 'Left' : 'Right')
        expect(workers.filter(({ busy }) => busy)).toEqual([])
      }),
      { numRuns: 2_000 }
    )
  })

  it('is over at once when the caller has aborted before', async () => {
    const log = { events: 20, workers: 3, cuts: [5, 10, 15], bad: [] }
    const workers = Array.from({ length: 3 }, () => new PlayedWorker(log, () => Promise.resolve()))
    const answer = await foldJointly(piecesOf(log), workers, AbortSignal.abort('enough'))
    expect(answer).toMatchObject({ _tag: 'Left', left: { _tag: 'Aborted', cause: 'enough' } })
    expect(workers.flatMap(({ seen }) => seen)).toEqual([])
  })
})

describe('the share', () => {
  it('hands out every piece once, in turns that a worker has one behind the other where they continue', () => {
    fc.assert(
      fc.property(
        fc.nat({ max: 300 }),
        fc.integer({ min: 1, max: 9 }),
        fc.infiniteStream(fc.nat()),
        (pieces, workers, order) => {
          const share = new Share(pieces, workers)
          const given: number[] = []
          const active = new Set(Array.from({ length: workers }, (_, worker) => worker))
          const ends = new Map<number, number>()
          while (active.size > 0) {
            const worker = [...active][Number(order.next().value) % active.size] as number
            const turn = share.next(worker)
            if (turn === undefined) {
              active.delete(worker)
              continue
            }
            expect(turn.end).toBeGreaterThan(turn.first)
            expect(turn.continues).toBe(ends.get(worker) === turn.first)
            ends.set(worker, turn.end)
            for (let piece = turn.first; piece < turn.end; piece++) given.push(piece)
          }
          expect(share.isDone()).toBe(true)
          expect(given.toSorted((a, b) => a - b)).toEqual(Array.from({ length: pieces }, (_, piece) => piece))
        }
      ),
      { numRuns: 2_000 }
    )
  })

  it('keeps the parts few and the end even: one worker who is slow holds nobody up, and hardly a state more is made', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 2, max: 8 }),
        fc.array(fc.integer({ min: 1, max: 20 }), { minLength: 8, maxLength: 8 }),
        (workers, speeds) => {
          const pieces = 32 * workers
          const share = new Share(pieces, workers)
          const clocks = Array.from({ length: workers }, () => 0)
          const done = new Set<number>()
          let parts = 0
          let longestEnd = 0
          while (done.size < workers) {
            const open = clocks.map((_, worker) => worker).filter((worker) => !done.has(worker))
            const worker = open.reduce((one, other) => ((clocks[other] ?? 0) < (clocks[one] ?? 0) ? other : one))
            const turn = share.next(worker)
            if (turn === undefined) {
              done.add(worker)
              continue
            }
            if (!turn.continues) parts++
            const cost = (turn.end - turn.first) * (speeds[worker] ?? 1)
            clocks[worker] = (clocks[worker] ?? 0) + cost
            longestEnd = Math.max(longestEnd, clocks[worker] ?? 0)
          }
          const used = speeds.slice(0, workers)
          const ideal = pieces / used.reduce((sum, speed) => sum + 1 / speed, 0)
          // The slowest may have a turn in hand when all others are done.
          expect(longestEnd).toBeLessThanOrEqual(ideal + 8 * Math.max(...used) + Math.max(...used))
          expect(parts).toBeLessThanOrEqual(workers * 6)
        }
      ),
      { numRuns: 1_000 }
    )
  })
})

describe('the division', () => {
  it('makes neighbours that together are the range, none empty, where an event begins', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.uniqueArray(fc.nat({ max: 10_000 }), { minLength: 1 }),
        fc.nat(),
        fc.nat(),
        fc.integer({ min: 1, max: 70 }),
        async (events, one, other, count) => {
          const bounds = [...events, 10_000].toSorted((a, b) => a - b)
          const ends = [one, other].map((nth) => bounds[nth % bounds.length] ?? 0).toSorted((a, b) => a - b)
          const range = { from: Offset(ends[0] ?? 0), until: Offset(ends[1] ?? 0) }
          const boundary = (offset: Offset): Promise<Either<never, Offset>> =>
            Promise.resolve(right(Offset(bounds.findLast((bound) => bound <= offset) ?? 0)))
          const pieces = await divide({ boundary }, range, count)
          if (pieces._tag === 'Left') throw new Error('no piece')
          expect(pieces.right.length).toBeLessThanOrEqual(count)
          expect(pieces.right[0]?.from).toBe(range.from)
          expect(pieces.right.at(-1)?.until).toBe(range.until)
          for (const [place, piece] of pieces.right.entries()) {
            if (place > 0) expect(piece.from).toBe(pieces.right[place - 1]?.until)
            if (range.from < range.until) expect(piece.until).toBeGreaterThan(piece.from)
            expect(place === 0 || bounds.includes(piece.from)).toBe(true)
          }
        }
      ),
      { numRuns: 1_000 }
    )
  })

  it('makes many pieces for each worker, none too short, and calls nobody for less than eight', () => {
    expect(workforce(0, { workers: 4, pieceBytes: 10 })).toEqual({ workers: 1, pieces: 1 })
    expect(workforce(159, { workers: 4, pieceBytes: 10 })).toEqual({ workers: 1, pieces: 1 })
    expect(workforce(160, { workers: 4, pieceBytes: 10 })).toEqual({ workers: 2, pieces: 16 })
    expect(workforce(249, { workers: 4, pieceBytes: 10 })).toEqual({ workers: 3, pieces: 24 })
    expect(workforce(1_000_000, { workers: 4, pieceBytes: 10 })).toEqual({ workers: 4, pieces: 128 })
    expect(workforce(1_000_000, { workers: 1, pieceBytes: 10 })).toEqual({ workers: 1, pieces: 1 })
  })
})
