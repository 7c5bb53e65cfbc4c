// A fold that ends its thread.

import { isMainThread } from 'node:worker_threads'
import { defineFold } from '../../src/parallel.ts'

export const fold = defineFold({
  initial: () => 0,
  evolve: (count) => (isMainThread ? count + 1 : process.exit(3)),
  merge: (earlier) => earlier
})
