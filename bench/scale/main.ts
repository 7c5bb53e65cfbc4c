// How the index grows: logs of so many events in so many aggregates, and what opening, memory, lookups and conditional
// appends cost on them. Each measurement is made in a process of its own, on the built package.
//
//   npm run build && npm run bench:scale -- --events 1000000,10000000 --aggregates 10000,1000000

import { execFileSync } from 'node:child_process'
import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000' },
    aggregates: { type: 'string', default: '10000,1000000' },
    folder: { type: 'string', default: tmpdir() }
  }
})

const child = join(import.meta.dirname, 'child.ts')

function run(...args: readonly string[]): Record<string, number> {
  const output = execFileSync(process.execPath, ['--expose-gc', '--import', 'tsx', child, ...args], {
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit']
  })
  return JSON.parse(output) as Record<string, number>
}

/** The process kills itself, so this one ends with an error that is expected. */
function runAndDie(...args: readonly string[]): void {
  try {
    run(...args)
  } catch (error) {
    if ((error as { signal?: string }).signal !== 'SIGKILL') throw error
  }
}

function bytesOf(folder: string, ends: (name: string) => boolean): number {
  const names = readdirSync(folder).filter(ends)
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}

for (const aggregates of values.aggregates.split(',')) {
  for (const events of values.events.split(',')) {
    const folder = mkdtempSync(join(values.folder, 'chronicle-scale-'))
    try {
      const filled = run('fill', folder, events, aggregates)
      const logBytes = bytesOf(folder, (name) => name.endsWith('.log'))
      const indexBytes = bytesOf(folder, (name) => name.endsWith('.idx') || name.endsWith('.tier'))
      const clean = run('open', folder)
      const looked = run('lookup', folder, events, aggregates)
      const conditional = run('conditional', folder, events, aggregates)
      runAndDie('die', folder, events, aggregates)
      const killed = run('open', folder)
      process.stdout.write(
        `${JSON.stringify({
          events: Number(events),
          aggregates: Number(aggregates),
          segments: readdirSync(folder).filter((name) => name.endsWith('.log')).length,
          tiers: readdirSync(folder).filter((name) => name.endsWith('.tier')).length,
          logBytesPerEvent: Math.round((logBytes / Number(events)) * 10) / 10,
          indexBytesPerEvent: Math.round((indexBytes / Number(events)) * 10) / 10,
          fill: filled,
          openClean: clean,
          openAfterKill: killed,
          lookup: looked,
          conditional
        })}\n`
      )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  }
}
