// The note in a lock's file that says who holds it. With the kernel's locks it is a courtesy: what it says never
// decides, and whatever stands in it is tolerated, garbage, gigabytes or nothing.

import { constants, ftruncateSync, readSync, writeSync } from 'node:fs'
import type { Either } from 'fp-ts/lib/Either.js'
import { Locked, type DiskError } from '../core/error.ts'
import { attempt } from './fault.ts'
import { decodeHolder, encodeHolder, holderBytesMax, isGone, type Holder } from './holder.ts'
import { closeQuietly, openRegular } from './node-file.ts'

/** Says who holds the lock, or with undefined that nobody does. */
export function writeNote(path: string, descriptor: number, holder: Holder | undefined): Either<DiskError, void> {
  const bytes = holder === undefined ? Buffer.alloc(0) : encodeHolder(holder)
  return attempt({ operation: 'write', path }, () => {
    writeSync(descriptor, bytes, 0, bytes.length, 0)
    ftruncateSync(descriptor, bytes.length)
  })
}

/** Who the open file says, undefined when it says nothing sensible. */
export function readNote(path: string, descriptor: number): Holder | undefined {
  const bytes = Buffer.alloc(holderBytesMax)
  const count = attempt({ operation: 'read', path }, () => readSync(descriptor, bytes, 0, bytes.length, 0))
  return count._tag === 'Left' ? undefined : decodeHolder(bytes.subarray(0, count.right))
}

/** Who the file at `path` says; 'missing' without a file, undefined when it says nothing sensible. */
export function readNoteAt(path: string): Holder | 'missing' | undefined {
  const opened = openRegular(path, constants.O_RDONLY, 'lock')
  if (opened._tag === 'Left') return opened.left.errno === 'ENOENT' ? 'missing' : undefined
  const holder = readNote(path, opened.right)
  closeQuietly(opened.right)
  return holder
}

/** The error for a folder that `holder` has. A note may still name one that was killed: then better nobody. */
export function lockedBy(folder: string, holder: Holder | 'missing' | undefined): Locked {
  if (holder === undefined || holder === 'missing' || isGone(holder)) return new Locked({ path: folder })
  return new Locked({ path: folder, pid: holder.pid, sinceMs: holder.sinceMs })
}
