// The two implementations behind crc32 are one function, and it can be continued.

import { crc32 as zlibCrc32 } from 'node:zlib'
import CRC32 from 'crc-32'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { crc32 } from '../src/core/crc.ts'

const seed = fc.oneof(fc.constantFrom(0, 1, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff), fc.nat({ max: 0xffff_ffff }))

test('the check value of the standard holds', () => {
  expect(crc32(Buffer.from('123456789'), 0)).toBe(0xcbf4_3926)
})

test('both implementations agree at every length from 0 to 1024, from every seed', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1024, maxLength: 1024 }), seed, (bytes, start) => {
      for (let length = 0; length <= bytes.length; length++) {
        const part = bytes.subarray(0, length)
        const crc = crc32(part, start)
        if (crc !== zlibCrc32(part, start) || crc !== CRC32.buf(part, start) >>> 0) expect.fail(`length ${length}`)
      }
    }),
    { numRuns: 30 }
  )
})

test('both implementations agree on long input', () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 1, maxLength: 300 }),
      fc.integer({ min: 1, max: 1_000 }),
      seed,
      (unit, times, start) => {
        const bytes = Buffer.concat(Array.from({ length: times }, () => unit))
        expect(crc32(bytes, start)).toBe(CRC32.buf(bytes, start) >>> 0)
        expect(crc32(bytes, start)).toBe(zlibCrc32(bytes, start))
      }
    )
  )
})

test('a CRC continued piece by piece is the CRC of the whole, wherever it is cut', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 8 }), seed, (pieces, start) => {
      const continued = pieces.reduce((crc, piece) => crc32(piece, crc), start)
      expect(crc32(Buffer.concat(pieces), start)).toBe(continued)
    })
  )
})

test('two seeds never give the same CRC for the same bytes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), seed, seed, (bytes, one, other) => {
      expect(crc32(bytes, one) === crc32(bytes, other)).toBe(one === other)
    })
  )
})
