// How a part of the log is divided into pieces for several workers: at events, into pieces of about the same length, so
// many more than workers that the last one to finish is not waited for long, and none so short that the handing out is
// felt.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import type { Closed, DiskError } from '../core/error.ts'
import type { Store } from '../port/store.ts'
import type { Piece } from './fold.ts'

/** Handing out a piece costs about a millisecond, and folding so many bytes some twenty-five. */
export const pieceBytesDefault: number = 4 * 1024 * 1024

/** A thread takes as long to start and to warm up as to fold so many pieces. */
const piecesWorthAThread = 8

/** How many pieces each worker gets, where they are not too short: what he waits for the last one is half of a piece. */
const piecesPerWorker = 32

export interface Workforce {
  /** 1: nobody but the thread that asks. */
  readonly workers: number
  readonly pieces: number
}

/** How many are to fold so many bytes of the log, and in how many pieces; at most so many workers. */
export function workforce(
  bytes: number,
  { workers, pieceBytes }: { readonly workers: number; readonly pieceBytes: number }
): Workforce {
  const most = Math.floor(bytes / pieceBytes)
  const worthwhile = Math.min(workers, Math.floor(most / piecesWorthAThread))
  if (worthwhile < 2) return { workers: 1, pieces: 1 }
  return { workers: worthwhile, pieces: Math.min(piecesPerWorker * worthwhile, most) }
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
