// One measurement in a process of its own, so that no heap, no compiled code and no cache of another one helps or
// hinders it. The order comes as JSON in the first argument; the answer goes back as a message.

import { systemNamed } from '../systems.ts'
import { works, type Measured, type Task } from '../work.ts'

export interface Order extends Task {
  readonly system: string
  readonly work: string
  readonly library: string | undefined
}

export interface Answer {
  /** Undefined: the system cannot do this work. */
  readonly measured: Measured | undefined
  /** The most memory that the process ever had, in bytes. */
  readonly rssBytes: number
}

const order = JSON.parse(process.argv[2] as string) as Order
const work = works[order.work]
if (work === undefined) throw new Error(`there is no work called ${order.work}`)
const measured = await work(await systemNamed(order.system, order.library), order)
const answer: Answer = { measured, rssBytes: process.resourceUsage().maxRSS * 1024 }
process.send?.(answer, () => process.kill(process.pid, 'SIGKILL'))
