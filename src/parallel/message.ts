// What passes between the thread that hands out the work and those that fold. Questions and answers take turns: a
// thread has one question at a time, and answers each but `end`.

import type { QueryItem } from '../core/query.ts'
import type { Piece } from '../replay/fold.ts'
import type { Parcel } from './parcel.ts'

/** What a thread is started with. */
export interface ThreadData {
  readonly folder: string
  /** The href of the module that exports `fold`. */
  readonly module: string
  readonly query: readonly QueryItem[]
}

export type Question =
  /** Fold this onto your state. */
  | { readonly ask: 'fold'; readonly piece: Piece }
  /** Give your state away. */
  | { readonly ask: 'take' }
  /** There is no more to do. */
  | { readonly ask: 'end' }

export type Answer =
  | { readonly answer: 'folded' }
  | { readonly answer: 'state'; readonly state: unknown }
  | { readonly answer: 'failed'; readonly parcel: Parcel }
