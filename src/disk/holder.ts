// Who holds a lock, as the lock's file tells it, and whether that process is provably gone. The kernel's locks need
// only the first half, to say who; a lock that is a mere file stands on the second.
//
// A process id alone proves nothing: ids are used again, and a container has ids of its own. So the record names the
// process by id and start time, within a pid namespace, within a boot, on a machine. Where any of these is unknown
// or not ours, nothing is proven and the holder counts as alive.

import { readFileSync, readlinkSync } from 'node:fs'
import { hostname } from 'node:os'

export interface Holder {
  readonly pid: number
  /** Since when, in ms since the epoch. */
  readonly sinceMs: number
  /** When the process started, in clock ticks after the boot: field 22 of /proc/<pid>/stat. */
  readonly start?: string | undefined
  /** The pid namespace in which `pid` counts. */
  readonly space?: string | undefined
  readonly boot?: string | undefined
  readonly machine?: string | undefined
  /** Unique among all takings of the lock. */
  readonly nonce?: string | undefined
}

/** The most bytes of a lock's file that are looked at; ours have some 200. */
export const holderBytesMax = 4_096

/** The latest time a Date can hold. */
const timeMax = 8.64e15

/** This process, as a holder. */
export function selfHolder(sinceMs: number, nonce?: string): Holder {
  const { pid } = process
  const { start } = processOf(pid)
  return { pid, sinceMs, start, space: pidSpace(), boot: bootId(), machine: machineId(), nonce }
}

export function encodeHolder(holder: Holder): Buffer {
  return Buffer.from(`${JSON.stringify(holder)}\n`)
}

/** What the bytes of a lock's file say; undefined when that is nothing sensible. */
export function decodeHolder(bytes: Uint8Array): Holder | undefined {
  let value: unknown
  try {
    value = JSON.parse(Buffer.from(bytes).toString('utf8'))
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  const fields = value as Partial<Record<keyof Holder, unknown>>
  const { pid, sinceMs } = fields
  if (typeof pid !== 'number' || !Number.isSafeInteger(pid) || pid <= 0) return undefined
  if (typeof sinceMs !== 'number' || !Number.isSafeInteger(sinceMs) || Math.abs(sinceMs) > timeMax) return undefined
  return {
    pid,
    sinceMs,
    start: text(fields.start),
    space: text(fields.space),
    boot: text(fields.boot),
    machine: text(fields.machine),
    nonce: text(fields.nonce)
  }
}

function text(value: unknown): string | undefined {
  return typeof value === 'string' && value.length <= 256 ? value : undefined
}

/** Whether the holder is provably gone, so that no call of its can still reach the disk. */
export function isGone(holder: Holder): boolean {
  const self = selfHolder(holder.sinceMs)
  if (holder.machine === undefined || holder.machine !== self.machine) return false
  if (holder.boot === undefined || self.boot === undefined) return false
  if (holder.boot !== self.boot) return true // the machine was started again since
  if (holder.space === undefined || holder.space !== self.space) return false
  if (!exists(holder.pid)) return true
  const found = processOf(holder.pid)
  if (found.start === undefined) return false
  return found.dead || (holder.start !== undefined && holder.start !== found.start)
}

/** Signal 0 tells more than /proc, which may hide the processes of other users. */
function exists(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return !(error instanceof Error && 'code' in error && error.code === 'ESRCH')
  }
}

interface FoundProcess {
  readonly start: string | undefined
  /** It has ended and waits for its parent to notice, and no thread of its is left inside a system call. */
  readonly dead: boolean
}

function processOf(pid: number): FoundProcess {
  const stat = readText(`/proc/${pid}/stat`)
  if (stat === undefined) return { start: undefined, dead: false }
  // The second field is the program's name in parentheses, which may itself hold spaces and parentheses.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ') // fields[0] is field 3
  const ended = fields[0] === 'Z' || fields[0] === 'X'
  return { start: fields[19], dead: ended && Number(fields[17]) <= 1 }
}

function pidSpace(): string | undefined {
  try {
    return readlinkSync('/proc/self/ns/pid')
  } catch {
    return undefined
  }
}

function bootId(): string | undefined {
  return readText('/proc/sys/kernel/random/boot_id')
}

function machineId(): string {
  return readText('/etc/machine-id') || hostname()
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8').trim()
  } catch {
    return undefined
  }
}
