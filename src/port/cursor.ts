// Where readers keep their places: one record per name, which at most one process at a time may open.
//
// Contract
// - A name has been checked (readerNameFault) before it comes here.
// - `save` replaces the record as a whole: whatever happens in between, the old one or the new one is there. 'buffered':
//   it survives a crash of the process. 'synced': it survives a power cut, which may set back what is newer to it, but
//   nothing beyond.
// - A place belongs to whoever has opened it until he closes it, or his process ends, however it ends.
// - The list takes no lock and disturbs nobody.

import type { Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import type { CursorNote, CursorRecord } from '../core/cursor.ts'
import type { CursorError, DiskError, Locked } from '../core/error.ts'
import type { Durability } from './store.ts'

/** A registered reader, as its record says. */
export interface KnownReader {
  readonly name: string
  /** What it has committed: everything before this offset is handled. */
  readonly cursor: Offset
  /** It will never ask for anything before this offset again, not after a power cut either: what retention may go by. */
  readonly floor: Offset
  /** When it was last known to be alive, in ms since the epoch. */
  readonly heartbeatMs: number
  /** How often it says so while it is open, in ms. */
  readonly heartbeatEveryMs: number
  /** The process that has it open, or had when it was killed; undefined when it was closed. */
  readonly pid: number | undefined
  readonly error: undefined
}

/** A registered reader whose record cannot be read: it may still need every event. */
export interface UnreadableReader {
  readonly name: string
  readonly error: CursorError
}

export type ReaderStatus = KnownReader | UnreadableReader

export interface Cursors {
  /** Every registered reader, by name. */
  list(): Promise<Either<DiskError, readonly ReaderStatus[]>>
  /** Opens the place of a name, and makes it where there is none. */
  open(name: string): Promise<Either<Locked | CursorError, CursorPlace>>
  /** Forgets the name and its record, readable or not; fine if there is no such reader. */
  remove(name: string): Promise<Either<Locked | DiskError, void>>
}

export interface CursorPlace {
  /** What stood there when it was opened; undefined for a new name. */
  readonly stored: CursorRecord | undefined
  /** Calls follow each other. The first one of a new name is always synced. */
  save(note: CursorNote, durability: Durability): Promise<Either<DiskError, void>>
  /** Waits for what is being saved. Idempotent. */
  close(): Promise<void>
}
