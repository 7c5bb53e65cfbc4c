// A projection that goes on from a checkpoint has the state of one that starts from nothing, or gets a Left; whatever
// happened to the log in between: restarts, crashes, damage.
//
// The checkpoint is what the projection answered last. It is kept outside of the log, so a power cut may take events
// that it already counts: a checkpoint is safe only if what it counts was synced before. After a Left the projection
// starts from nothing, as its user would have it do.

import * as fc from 'fast-check'
import type { Either } from 'fp-ts/lib/Either.js'
import { thrownText } from '../core/canon.ts'
import { plainCommand, runCommand, wovenCommands, type Keyed, type LogCommand } from './commands.ts'
import { crashDisk, logCrash, type LogCrash } from './log-crash.ts'
import { damageLog, logDamage, type LogHarm } from './log-damage.ts'
import {
  answerOf,
  must,
  mustEqual,
  mustSucceed,
  projectedFolder,
  projectedSegmentBytes,
  ProjectionWorld,
  stateOf,
  type OpenProjected,
  type ProjectedLog
} from './projection-subject.ts'

export interface ResumeOptions<L, E, C> {
  readonly events: fc.Arbitrary<readonly E[]>
  /** Goes on from the checkpoint, or from nothing, to the end of the log; answers the next checkpoint. */
  readonly catchUp: (log: L, checkpoint: C | undefined) => Promise<Either<unknown, C>>
  readonly equals?: ((actual: C, expected: C) => boolean) | undefined
}

/** One step of such a history: a command, a checkpoint, or a crash. */
export type ResumeStep<E> =
  | LogCommand<E>
  | { readonly type: 'catchUp' }
  | { readonly type: 'crash'; readonly crash: LogCrash }

/** A history with checkpoints and crashes in it. */
export interface ResumeCase<E> {
  readonly steps: readonly ResumeStep<E>[]
  readonly segmentBytes: number
  /** Done to the closed log at the end; empty for none. */
  readonly damage: readonly LogHarm[]
}

export function resumeProperty<E extends Keyed, L extends ProjectedLog<E>, C>(
  open: OpenProjected<L>,
  options: ResumeOptions<L, E, C>
): fc.IAsyncPropertyWithHooks<[ResumeCase<E>]> {
  const catchUp = { type: 'catchUp' as const }
  const crash = logCrash().map((one) => ({ type: 'crash' as const, crash: one }))
  const steps = fc.oneof(
    { weight: 3, arbitrary: plainCommand().map((command) => [command]) },
    { weight: 4, arbitrary: fc.constant([catchUp]) },
    { weight: 1, arbitrary: crash.map((one) => [one]) },
    // The moment that hurts most: right behind a checkpoint.
    { weight: 3, arbitrary: crash.map((one) => [catchUp, one]) }
  )
  const cases = fc.record({
    steps: wovenCommands(options.events, { next: steps }).map((woven) => woven.flat()),
    segmentBytes: projectedSegmentBytes(),
    damage: fc.oneof(fc.constant([]), logDamage())
  })
  return fc.asyncProperty(cases, (one) => new ResumeRun(open, options, one.segmentBytes).check(one))
}

/** One log and its projection, through all steps. */
class ResumeRun<E, L extends ProjectedLog<E>, C> {
  readonly #options: ResumeOptions<L, E, C>
  readonly #world: ProjectionWorld<L>
  /** What the projection answered last; undefined before, and after a Left. */
  #checkpoint: C | undefined
  /** Whether the log has lost events, perhaps, since the checkpoint: a Left is then an answer. */
  #mayRefuse = false
  #pending: Promise<void>[] = []
  readonly #happened: string[] = []

  constructor(open: OpenProjected<L>, options: ResumeOptions<L, E, C>, segmentBytes: number) {
    this.#options = options
    this.#world = new ProjectionWorld(open, segmentBytes)
  }

