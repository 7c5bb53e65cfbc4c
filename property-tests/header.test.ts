// A segment header comes back whole or is refused, and the reasons have an order.

import * as fc from 'fast-check'
import { isLeft, left, right } from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { crc32 } from '../src/core/crc.ts'
import { decodeHeader, encodeHeader, formatVersion, headerBytes, type HeaderFault } from '../src/core/header.ts'
import { applyDamage, damage } from '../src/testing/damage.ts'

const safe = fc.oneof(fc.constantFrom(0, 2 ** 32, 2 ** 53 - 1), fc.nat({ max: Number.MAX_SAFE_INTEGER }))
const header = fc.record({ createdAt: safe, baseOffset: safe, logId: fc.nat({ max: 0xffff_ffff }) })

function kindOf(bytes: Buffer): HeaderFault['kind'] | 'fine' {
  const decoded = decodeHeader(bytes)
  return isLeft(decoded) ? decoded.left.kind : 'fine'
}

/** The header with some of its bytes replaced, and its checksum made to hold. */
function forged(bytes: Buffer, change: (copy: Buffer) => void): Buffer {
  const copy = Buffer.from(bytes)
  change(copy)
  copy.writeUInt32LE(crc32(copy.subarray(0, 28), 0), 28)
  return copy
}

test('what is encoded is decoded', () => {
  fc.assert(
    fc.property(header, fc.uint8Array({ maxLength: 9 }), (segment, frames) => {
      const bytes = encodeHeader(segment)
      expect(bytes).toHaveLength(headerBytes)
      expect(decodeHeader(bytes)).toEqual(right(segment))
      expect(decodeHeader(Buffer.concat([bytes, frames]))).toEqual(right(segment))
    })
  )
})

test('every flipped bit is refused: as a stranger, as a newer version, or as damage', () => {
  fc.assert(
    fc.property(header, (segment) => {
      const bytes = encodeHeader(segment)
      for (let bit = 0; bit < headerBytes * 8; bit++) {
        const at = bit >>> 3
        const flipped = applyDamage(bytes, { kind: 'flip', at, mask: 1 << (bit & 7) })
        const newer = flipped.readUInt16LE(4) > formatVersion
        const kind = at < 4 ? 'magic' : newer ? 'version' : 'checksum'
        expect(kindOf(flipped)).toBe(kind)
      }
    }),
    { numRuns: 30 }
  )
})

test('any damage that changes a header is refused, and none makes it throw', () => {
  fc.assert(
    fc.property(header, damage(headerBytes), (segment, harm) => {
      const bytes = encodeHeader(segment)
      const image = applyDamage(bytes, harm).subarray(0, headerBytes)
      expect(kindOf(image) === 'fine').toBe(image.equals(bytes))
    }),
    { numRuns: 1_000 }
  )
})

test('the order of refusal is magic, version, checksum, content', () => {
  fc.assert(
    fc.property(
      header,
      fc.integer({ min: 2, max: 0xffff }),
      fc.integer({ min: 1, max: 0xffff }),
      (segment, version, flags) => {
        const bytes = encodeHeader(segment)
        bytes.writeUInt16LE(flags, 6)
        const content = forged(bytes, () => undefined)
        expect(decodeHeader(content)).toEqual(
          left({ kind: 'content', reason: `unknown flags 0x${flags.toString(16)}` })
        )
        expect(decodeHeader(bytes)).toEqual(left({ kind: 'checksum' }))
        bytes.writeUInt16LE(version, 4)
        expect(decodeHeader(bytes)).toEqual(left({ kind: 'version', version }))
        bytes.writeUInt32LE(0x4e52_4844, 0)
        expect(decodeHeader(bytes)).toEqual(left({ kind: 'magic' }))
      }
    )
  )
})

test('content that this version cannot mean is refused though its checksum holds', () => {
  const bytes = encodeHeader({ createdAt: 1, baseOffset: 2, logId: 3 })
  const reasons = [
    forged(bytes, (copy) => copy.writeUInt16LE(0, 4)),
    forged(bytes, (copy) => copy.writeBigUInt64LE(2n ** 53n, 8)),
    forged(bytes, (copy) => copy.writeBigUInt64LE(2n ** 64n - 1n, 16))
  ].map(decodeHeader)
  expect(reasons).toEqual([
    left({ kind: 'content', reason: 'there is no version 0' }),
    left({ kind: 'content', reason: 'createdAt is over 2^53' }),
    left({ kind: 'content', reason: 'baseOffset is over 2^53' })
  ])
})

test('a header cut short is damage while its magic may still be ours, else a stranger', () => {
  const bytes = encodeHeader({ createdAt: 1, baseOffset: 2, logId: 3 })
  for (let length = 0; length < headerBytes; length++) expect(kindOf(bytes.subarray(0, length))).toBe('checksum')
  expect(kindOf(Buffer.from('#!/bin/sh'))).toBe('magic')
})
