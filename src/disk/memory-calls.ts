// What a test sees of the calls to a memory disk, and where it lets them fail, wait or stop the world.

import type { Either } from 'fp-ts/lib/Either.js'
import type { DiskError, Locked } from '../core/error.ts'
import { failed } from './fault.ts'
import type { MemoryFile } from './memory-file.ts'

/** What a call asks of the disk. */
export type MemoryOperation =
  | 'list'
  | 'make folder'
  | 'open'
  | 'rename'
  | 'remove'
  | 'sync folder'
  | 'lock'
  | 'stat'
  | 'read'
  | 'write'
  | 'truncate'
  | 'sync'

/** One call to the disk, as hooks see it. */
export interface MemoryCall {
  /** Counts the calls of this disk, from 0. */
  readonly index: number
  readonly operation: MemoryOperation
  readonly path: string
  /** How many bytes are to be read or written, or the length to truncate to. */
  readonly bytes?: number | undefined
}

/** An errno to fail with; for a write also how many bytes are written before that. */
export type MemoryFault = string | { readonly errno: string; readonly writtenBytes: number }

/** What a test hangs into the calls of a memory disk. */
export interface MemoryHooks {
  /** Answers what the call shall fail with, or undefined. */
  readonly fault?: ((call: MemoryCall) => MemoryFault | undefined) | undefined
  /** Told after the effect of each call, before it returns: a test takes its crash here. */
  readonly calls?: ((call: MemoryCall, error: DiskError | Locked | undefined) => void) | undefined
  /** Asynchronous calls wait for this before they take effect; a test holds a sync open with it. */
  readonly gate?: ((call: MemoryCall) => Promise<void>) | undefined
}

type What = Omit<MemoryCall, 'index'>
type Outcome<A> = Either<DiskError | Locked, A>

/** The two ways a call can go. `fail` does what a failed call leaves behind. */
export interface Courses<R> {
  readonly run: () => R
  readonly fail?: ((writtenBytes: number) => void) | undefined
}

interface Watch {
  readonly folder: string
  readonly changed: () => void
  /** Whether a call of `changed` is under way. */
  told: boolean
}

const changing: ReadonlySet<MemoryOperation> = new Set(['write', 'truncate', 'rename', 'remove'])

export class MemoryCalls {
  hooks: MemoryHooks
  /** The write that was the last call, set by the file's handle: the one a kill may have come into. */
  lastWrite: { readonly file: MemoryFile; readonly bytes: number } | undefined
  /** Index of the next call. */
  #next = 0
  readonly #counts = new Map<MemoryOperation, number>()
  /** Who wants to be told of changes: of which folder, and how. */
  readonly #watches = new Set<Watch>()

  constructor(hooks: MemoryHooks) {
    this.hooks = hooks
  }

  /** How many calls of each operation there were, failed ones included. */
  get counts(): ReadonlyMap<MemoryOperation, number> {
    return this.#counts
  }

  /** Tells, once the call under way has returned, of changes to the files of a folder; until the answer is called. */
  watch(folder: string, changed: () => void): () => void {
    const watch = { folder, changed, told: false }
    this.#watches.add(watch)
    return () => this.#watches.delete(watch)
  }

  /** A synchronous call. */
  now<R extends Outcome<unknown>>(what: What, courses: Courses<R>): R | Either<DiskError, never> {
    return this.#finish(this.#begin(what), courses)
  }

  /** An asynchronous call: its effect comes after the gate, and never before this returns. */
  async later<R extends Outcome<unknown>>(what: What, courses: Courses<R>): Promise<R | Either<DiskError, never>> {
    const call = this.#begin(what)
    await this.hooks.gate?.(call)
    return this.#finish(call, courses)
  }

  #begin(what: What): MemoryCall {
    this.lastWrite = undefined
    this.#counts.set(what.operation, (this.#counts.get(what.operation) ?? 0) + 1)
    return { index: this.#next++, ...what }
  }

  #finish<R extends Outcome<unknown>>(call: MemoryCall, courses: Courses<R>): R | Either<DiskError, never> {
    const fault = this.hooks.fault?.(call)
    if (fault !== undefined) courses.fail?.(typeof fault === 'string' ? 0 : fault.writtenBytes)
    const result = fault === undefined ? courses.run() : failed(call, typeof fault === 'string' ? fault : fault.errno)
    this.hooks.calls?.(call, result._tag === 'Left' ? result.left : undefined)
    if (this.#watches.size > 0 && changing.has(call.operation)) this.#tell(call.path)
    return result
  }

  #tell(path: string): void {
    for (const watch of this.#watches) {
      if (watch.told || !path.startsWith(`${watch.folder}/`)) continue
      watch.told = true
      queueMicrotask(() => {
        watch.told = false
        if (this.#watches.has(watch)) watch.changed()
      })
    }
  }
}
