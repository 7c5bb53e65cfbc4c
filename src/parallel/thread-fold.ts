// A thread that folds, seen from the one that hands out the work. However a thread ends, the question that it has is
// answered, and so is every later one.

import { Worker } from 'node:worker_threads'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { FoldFailed } from '../core/read-error.ts'
import type { FoldWorker, Piece } from '../replay/fold.ts'
import type { Answer, Question, ThreadData } from './message.ts'
import { unpackError, type ThreadError } from './parcel.ts'

/** Beside this file, with the same ending: compiled, or from source with a loader for TypeScript. */
const entry: URL = new URL(import.meta.url.endsWith('.ts') ? './thread.ts' : './thread.js', import.meta.url)

export class ThreadFold<S> implements FoldWorker<S, ThreadError> {
  private readonly worker: Worker
  private readonly module: string
  /** Resolves when the thread is no more. */
  readonly gone: Promise<void>
  /** Why every further question is answered by this. */
  private lost: FoldFailed | undefined
  /** Takes the answer to the question that the thread has. */
  private settle: ((answer: Either<ThreadError, Answer>) => void) | undefined

  constructor(data: ThreadData, execArgv: readonly string[] | undefined) {
    this.module = data.module
    this.worker = new Worker(entry, { workerData: data, ...(execArgv !== undefined && { execArgv: [...execArgv] }) })
    this.worker.on('message', (answer: Answer) =>
      this.answer(answer.answer === 'failed' ? left(unpackError(answer.parcel)) : right(answer))
    )
    this.worker.on('messageerror', (error) => this.answer(left(this.failure('copy', error))))
    this.worker.on('error', (error) => this.lose(error))
    this.gone = new Promise((resolve) => {
      this.worker.on('exit', (code) => {
        this.lose(new Error(`the thread ended with code ${code}`))
        resolve()
      })
    })
  }

  async fold(piece: Piece): Promise<Either<ThreadError, void>> {
    const answer = await this.ask({ ask: 'fold', piece })
    return answer._tag === 'Left' ? answer : right(undefined)
  }

  async take(): Promise<Either<ThreadError, S>> {
    const answer = await this.ask({ ask: 'take' })
    if (answer._tag === 'Left') return answer
    return right((answer.right as Extract<Answer, { answer: 'state' }>).state as S)
  }

  /** Lets the thread end by itself, so that what watches it, a profile for instance, is written. Resolves when it has. */
  end(): Promise<void> {
    this.worker.postMessage({ ask: 'end' } satisfies Question)
    return this.gone
  }

  /** Ends the thread wherever it is. */
  stop(): void {
    void this.worker.terminate()
  }

  private ask(question: Question): Promise<Either<ThreadError, Answer>> {
    if (this.lost !== undefined) return Promise.resolve(left(this.lost))
    return new Promise((resolve) => {
      this.settle = resolve
      this.worker.postMessage(question)
    })
  }

  private answer(answer: Either<ThreadError, Answer>): void {
    const { settle } = this
    this.settle = undefined
    settle?.(answer)
  }

  /** The first reason is the right one: `exit` follows on every other. */
  private lose(cause: unknown): void {
    this.lost ??= this.failure('thread', cause)
    this.answer(left(this.lost))
  }

  private failure(step: 'copy' | 'thread', cause: unknown): FoldFailed {
    return new FoldFailed({ module: this.module, step }, cause)
  }
}
