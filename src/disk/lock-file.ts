// The lock that is a file, for systems on which the kernel cannot be asked. A holder that was killed leaves its file
// behind, so somebody must replace it, and several may try at once. The danger: A and B read the same dead holder; A
// replaces it; B, late, removes what is now A's. Comparing and then removing cannot be made one step. Hence:
//
//   LOCK.pid                 the root: made by link(2), so exactly one of many wins
//   LOCK.pid.after-<nonce>   the heir of the holder with that nonce, made by link(2), so a holder has one heir
//
// Every taking has a nonce of its own. The holder of the lock is the end of the chain root → heir → heir. Who finds
// the end provably gone links itself behind it, and looks again: only if the root still leads to it, it has the lock.
// It then puts itself in the root's place by rename(2), and removes the heirs' files.
//
// Why the second look suffices. Say it begins at root s and ends at us. Only the heir of s (or of s's dead heirs) that
// passed its own second look could have replaced the root. Its file stood under the name that we have linked, so it
// had removed that before we could link it, and it removes only after its rename: the root would not be s any more.
// Nonces are never used again, so the root cannot become s once more. After our second look nobody but us may pass
// theirs, since our file occupies the one name behind the end, and we are alive. Who fails it removes its own file,
// which the root does not lead to. Release removes the root, which is ours: everyone else begins anew.

import { randomUUID } from 'node:crypto'
import { closeSync, constants, fsyncSync, linkSync, openSync, readdirSync, renameSync, unlinkSync } from 'node:fs'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError, Locked } from '../core/error.ts'
import type { DiskLock } from '../port/disk.ts'
import { attempt, failed, type Attempt } from './fault.ts'
import { isGone, selfHolder, type Holder } from './holder.ts'
import { lockedBy, readNoteAt, writeNote } from './lock-note.ts'

type Outcome = Either<Locked | DiskError, DiskLock>

const rootName = 'LOCK.pid'

/** How often the chain may change between two looks, which takes another process that does something each time. */
const attemptsMax = 50

/** The longest chain that is followed; each link is a process that was killed between two system calls. */
const chainMax = 100

/** Takes the lock that is a file. */
export function lockByFile(folder: string, sinceMs: number): Outcome {
  const what = { operation: 'lock', path: folder }
  const self = selfHolder(sinceMs, randomUUID())
  const own = `${folder}/${rootName}.${self.nonce}`
  const published = attempt(what, () => publish(own, self))
  if (published._tag === 'Left') return published
  try {
    return take(folder, self, own)
  } finally {
    attempt(what, () => unlinkSync(own))
  }
}

/** The note is on disk before it has a name that counts: an empty root after a power cut could never be judged. */
function publish(path: string, self: Holder): void {
  const descriptor = openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL, 0o666)
  try {
    const written = writeNote(path, descriptor, self)
    if (written._tag === 'Left') throw written.left.cause
    fsyncSync(descriptor)
  } finally {
    closeSync(descriptor)
  }
}

function take(folder: string, self: Holder, own: string): Outcome {
  const what = { operation: 'lock', path: folder }
  for (let attempts = 0; attempts < attemptsMax; attempts++) {
    const chain = readChain(folder)
    const last = chain.at(-1)
    if (last !== undefined && (last === 'unknown' || !isGone(last))) return left(lockedBy(folder, known(last)))
    const claim = last === undefined ? `${folder}/${rootName}` : heirPath(folder, last)
    const linked = attempt(what, () => linkSync(own, claim))
    if (linked._tag === 'Left' && linked.left.errno !== 'EEXIST') return linked
    if (linked._tag === 'Left') continue
    if (last === undefined) return settle(folder, self)
    if (endsWith(readChain(folder), self)) return succeed(folder, self, { own, claim })
    attempt(what, () => unlinkSync(claim))
  }
  return failed(what, 'EAGAIN', new Error('the chain of holders changed again and again'))
}

function known(holder: Holder | 'unknown'): Holder | undefined {
  return holder === 'unknown' ? undefined : holder
}

function endsWith(chain: readonly (Holder | 'unknown')[], self: Holder): boolean {
  const last = chain.at(-1)
  return last !== undefined && last !== 'unknown' && last.nonce === self.nonce
}

/** The holders from the root on. A file that says nothing sensible ends the chain: it may belong to a live holder. */
function readChain(folder: string): readonly (Holder | 'unknown')[] {
  const chain: (Holder | 'unknown')[] = []
  let path = `${folder}/${rootName}`
  while (chain.length < chainMax) {
    const holder = readNoteAt(path)
    if (holder === 'missing') return chain
    if (holder?.nonce === undefined) return [...chain, 'unknown']
    chain.push(holder)
    path = heirPath(folder, holder)
  }
  return [...chain, 'unknown']
}

function heirPath(folder: string, holder: Holder): string {
  return `${folder}/${rootName}.after-${(holder.nonce ?? '').replaceAll(/[^\w-]/g, '')}`
}

/** We are the end of the chain and alive, so nobody else moves the root: we become it. */
function succeed(folder: string, self: Holder, files: { readonly own: string; readonly claim: string }): Outcome {
  const what = { operation: 'lock', path: folder }
  const moved = attempt(what, () => renameSync(files.own, `${folder}/${rootName}`))
  if (moved._tag === 'Right') return settle(folder, self)
  attempt(what, () => unlinkSync(files.claim))
  return moved
}

/** The root is ours. A process that sees a flock program may hold the kernel's lock; see lock-kernel.ts. */
function settle(folder: string, self: Holder): Outcome {
  const what: Attempt = { operation: 'lock', path: folder }
  const release = (): void => {
    attempt(what, () => unlinkSync(`${folder}/${rootName}`))
  }
  const kernel = readNoteAt(`${folder}/LOCK`)
  if (kernel !== undefined && kernel !== 'missing' && !isGone(kernel)) {
    release()
    return left(lockedBy(folder, kernel))
  }
  sweep(folder, self)
  return right({ kind: 'file', release })
}

/** Removes what others left behind: no such file leads to the lock any more, so its maker, if alive, backs off. */
function sweep(folder: string, self: Holder): void {
  const what = { operation: 'lock', path: folder }
  const heir = heirPath(folder, self)
  const names = attempt(what, () => readdirSync(folder))
  if (names._tag === 'Left') return
  for (const name of names.right) {
    const path = `${folder}/${name}`
    if (name.startsWith(`${rootName}.after-`) && path !== heir) attempt(what, () => unlinkSync(path))
  }
}

/** Who holds the lock that is a file: 'unknown' when its file says nothing sensible, undefined when nobody does. */
export function fileHolder(folder: string): Holder | 'unknown' | undefined {
  const last = readChain(folder).at(-1)
  return last !== undefined && last !== 'unknown' && isGone(last) ? undefined : last
}
