// Works that read a store that is there, and the one that fills it.

import type { Session, Visit } from '../system.ts'
import { EventSource, oneInHundred, type Selector } from '../workload.ts'
import { assertAble, Digest, Stopwatch, type Measured, type Work } from './measure.ts'

/** Times one call on an open session, which visits events. */
function reading(call: keyof Session, read: (session: Session, visit: Visit) => Promise<unknown> | undefined): Work {
  return async (system, task) => {
    const session = await system.open(task.folder, 'buffered')
    assertAble(session, call)
    const watch = new Stopwatch(session)
    const found = new Digest()
    await watch.time(async () => read(session, found.visit))
    await session.close()
    return measuredOf(watch, found, found.events)
  }
}

function measuredOf({ wallMs, cpuMs }: Stopwatch, found: Digest, operations: number): Measured {
  return { operations, wallMs, cpuMs, digest: found.value, events: found.events }
}

function selecting(selector: Selector): Work {
  return reading('select', (session, visit) => session.select?.(selector, visit))
}

/** Loads aggregates again and again, the first time outside the clock. */
const loading: Work = async (system, task) => {
  const session = await system.open(task.folder, 'buffered')
  assertAble(session, 'load')
  const watch = new Stopwatch(session)
  const found = new Digest()
  for (const id of task.aggregateIds) await session.load?.(id, found.visit)
  const repeats = Math.ceil(task.count / task.aggregateIds.length)
  let visited = 0
  let repeated = 0
  while (repeated < repeats && watch.wallMs < task.timeMsMost) {
    await watch.time(async () => {
      for (const id of task.aggregateIds) await session.load?.(id, () => visited++)
    })
    repeated++
  }
  await session.close()
  if (visited !== found.events * repeated) throw new Error('a second load found other events than the first')
  return measuredOf(watch, found, repeated * task.aggregateIds.length)
}

/** Loads aggregates for the first time in the process; their pages were told to leave the page cache before it. */
const coldLoading: Work = async (system, task) => {
  const session = await system.open(task.folder, 'buffered')
  assertAble(session, 'load')
  const watch = new Stopwatch(session)
  const found = new Digest()
  await watch.time(async () => {
    for (const id of task.aggregateIds) await session.load?.(id, found.visit)
  })
  await session.close()
  return measuredOf(watch, found, task.aggregateIds.length)
}

/** Times the opening, and visits one aggregate after it, so that nobody wins by opening nothing. */
const opening: Work = async (system, task) => {
  const watch = new Stopwatch({})
  const found = new Digest()
  const session = await watch.time(async () => {
    const opened = await system.open(task.folder, 'buffered')
    assertAble(opened, 'load')
    await opened.load?.(task.aggregateIds[0] as string, found.visit)
    return opened
  })
  await session.close()
  return measuredOf(watch, found, 1)
}

const fillEvents = 1_000

/** Stores `task.count` events. Where it does not close, the caller kills this process. */
function filling(closed: boolean): Work {
  return async (system, task) => {
    const session = await system.open(task.folder, 'buffered')
    if (session.fill === undefined) assertAble(session, 'appendBatch')
    const source = new EventSource()
    const watch = new Stopwatch(session)
    for (let left = task.count; left > 0; left -= fillEvents) {
      const events = source.take(Math.min(fillEvents, left))
      await watch.time(async () => session.fill?.(events) ?? session.appendBatch?.(events))
    }
    if (closed) await session.close()
    return { ...measuredOf(watch, new Digest(), task.count), events: task.count }
  }
}

export const readWorks: Readonly<Record<string, Work>> = {
  replay: reading('replay', (session, visit) => session.replay?.(visit)),
  'replay-batches': reading('replayBatches', (session, visit) => session.replayBatches?.(visit)),
  'select-aggregate': selecting(oneInHundred.aggregate),
  'select-type': selecting(oneInHundred.type),
  'select-tag': selecting(oneInHundred.tag),
  load: loading,
  'load-cold': coldLoading,
  open: opening,
  'open-killed': opening,
  fill: filling(true),
  'fill-killed': filling(false)
}
