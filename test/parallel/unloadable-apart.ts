// A module that cannot be loaded in a thread.

import { isMainThread } from 'node:worker_threads'
import { defineFold } from '../../src/parallel.ts'

if (!isMainThread) throw new RangeError('not in a thread')

export const fold = defineFold({ initial: () => 0, evolve: (count) => count + 1, merge: (earlier) => earlier })
