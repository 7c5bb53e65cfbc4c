// The caller's module, loaded: in the thread that hands out the work for `merge`, and in each that folds.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { FoldFailed } from '../core/read-error.ts'
import type { Fold } from '../replay/fold.ts'

export async function loadFold<S>(module: string): Promise<Either<FoldFailed, Fold<S>>> {
  try {
    const { fold } = (await import(module)) as { readonly fold?: Fold<S> | undefined }
    if (isFold(fold)) return right(fold)
    const reason =
      fold === undefined ? 'it exports nothing under the name fold' : 'its fold lacks initial, evolve or merge'
    return left(new FoldFailed({ module, step: 'load' }, new TypeError(reason)))
  } catch (error) {
    return left(new FoldFailed({ module, step: 'load' }, error))
  }
}

function isFold<S>(fold: unknown): fold is Fold<S> {
  if (typeof fold !== 'object' || fold === null) return false
  const { initial, evolve, merge } = fold as Partial<Fold<S>>
  return typeof initial === 'function' && typeof evolve === 'function' && typeof merge === 'function'
}
