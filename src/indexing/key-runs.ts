// Ascending runs of keys read as one: the least head comes next, found through a heap. Keys are merged one by one as
// they are asked for, so that no step of whoever reads them is long.

import { countBelow } from './timeline.ts'

/** A run and the place of the key that it offers next; there is one. */
interface Head {
  readonly run: readonly string[]
  place: number
}

/** The keys of several ascending runs from `from` on, ascending. No key is in two of them. */
export function* mergeRuns(runs: readonly (readonly string[])[], from: string): Generator<string, void, undefined> {
  const heads: Head[] = []
  for (const run of runs) {
    const place = countBelow(run, from)
    if (place < run.length) heads.push({ run, place })
  }
  // In ascending order an array is a heap.
  heads.sort((one, other) => (keyOf(one) < keyOf(other) ? -1 : 1))
  while (heads.length > 1) {
    const least = heads[0] as Head
    yield keyOf(least)
    least.place++
    if (least.place === least.run.length) heads[0] = heads.pop() as Head
    sink(heads)
  }
  const last = heads[0]
  for (let place = last?.place ?? 0; last !== undefined && place < last.run.length; place++) {
    yield last.run[place] as string
  }
}

function keyOf(head: Head): string {
  return head.run[head.place] as string
}

/** Moves the first head down to where it is not greater than the two below it. */
function sink(heads: Head[]): void {
  const moved = heads[0] as Head
  const key = keyOf(moved)
  let place = 0
  for (;;) {
    let child = 2 * place + 1
    const right = heads[child + 1]
    if (right !== undefined && keyOf(right) < keyOf(heads[child] as Head)) child++
    const least = heads[child]
    if (least === undefined || key < keyOf(least)) break
    heads[place] = least
    place = child
  }
  heads[place] = moved
}
