// Keeps the mark (core/mark.ts) up to date. It is a hint: it is written after a sync has succeeded, without a sync of
// its own, and a failure to write it costs certainty at the next recovery and nothing else.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { encodeMark, markFileBytes, markName, markPosition, type Mark } from '../core/mark.ts'
import type { Disk, DiskFile } from '../port/disk.ts'

/** The bytes of the folder's mark, for decodeMark; none when there is no mark. */
export function readMark(disk: Disk, folder: string): Either<DiskError, Buffer> {
  const opened = disk.open(`${folder}/${markName}`, 'read')
  if (opened._tag === 'Left') return opened.left.errno === 'ENOENT' ? right(Buffer.alloc(0)) : opened
  const bytes = Buffer.alloc(markFileBytes)
  const got = opened.right.readSync(bytes, 0)
  opened.right.close()
  return got._tag === 'Left' ? got : right(bytes.subarray(0, got.right))
}

export class Marker {
  private readonly file: DiskFile
  /** The mark that was written last. */
  private current: Mark

  constructor(file: DiskFile, current: Mark) {
    this.file = file
    this.current = current
  }

  /** Opens or creates the mark's file. */
  static open(disk: Disk, folder: string, current: Mark): Either<DiskError, Marker> {
    const path = `${folder}/${markName}`
    const opened = disk.open(path, 'write')
    const file = opened._tag === 'Left' && opened.left.errno === 'ENOENT' ? disk.open(path, 'create') : opened
    return file._tag === 'Left' ? file : right(new Marker(file.right, current))
  }

  /** Notes that everything before `durable` is on disk. */
  update(durable: number, clean = false): void {
    if (durable < this.current.durable) return
    const next = { ...this.current, sequence: this.current.sequence + 1, durable, clean }
    if (this.file.writeSync(encodeMark(next), markPosition(next))._tag === 'Right') this.current = next
  }

  /** Whether the mark says that the log was closed, and nothing was written since. */
  get clean(): boolean {
    return this.current.clean
  }

  /**
   * Notes, before anything is written, that the log is in use: should what follows fail and be taken back, the log
   * would look as it was closed, while the disk may still hold the rest.
   */
  begin(): void {
    if (this.current.clean) this.update(this.current.durable)
  }

  /** Makes the mark itself durable. */
  async sync(): Promise<Either<DiskError, void>> {
    const synced = await this.file.sync()
    return synced._tag === 'Left' ? left(synced.left) : synced
  }

  close(): void {
    this.file.close()
  }
}
