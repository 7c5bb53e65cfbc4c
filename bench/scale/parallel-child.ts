// One fold over one log, by one thread or several, told as a line of JSON. It runs as plain JavaScript beside the folds,
// since the loader of TypeScript would be started in every thread, and measured.

import { createHash } from 'node:crypto'
import { loadavg } from 'node:os'
import type * as Chronicle from '../../src/index.ts'
import type * as Parallel from '../../src/parallel.ts'

const [built = '', folder = '', name = '', workersText = '1'] = process.argv.slice(2)
const { EventLog, orThrow } = (await import(`${built}/index.js`)) as typeof Chronicle
const { foldInParallel } = (await import(`${built}/parallel.js`)) as typeof Parallel
const module = new URL(`./fold/${name}.js`, import.meta.url)
const workers = Number(workersText)

/** What a caller without threads writes, at its fastest. */
async function foldInOneThread(): Promise<unknown> {
  const { fold } = (await import(module.href)) as { readonly fold: Parallel.Fold<unknown> }
  const log = await orThrow(EventLog.open(folder, { readOnly: true }))
  let state = fold.initial()
  for await (const batch of log.replay().readBatches()) {
    for (const element of batch) {
      if (element._tag === 'Left') throw element.left
      state = fold.evolve(state, element.right)
    }
  }
  await orThrow(log.close())
  return state
}

async function foldInThreads(): Promise<unknown> {
  return (await orThrow(foldInParallel(folder, module, { workers }))).state
}

const before = process.cpuUsage()
const since = performance.now()
const state = await (workers === 1 ? foldInOneThread() : foldInThreads())
const ms = Math.round(performance.now() - since)
const { user, system } = process.cpuUsage(before)
const shown = JSON.stringify(
  state instanceof Map ? [...state].sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)) : state
)
process.stdout.write(
  `${JSON.stringify({
    ms,
    cpuMs: Math.round((user + system) / 1_000),
    peakMiB: Math.round(process.resourceUsage().maxRSS / 1024),
    load: Math.round((loadavg()[0] ?? 0) * 10) / 10,
    digest: createHash('sha256').update(shown).digest('hex').slice(0, 12)
  })}\n`
)
