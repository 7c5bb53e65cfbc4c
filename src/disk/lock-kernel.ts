// The kernel's locks on the file LOCK. The file is made once and never removed: were it, a process that waits for
// the old file and one that opens the new one would both hold "the" lock. It tells who holds it, as JSON, which is a
// courtesy: what it says is never what decides, and whatever stands in it is tolerated.
//
// flock(2) is not in Node. But a lock belongs to the open file description, not to a process, and a child shares the
// descriptions it inherits: so the `flock` program locks our file as its descriptor 3 and exits, and the lock stays
// with us. libuv opens with O_CLOEXEC, so no other child keeps it alive behind our back.
//
// The macOS, BSD and Windows flags come from their headers and have not been tried.

import { spawn } from 'node:child_process'
import { constants, fstatSync, statSync } from 'node:fs'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError, Locked } from '../core/error.ts'
import type { DiskLock } from '../port/disk.ts'
import { attempt, errnoOf, failed } from './fault.ts'
import { selfHolder } from './holder.ts'
import { fileHolder } from './lock-file.ts'
import { lockedBy, readNote, readNoteAt, writeNote } from './lock-note.ts'
import { closeQuietly, openRegular } from './node-file.ts'

type Outcome = Either<Locked | DiskError, DiskLock>

/** How often LOCK may be replaced under our hands, by someone who cleans up, before that is an error. */
const attemptsMax = 5

/** O_EXLOCK, and O_NONBLOCK where it must be added, by platform. On Windows libuv's own flag, which never waits. */
const exclusiveFlags: Partial<Record<NodeJS.Platform, number>> = {
  darwin: 0x20 | 0x4,
  freebsd: 0x20 | 0x4,
  openbsd: 0x20 | 0x4,
  win32: 0x1000_0000
}

/** Takes the kernel's lock; 'unsupported' when there is no way to ask for it. */
export async function lockByKernel(
  folder: string,
  sinceMs: number,
  flockProgram: string
): Promise<Outcome | 'unsupported'> {
  for (let attempts = 0; attempts < attemptsMax; attempts++) {
    const taken = await takeOnce(folder, flockProgram)
    if (taken === 'unsupported' || taken._tag === 'Left') return taken
    if (isStillAt(`${folder}/LOCK`, taken.right.descriptor)) return settle(folder, sinceMs, taken.right)
    closeQuietly(taken.right.descriptor)
  }
  return failed({ operation: 'lock', path: folder }, 'ESTALE', new Error('LOCK was replaced again and again'))
}

interface Taken {
  readonly kind: 'flock' | 'exlock'
  readonly descriptor: number
}

async function takeOnce(
  folder: string,
  flockProgram: string
): Promise<Either<Locked | DiskError, Taken> | 'unsupported'> {
  const path = `${folder}/LOCK`
  const exclusive = exclusiveFlags[process.platform]
  const opened = openRegular(path, constants.O_RDWR | constants.O_CREAT | (exclusive ?? 0), 'lock')
  if (exclusive !== undefined) {
    if (opened._tag === 'Right') return right({ kind: 'exlock', descriptor: opened.right })
    return ['EAGAIN', 'EBUSY'].includes(opened.left.errno) ? left(lockedBy(folder, readNoteAt(path))) : opened
  }
  if (opened._tag === 'Left') return opened
  const descriptor = opened.right
  const answer = await runFlock(flockProgram, descriptor)
  if (answer === 'taken') return right({ kind: 'flock', descriptor })
  const holder = readNote(path, descriptor)
  closeQuietly(descriptor)
  if (answer === 'missing') return 'unsupported'
  return answer === 'held' ? left(lockedBy(folder, holder)) : failed({ operation: 'lock', path }, answer.errno, answer)
}

/** An error of the child, or of starting it. */
class FlockFailed extends Error {
  readonly errno: string
  constructor(message: string, errno: string, cause?: unknown) {
    super(message, { cause })
    this.errno = errno
  }
}

function runFlock(program: string, descriptor: number): Promise<'taken' | 'held' | 'missing' | FlockFailed> {
  return new Promise((resolve) => {
    const fail = (error: unknown): void => {
      const errno = errnoOf(error)
      // ERR_ACCESS_DENIED: Node's permission model forbids children.
      const missing = errno === 'ENOENT' || errno === 'EACCES' || errno === 'ERR_ACCESS_DENIED'
      resolve(missing ? 'missing' : new FlockFailed('the flock program could not be started', errno, error))
    }
    try {
      // An environment and a folder of its own: a preloaded library or a deleted working folder must not matter.
      const child = spawn(program, ['-n', '-x', '3'], {
        cwd: '/',
        env: { PATH: [process.env['PATH'], '/usr/bin', '/bin'].filter(Boolean).join(':') },
        stdio: ['ignore', 'ignore', 'ignore', descriptor]
      })
      child.once('error', fail)
      child.once('exit', (code, signal) => {
        if (code === 0) return resolve('taken')
        if (code === 1) return resolve('held')
        resolve(new FlockFailed(`the flock program ended with ${code ?? signal}`, code === null ? 'EINTR' : 'ENOLCK'))
      })
    } catch (error) {
      fail(error)
    }
  })
}

/** Whether `path` still names the file we hold: somebody may have removed it while we waited. */
function isStillAt(path: string, descriptor: number): boolean {
  const same = attempt({ operation: 'stat', path }, () => {
    const ours = fstatSync(descriptor, { bigint: true })
    const named = statSync(path, { bigint: true })
    return ours.dev === named.dev && ours.ino === named.ino
  })
  return same._tag === 'Right' && same.right
}

/**
 * We hold the kernel's lock. A process that could not ask for it, since it sees no flock program, may hold the lock
 * that is a file: both sides write who they are first and look for the other then, so at least one sees the other.
 */
function settle(folder: string, sinceMs: number, { kind, descriptor }: Taken): Outcome {
  const path = `${folder}/LOCK`
  // On a full disk it stays unsaid who holds the lock; it holds all the same.
  writeNote(path, descriptor, selfHolder(sinceMs))
  const release = (): void => {
    writeNote(path, descriptor, undefined)
    closeQuietly(descriptor)
  }
  const other = fileHolder(folder)
  if (other === undefined) return right({ kind, release })
  release()
  return left(lockedBy(folder, other === 'unknown' ? undefined : other))
}
