// npm run bench: builds the library and the benchmarks with the compiler's own output, since a bundler's or loader's
// helpers would be measured with it, runs them, prints a table and writes all samples to bench/results.

import { execFileSync } from 'node:child_process'
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SingleBar } from 'cli-progress'
import { readSettings, usage, type Settings } from './arguments.ts'
import { expectedOf } from './expected.ts'
import { rowResult, rows, type RowResult, type Sample } from './rows.ts'
import { runBench } from './run.ts'
import { table } from './table.ts'

const root = join(import.meta.dirname, '..')
const work = join(root, '.chronicle', 'bench')

function build(): string {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  execFileSync(process.execPath, [compiler, '-p', join(root, 'bench')], { stdio: 'inherit' })
  return join(work, 'build', 'bench', 'child', 'main.js')
}

async function measure(settings: Settings): Promise<readonly Sample[]> {
  const bar = process.stdout.isTTY
    ? new SingleBar({ format: '{bar} {value}/{total} {doing}', clearOnComplete: true, hideCursor: true })
    : undefined
  bar?.start(1, 0, { doing: 'build' })
  const systems = ['floor', 'chronicle', ...(settings.before === undefined ? [] : ['before'])]
  try {
    const child = build()
    return await runBench({
      settings,
      expected: expectedOf(settings.events),
      child,
      systems,
      onStep: (done, of, doing) => {
        bar?.setTotal(of)
        bar?.update(done, { doing })
      }
    })
  } finally {
    bar?.stop()
    rmSync(settings.folder, { recursive: true, force: true })
  }
}

function report(settings: Settings, samples: readonly Sample[]): void {
  const systems = [...new Set(samples.map((sample) => sample.system))].filter((system) => system !== 'floor')
  const results = rows.flatMap((row) =>
    systems
      .map((system) => rowResult(row, system, samples))
      .filter((result): result is RowResult => result !== undefined)
  )
  const { events, appends, rounds, name } = settings
  const machine = { node: process.version, platform: process.platform, cpus: cpus().map((cpu) => cpu.model) }
  const folder = join(root, 'bench', 'results')
  mkdirSync(folder, { recursive: true })
  writeFileSync(
    join(folder, `${name}.json`),
    JSON.stringify({ events, appends, rounds, machine, results, samples }, undefined, 2)
  )
  console.log(table(results))
  console.log(`\n${rounds} rounds, ${events} events read, ${appends} appended; ratios are taken within a round.`)
}

const defaults = {
  folder: join(work, 'data'),
  name: new Date().toISOString().slice(0, 19).replaceAll(':', '-')
}
try {
  const settings = readSettings(process.argv.slice(2), defaults)
  if (settings === undefined) console.log(usage)
  else {
    const before = settings.before === undefined ? undefined : pathToFileURL(settings.before).href
    report(settings, await measure({ ...settings, before }))
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
