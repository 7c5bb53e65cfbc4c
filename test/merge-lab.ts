// What the tests of merge share: stored events out of thin air, sources that answer when a test says so and count how
// they are opened and closed, and a clock that stands until it is moved.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { Offset, Version, type Clock, type StoredEvent } from '../src/index.ts'

export type Element = Either<string, StoredEvent<string>>

/** An event at a time; `name` is its content, to be recognised by. */
export function at(writeTimestampMs: number, name: string, offset = 0): Element {
  return right({
    offset: Offset(offset),
    nextOffset: Offset(offset + 1),
    version: Version(1),
    writeTimestampMs,
    event: name
  })
}

/** The elements of a source by their times; a text is an error. The content is source and position: `a0`, `a1`, … */
export function series(source: string, ...times: readonly (number | string)[]): Element[] {
  return times.map((time, place) => (typeof time === 'string' ? left(time) : at(time, `${source}${place}`, place)))
}

type Step = IteratorResult<Element>

/** A source whose iterator answers as `answer` says, with the books that a test looks into. */
export class LabSource {
  readonly name: string
  opened = 0
  /** How often `return` was called. */
  closed = 0
  /** Whether it said that it is done, or threw, before it was closed. */
  over = false
  /** How many calls of `next` wait for their answer; more than one would be a defect of the merge. */
  asked = 0
  private readonly elements: readonly Element[]
  private readonly answer: (step: () => Step) => Promise<Step>
  private place = 0

  constructor(
    name: string,
    elements: readonly Element[],
    answer: (step: () => Step) => Promise<Step> = (step) => Promise.resolve(step())
  ) {
    this.name = name
    this.elements = elements
    this.answer = answer
  }

  readonly events: AsyncIterable<Element> = {
    [Symbol.asyncIterator]: () => {
      this.opened++
      return {
        next: async () => {
          if (this.over || this.closed > 0) throw new Error(`${this.name} was asked behind its end`)
          if (++this.asked > 1) throw new Error(`${this.name} was asked twice at once`)
          try {
            return await this.answer(() => this.step())
          } catch (error) {
            this.over ||= this.closed === 0
            throw error
          } finally {
            this.asked--
          }
        },
        return: () => {
          this.closed++
          return Promise.resolve({ done: true, value: undefined })
        }
      }
    }
  }

  /** Whether it was closed as often as it had to be. */
  get isReleased(): boolean {
    return this.opened <= 1 && this.closed === (this.opened === 1 && !this.over ? 1 : 0)
  }

  private step(): Step {
    const value = this.elements[this.place++]
    if (value !== undefined) return { done: false, value }
    this.over ||= this.closed === 0
    return { done: true, value: undefined }
  }
}

/** A source that answers a waiting `next` when it is told to. */
export class HandSource extends LabSource {
  private readonly waiting: (() => void)[]

  constructor(name: string, elements: readonly Element[]) {
    const waiting: (() => void)[] = []
    super(name, elements, (step) => new Promise((resolve) => waiting.push(() => resolve(step()))))
    this.waiting = waiting
  }

  /** Answers, if it was asked. */
  deliver(): void {
    this.waiting.shift()?.()
  }
}

/** Stands until it is moved, and then rings what is due on the way. */
export class HandClock implements Clock {
  time = 0
  /** How many timers run. */
  readonly timers = new Set<{ dueMs: number; readonly periodMs: number; readonly task: () => void }>()

  readonly nowMs = (): number => this.time

  readonly every = (periodMs: number, task: () => void): (() => void) => {
    const timer = { dueMs: this.time + periodMs, periodMs, task }
    this.timers.add(timer)
    return () => this.timers.delete(timer)
  }

  move(byMs: number): void {
    this.time += byMs
    for (const timer of [...this.timers]) {
      if (!this.timers.has(timer) || timer.dueMs > this.time) continue
      timer.dueMs = this.time + timer.periodMs
      timer.task()
    }
  }
}
