// What the three properties of projections share: the log they run on, a world with a clock and ids of its own, how a
// projection answers, and the story of a failure.
//
// A projection answers Either. Right(state) claims that this is the state of the whole log; Left says that it met
// something it cannot go without, and claims nothing. One that throws an error of the log, as `orThrow` does, has said
// Left. Throwing anything else is a fault: damage must not come out as somebody's TypeError.

import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import { left, type Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import type { Offset } from '../core/brand.ts'
import { thrownText } from '../core/canon.ts'
import type { OpenError } from '../core/error.ts'
import type { ReplayError } from '../core/read-error.ts'
import type { StoredEvent } from '../core/event.ts'
import { MemoryDisk } from '../disk/memory.ts'
import type { Clock, Entropy } from '../port/clock.ts'
import type { CommandedLog, CommandOutcome } from './commands.ts'

/** What the properties need of a log; EventLog has it. */
export interface ProjectedLog<E> extends CommandedLog<E> {
  readonly end: Offset
  replay(): AsyncIterable<Either<ReplayError, StoredEvent>>
}

export interface ProjectedOpening {
  readonly disk: MemoryDisk
  readonly clock: Clock
  readonly entropy: Entropy
  readonly segmentBytes: number
}

/** Opens the log in `projectedFolder`. */
export type OpenProjected<L> = (opening: ProjectedOpening) => TaskEither<OpenError, L>

export const projectedFolder = '/log'

/** Segments so small that a few events fill them, and one that holds everything; the simplest first. */
export function projectedSegmentBytes(): fc.Arbitrary<number> {
  return fc.constantFrom(1024 * 1024, 1_000, 256)
}

/** A disk, and a clock and ids that go on from one opening to the next. */
export class ProjectionWorld<L> {
  disk: MemoryDisk = new MemoryDisk()
  readonly #open: OpenProjected<L>
  readonly #rest: Omit<ProjectedOpening, 'disk'>

  constructor(open: OpenProjected<L>, segmentBytes: number) {
    let nowMs = 1_700_000_000_000
    // Ids of one length: events of the same fields take the same bytes, and a log that lost some can look as before.
    let ids = 0
    this.#open = open
    this.#rest = {
      clock: { nowMs: () => nowMs++, every: () => () => {} },
      entropy: { u32: () => 0x51ed_1e55, eventId: () => `event-${String(++ids).padStart(6, '0')}` },
      segmentBytes
    }
  }

  /** Opens the log on this world's disk, or on another one. */
  open(disk: MemoryDisk = this.disk): TaskEither<OpenError, L> {
    return this.#open({ ...this.#rest, disk })
  }
}

/** The value, or the failure of the property. */
export function must<A>(result: Either<Error, A>, what: string): A {
  if (result._tag === 'Right') return result.right
  throw new Error(`${what}: ${result.left.message}`, { cause: result.left })
}

/** The properties draw events that are to be stored; what refuses them is the codec, or the log. */
export function mustSucceed<E>({ index, command, result }: CommandOutcome<E>): void {
  must(result, `the log refuses command ${index}, ${command.type}, of the events that were drawn`)
}

/** What a projection answers; an error of the log that it throws is a Left. */
export async function answerOf<S>(run: () => Promise<Either<unknown, S>>): Promise<Either<unknown, S>> {
  try {
    return await run()
  } catch (error) {
    if (isLogError(error)) return left(error)
    const text = `the projection throws ${thrownText(error)}, which is no error of the log; it should answer Left`
    throw new Error(text, { cause: error })
  }
}

function isLogError(error: unknown): boolean {
  return error instanceof Error && 'code' in error && String(error.code).startsWith('CHRONICLE_')
}

/** The state on a log without damage, where there is nothing to answer Left to. */
export function stateOf<S>(answer: Either<unknown, S>, where: string): S {
  if (answer._tag === 'Right') return answer.right
  throw new Error(`the projection answers Left on ${where}: ${thrownText(answer.left)}`, { cause: answer.left })
}

export interface Comparison<S> {
  readonly equals: ((actual: S, expected: S) => boolean) | undefined
  readonly actual: S
  readonly expected: S
}

/** Fails with the whole story when the states differ. */
export async function mustEqual<S>(
  { equals, actual, expected }: Comparison<S>,
  story: { readonly title: string; readonly happened: readonly string[]; readonly log: ProjectedLog<never> }
): Promise<void> {
  if ((equals ?? isDeepStrictEqual)(actual, expected)) return
  const lines = [
    story.title,
    ...story.happened,
    'a replay of the log now:',
    ...(await replayLines(story.log)),
    `expected: ${fc.stringify(expected)}`,
    `answered: ${fc.stringify(actual)}`
  ]
  throw new Error(lines.join('\n'))
}

async function replayLines(log: ProjectedLog<never>): Promise<readonly string[]> {
  const lines: string[] = []
  for await (const element of log.replay()) lines.push(`  ${elementText(element)}`)
  return lines.length === 0 ? ['  (nothing)'] : lines
}

function elementText(element: Either<ReplayError, StoredEvent>): string {
  if (element._tag === 'Right') {
    const { offset, event } = element.right
    return `offset ${offset}: ${event.eventType} of ${event.aggregateId} ${fc.stringify(event.payload)}`
  }
  const error = element.left
  return error._tag === 'Corrupt' || error._tag === 'InvalidStored'
    ? `offset ${error.offset}: Left(${error._tag}: ${error.reason}) up to ${error.nextOffset}`
    : `Left(${error._tag}: ${error.message})`
}
