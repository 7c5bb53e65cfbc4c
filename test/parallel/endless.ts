// A fold that says when it is in a thread, and then stays there for ever.

import { isMainThread } from 'node:worker_threads'
import { defineFold } from '../../src/parallel.ts'

export const fold = defineFold({
  initial: () => 0,
  evolve: (count) => (isMainThread ? count + 1 : stay()),
  merge: (earlier) => earlier
})

function stay(): never {
  new BroadcastChannel('chronicle-endless').postMessage('here')
  for (;;);
}
