// The one check of positions and lengths. Node's writeSync takes a position that is no integer from 0 for "wherever the
// file stands" and writes somewhere else without a word.

import { assert } from '../core/assert.ts'

/** Asserts that `bytes`, a position in a file or a length, is an integer from 0. */
export function assertPosition(bytes: number): void {
  // The sentence is made only for a failure: this runs before every read and write.
  if (!Number.isSafeInteger(bytes) || bytes < 0) {
    assert(false, `a position or length is an integer from 0, not ${bytes}`)
  }
}
