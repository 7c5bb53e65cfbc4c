// The file that keeps a reader's place (core/cursor.ts). A write spares the newest record and the one that was synced
// last, so that neither a kill nor a power cut in the middle of it takes more than the write itself.
//
// Invariant: a synced record is overwritten only when a later one has been synced.

import { right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import {
  cursorFileBytes,
  cursorName,
  cursorPositions,
  cursorVersion,
  decodeCursor,
  encodeCursor,
  type CursorFault,
  type CursorNote,
  type CursorRecord,
  type FoundCursor
} from '../core/cursor.ts'
import { BadCursor, UnsupportedVersion, type CursorError, type DiskError } from '../core/error.ts'
import type { CursorPlace } from '../port/cursor.ts'
import type { Disk, DiskFile, DiskLock } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'
import type { Durability } from '../port/store.ts'

export interface CursorFileOptions {
  readonly disk: Disk
  readonly slot: Slot
  /** The reader's folder. */
  readonly folder: string
  readonly logId: number
}

/** What the file says; undefined without a file. */
export function readCursor(disk: Disk, folder: string, logId: number): Either<CursorError, FoundCursor | undefined> {
  const path = `${folder}/${cursorName}`
  const opened = disk.open(path, 'read')
  if (opened._tag === 'Left') return opened.left.errno === 'ENOENT' ? right(undefined) : opened
  const bytes = Buffer.alloc(cursorFileBytes)
  const got = opened.right.readSync(bytes, 0)
  opened.right.close()
  if (got._tag === 'Left') return got
  const found = decodeCursor(bytes.subarray(0, got.right), logId)
  return found._tag === 'Left' ? { _tag: 'Left', left: faultError(path, found.left) } : found
}

function faultError(path: string, fault: CursorFault): BadCursor | UnsupportedVersion {
  if (fault.kind === 'version')
    return new UnsupportedVersion({ path, version: fault.version, supported: cursorVersion })
  return new BadCursor(path, fault.kind === 'damaged' ? 'no record verifies' : `it belongs to log ${fault.logId}`)
}

export class CursorFile implements CursorPlace {
  readonly stored: CursorRecord | undefined
  private readonly options: CursorFileOptions
  private readonly lock: DiskLock
  /** Undefined until there is a record. */
  private file: DiskFile | undefined
  /** The newest record's sequence, and where it stands. */
  private sequence = 0
  private newest = 0
  /** Where the newest record stands that was synced. */
  private synced = 0
  /** What a power cut may set the reader back to: the `certain` of the synced record, or less if a later one says so. */
  private floor = 0
  /** The save under way; it settles without a rejection. */
  private saving: Promise<unknown> = Promise.resolve()
  private closed = false

  private constructor(options: CursorFileOptions, lock: DiskLock, found: CursorRecord | undefined) {
    this.options = options
    this.lock = lock
    this.stored = found
    if (found === undefined) return
    this.floor = found.certain
  }

  /** Opens the place in a folder whose lock is held, and given back with the place. */
  static async open(options: CursorFileOptions, lock: DiskLock): Promise<Either<CursorError, CursorFile>> {
    const { disk, folder, logId } = options
    const found = readCursor(disk, folder, logId)
    if (found._tag === 'Left') return found
    const record = found.right?.record
    const place = new CursorFile(options, lock, record)
    // What is seen here must not vanish at the next power cut. An earlier sync may have failed, of the record or of its
    // name, and then the system may keep neither and say that it has; so both are made anew.
    const renewed = record === undefined ? right(undefined) : await place.put(record)
    return renewed._tag === 'Left' ? renewed : right(place)
  }

  save(note: CursorNote, durability: Durability): Promise<Either<DiskError, void>> {
    const saved = this.saving.then(() => this.saveNow(note, durability))
    this.saving = saved
    return saved
  }

  async close(): Promise<void> {
    await this.saving
    if (this.closed) return
    this.closed = true
    this.file?.close()
    this.lock.release()
  }

  private async saveNow(note: CursorNote, durability: Durability): Promise<Either<DiskError, void>> {
    assert(!this.closed, 'a reader saves nothing after it has closed its place')
    const { file } = this
    if (file === undefined) return this.create(note)
    this.floor = Math.min(this.floor, note.certain)
    const written = this.write(file, note)
    if (written._tag === 'Left' || durability === 'buffered') return written
    const place = this.newest
    const synced = await file.sync()
    if (synced._tag === 'Left') return synced
    this.synced = place
    this.floor = note.certain
    // Once more, for whoever reads the floor. Should this fail, the floor is known later.
    this.write(file, note)
    return right(undefined)
  }

  private write(file: DiskFile, note: CursorNote): Either<DiskError, void> {
    const place = cursorPositions.findIndex((_, index) => index !== this.newest && index !== this.synced)
    const record = this.recordOf(note)
    const written = file.writeSync(encodeCursor(record), cursorPositions[place] as number)
    if (written._tag === 'Left') return written
    this.sequence = record.sequence
    this.newest = place
    return written
  }

  private recordOf(note: CursorNote): CursorRecord {
    return { ...note, sequence: this.sequence + 1, floor: this.floor, logId: this.options.logId }
  }

  private create(note: CursorNote): Promise<Either<DiskError, void>> {
    this.floor = note.certain
    return this.put(this.recordOf(note))
  }

  /** Puts a file with this record in the place of what is there, as a whole: a file without a record would be damage. */
  private async put(record: CursorRecord): Promise<Either<DiskError, void>> {
    const { disk, slot, folder } = this.options
    const path = `${folder}/${cursorName}`
    const bytes = Buffer.alloc(cursorFileBytes)
    encodeCursor(record).copy(bytes)
    const saved = await slot.save(path, [bytes])
    const opened = saved._tag === 'Left' ? saved : disk.open(path, 'write')
    if (opened._tag === 'Left') return opened
    this.file = opened.right
    this.sequence = record.sequence
    return right(undefined)
  }
}
