// The works: what is measured, each as a function of an open system. Only what a user waits for is inside the clock;
// making events and checking digests are outside.

import type { Session, System, Visit } from './system.ts'
import { digestWith, EventSource, oneInHundred, type BenchEvent, type Selector } from './workload.ts'

/** What a measurement is told. */
export interface Task {
  readonly folder: string
  /** How many events to append, or aggregates to load. */
  readonly count: number
  /** Which aggregates to load. */
  readonly aggregateIds: readonly string[]
}

/** What it answers. */
export interface Measured {
  readonly operations: number
  readonly wallMs: number
  readonly cpuMs: number
  /** The digest of the events that were visited, in order, or of those that were appended. */
  readonly digest: number
  readonly events: number
  /** The latency that 99 of 100 operations stay below, where single ones were timed. */
  readonly p99Ms?: number
}

/** Undefined: the system cannot do this work. */
export type Work = (system: System, task: Task) => Promise<Measured | undefined>

class Stopwatch {
  wallMs = 0
  cpuMs = 0

  async time<T>(run: () => Promise<T>): Promise<T> {
    const cpu = process.cpuUsage()
    const started = performance.now()
    const result = await run()
    this.wallMs += performance.now() - started
    const { user, system } = process.cpuUsage(cpu)
    this.cpuMs += (user + system) / 1000
    return result
  }
}

class Digest {
  value = 0
  events = 0
  readonly visit: Visit = (event) => {
    this.value = digestWith(this.value, event)
    this.events++
  }
}

/** Events made and timed at a time: enough for a timer's resolution, few enough for the heap. */
const roundEvents = 400

type AppendRound = (events: readonly BenchEvent[]) => Promise<void>

/** The share of events that come first and are not timed: a writer runs for long, and its code is compiled soon. */
const warmShare = 0.2

/** Appends `task.count` timed events by `roundOf`'s function, then reads everything back through the system. */
function appending(roundOf: (session: Session) => AppendRound | undefined): Work {
  return async (system, task) => {
    const session = await system.open(task.folder)
    const round = roundOf(session)
    if (round === undefined) return undefined
    const source = new EventSource()
    const watch = new Stopwatch()
    const written = new Digest()
    const warm = Math.ceil(task.count * warmShare)
    const total = warm + task.count
    while (written.events < total) {
      const goal = written.events < warm ? warm : total
      const events = source.take(Math.min(roundEvents, goal - written.events))
      await (goal === warm ? round(events) : watch.time(() => round(events)))
      events.forEach(written.visit)
    }
    const found = new Digest()
    await session.replay?.(found.visit)
    await session.close()
    if (found.value !== written.value) throw new Error(`${found.events} of ${total} events, or others, were read`)
    return { operations: task.count, wallMs: watch.wallMs, cpuMs: watch.cpuMs, digest: found.value, events: task.count }
  }
}

/** As `appending`, by `callers` who each wait for their own events, one after the other; each wait is timed. */
function appendingSynced(callers: number): Work {
  return async (system, task) => {
    const waits: number[] = []
    const work = appending((session) => {
      if (session.appendSync === undefined) return undefined
      return async (events) => {
        let next = 0
        const caller = async (): Promise<void> => {
          while (next < events.length) {
            const event = events[next++] as BenchEvent
            const started = performance.now()
            await session.appendSync?.(event)
            waits.push(performance.now() - started)
          }
        }
        await Promise.all(Array.from({ length: callers }, caller))
      }
    })
    const measured = await work(system, task)
    const timed = waits.slice(-task.count).sort((a, b) => a - b)
    return measured && { ...measured, p99Ms: timed[Math.floor(timed.length * 0.99)] ?? 0 }
  }
}

