// An open file of the operating system. Two things need care here. A closed descriptor's number is given to the next
// file that is opened, so no call may reach a descriptor after its close: each call asks first, and the close waits
// for the asynchronous calls under way. And a short count is not an error to Node: every transfer goes on from where
// it stopped, and the repeated call brings the errno that the short one hid.

import { closeSync, constants, fdatasync, fstatSync, ftruncateSync, lstatSync, openSync } from 'node:fs'
import { read, readSync, writeSync } from 'node:fs'
import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { DiskFile, OpenMode } from '../port/disk.ts'
import { attempt, errnoOf, failed } from './fault.ts'
import { assertPosition } from './position.ts'

/** How often in a row a call may be interrupted (EINTR, EAGAIN) without progress before that counts as a failure. */
const interruptionsMax = 100

// Undefined where the system has no such flag, whatever the types say. O_NONBLOCK: opening a pipe must not hang.
const guardFlags: number = ((constants.O_NOFOLLOW as number | undefined) ?? 0) | (constants.O_NONBLOCK ?? 0)

/** The descriptor of the regular file at `path`, or why there is none. The caller closes it. */
export function openRegular(path: string, flags: number, operation: string): Either<DiskError, number> {
  const what = { operation, path }
  if (process.platform === 'win32' && isLink(path)) return failed(what, 'ELOOP')
  const descriptor = attempt(what, () => openSync(path, flags | guardFlags, 0o666))
  if (descriptor._tag === 'Left') return descriptor
  const stats = attempt(what, () => fstatSync(descriptor.right))
  if (stats._tag === 'Right' && stats.right.isFile()) return descriptor
  closeQuietly(descriptor.right)
  if (stats._tag === 'Left') return stats
  return stats.right.isDirectory() ? failed(what, 'EISDIR') : failed(what, 'ENXIO', new Error('not a regular file'))
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() ?? false
}

export class NodeFile implements DiskFile {
  readonly path: string
  readonly #descriptor: number
  readonly #mode: OpenMode
  /** Set once, by close: no further call reaches the descriptor. */
  #closed = false
  /** Asynchronous calls under way; the descriptor is closed when the file is and this is 0. */
  #busy = 0

  /** Takes over `descriptor`, which close() closes. */
  constructor(path: string, descriptor: number, mode: OpenMode) {
    this.path = path
    this.#descriptor = descriptor
    this.#mode = mode
  }

  size(): Either<DiskError, number> {
    const what = { operation: 'stat', path: this.path }
    return this.#closed ? failed(what, 'EBADF') : attempt(what, () => fstatSync(this.#descriptor).size)
  }

  readSync(target: Uint8Array, position: number): Either<DiskError, number> {
    const what = { operation: 'read', path: this.path }
    assertPosition(position)
    if (this.#closed) return failed(what, 'EBADF')
    return attempt(what, () => {
      let done = 0
      while (done < target.length) {
        const count = repeat(() => readSync(this.#descriptor, target, done, target.length - done, position + done))
        if (count === 0) break
        done += count
      }
      return done
    })
  }

  read(target: Uint8Array, position: number): Promise<Either<DiskError, number>> {
    const what = { operation: 'read', path: this.path }
    assertPosition(position)
    if (this.#closed) return Promise.resolve(failed(what, 'EBADF'))
    this.#busy++
    return new Promise((resolve) => {
      const settle = (result: Either<DiskError, number>): void => {
        this.#finish()
        resolve(result)
      }
      const step = (done: number, interruptions: number): void => {
        if (done === target.length) return settle(right(done))
        read(this.#descriptor, target, done, target.length - done, position + done, (error, count) => {
          if (error === null) return count === 0 ? settle(right(done)) : step(done + count, 0)
          if (isInterruption(error) && interruptions < interruptionsMax) return step(done, interruptions + 1)
          settle(failed(what, errnoOf(error), error))
        })
      }
      try {
        step(0, 0)
      } catch (error) {
        settle(failed(what, errnoOf(error), error))
      }
    })
  }

  writeSync(source: Uint8Array, position: number): Either<DiskError, void> {
    const what = { operation: 'write', path: this.path }
    assertPosition(position)
    if (this.#closed || this.#mode === 'read') return failed(what, 'EBADF')
    let done = 0
    while (done < source.length) {
      const count = attempt(what, () =>
        repeat(() => writeSync(this.#descriptor, source, done, source.length - done, position + done))
      )
      if (count._tag === 'Left') return count
      // No progress and no error: the system took nothing, for which there is no other reason than room.
      if (count.right === 0) return failed(what, 'ENOSPC')
      done += count.right
    }
    return right(undefined)
  }

  truncate(bytes: number): Either<DiskError, void> {
    const what = { operation: 'truncate', path: this.path }
    assertPosition(bytes)
    if (this.#closed || this.#mode === 'read') return failed(what, 'EBADF')
    return attempt(what, () => ftruncateSync(this.#descriptor, bytes))
  }

  sync(): Promise<Either<DiskError, void>> {
    const what = { operation: 'sync', path: this.path }
    if (this.#closed) return Promise.resolve(failed(what, 'EBADF'))
    this.#busy++
    return new Promise((resolve) => {
      fdatasync(this.#descriptor, (error) => {
        this.#finish()
        resolve(error === null ? right(undefined) : failed(what, errnoOf(error), error))
      })
    })
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    if (this.#busy === 0) closeQuietly(this.#descriptor)
  }

  #finish(): void {
    this.#busy--
    if (this.#closed && this.#busy === 0) closeQuietly(this.#descriptor)
  }
}

/** Closes a descriptor. An error is of no use: Linux has freed the number all the same, and what counts was synced. */
export function closeQuietly(descriptor: number): void {
  try {
    closeSync(descriptor)
  } catch {
    // See above.
  }
}

function isInterruption(error: unknown): boolean {
  const errno = errnoOf(error)
  return errno === 'EINTR' || errno === 'EAGAIN'
}

/** Repeats a call that a signal interrupted; libuv does so itself for all calls but read. */
function repeat(call: () => number): number {
  for (let interruptions = 0; ; interruptions++) {
    try {
      return call()
    } catch (error) {
      if (!isInterruption(error) || interruptions >= interruptionsMax) throw error
    }
  }
}
