// What runs in a thread: it opens the log for itself, loads the caller's module, and folds what it is told to.
// What goes wrong here is answered to the first question that it concerns; what nobody catches ends the thread, which
// the other side sees.

import { parentPort, workerData } from 'node:worker_threads'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { FoldFailed } from '../core/read-error.ts'
import type { Store } from '../port/store.ts'
import { LocalFold } from '../replay/fold.ts'
import type { Answer, Question, ThreadData } from './message.ts'
import { loadFold } from './module.ts'
import { packError, type ThreadError } from './parcel.ts'
import { openReading } from './reading.ts'

const { folder, module, query } = workerData as ThreadData
const port = parentPort
assert(port !== null, 'this module is the beginning of a thread')

interface Prepared {
  readonly store: Store
  readonly fold: LocalFold<unknown>
}

async function prepare(): Promise<Either<ThreadError, Prepared>> {
  const fold = await loadFold<unknown>(module)
  if (fold._tag === 'Left') return fold
  const store = await openReading(folder)
  if (store._tag === 'Left') return store
  const source = { store: store.right, fold: fold.right, module, query }
  return right({ store: store.right, fold: new LocalFold(source) })
}

const prepared = prepare()

async function answerTo(question: Exclude<Question, { ask: 'end' }>): Promise<Either<ThreadError, Answer>> {
  const ready = await prepared
  if (ready._tag === 'Left') return ready
  const { fold } = ready.right
  if (question.ask === 'fold') {
    const folded = await fold.fold(question.piece)
    return folded._tag === 'Left' ? folded : right({ answer: 'folded' })
  }
  const state = await fold.take()
  return state._tag === 'Left' ? state : right({ answer: 'state', state: state.right })
}

function send(answer: Either<ThreadError, Answer>): void {
  try {
    port?.postMessage(answer._tag === 'Right' ? answer.right : { answer: 'failed', parcel: packError(answer.left) })
  } catch (error) {
    // Only a state can be what does not clone.
    send(left(new FoldFailed({ module, step: 'copy' }, error)))
  }
}

async function end(): Promise<void> {
  const ready = await prepared
  if (ready._tag === 'Right') await ready.right.store.close()
  // The caller's module may have left something running, which is no reason to stay.
  process.exit(0)
}

port.on('message', (question: Question) => {
  if (question.ask === 'end') void end()
  else void answerTo(question).then(send)
})
