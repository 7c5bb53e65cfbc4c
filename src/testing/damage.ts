// What disks, cables and crashes do to bytes, as values: drawn by fast-check, shrunk by it, applied by a pure function.

import * as fc from 'fast-check'

/** One harm done to a byte image. Positions and lengths are bytes and lie inside the image they were drawn for. */
export type Damage =
  /** The bits of `mask`, from 1 to 255, are flipped in one byte. */
  | { readonly kind: 'flip'; readonly at: number; readonly mask: number }
  /** Only the first `length` bytes are left. */
  | { readonly kind: 'truncate'; readonly length: number }
  /** A range reads as zeros: a block that was lost, or never written. */
  | { readonly kind: 'zero'; readonly at: number; readonly length: number }
  /** A range stands there twice, what follows it moved. */
  | { readonly kind: 'duplicate'; readonly at: number; readonly length: number }
  /** Two ranges of the same length have changed places; they do not overlap. */
  | { readonly kind: 'swap'; readonly at: number; readonly other: number; readonly length: number }
  /** A write that broke off at `at`: what stood on the disk before follows, and then nothing. */
  | { readonly kind: 'tear'; readonly at: number; readonly stale: Uint8Array }

/** Any damage to an image of `bytesLength` bytes, which is at least 2. Zeroing zeros, say, changes nothing. */
export function damage(bytesLength: number): fc.Arbitrary<Damage> {
  const at = fc.nat({ max: bytesLength - 1 })
  const range = fc
    .tuple(at, fc.nat())
    .map(([start, pick]) => ({ at: start, length: 1 + (pick % (bytesLength - start)) }))
  const mask = fc.oneof(
    fc.nat({ max: 7 }).map((bit) => 1 << bit),
    fc.integer({ min: 1, max: 255 })
  )
  return fc.oneof(
    fc.record({ kind: fc.constant('flip' as const), at, mask }),
    fc.record({ kind: fc.constant('truncate' as const), length: at }),
    range.map((zeroed) => ({ kind: 'zero' as const, ...zeroed })),
    range.map((doubled) => ({ kind: 'duplicate' as const, ...doubled })),
    swap(bytesLength),
    fc.record({ kind: fc.constant('tear' as const), at, stale: fc.uint8Array({ maxLength: 64 }) })
  )
}

function swap(bytesLength: number): fc.Arbitrary<Damage> {
  const length = fc.integer({ min: 1, max: Math.floor(bytesLength / 2) })
  return fc.tuple(length, fc.nat(), fc.nat()).map(([most, first, second]) => {
    const at = first % (bytesLength - 2 * most + 1)
    const other = at + most + (second % (bytesLength - at - 2 * most + 1))
    return { kind: 'swap', at, other, length: most }
  })
}

/** The image after the damage, in a new buffer. */
export function applyDamage(bytes: Uint8Array, harm: Damage): Buffer {
  const image = Buffer.from(bytes)
  switch (harm.kind) {
    case 'flip':
      image[harm.at] = (image[harm.at] ?? 0) ^ harm.mask
      return image
    case 'truncate':
      return image.subarray(0, harm.length)
    case 'zero':
      return image.fill(0, harm.at, harm.at + harm.length)
    case 'duplicate':
      return Buffer.concat([image.subarray(0, harm.at + harm.length), image.subarray(harm.at)])
    case 'swap':
      image.set(bytes.subarray(harm.other, harm.other + harm.length), harm.at)
      image.set(bytes.subarray(harm.at, harm.at + harm.length), harm.other)
      return image
    case 'tear':
      return Buffer.concat([image.subarray(0, harm.at), harm.stale])
  }
}
