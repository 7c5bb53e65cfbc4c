// The one place where an error value becomes a throw: for those who would rather await than match.

import type { Either } from 'fp-ts/lib/Either.js'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'

/**
 * Runs a TaskEither and rejects with its Left; or turns an iterable of Either into one of values that throws the
 * first Left and then ends.
 * @example
 * const receipt = await orThrow(log.append(event))
 * for await (const { event } of orThrow(log.replay())) console.log(event.eventType)
 */
export function orThrow<E, A>(task: TaskEither<E, A>): Promise<A>
export function orThrow<E, A>(items: AsyncIterable<Either<E, A>>): AsyncIterable<A>
export function orThrow<E, A>(source: TaskEither<E, A> | AsyncIterable<Either<E, A>>): Promise<A> | AsyncIterable<A> {
  return typeof source === 'function' ? run(source) : { [Symbol.asyncIterator]: () => valuesOf(source) }
}

async function run<E, A>(task: TaskEither<E, A>): Promise<A> {
  const result = await task()
  if (result._tag === 'Left') throw result.left as Error
  return result.right
}

function valuesOf<E, A>(items: AsyncIterable<Either<E, A>>): AsyncIterator<A> {
  const iterator = items[Symbol.asyncIterator]()
  // By hand, since an async generator doubles the cost of a step.
  const unwrap = (step: IteratorResult<Either<E, A>>): IteratorResult<A> | Promise<IteratorResult<A>> => {
    if (step.done === true) return { done: true, value: undefined }
    if (step.value._tag === 'Right') return { done: false, value: step.value.right }
    return release(iterator, step.value.left)
  }
  return {
    next: () => iterator.next().then(unwrap),
    return: async () => {
      await iterator.return?.()
      return { done: true, value: undefined }
    }
  }
}

async function release<E, A>(iterator: AsyncIterator<Either<E, A>>, error: E): Promise<never> {
  await iterator.return?.()
  throw error as Error
}
