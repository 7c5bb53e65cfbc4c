// One measurement in a process of its own, so that no heap, no compiled code and no cache of another one helps or
// hinders it. The order comes as JSON in the first argument; the answer goes back as a message.

import { profiled } from '../profile/record.ts'
import { systemNamed } from '../systems.ts'
import { works } from '../work.ts'
import type { Measured, Task } from '../work/measure.ts'

export interface Order extends Task {
  readonly system: string
  readonly work: string
  readonly before: string | undefined
  /** Writes a profile of this kind to the path. */
  readonly profile?: { readonly kind: 'cpu' | 'heap'; readonly path: string } | undefined
}

export interface Answer {
  readonly measured: Measured
  /** The most memory that the process ever had, in bytes. */
  readonly rssBytes: number
}

const order = JSON.parse(process.argv[2] as string) as Order
const work = works[order.work]
if (work === undefined) throw new Error(`there is no work called ${order.work}`)
const system = systemNamed(order.system, order.before)
const run = (): Promise<Measured> => work(system, order)
const measured = await (order.profile === undefined ? run() : profiled(order.profile, run))
const answer: Answer = { measured, rssBytes: process.resourceUsage().maxRSS * 1024 }
process.send?.(answer, () => process.kill(process.pid, 'SIGKILL'))
