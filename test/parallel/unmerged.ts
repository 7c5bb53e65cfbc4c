// A fold whose states cannot be merged.

import { defineFold } from '../../src/parallel.ts'

export const fold = defineFold({
  initial: () => 0,
  evolve: (count) => count + 1,
  merge: () => {
    throw new RangeError('these do not go together')
  }
})
