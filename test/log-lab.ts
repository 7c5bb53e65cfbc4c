// What the tests of the log share: logs on a memory disk with a clock and ids of their own, everything that a log
// answers as plain values, and folders as maps of bytes that a test can change and open again.

import { right } from 'fp-ts/lib/Either.js'
import { EventLog, orThrow } from '../src/index.ts'
import type { Clock, Entropy, Event, NewEvent, ReplayElement, StoredEvent } from '../src/index.ts'
import type { OpenOptions } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import type { MemoryHooks } from '../src/disk/memory-calls.ts'
import type { Disk, DiskFile } from '../src/port/disk.ts'

export const folder = '/log'

/** A clock that reads the times one after the other, again and again, and whose timers a test rings itself. */
export class LabClock implements Clock {
  readonly times: readonly number[]
  readonly tasks = new Set<() => void>()
  private readings = 0

  constructor(times: readonly number[] = [1_000]) {
    this.times = times
  }

  readonly nowMs = (): number => this.times[this.readings++ % this.times.length] ?? 0

  readonly every = (_periodMs: number, task: () => void): (() => void) => {
    this.tasks.add(task)
    return () => this.tasks.delete(task)
  }

  ring(): void {
    for (const task of this.tasks) task()
  }
}

/** Ids in a row, so that the bytes of a log depend on its appends alone. */
export function labEntropy(logId = 0x51ed_1e55): Entropy {
  let ids = 0
  return { u32: () => logId, eventId: () => `id-${++ids}` }
}

export type LabOptions = Omit<OpenOptions<Event>, 'codec'>

/** Opens the log in `/log` of the disk. */
export function openOn(disk: Disk, options: LabOptions = {}): Promise<EventLog> {
  return orThrow(EventLog.open(folder, { disk, clock: new LabClock(), entropy: labEntropy(), ...options }))
}

export interface Lab {
  readonly disk: MemoryDisk
  readonly log: EventLog
}

/** A new log on a new disk. */
export async function lab(options: LabOptions = {}): Promise<Lab> {
  const disk = new MemoryDisk()
  return { disk, log: await openOn(disk, options) }
}

export function deposit(aggregateId: string, cents: unknown = 1, more: Partial<NewEvent> = {}): NewEvent {
  return { aggregateId, eventType: 'Deposited', payload: { cents }, ...more }
}

export async function all<T>(items: AsyncIterable<T>): Promise<T[]> {
  const taken: T[] = []
  for await (const item of items) taken.push(item)
  return taken
}

/** Events as they are, errors by what a program can tell of them: fit to be compared. */
export function plain(element: ReplayElement<Event>): unknown {
  if (element._tag === 'Right') return element.right
  const { _tag } = element.left
  if (_tag !== 'Corrupt' && _tag !== 'InvalidStored') return { _tag }
  const { offset, nextOffset, reason } = element.left
  return { _tag, offset, nextOffset, reason }
}

export async function plainAll(items: AsyncIterable<ReplayElement<Event>>): Promise<unknown[]> {
  return (await all(items)).map(plain)
}

/** The events of an iteration that must be without an error. */
export function eventsOf(items: AsyncIterable<ReplayElement<Event>>): Promise<StoredEvent<Event>[]> {
  return all(orThrow(items))
}

export type Files = ReadonlyMap<string, Buffer>

/** The files of a folder by name; folders in it are left out. */
export function filesOf(disk: Disk, from = folder): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  const listed = disk.list(from)
  if (listed._tag === 'Left') throw listed.left
  for (const { name, kind } of [...listed.right].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    if (kind === 'file') files.set(name, bytesAt(disk, `${from}/${name}`))
  }
  return files
}

export function bytesAt(disk: Disk, path: string): Buffer {
  const file = disk.open(path, 'read')
  if (file._tag === 'Left') throw file.left
  const size = file.right.size()
  if (size._tag === 'Left') throw size.left
  const parts: Buffer[] = []
  // In pieces, since a size may be a lie.
  for (let position = 0; position < size.right;) {
    const part = Buffer.alloc(Math.min(size.right - position, 2 ** 20))
    const got = file.right.readSync(part, position)
    if (got._tag === 'Left') throw got.left
    if (got.right === 0) break
    parts.push(part.subarray(0, got.right))
    position += got.right
  }
  file.right.close()
  return Buffer.concat(parts)
}

/** A disk that holds these files in `/log`, all of them durable. */
export async function diskOf(files: Files, hooks: MemoryHooks = {}): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  await disk.makeFolder(folder)
  for (const [name, bytes] of files) await putFile(disk, name, bytes)
  await disk.syncFolder(folder)
  disk.arm(hooks)
  return disk
}

/** Puts a file in the place of what is there. */
export async function putFile(disk: Disk, name: string, bytes: Uint8Array): Promise<void> {
  const path = `${folder}/${name}`
  disk.remove(path)
  const file = disk.open(path, 'create')
  if (file._tag === 'Left') throw file.left
  const written = file.right.writeSync(bytes, 0)
  if (written._tag === 'Left') throw written.left
  await file.right.sync()
  file.right.close()
}

/** The names of the segments, or of the indexes, in order. */
export function namesOf(disk: Disk, extension: 'log' | 'idx'): string[] {
  return [...filesOf(disk).keys()].filter((name) => name.endsWith(`.${extension}`))
}

/** An event as it is read back: with its id, and without the fields that are undefined. */
export function recorded(event: NewEvent, eventId: string): Event {
  const kept = Object.entries({ ...event, eventId }).filter(([, value]) => value !== undefined)
  return Object.fromEntries(kept) as unknown as Event
}

/** A disk that knows which files are open. */
export class HandleDisk implements Disk {
  private readonly inner: Disk
  private readonly files = new Set<DiskFile>()

  constructor(inner: Disk) {
    this.inner = inner
  }

  /** The names of the files that are open, in order. */
  get handles(): readonly string[] {
    return [...this.files].map(({ path }) => path.slice(path.lastIndexOf('/') + 1)).sort()
  }

  readonly list: Disk['list'] = (path) => this.inner.list(path)
  readonly makeFolder: Disk['makeFolder'] = (path) => this.inner.makeFolder(path)
  readonly rename: Disk['rename'] = (source, target) => this.inner.rename(source, target)
  readonly remove: Disk['remove'] = (path) => this.inner.remove(path)
  readonly syncFolder: Disk['syncFolder'] = (path) => this.inner.syncFolder(path)
  readonly watch: Disk['watch'] = (path, changed) => this.inner.watch(path, changed)
  readonly lock: Disk['lock'] = (path) => this.inner.lock(path)

  readonly open: Disk['open'] = (path, mode) => {
    const opened = this.inner.open(path, mode)
    if (opened._tag === 'Left') return opened
    const file = opened.right
    const handle: DiskFile = {
      path,
      size: () => file.size(),
      readSync: (target, position) => file.readSync(target, position),
      read: (target, position) => file.read(target, position),
      writeSync: (source, position) => file.writeSync(source, position),
      truncate: (bytes) => file.truncate(bytes),
      sync: () => file.sync(),
      close: () => {
        this.files.delete(handle)
        file.close()
      }
    }
    this.files.add(handle)
    return right(handle)
  }
}

/** Lets everything run that is ready to. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}
