// npm run profile -- <workload>: runs one workload of Chronicle under the inspector's profilers, in a process of its
// own each, and prints which functions took the processor and which the memory. The .cpuprofile and .heapprofile open
// in the developer tools of Chrome or an editor as flame graphs.

import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, relative } from 'node:path'
import { parseArgs } from 'node:util'
import type { Answer, Order } from '../child/main.ts'
import { ask, buildChild, scratch } from '../child.ts'
import { expectedOf } from '../expected.ts'
import { topByBytes, topByTime, type CpuProfile, type HeapProfile } from './top.ts'

const workloads: Readonly<Record<string, { readonly work: string; readonly reads: boolean; readonly count: number }>> =
  {
    append: { work: 'append', reads: false, count: 400_000 },
    'append-64': { work: 'append-64', reads: false, count: 400_000 },
    'append-batch': { work: 'append-batch', reads: false, count: 400_000 },
    'append-if': { work: 'append-if', reads: false, count: 200_000 },
    appendSync: { work: 'append-sync-64', reads: false, count: 100_000 },
    replay: { work: 'replay', reads: true, count: 0 },
    'replay-batches': { work: 'replay-batches', reads: true, count: 0 },
    load: { work: 'load', reads: true, count: 5_000 },
    'select-aggregate': { work: 'select-aggregate', reads: true, count: 0 },
    open: { work: 'open', reads: true, count: 0 }
  }

const usage = `npm run profile -- <${Object.keys(workloads).join(' | ')}>

  --events <n>  size of the log that is read   default 500000
  --top <n>     how many functions             default 25`

async function profile(name: string, options: { readonly events: number; readonly top: number }): Promise<void> {
  const workload = workloads[name]
  if (workload === undefined) throw new Error(usage)
  const child = buildChild()
  const folder = mkdtempSync(join(tmpdir(), 'chronicle-profile-'))
  const written = join(scratch, 'profile')
  mkdirSync(written, { recursive: true })
  const order: Order = {
    ...{ system: 'chronicle', work: workload.work, before: undefined, folder, count: workload.count },
    ...{ timeMsMost: 20_000, verify: false, aggregateIds: expectedOf(options.events).aggregateIds }
  }
  try {
    if (workload.reads) await ask(child, { ...order, work: 'fill', count: options.events })
    for (const kind of ['cpu', 'heap'] as const) {
      const path = join(written, `${name}.${kind}profile`)
      const answer = await ask(child, { ...order, profile: { kind, path } })
      report(kind, path, options.top)
      told(kind, answer)
      if (!workload.reads) rmSync(folder, { recursive: true })
      mkdirSync(folder, { recursive: true })
    }
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function report(kind: 'cpu' | 'heap', path: string, top: number): void {
  const profiled: unknown = JSON.parse(readFileSync(path, 'utf8'))
  const rows = kind === 'cpu' ? topByTime(profiled as CpuProfile) : topByBytes(profiled as HeapProfile)
  console.log(`\n${relative(process.cwd(), path)}\n${rows.slice(0, top).join('\n')}`)
}

function told(kind: 'cpu' | 'heap', { measured }: Answer): void {
  const us = (measured.cpuMs * 1000) / measured.operations
  const slower = 'slower than without the profiler'
  console.log(`${measured.operations} operations, ${us.toFixed(2)} µs of processor time each, by ${kind}: ${slower}`)
}

try {
  const text = { type: 'string' } as const
  const { values, positionals } = parseArgs({ allowPositionals: true, options: { events: text, top: text } })
  const [name = ''] = positionals
  await profile(name, { events: Number(values.events ?? 500_000), top: Number(values.top ?? 25) })
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
