// Works that append: to a new store, for so many events or so long, whichever is reached first. What was appended is
// read back through the system and compared.

import type { Durability, Session } from '../system.ts'
import { EventSource, type BenchEvent } from '../workload.ts'
import { assertAble, Digest, Stopwatch, type Measured, type Work } from './measure.ts'
import { Waits } from './wait.ts'

type AppendRound = (events: readonly BenchEvent[]) => Promise<void>

type RoundOf = (session: Session, waits: Waits) => AppendRound

/** Events made and timed at a time: enough for a timer's resolution, few enough for the heap. */
const roundEvents = 400

/** The share of events that come first and are not timed: a writer runs for long, and its code is compiled soon. */
const warmShare = 0.2

function appending(durability: Durability, roundOf: RoundOf): Work {
  return async (system, task) => {
    const session = await system.open(task.folder, durability)
    const waits = new Waits()
    const round = roundOf(session, waits)
    const source = new EventSource()
    const written = new Digest()
    const run = async (goal: number, timeMs: number): Promise<Stopwatch> => {
      const watch = new Stopwatch(session)
      waits.clear()
      while (written.events < goal && watch.wallMs < timeMs) {
        const events = source.take(Math.min(roundEvents, goal - written.events))
        await watch.time(() => round(events))
        events.forEach(written.visit)
      }
      return watch
    }
    await run(Math.ceil(task.count * warmShare), task.timeMsMost * warmShare)
    const before = written.events
    const watch = await run(before + task.count, task.timeMsMost)
    const { wallMs, cpuMs } = watch
    const latency = waits.latency()
    if (task.verify) await compare(session, written)
    await session.close()
    const measured: Measured = {
      operations: written.events - before,
      wallMs,
      cpuMs,
      digest: written.value,
      events: written.events
    }
    return latency === undefined ? measured : { ...measured, latency }
  }
}

async function compare(session: Session, written: Digest): Promise<void> {
  const found = new Digest()
  await session.replay?.(found.visit)
  const isSame = session.appendInFlight === undefined ? found.value === written.value : found.sum === written.sum
  if (!isSame) throw new Error(`${found.events} of ${written.events} events, or others, were read`)
}

const oneByOne: RoundOf = (session, waits) => {
  assertAble(session, 'append')
  return async (events) => {
    for (const event of events) {
      const started = performance.now()
      await session.append?.(event)
      waits.add(started)
    }
  }
}

function inFlightCall(session: Session): (event: BenchEvent) => Promise<unknown> {
  assertAble(session, 'append')
  const isBetter = session.appendInFlight !== undefined
  return (event) => (isBetter ? session.appendInFlight?.(event) : session.append?.(event)) as Promise<unknown>
}

/** Many are called, then all are awaited, and again. */
function inFlight(count: number): RoundOf {
  return (session) => {
    const append = inFlightCall(session)
    return async (events) => {
      for (let at = 0; at < events.length; at += count) await Promise.all(events.slice(at, at + count).map(append))
    }
  }
}

/** So many callers who each wait for their own event before they append the next. */
function byCallers(count: number): RoundOf {
  return (session, waits) => {
    const append = inFlightCall(session)
    return async (events) => {
      let next = 0
      const caller = async (): Promise<void> => {
        while (next < events.length) {
          const event = events[next++] as BenchEvent
          const started = performance.now()
          await append(event)
          waits.add(started)
        }
      }
      await Promise.all(Array.from({ length: count }, caller))
    }
  }
}

function inBatches(size: number): RoundOf {
  return (session, waits) => {
    assertAble(session, 'appendBatch')
    return async (events) => {
      for (let at = 0; at < events.length; at += size) {
        const started = performance.now()
        await session.appendBatch?.(events.slice(at, at + size))
        waits.add(started)
      }
    }
  }
}

/** One by one, each on the condition that its aggregate stands where the caller saw it last. */
const conditional: RoundOf = (session) => {
  assertAble(session, 'appendIf')
  const versions = new Map<string, number>()
  return async (events) => {
    for (const event of events) {
      const version = versions.get(event.aggregateId) ?? 0
      await session.appendIf?.(event, version)
      versions.set(event.aggregateId, version + 1)
    }
  }
}

export const appendWorks: Readonly<Record<string, Work>> = {
  append: appending('buffered', oneByOne),
  'append-64': appending('buffered', inFlight(64)),
  'append-batch': appending('buffered', inBatches(100)),
  'append-if': appending('buffered', conditional),
  'append-sync': appending('synced', oneByOne),
  'append-sync-64': appending('synced', byCallers(64))
}
