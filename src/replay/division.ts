// How a part of the log is divided into pieces for several workers: at events, into pieces of about the same length, so
// many more than workers that the last one to finish is not waited for long, and none so short that the handing out is
// felt.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import type { Closed, DiskError } from '../core/error.ts'
import type { Store } from '../port/store.ts'
import type { Piece } from './fold.ts'

/** Handing out a piece costs about a thousandth of what folding so many bytes takes. */
export const pieceBytesDefault: number = 4 * 1024 * 1024

/** With fewer pieces than this, threads would take longer to start than they save. */
export const piecesMin = 8

/** How many pieces each worker gets, where they are not too short: what he waits for the last one is half of a piece. */
const piecesPerWorker = 32

export interface Workforce {
  readonly workers: number
  /** No piece is shorter than about so many bytes. */
  readonly pieceBytes: number
}

/** How many pieces there are to be, in so many bytes of the log: at least one. */
export function pieceCount(bytes: number, { workers, pieceBytes }: Workforce): number {
  return Math.max(1, Math.min(piecesPerWorker * workers, Math.floor(bytes / pieceBytes)))
}

/** Divides [from, until) into at most so many pieces. They are neighbours, and none is empty. */
export async function divide(
  store: Pick<Store, 'boundary'>,
  { from, until }: Piece,
  count: number
): Promise<Either<DiskError | Closed, readonly Piece[]>> {
  const pieces: Piece[] = []
  let last = from
  for (let nth = 1; nth < count; nth++) {
    const place = await store.boundary((from + Math.floor(((until - from) * nth) / count)) as Offset)
    if (place._tag === 'Left') return place
    if (place.right > last) {
      pieces.push({ from: last, until: place.right })
      last = place.right
    }
  }
  return right([...pieces, { from: last, until }])
}