  async check({ steps, damage }: ResumeCase<E>): Promise<void> {
    let log = await this.#open()
    for (const [index, step] of steps.entries()) log = await this.#step(log, step, index)
    await this.#settle()
    if (damage.length === 0) await this.#catchUp(log)
    else await this.#checkDamage(log, damage)
  }

  async #open(): Promise<L> {
    return must(await this.#world.open()(), 'the log does not open')
  }

  async #step(log: L, step: ResumeStep<E>, index: number): Promise<L> {
    if (step.type === 'catchUp') {
      await this.#settle()
      await this.#catchUp(log)
      return log
    }
    if (step.type === 'crash') return this.#crash(step.crash)
    this.#happened.push(stepText(step))
    const answer = runCommand(log, step).then((result) => mustSucceed({ index, command: step, result }))
    this.#pending.push(answer)
    if (step.type !== 'append' || step.wait) await this.#settle()
    return step.type === 'reopen' ? this.#open() : log
  }

  async #settle(): Promise<void> {
    await Promise.all(this.#pending)
    this.#pending = []
  }

  async #crash(crash: LogCrash): Promise<L> {
    const { disk } = this.#world
    // Between two steps nobody is inside of a write.
    this.#world.disk = crashDisk(disk, crash.kind === 'kill' ? { ...crash, tornBytes: undefined } : crash)
    // Of the old log nobody hears any more; its appends end on the old disk.
    await this.#settle()
    this.#happened.push(`a ${crash.kind}${crash.kind === 'kill' ? '' : ` that keeps ${fc.stringify(crash.keeps)}`}`)
    this.#mayRefuse = this.#checkpoint !== undefined
    return this.#open()
  }

  #run(log: L, checkpoint: C | undefined): Promise<Either<unknown, C>> {
    return answerOf(() => this.#options.catchUp(log, checkpoint))
  }

  async #catchUp(log: L): Promise<void> {
    this.#happened.push('the projection catches up')
    let answer = await this.#run(log, this.#checkpoint)
    if (answer._tag === 'Left' && this.#mayRefuse) {
      this.#happened.push(`it is told: ${thrownText(answer.left)}; it starts from nothing`)
      answer = await this.#run(log, undefined)
    }
    // As it is kept: a copy, which no later change of the state reaches.
    const actual = structuredClone(stateOf(answer, 'a log without damage'))
    const fresh = must(await this.#world.open(this.#world.disk.clone())(), 'a copy of the log does not open')
    const expected = stateOf(await this.#run(fresh, undefined), 'a log without damage, from nothing')
    await this.#compare(actual, expected, log)
    this.#checkpoint = actual
    this.#mayRefuse = false
  }

  async #checkDamage(log: L, damage: readonly LogHarm[]): Promise<void> {
    must(await log.close()(), 'the log does not close')
    const whole = must(await this.#world.open(this.#world.disk.clone())(), 'the log does not open again')
    const expected = stateOf(await this.#run(whole, undefined), 'a log without damage, from nothing')
    const harms = await damageLog(this.#world.disk, projectedFolder, damage)
    this.#happened.push(...harms.map((harm) => `damage: ${harm}`))
    const opened = await this.#world.open()()
    if (opened._tag === 'Left') return
    const answer = await this.#run(opened.right, this.#checkpoint)
    if (answer._tag === 'Right') await this.#compare(answer.right, expected, opened.right)
  }

  async #compare(actual: C, expected: C, log: L): Promise<void> {
    const title = 'the projection that goes on from its checkpoint differs from one that starts from nothing'
    const happened = this.#happened.map((line) => `- ${line}`)
    await mustEqual({ equals: this.#options.equals, actual, expected }, { title, happened, log })
  }
}

function stepText<E>(step: LogCommand<E>): string {
  if (step.type !== 'append') return step.type
  const how = `${step.durability}${step.wait ? '' : ', not awaited'}`
  return `append of ${step.events.length} ${step.events.length === 1 ? 'event' : 'events'} (${how})`
}
