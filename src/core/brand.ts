// The two numbers that must never be mixed. They are plain numbers at run time; the brand exists for the compiler.

declare const brand: unique symbol

type Branded<Name extends string> = number & { readonly [brand]: Name }

/**
 * The address of a frame, in bytes: the sum of the lengths of all frames before it, segment headers not counted.
 * The first event of a log is at 0. Offsets are the only order there is; they grow, with gaps as wide as the frames.
 */
export type Offset = Branded<'Offset'>

/** The count of an aggregate's events up to and including this one: dense, from 1; 0 means "no event yet". */
export type Version = Branded<'Version'>

/**
 * Makes an offset out of a number that a program has kept, a checkpoint for instance.
 * @throws RangeError when `value` is not an integer from 0 to 2^53 − 1.
 * @example const from = Offset(JSON.parse(checkpoint).offset)
 */
export function Offset(value: number): Offset {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`an offset is an integer from 0, not ${value}`)
  return value as Offset
}

/**
 * Makes a version out of a number, for a condition for instance.
 * @throws RangeError when `value` is not an integer from 0 to 2^53 − 1.
 */
export function Version(value: number): Version {
  if (!Number.isSafeInteger(value) || value < 0) throw new RangeError(`a version is an integer from 0, not ${value}`)
  return value as Version
}
