// An open file of the memory disk. It stays readable after its name is gone, and belongs to the disk it was opened
// on: after a crash it reaches the old disk only.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { DiskFile, OpenMode } from '../port/disk.ts'
import { failed } from './fault.ts'
import type { MemoryCalls } from './memory-calls.ts'
import type { MemoryFile } from './memory-file.ts'
import { assertPosition } from './position.ts'

export interface MemoryHandleParts {
  readonly path: string
  readonly mode: OpenMode
  readonly file: MemoryFile
  readonly calls: MemoryCalls
}

export class MemoryHandle implements DiskFile {
  readonly path: string
  readonly #mode: OpenMode
  readonly #file: MemoryFile
  readonly #calls: MemoryCalls
  /** Set once, by close. */
  #closed = false

  constructor(parts: MemoryHandleParts) {
    this.path = parts.path
    this.#mode = parts.mode
    this.#file = parts.file
    this.#calls = parts.calls
  }

  size(): Either<DiskError, number> {
    const what = { operation: 'stat', path: this.path } as const
    return this.#closed ? failed(what, 'EBADF') : this.#calls.now(what, { run: () => right(this.#file.bytes) })
  }

  readSync(target: Uint8Array, position: number): Either<DiskError, number> {
    const what = this.#what('read', target.length)
    assertPosition(position)
    if (this.#closed) return failed(what, 'EBADF')
    return this.#calls.now(what, { run: () => right(this.#file.read(target, position)) })
  }

  read(target: Uint8Array, position: number): Promise<Either<DiskError, number>> {
    const what = this.#what('read', target.length)
    assertPosition(position)
    if (this.#closed) return Promise.resolve(failed(what, 'EBADF'))
    return this.#calls.later(what, { run: () => right(this.#file.read(target, position)) })
  }

  writeSync(source: Uint8Array, position: number): Either<DiskError, void> {
    const what = this.#what('write', source.length)
    assertPosition(position)
    if (this.#closed || this.#mode === 'read') return failed(what, 'EBADF')
    const write = (bytes: number): void => {
      if (bytes === 0) return
      this.#file.write(source.subarray(0, bytes), position)
      this.#calls.lastWrite = { file: this.#file, bytes }
    }
    return this.#calls.now(what, { run: () => right(write(source.length)), fail: write })
  }

  truncate(bytes: number): Either<DiskError, void> {
    const what = this.#what('truncate', bytes)
    assertPosition(bytes)
    if (this.#closed || this.#mode === 'read') return failed(what, 'EBADF')
    return this.#calls.now(what, { run: () => right(this.#file.resize(bytes)) })
  }

  sync(): Promise<Either<DiskError, void>> {
    const what = { operation: 'sync', path: this.path } as const
    if (this.#closed) return Promise.resolve(failed(what, 'EBADF'))
    const { mark } = this.#file
    return this.#calls.later(what, {
      run: () => right(this.#file.synced(mark)),
      fail: () => this.#file.syncFailed(mark)
    })
  }

  close(): void {
    this.#closed = true
  }

  #what<Operation extends string>(operation: Operation, bytes: number): What<Operation> {
    return { operation, path: this.path, bytes }
  }
}

interface What<Operation> {
  readonly operation: Operation
  readonly path: string
  readonly bytes: number
}
