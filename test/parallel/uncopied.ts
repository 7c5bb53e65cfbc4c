// A fold whose state holds a function.

import { defineFold } from '../../src/parallel.ts'

export const fold = defineFold({
  initial: () => ({ call: () => 0 }),
  evolve: (state) => state,
  merge: (earlier) => earlier
})
