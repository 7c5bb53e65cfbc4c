// Folding over several cores: logs of so many events, folds that are cheap, dear and wide, in one thread and in several,
// in turn. Each measurement is made in a process of its own on the built package, the starting of threads included.
//
//   npm run bench:parallel -- --events 1000000,2000000 --workers 2 --rounds 5

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { availableParallelism, tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { pathToFileURL } from 'node:url'

const { values } = parseArgs({
  options: {
    events: { type: 'string', default: '1000000,2000000,4000000' },
    folds: { type: 'string', default: 'cheap,dear,wide' },
    workers: { type: 'string', default: String(availableParallelism()) },
    rounds: { type: 'string', default: '5' },
    folder: { type: 'string', default: tmpdir() }
  }
})

interface Measured {
  readonly ms: number
  readonly cpuMs: number
  readonly peakMiB: number
  readonly load: number
  readonly digest: string
}

const root = join(import.meta.dirname, '..', '..')
const work = mkdtempSync(join(values.folder, 'chronicle-parallel-'))

function node(...args: readonly string[]): string {
  return execFileSync(process.execPath, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

/** The measured programs as plain JavaScript. */
function compile(): string {
  const source = join(work, 'source')
  mkdirSync(source)
  cpSync(join(import.meta.dirname, 'fold'), join(source, 'fold'), { recursive: true })
  cpSync(join(import.meta.dirname, 'parallel-child.ts'), join(source, 'child.ts'))
  writeFileSync(join(source, 'package.json'), JSON.stringify({ type: 'module' }))
  const compilerOptions = {
    target: 'es2023',
    module: 'nodenext',
    noCheck: true,
    noEmit: false,
    types: [],
    rootDir: '.'
  }
  writeFileSync(join(source, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  node(join(root, 'node_modules', 'typescript', 'bin', 'tsc'), '-p', source)
  return join(source, 'child.js')
}

function middle(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
}

function ratio(one: number, other: number): number {
  return Math.round((one / other) * 100) / 100
}

/** What the rounds of one and of several threads come to. */
function summary(alone: readonly Measured[], together: readonly Measured[]): object {
  const ms = (all: readonly Measured[]): number => middle(all.map((one) => one.ms))
  const fastest = (all: readonly Measured[]): number => Math.min(...all.map((one) => one.ms))
  const cpu = (all: readonly Measured[]): number => middle(all.map((one) => one.cpuMs))
  const loads = [...alone, ...together].map(({ load }) => load)
  return {
    ms: [ms(alone), ms(together)],
    faster: ratio(ms(alone), ms(together)),
    fastestMs: [fastest(alone), fastest(together)],
    fasterAtBest: ratio(fastest(alone), fastest(together)),
    cpuMs: [cpu(alone), cpu(together)],
    peakMiB: [middle(alone.map((one) => one.peakMiB)), middle(together.map((one) => one.peakMiB))],
    load: [Math.min(...loads), Math.max(...loads)]
  }
}

interface Job {
  readonly child: string
  readonly log: string
  readonly events: string
  readonly fold: string
}

function measure({ child, log, fold }: Job, workers: string): Measured {
  const built = pathToFileURL(join(root, 'dist')).href
  return JSON.parse(node(child, built, log, fold, workers)) as Measured
}

/** One thread and several, in turn. */
function compare(job: Job): void {
  const alone: Measured[] = []
  const together: Measured[] = []
  for (let round = 0; round < Number(values.rounds); round++) {
    alone.push(measure(job, '1'))
    together.push(measure(job, values.workers))
  }
  const { events, fold } = job
  const digests = new Set([...alone, ...together].map(({ digest }) => digest))
  if (digests.size !== 1) throw new Error(`${fold} over ${events} events: the states differ`)
  const line = { events: Number(events), fold, workers: Number(values.workers), ...summary(alone, together) }
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

try {
  const child = compile()
  for (const events of values.events.split(',')) {
    const log = join(work, `log-${events}`)
    node('--import', 'tsx', join(import.meta.dirname, 'child.ts'), 'fill', log, events, '10000')
    for (const fold of values.folds.split(',')) compare({ child, log, events, fold })
    rmSync(log, { recursive: true, force: true })
  }
} finally {
  rmSync(work, { recursive: true, force: true })
}
