// Arbitrary histories of a segment, with keys that are hard to sort and to encode; and files of any bytes whose
// checksums hold.

import fc from 'fast-check'
import { crc32 } from '../src/core/crc.ts'
import { encodeTrailer, fileSeed, seedAt } from '../src/indexing/format.ts'
import { filterBlockBytes } from '../src/indexing/key-filter.ts'
import type { Entry } from './indexing-model.ts'

export const name: fc.Arbitrary<string> = fc.oneof(
  { weight: 6, arbitrary: fc.constantFrom('a', 'b', 'account-1', 'account-2', 'account-10') },
  {
    weight: 3,
    arbitrary: fc.constantFrom(
      ...['__proto__', 'constructor', 'toString', 'hasOwnProperty', '0'],
      ...['\ue000', '\uffff', '\u{10000}', '\u{10ffff}', 'a\uffff', 'a\u{10000}', '\ud800', '\udc00', 'a\ud800'],
      ...['x'.repeat(3_000), `${'x'.repeat(3_000)}y`, `${'ü'.repeat(4_096)}`]
    )
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', minLength: 1 }) }
)

const time = fc.oneof(
  { weight: 5, arbitrary: fc.integer({ min: 0, max: 40 }) },
  { weight: 1, arbitrary: fc.constantFrom(-5, 2 ** 53 - 1) }
)

const event = fc.record({
  kind: fc.constant('event' as const),
  gap: fc.constantFrom(0, 0, 0, 7),
  bytes: fc.oneof(fc.integer({ min: 9, max: 400 }), fc.integer({ min: 9, max: 20_000 })),
  crc: fc.integer({ min: 0, max: 0xffff_ffff }),
  version: fc.oneof(fc.integer({ min: 1, max: 9 }), fc.constant(2 ** 53 - 1)),
  writeTimestampMs: time,
  keys: fc.record({
    aggregateId: name,
    eventType: name,
    namespace: fc.option(name, { nil: undefined }),
    tags: fc.array(name, { maxLength: 4 })
  })
})

const damage = fc.record({
  kind: fc.constant('damage' as const),
  bytes: fc.integer({ min: 1, max: 10_000 }),
  reason: fc.constantFrom('checksum', 'framing', 'zeros', 'missing', 'content' as const)
})

export const history: fc.Arbitrary<readonly Entry[]> = fc.array(
  fc.oneof({ weight: 9, arbitrary: event }, { weight: 1, arbitrary: damage }),
  { maxLength: 120 }
)

export const segment = fc.record({
  logId: fc.integer({ min: 0, max: 0xffff_ffff }),
  base: fc.constantFrom(0, 64, 2 ** 32 - 10, 2 ** 52)
})

/** Bytes that decode a little further than bytes at random do. */
export const bytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  fc.uint8Array({ maxLength: 60 }),
  fc.array(fc.constantFrom(0, 1, 2, 3, 4, 5, 9, 0x7f, 0x80, 0xff), { maxLength: 60 }).map((list) => Buffer.from(list))
)

/**
 * A file of one group whose key block, directory, strides and damage hold these bytes, all checksums valid, and
 * whose filter of one block lets every key pass.
 */
export function forge(sections: readonly Uint8Array[], postingsBytes: number, tier = false): Buffer {
  const head = { logId: 7, lastFrameCrc: 0, base: 64, end: 2 ** 40 }
  const seed = fileSeed(head)
  let position = postingsBytes
  const everything = Buffer.alloc(filterBlockBytes, 0xff)
  const [block, directory, strides, damaged, filter] = [...sections, everything].map((body) => {
    const sealed = Buffer.alloc(body.length + 4)
    sealed.set(body)
    sealed.writeUInt32LE(crc32(sealed.subarray(0, body.length), seedAt(seed, position)), body.length)
    position += sealed.length
    return sealed
  }) as [Buffer, Buffer, Buffer, Buffer, Buffer]
  const lengths = {
    groupsBytes: postingsBytes + block.length,
    directoryBytes: directory.length,
    stridesBytes: strides.length,
    damageBytes: damaged.length,
    filterBytes: filter.length
  }
  const said = { events: 1, firstTimestampMs: 1, lastTimestampMs: tier ? 1 : 2 ** 50 }
  const trailer = encodeTrailer({ ...head, ...said, ...lengths }, tier)
  return Buffer.concat([Buffer.alloc(postingsBytes), block, directory, strides, damaged, filter, trailer])
}
