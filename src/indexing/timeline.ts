// The sparse time index of a segment: for the first frame that begins in each stride (limit.ts) its offset and the
// greatest timestamp up to and including it. In a log of our own making that is the frame's own timestamp; with the
// greatest so far the order also holds where a foreign writer's clock fell.

import { strideBytes } from '../core/limit.ts'

export class Timeline {
  /** Relative to the base, ascending, at most one a stride. */
  readonly offsets: number[] = []
  /** One for each offset, never falling. */
  readonly times: number[] = []
  // Where the next entry may begin: the end of the stride of the last one.
  #strideEnd = 0

  /** Notes a frame; only the first in its stride is kept. Offsets ascend, times never fall. */
  add(offset: number, timestampMs: number): void {
    if (offset < this.#strideEnd) return
    this.offsets.push(offset)
    this.times.push(timestampMs)
    this.#strideEnd = (Math.floor(offset / strideBytes) + 1) * strideBytes
  }

  /** One that goes on from here, apart from this one, with the entries from `since` on. */
  copy(since = 0): Timeline {
    const copy = new Timeline()
    const first = countBelow(this.offsets, since)
    for (let place = first; place < this.offsets.length; place++) {
      copy.offsets.push(this.offsets[place] as number)
      copy.times.push(this.times[place] as number)
    }
    copy.#strideEnd = this.#strideEnd
    return copy
  }

  /** Notes what another one has that goes on behind this one, less a first entry in the stride of this one's last. */
  append(later: Timeline): void {
    later.offsets.forEach((offset, place) => this.add(offset, later.times[place] as number))
  }

  /** The greatest entry ≤ `offset`, or 0. */
  frameBefore(offset: number): number {
    return this.offsets[countBelow(this.offsets, offset + 1) - 1] ?? 0
  }

  /** The greatest entry whose time is before `timestampMs`, or 0. */
  frameBeforeTime(timestampMs: number): number {
    return this.offsets[countBelow(this.times, timestampMs) - 1] ?? 0
  }
}

/** How many of the ascending values are below `limit`. */
export function countBelow<Value extends number | string>(values: ArrayLike<Value>, limit: Value): number {
  let low = 0
  let high = values.length
  while (low < high) {
    const middle = Math.floor((low + high) / 2)
    if ((values[middle] as Value) < limit) low = middle + 1
    else high = middle
  }
  return low
}
