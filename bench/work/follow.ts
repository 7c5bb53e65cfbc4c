// How long it takes until a follower has an event, from the call of the append on: in the appender's process, and in
// another. Events come one by one with a pause between them, so that the follower waits for each.

import { fork } from 'node:child_process'
import { join } from 'node:path'
import type { Session } from '../system.ts'
import { EventSource, type BenchEvent } from '../workload.ts'
import { assertAble, Digest, type Measured, type Task, type Work } from './measure.ts'
import { Waits } from './wait.ts'

const pauseMs = 1
/** Not told: code is compiled and connections are made. */
const warmEvents = 200

/** In ms, of a clock that all processes of the machine share. */
export function sharedNowMs(): number {
  return Number(process.hrtime.bigint()) / 1e6
}

/** Appends the task's events; answers when the call of each began. */
async function appendPaced(session: Session, task: Task, written: Digest): Promise<readonly number[]> {
  const begun: number[] = []
  for (const event of new EventSource().take(warmEvents + task.count)) {
    begun.push(sharedNowMs())
    await session.append?.(event)
    written.visit(event)
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  return begun
}

function measuredOf(begun: readonly number[], arrived: readonly number[], written: Digest): Measured {
  const waits = new Waits()
  begun.forEach((beganMs, place) => {
    if (place >= warmEvents) waits.addMs((arrived[place] as number) - beganMs)
  })
  const operations = begun.length - warmEvents
  const known = { operations, wallMs: 0, cpuMs: 0, digest: written.value, events: written.events }
  const latency = waits.latency()
  return latency === undefined ? known : { ...known, latency }
}

export const followingInProcess: Work = async (system, task) => {
  const session = await system.open(task.folder, 'buffered')
  assertAble(session, 'follow')
  const written = new Digest()
  const found = new Digest()
  const arrived: number[] = []
  const stop = new AbortController()
  let complete: () => void = () => undefined
  const completed = new Promise<void>((resolve) => {
    complete = resolve
  })
  const visit = (event: BenchEvent): void => {
    arrived.push(sharedNowMs())
    found.visit(event)
    if (arrived.length === warmEvents + task.count) complete()
  }
  const following = await session.follow?.(visit, stop.signal)
  const begun = await appendPaced(session, task, written)
  await completed
  stop.abort()
  await following?.ended
  await session.close()
  if (found.value !== written.value) throw new Error('the follower saw other events than were appended')
  return measuredOf(begun, arrived, written)
}

/** What the following process is told. */
export interface FollowerOrder {
  readonly system: string
  readonly folder: string
  readonly count: number
}

/** What it says at the end. */
export interface Followed {
  readonly arrived: readonly number[]
  readonly digest: number
}

export const followingAcross: Work = async (system, task) => {
  const session = await system.open(task.folder, 'buffered')
  const order: FollowerOrder = { system: system.name, folder: task.folder, count: warmEvents + task.count }
  const entry = join(import.meta.dirname, '..', 'follower', 'main.js')
  const follower = fork(entry, [JSON.stringify(order)], { execArgv: [] })
  const failed = new Promise<never>((_, reject) => {
    follower.once('exit', (code) => reject(new Error(`the follower ended with ${code}`)))
  })
  const says = (): Promise<unknown> =>
    Promise.race([failed, new Promise((resolve) => follower.once('message', resolve))])
  await says()
  const done = says()
  const written = new Digest()
  const begun = await appendPaced(session, task, written)
  const followed = (await done) as Followed
  failed.catch(() => undefined)
  follower.kill('SIGKILL')
  await session.close()
  if (followed.digest !== written.value) throw new Error('the follower saw other events than were appended')
  return measuredOf(begun, followed.arrived, written)
}
