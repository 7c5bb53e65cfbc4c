// Chance from a seed. Whatever a crash test draws comes from here, so that a seed and an index bring any state back.

export class Chance {
  /** The state of mulberry32, a u32. */
  #state: number

  constructor(...seeds: readonly number[]) {
    this.#state = seeds.reduce((state, seed) => mix(state ^ mix(seed >>> 0)), 0x9e3779b9)
  }

  /** A number from 0 to 2^32 − 1. */
  u32(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    return mix(this.#state)
  }

  /** A number from 0 to `count` − 1. */
  below(count: number): number {
    return Math.floor((this.u32() / 0x1_0000_0000) * count)
  }

  /** True in `percent` of 100 cases. */
  happens(percent: number): boolean {
    return this.below(100) < percent
  }

  pick<A>(items: readonly A[]): A {
    return items[this.below(items.length)] as A
  }
}

function mix(value: number): number {
  let mixed = value >>> 0
  mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1)
  mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
  return (mixed ^ (mixed >>> 14)) >>> 0
}