/** Times one call on an open session, which visits events. */
function reading(read: (session: Session, visit: Visit) => Promise<void> | undefined): Work {
  return async (system, task) => {
    const session = await system.open(task.folder)
    const watch = new Stopwatch()
    const found = new Digest()
    const able = await watch.time(async () => {
      const done = read(session, found.visit)
      await done
      return done !== undefined
    })
    await session.close()
    const { value: digest, events } = found
    return able ? { operations: events, wallMs: watch.wallMs, cpuMs: watch.cpuMs, digest, events } : undefined
  }
}

function selecting(selector: Selector): Work {
  return reading((session, visit) => session.select?.(selector, visit))
}

/** Loads aggregates again and again, the first time outside the clock. */
const loading: Work = async (system, task) => {
  const session = await system.open(task.folder)
  if (session.load === undefined) return undefined
  const watch = new Stopwatch()
  const found = new Digest()
  for (const id of task.aggregateIds) await session.load?.(id, found.visit)
  const repeats = Math.ceil(task.count / task.aggregateIds.length)
  let visited = 0
  await watch.time(async () => {
    for (let repeat = 0; repeat < repeats; repeat++) {
      for (const id of task.aggregateIds) await session.load?.(id, () => visited++)
    }
  })
  await session.close()
  if (visited !== found.events * repeats) throw new Error('a second load found other events than the first')
  const operations = repeats * task.aggregateIds.length
  return { operations, wallMs: watch.wallMs, cpuMs: watch.cpuMs, digest: found.value, events: found.events }
}

/** Times the opening, and visits one aggregate after it, so that nobody wins by opening nothing. */
const opening: Work = async (system, task) => {
  const watch = new Stopwatch()
  const found = new Digest()
  const session = await watch.time(async () => {
    const opened = await system.open(task.folder)
    await opened.load?.(task.aggregateIds[0] as string, found.visit)
    return opened
  })
  const able = session.load !== undefined
  await session.close()
  if (!able) return undefined
  return { operations: 1, wallMs: watch.wallMs, cpuMs: watch.cpuMs, digest: found.value, events: found.events }
}

/** Appends, and does not close: the caller kills this process. */
const filling =
  (closed: boolean): Work =>
  async (system, task) => {
    const session = await system.open(task.folder)
    const source = new EventSource()
    for (let left = task.count; left > 0; left -= 1_000) await session.appendBatch?.(source.take(Math.min(1_000, left)))
    if (closed) await session.close()
    return { operations: task.count, wallMs: 0, cpuMs: 0, digest: 0, events: task.count }
  }

export const works: Readonly<Record<string, Work>> = {
  append: appending(oneByOne),
  'append-64': appending((session) => inFlight(session, 64)),
  'append-batch': appending((session) => inBatches(session, 100)),
  'append-sync': appendingSynced(1),
  'append-sync-64': appendingSynced(64),
  replay: reading((session, visit) => session.replay?.(visit)),
  'replay-batches': reading((session, visit) => session.replayBatches?.(visit)),
  'select-aggregate': selecting(oneInHundred.aggregate),
  'select-type': selecting(oneInHundred.type),
  'select-tag': selecting(oneInHundred.tag),
  load: loading,
  open: opening,
  'open-killed': opening,
  fill: filling(true),
  'fill-killed': filling(false)
}

function oneByOne(session: Session): AppendRound | undefined {
  if (session.append === undefined) return undefined
  return async (events) => {
    for (const event of events) await session.append?.(event)
  }
}

function inFlight(session: Session, count: number): AppendRound | undefined {
  if (session.append === undefined) return undefined
  return async (events) => {
    for (let at = 0; at < events.length; at += count) {
      const flight = events.slice(at, at + count).map((event) => session.append?.(event) as Promise<unknown>)
      await Promise.all(flight)
    }
  }
}

function inBatches(session: Session, size: number): AppendRound | undefined {
  if (session.appendBatch === undefined) return undefined
  return async (events) => {
    for (let at = 0; at < events.length; at += size) await session.appendBatch?.(events.slice(at, at + size))
  }
}
