// The other process of a measurement of following: opens the store beside its writer, says that it listens, and says
// at the end when each event arrived.

import { systemNamed } from '../systems.ts'
import { sharedNowMs, type Followed, type FollowerOrder } from '../work/follow.ts'
import { Digest } from '../work/measure.ts'

const { system, folder, count } = JSON.parse(process.argv[2] as string) as FollowerOrder
const session = await systemNamed(system, undefined).openBeside?.(folder)
const found = new Digest()
const arrived: number[] = []
const followed = await session?.follow?.((event) => {
  arrived.push(sharedNowMs())
  found.visit(event)
  if (arrived.length === count) process.send?.({ arrived, digest: found.value } satisfies Followed)
}, new AbortController().signal)
if (followed === undefined) throw new Error('the system cannot be followed from another process, and does not say why')
process.send?.('listens')
