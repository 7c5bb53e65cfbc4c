// A slot: a small named value that is replaced as a whole. After any crash a slot holds its old or its new value, and
// never a mixture; once `save` has resolved, the new one.

import type { Either, Left } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'

export interface Slot {
  /**
   * Replaces the value at `path` by the concatenation of `parts`, which are taken one by one with pauses in between
   * so that other work can run: `pause` is awaited every few ten KiB, and is the next turn if not given. A part that is a Left ends the save with it and leaves the old value. On Left the old value stands, or the new one
   * where only the last step, the folder's sync, failed; a temporary file may be left behind, which the next save of
   * the same slot replaces.
   */
  save<E = never>(
    path: string,
    parts: Iterable<Uint8Array | Left<E>>,
    pause?: () => Promise<void>
  ): Promise<Either<DiskError | E, void>>
}
