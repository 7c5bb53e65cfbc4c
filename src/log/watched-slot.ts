// The slot of a log that is open for writing. What is saved there is an index, a cache, and may fail; but a failed sync
// of the folder may have lost a name that somebody else has made meanwhile, a segment's above all, and no later sync
// would tell. So whoever saves, the writer, a rebuild that was asked for, or a read that met a damaged index: the
// failure is passed on.

import type { Either, Left } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { Slot } from '../port/slot.ts'

export class WatchedSlot implements Slot {
  private readonly slot: Slot
  /** Set once, when the writer is there; what fails before that fails the opening, or is made good by it. */
  onNamesInDoubt: (error: DiskError) => void = () => {}

  constructor(slot: Slot) {
    this.slot = slot
  }

  async save<E = never>(
    path: string,
    parts: Iterable<Uint8Array | Left<E>>,
    pause?: () => Promise<void>
  ): Promise<Either<DiskError | E, void>> {
    const saved = await this.slot.save(path, parts, pause)
    if (saved._tag === 'Left' && isLostSync(saved.left)) this.onNamesInDoubt(saved.left)
    return saved
  }
}

function isLostSync(error: unknown): error is DiskError {
  return error instanceof Error && 'operation' in error && error.operation === 'sync folder'
}
