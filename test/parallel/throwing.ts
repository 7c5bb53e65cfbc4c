// A fold that throws at the first event it sees.

import { defineFold } from '../../src/parallel.ts'

export const fold = defineFold({
  initial: () => 0,
  evolve: () => {
    throw new RangeError('no more')
  },
  merge: (earlier) => earlier
})
