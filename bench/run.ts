// Runs the works: every measurement in a fresh process, the systems in turn within each work and the works within
// each round, so that whatever else the machine does falls on all of them alike.

import { fork } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Answer, Order } from './child/main.ts'
import type { Settings } from './arguments.ts'
import type { Expected } from './expected.ts'
import { rows, type Sample } from './rows.ts'

export interface Bench {
  readonly settings: Settings
  readonly expected: Expected
  /** The compiled child. */
  readonly child: string
  readonly systems: readonly string[]
  readonly onStep: (done: number, of: number, doing: string) => void
}

/** Which store a work runs on: a new one, the filled and closed one, or the one whose writer was killed. */
type Stage = 'new' | 'filled' | 'killed'

interface Step {
  readonly work: string
  readonly stage: Stage
  readonly count: number
}

const syncsPerCaller = 200

function stepsOf({ settings }: Bench): readonly Step[] {
  const { events, appends, only } = settings
  const step = (work: string, stage: Stage, count: number): Step => ({ work, stage, count })
  const all = [
    step('append', 'new', appends),
    step('append-64', 'new', appends),
    step('append-batch', 'new', appends),
    step('append-sync', 'new', 10 * syncsPerCaller),
    step('append-sync-64', 'new', 64 * syncsPerCaller),
    step('replay', 'filled', events),
    step('replay-batches', 'filled', events),
    step('select-aggregate', 'filled', events),
    step('select-type', 'filled', events),
    step('select-tag', 'filled', events),
    step('load', 'filled', 5_000),
    step('open', 'filled', 1),
    step('open-killed', 'killed', 1)
  ]
  return all.filter(({ work }) => only.length === 0 || only.some((name) => isPartOf(name, work)))
}

/** Whether the work is called so, or a row of a work that is called so needs it. */
function isPartOf(name: string, work: string): boolean {
  return rows.some((row) => row.work.startsWith(name) && (row.work === work || row.against?.work === work))
}

interface Turn extends Step {
  readonly system: string
  readonly round: number
}

/** Everything to measure, in order: another system begins each round. */
function turnsOf(bench: Bench): readonly Turn[] {
  const { settings, systems } = bench
  const rounds = Array.from({ length: settings.rounds }, (_, round) => round + 1)
  return rounds.flatMap((round) => {
    const first = round % systems.length
    const order = [...systems.slice(first), ...systems.slice(0, first)]
    return stepsOf(bench).flatMap((step) =>
      order.filter((system) => isWanted(system, step.work)).map((system) => ({ ...step, system, round }))
    )
  })
}

/** The floor does only what something is held against. */
function isWanted(system: string, work: string): boolean {
  return system !== 'floor' || rows.some(({ against }) => against?.system === 'floor' && against.work === work)
}

export async function runBench(bench: Bench): Promise<readonly Sample[]> {
  const { settings, systems } = bench
  const turns = turnsOf(bench)
  const samples: Sample[] = []
  const total = systems.length * 2 + turns.length
  let done = 0
  const tell = (doing: string): void => bench.onStep(done++, total, doing)
  for (const system of systems) {
    for (const work of ['fill', 'fill-killed']) {
      tell(`${system} ${work}`)
      const sample = await fill(bench, system, work)
      if (sample !== undefined && work === 'fill') samples.push(sample)
    }
  }
  for (const turn of turns) {
    tell(`${turn.round}/${settings.rounds} ${turn.system} ${turn.work}`)
    const sample = await measure(bench, turn)
    if (sample !== undefined) samples.push(sample)
  }
  bench.onStep(total, total, '')
  return samples
}

async function fill(bench: Bench, system: string, work: string): Promise<Sample | undefined> {
  const stage = work === 'fill' ? 'filled' : 'killed'
  if (work !== 'fill' && !turnsOf(bench).some((turn) => turn.stage === stage && turn.system === system))
    return undefined
  const folder = join(bench.settings.folder, `${system}-${stage}`)
  mkdirSync(folder, { recursive: true })
  const { events: count } = bench.settings
  const answer = await ask(bench, { system, work, folder, count })
  return sampleOf(answer, { system, work, round: 0, bytes: sizeOf(folder) })
}

async function measure(bench: Bench, turn: Turn): Promise<Sample | undefined> {
  const { system, work, stage, round, count } = turn
  const shared = join(bench.settings.folder, `${system}-filled`)
  const folder = stage === 'filled' ? shared : join(bench.settings.folder, 'once')
  if (stage === 'killed') cpSync(join(bench.settings.folder, `${system}-killed`), folder, { recursive: true })
  mkdirSync(folder, { recursive: true })
  const answer = await ask(bench, { system, work, folder, count })
  const expected = bench.expected.digests.get(work)
  if (answer.measured !== undefined && expected !== undefined && answer.measured.digest !== expected) {
    throw new Error(`${system} ${work}: other events were read than were appended`)
  }
  const bytes = stage === 'new' ? sizeOf(folder) : undefined
  if (stage !== 'filled') rmSync(folder, { recursive: true })
  return sampleOf(answer, { system, work, round, bytes })
}

function sampleOf(
  { measured, rssBytes }: Answer,
  known: Pick<Sample, 'system' | 'work' | 'round' | 'bytes'>
): Sample | undefined {
  if (measured === undefined) return undefined
  const { operations, wallMs, cpuMs, p99Ms } = measured
  return { ...known, operations, wallMs, cpuMs, p99Ms, rssBytes }
}

function ask(bench: Bench, order: Omit<Order, 'library' | 'aggregateIds'>): Promise<Answer> {
  const library = order.system === 'before' ? bench.settings.before : undefined
  const { aggregateIds } = bench.expected
  const child = fork(bench.child, [JSON.stringify({ ...order, library, aggregateIds })], { execArgv: [] })
  return new Promise((resolve, reject) => {
    child.on('message', (answer) => resolve(answer as Answer))
    child.on('error', reject)
    // Behind an answer this says nothing new: a promise is settled once.
    child.on('exit', (code) => reject(new Error(`${order.system} ${order.work} ended with ${code} and no answer`)))
  })
}

function sizeOf(folder: string): number {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  return names.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
}
