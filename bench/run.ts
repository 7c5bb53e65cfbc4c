// Runs the works: every measurement in a fresh process, each answer held against what must have been read.

import { execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import type { Settings } from './arguments.ts'
import type { Answer } from './child/main.ts'
import { ask } from './child.ts'
import { expectedOf, type Expected } from './expected.ts'
import type { Omission, Sample } from './sample.ts'
import { doesWork, stepsOf, turnsOf, type Step, type Turn } from './step.ts'
import type { System } from './system.ts'

export interface Bench {
  readonly settings: Settings
  /** The compiled child. */
  readonly child: string
  readonly systems: readonly System[]
  readonly onStep: (done: number, of: number, doing: string) => void
  /** Told what has been measured so far, and what has failed, when a round is complete. */
  readonly onRound: (rounds: number, samples: readonly Sample[], failures: readonly Omission[]) => void
}

export function runBench(bench: Bench): Promise<void> {
  return new Run(bench).all()
}

interface Fill {
  readonly system: System
  readonly stage: 'filled' | 'killed'
}

const failureCharsMost = 200

const stages = ['filled', 'killed'] as const

class Run {
  private readonly bench: Bench
  private readonly steps: readonly Step[]
  private readonly turns: readonly Turn[]
  /** By the size of a store. */
  private readonly expected = new Map<number, Expected>()
  private readonly samples: Sample[] = []
  private readonly failures: Omission[] = []

  constructor(bench: Bench) {
    this.bench = bench
    this.steps = stepsOf(bench.settings)
    this.turns = turnsOf(bench.systems, this.steps, bench.settings.rounds)
  }

  async all(): Promise<void> {
    const { onStep, onRound, settings } = this.bench
    const fills = this.fills()
    const total = fills.length + this.turns.length
    let done = 0
    for (const { system, stage } of fills) {
      onStep(done++, total, `${system.name} fill, ${stage}`)
      await this.orFailure(system, stage, () => this.fill(system, stage))
    }
    for (const turn of this.turns) {
      onStep(done++, total, `${turn.round}/${settings.rounds} ${turn.system.name} ${turn.work}`)
      await this.orFailure(turn.system, turn.work, () => this.measure(turn))
      if (this.turns[this.turns.indexOf(turn) + 1]?.round !== turn.round)
        onRound(turn.round, this.samples, this.failures)
    }
    onStep(total, total, '')
  }

  /** One failure is told in the results and does not end the run. */
  private async orFailure({ name }: System, work: string, run: () => Promise<void>): Promise<void> {
    try {
      await run()
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error)
      console.error(reason)
      this.failures.push({ system: name, work, reason: `it failed: ${reason.slice(0, failureCharsMost)}` })
      rmSync(join(this.bench.settings.folder, 'once'), { recursive: true, force: true })
    }
  }

  /** The stores that are needed. */
  private fills(): readonly Fill[] {
    const all = this.bench.systems.flatMap((system) => stages.map((stage) => ({ system, stage })))
    return all.filter(({ system, stage }) =>
      this.steps.some((step) => step.stage === stage && doesWork(system, step.work))
    )
  }

  private async fill(system: System, stage: 'filled' | 'killed'): Promise<void> {
    const work = stage === 'filled' ? 'fill' : 'fill-killed'
    const folder = this.folderOf(system, stage)
    mkdirSync(folder, { recursive: true })
    const answer = await this.ask(system, { work, folder, count: this.eventsOf(system) })
    if (stage === 'filled') this.keep(answer, { system, work, round: 0 }, sizeOf(folder))
  }

  private async measure(turn: Turn): Promise<void> {
    const { system, work, stage, count, cold } = turn
    const folder = stage === 'filled' ? this.folderOf(system, stage) : join(this.bench.settings.folder, 'once')
    if (stage === 'killed') cpSync(this.folderOf(system, stage), folder, { recursive: true })
    mkdirSync(folder, { recursive: true })
    if (cold === true) sendOutOfCache(folder)
    const answer = await this.ask(system, { work, folder, count })
    const expected = this.expectedFor(system).digests.get(work)
    if (expected !== undefined && answer.measured.digest !== expected) {
      throw new Error(`${system.name} ${work}: other events were read than were appended`)
    }
    this.keep(answer, turn, stage === 'new' ? sizeOf(folder) : undefined)
    if (stage !== 'filled') rmSync(folder, { recursive: true })
  }

  private keep(answer: Answer, turn: Pick<Turn, 'system' | 'work' | 'round'>, bytes: number | undefined): void {
    const { operations, events, wallMs, cpuMs, latency } = answer.measured
    this.samples.push({
      system: turn.system.name,
      work: turn.work,
      round: turn.round,
      operations,
      events,
      wallMs: rounded(wallMs),
      cpuMs: rounded(cpuMs),
      ...(latency === undefined ? {} : { latency }),
      ...(bytes === undefined ? {} : { bytes }),
      rssBytes: answer.rssBytes,
      load: rounded(loadavg()[0] ?? 0)
    })
  }

  private ask(
    system: System,
    order: { readonly work: string; readonly folder: string; readonly count: number }
  ): Promise<Answer> {
    const { settings, child } = this.bench
    const { aggregateIds } = this.expectedFor(system)
    const known = { system: system.name, before: settings.before, timeMsMost: settings.timeMs, verify: true }
    return ask(child, { ...order, ...known, aggregateIds })
  }

  private expectedFor(system: System): Expected {
    const events = this.eventsOf(system)
    const known = this.expected.get(events) ?? expectedOf(events)
    this.expected.set(events, known)
    return known
  }

  private eventsOf(system: System): number {
    return Math.min(this.bench.settings.events, system.eventsMost ?? Infinity)
  }

  private folderOf(system: System, stage: 'filled' | 'killed'): string {
    return join(this.bench.settings.folder, `${system.name}-${stage}`)
  }
}

function rounded(value: number): number {
  return Math.round(value * 1000) / 1000
}

function filesIn(folder: string): readonly string[] {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true })
  return names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
}

function sizeOf(folder: string): number {
  return filesIn(folder).reduce((sum, path) => sum + statSync(path).size, 0)
}

/** GNU dd tells the kernel that a file's pages are not needed any more (posix_fadvise); elsewhere they stay. */
function sendOutOfCache(folder: string): void {
  if (process.platform !== 'linux') return
  for (const path of filesIn(folder)) {
    execFileSync('dd', [`of=${path}`, 'oflag=nocache', 'conv=notrunc,fdatasync', 'count=0'], { stdio: 'ignore' })
  }
}
