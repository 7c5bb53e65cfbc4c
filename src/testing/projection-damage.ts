// Under any damage a projection is right, or gets a Left. Writes a history to a log in memory, projects it, damages
// the segments, opens the log again and projects it again: the second answer must be the first one, or a Left.

import * as fc from 'fast-check'
import type { Either } from 'fp-ts/lib/Either.js'
import { logCommands, runLogCommands, type Keyed, type LogCommand } from './commands.ts'
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

export interface DamageOptions<L, E, S> {
  readonly events: fc.Arbitrary<readonly E[]>
  readonly project: (log: L) => Promise<Either<unknown, S>>
  readonly equals?: ((actual: S, expected: S) => boolean) | undefined
}

/** A history, and what is done to the closed log behind it. */
export interface DamageCase<E> {
  readonly commands: readonly LogCommand<E>[]
  readonly segmentBytes: number
  readonly damage: readonly LogHarm[]
}

export function damageProperty<E extends Keyed, L extends ProjectedLog<E>, S>(
  open: OpenProjected<L>,
  options: DamageOptions<L, E, S>
): fc.IAsyncPropertyWithHooks<[DamageCase<E>]> {
  const cases = fc.record({
    commands: logCommands(options.events),
    segmentBytes: projectedSegmentBytes(),
    damage: logDamage()
  })
  return fc.asyncProperty(cases, (one) => checkDamage(open, options, one))
}

async function checkDamage<E, L extends ProjectedLog<E>, S>(
  open: OpenProjected<L>,
  { project, equals }: DamageOptions<L, E, S>,
  { commands, segmentBytes, damage }: DamageCase<E>
): Promise<void> {
  const world = new ProjectionWorld(open, segmentBytes)
  const history = { open: world.open(), onOutcome: mustSucceed<E> }
  const { log } = must(await runLogCommands(commands, history), 'the log does not open')
  must(await log.close()(), 'the log does not close')

  const whole = must(await world.open(world.disk.clone())(), 'the log does not open again')
  const expected = stateOf(await answerOf(() => project(whole)), 'a log without damage')

  const harms = await damageLog(world.disk, projectedFolder, damage)
  const opened = await world.open()()
  // A log that does not open has told the program, before the projection.
  if (opened._tag === 'Left') return
  const answer = await answerOf(() => project(opened.right))
  if (answer._tag === 'Left') return
  const title = 'the projection answers Right on a damaged log, and the state is not that of the whole log'
  const happened = harms.map((harm) => `damage: ${harm}`)
  await mustEqual({ equals, actual: answer.right, expected }, { title, happened, log: opened.right })
}
