// Who folds what: pieces of the log, numbered in its order, shared among workers. Each begins with a stretch of
// neighbouring pieces and folds it, some pieces at a turn, onto one state; who has finished his own takes the rear half
// of the longest stretch that is left. So all end at nearly the same time, however fast each is and however uneven the
// pieces, and yet there are hardly more partial states to be copied and merged than workers.
//
//   worker 0  ██▒▒▒▒|░░░░░          █ folded  ▒ his own, ahead  ░ left, and taken by worker 1
//   worker 1  ██████|
//
// Invariant: every piece below the limit is handed out once, and the stretches do not overlap.

import { assert } from '../core/assert.ts'

/** The pieces [first, end), to be folded in one go. */
export interface Turn {
  readonly first: number
  readonly end: number
  /** Whether they follow the worker's last ones, so that he goes on with the same state. */
  readonly continues: boolean
}

/** The pieces that a worker has before him. */
interface Stretch {
  next: number
  end: number
}

/** A turn is this part of the worker's stretch: few turns at first, short ones at the end, where somebody waits. */
const turnShare = 4

export class Share {
  private readonly stretches: readonly Stretch[]
  /** What each worker has in hand. */
  private readonly hands: (Turn | undefined)[]
  /** Pieces from here on are not wanted any more. */
  private limit: number

  constructor(pieces: number, workers: number) {
    assert(workers > 0, 'somebody folds')
    const bound = (worker: number): number => Math.floor((worker * pieces) / workers)
    this.stretches = Array.from({ length: workers }, (_, worker) => ({ next: bound(worker), end: bound(worker + 1) }))
    this.hands = Array.from({ length: workers }, () => undefined)
    this.limit = pieces
  }

  /** What the worker folds next; what he was given before is done. Undefined when nothing is left for him. */
  next(worker: number): Turn | undefined {
    const own = this.stretches[worker] as Stretch
    if (this.remaining(own) === 0) this.takeOver(own)
    const remaining = this.remaining(own)
    const first = own.next
    own.next += Math.ceil(remaining / turnShare)
    const turn = remaining === 0 ? undefined : { first, end: own.next, continues: this.hands[worker]?.end === first }
    this.hands[worker] = turn
    return turn
  }

  /** Nothing from `piece` on is wanted any more. */
  cut(piece: number): void {
    this.limit = Math.min(this.limit, piece)
  }

  /** Whether nothing that is wanted is in anybody's hand or before him. */
  isDone(): boolean {
    const isBusy = this.hands.some((turn) => turn !== undefined && turn.first < this.limit)
    return !isBusy && this.stretches.every((stretch) => this.remaining(stretch) === 0)
  }

  private remaining({ next, end }: Stretch): number {
    return Math.max(0, Math.min(end, this.limit) - next)
  }

  private takeOver(own: Stretch): void {
    const longest = this.stretches.reduce((one, other) => (this.remaining(other) > this.remaining(one) ? other : one))
    const end = Math.min(longest.end, this.limit)
    const middle = end - Math.ceil(this.remaining(longest) / 2)
    own.next = middle
    own.end = end
    longest.end = middle
  }
}
