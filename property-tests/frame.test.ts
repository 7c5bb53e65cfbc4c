// A frame verifies where it was written, whole and unchanged, and nowhere else; behind damage the next one is found.

import * as fc from 'fast-check'
import { isLeft } from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { encodeEvent, recordJson } from '../src/core/event.ts'
import {
  checkFrame,
  frameBytes,
  frameBytesMax,
  frameContinues,
  frameOverheadBytes,
  framePayloadBytes,
  frameSeed,
  sealFrame,
  seekFrame
} from '../src/core/frame.ts'
import { payloadBytesMax } from '../src/core/limit.ts'
import { applyDamage, damage } from '../src/testing/damage.ts'
import { newEvent } from '../src/testing/arbitraries.ts'

interface Piece {
  readonly payload: Uint8Array
  readonly continued: boolean
}

function seal(piece: Piece, seed: number): Buffer {
  const { payload, continued } = piece
  const bytes = Buffer.alloc(frameBytes(payload.length))
  bytes.set(payload, 4)
  const end = sealFrame(bytes, 0, { payloadBytes: payload.length, continued, seed })
  expect(end).toBe(bytes.length)
  return bytes
}

/** Frames one behind the other, as a log of this id holds them from offset 0. */
function sealAll(pieces: readonly Piece[], logId: number): Buffer {
  const log: Buffer[] = []
  for (const piece of pieces) log.push(seal(piece, frameSeed(logId, Buffer.concat(log).length)))
  return Buffer.concat(log)
}

const logId = fc.nat({ max: 0xffff_ffff })
const offset = fc.oneof(fc.nat(), fc.constantFrom(2 ** 32 - 1, 2 ** 32, 2 ** 52 + 1), fc.nat({ max: 2 ** 53 - 1 }))

/** `{`, then any byte that JSON text can hold; lengths lie around 256 bytes, where the CRC changes its author. */
const payload = fc
  .tuple(
    fc.oneof(fc.nat({ max: 40 }), fc.integer({ min: 235, max: 265 })),
    fc.uint8Array({ minLength: 1, maxLength: 30 })
  )
  .map(([more, unit]) =>
    Uint8Array.from({ length: more + 1 }, (_, at) => (at === 0 ? 0x7b : 0x20 + ((unit[at % unit.length] ?? 0) % 0xe0)))
  )

const piece = fc.record({ payload, continued: fc.boolean() })

/** Payloads as the log writes them, out of hostile events. */
const recorded = fc.tuple(newEvent(), fc.boolean()).map(([event, continued]): Piece => {
  const encoded = encodeEvent(event, 0, () => 'id')
  if (isLeft(encoded)) throw encoded.left
  const text = recordJson(encoded.right.json, { durableBefore: undefined, version: 1, writeTimestampMs: 1 })
  return { payload: Buffer.from(text), continued }
})

describe('a frame', () => {
  test('verifies as it was sealed, wherever it stands in a buffer, and says what it was sealed with', () => {
    fc.assert(
      fc.property(
        piece,
        fc.uint8Array({ maxLength: 9 }),
        fc.uint8Array({ maxLength: 9 }),
        logId,
        (sealed, before, after, id) => {
          const seed = frameSeed(id, before.length)
          const bytes = Buffer.concat([before, seal(sealed, seed), after])
          expect(checkFrame(bytes, before.length, bytes.length, seed)).toBeUndefined()
          expect(framePayloadBytes(bytes, before.length)).toBe(sealed.payload.length)
          expect(frameContinues(bytes, before.length)).toBe(sealed.continued)
        }
      ),
      { numRuns: 300 }
    )
  })

  test.each([1, 2, 247, 248, 251, 252, 253, 255, 256, 257, 65_535, 65_536, payloadBytesMax - 1, payloadBytesMax])(
    'may have a payload of %i bytes',
    (payloadBytes) => {
      const bytes = seal({ payload: Buffer.alloc(payloadBytes, '{'), continued: true }, 7)
      expect(bytes.length).toBe(payloadBytes + frameOverheadBytes)
      expect(bytes.length).toBeLessThanOrEqual(frameBytesMax)
      expect(checkFrame(bytes, 0, bytes.length, 7)).toBeUndefined()
      expect(framePayloadBytes(bytes, 0)).toBe(payloadBytes)
      expect(checkFrame(bytes, 0, bytes.length - 1, 7)).toBe('incomplete')
      expect(checkFrame(bytes, 0, bytes.length, 8)).toBe('checksum')
    }
  )

  test('of another log, or moved within its own, does not verify', () => {
    fc.assert(
      fc.property(piece, fc.tuple(logId, offset), fc.tuple(logId, offset), (sealed, [id, at], [otherId, otherAt]) => {
        const bytes = seal(sealed, frameSeed(id, at))
        const fault = (log: number, place: number): unknown => checkFrame(bytes, 0, bytes.length, frameSeed(log, place))
        expect(fault(id, at)).toBeUndefined()
        expect(fault(otherId, at)).toBe(otherId === id ? undefined : 'checksum')
        // Moved by an exact multiple of 4 GiB it has the seed of its own place: the one blind spot.
        expect(fault(id, otherAt)).toBe((otherAt - at) % 2 ** 32 === 0 ? undefined : 'checksum')
      }),
      { numRuns: 500 }
    )
  })

  test('has the seed logId XOR (offset mod 2^32) at every offset', () => {
    fc.assert(
      fc.property(logId, offset, (id, at) => {
        expect(frameSeed(id, at)).toBe(Number(BigInt(id) ^ (BigInt(at) & 0xffff_ffffn)))
      }),
      { numRuns: 1_000 }
    )
  })

  test('is refused with any one of its bits flipped, whatever follows it', () => {
    fc.assert(
      fc.property(piece, fc.uint8Array({ maxLength: 300 }), logId, (sealed, after, id) => {
        const sealedBytes = seal(sealed, id)
        const bytes = Buffer.concat([sealedBytes, after])
        for (let bit = 0; bit < sealedBytes.length * 8; bit++) {
          const mask = 1 << (bit & 7)
          bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ mask
          if (checkFrame(bytes, 0, bytes.length, id) === undefined) expect.fail(`bit ${bit} may be flipped`)
          bytes[bit >>> 3] = (bytes[bit >>> 3] as number) ^ mask
        }
      })
    )
  })

  test('is incomplete, cut at any of its bytes', () => {
    fc.assert(
      fc.property(piece, logId, (sealed, id) => {
        const bytes = seal(sealed, id)
        for (let limit = 0; limit < bytes.length; limit++) {
          if (checkFrame(bytes, 0, limit, id) !== 'incomplete') expect.fail(`cut at ${limit}`)
          if (checkFrame(bytes.subarray(0, limit), 0, limit, id) !== 'incomplete') expect.fail(`cut at ${limit}`)
        }
      })
    )
  })

  test('is refused after any damage that changes it, and checking it never throws', () => {
    const harmed = piece.chain((sealed) => fc.tuple(fc.constant(sealed), damage(frameBytes(sealed.payload.length))))
    fc.assert(
      fc.property(harmed, logId, ([sealed, harm], id) => {
        const bytes = seal(sealed, id)
        const image = applyDamage(bytes, harm)
        const same = image.subarray(0, bytes.length).equals(bytes)
        expect(checkFrame(image, 0, image.length, id) === undefined).toBe(same)
      }),
      { numRuns: 1_000 }
    )
  })

  test('is not seen in zeros, under unknown flags, or without its brace', () => {
    const bytes = seal({ payload: Buffer.from('{}'), continued: false }, 0)
    expect(checkFrame(Buffer.alloc(64), 0, 64, 0)).toBe('zeros')
    for (let bit = 1; bit < 8; bit++) {
      expect(checkFrame(applyDamage(bytes, { kind: 'flip', at: 3, mask: 1 << bit }), 0, bytes.length, 0)).toBe('flags')
    }
    expect(checkFrame(seal({ payload: Buffer.from('[]'), continued: false }, 0), 0, bytes.length, 0)).toBe('flags')
  })
})

/** The first frame from `at` on that is proven by its CRC, the way recovery looks for it. */
function findFrame(bytes: Buffer, at: number, id: number): number {
  let place = seekFrame(bytes, at, bytes.length)
  while (place !== -1 && checkFrame(bytes, place, bytes.length, frameSeed(id, place)) !== undefined) {
    place = seekFrame(bytes, place + 1, bytes.length)
  }
  return place
}

describe('the search for a frame', () => {
  test('finds the first true one behind any garbage', () => {
    // No place of these small logs has this seed.
    const foreignSeed = 0x8000_0000
    // Garbage that looks like frames: length words, braces, and pieces of a frame that stood elsewhere.
    const lures = fc.constantFrom([0, 0x7b], [1, 0, 0, 0, 0x7b], [5, 0, 0, 1, 0x7b, 0x7d], [255, 255, 255, 0, 0x7b])
    const garbage = fc
      .array(
        fc.oneof(
          fc.uint8Array({ maxLength: 12 }),
          lures,
          piece.map((sealed) => seal(sealed, foreignSeed))
        ),
        { maxLength: 6 }
      )
      .map((parts) => Buffer.concat(parts.map((part) => Buffer.from(part))))
    fc.assert(
      fc.property(
        garbage,
        piece,
        fc.uint8Array({ maxLength: 20 }),
        fc.nat({ max: 0xffff }),
        (before, sealed, after, id) => {
          const frame = seal(sealed, frameSeed(id, before.length))
          const bytes = Buffer.concat([before, frame, after])
          expect(findFrame(bytes, 0, id)).toBe(before.length)
          expect(findFrame(bytes, before.length, id)).toBe(before.length)
        }
      ),
      { numRuns: 1_000 }
    )
  })

  test('sees every frame of an intact log, and never looks into a payload, however hostile', () => {
    fc.assert(
      fc.property(fc.array(recorded, { minLength: 1, maxLength: 4 }), logId, (pieces, id) => {
        const log = sealAll(pieces, id)
        const starts: number[] = []
        const braces: number[] = []
        const inside = new Set<number>()
        for (let at = 0; at < log.length; at += frameBytes(framePayloadBytes(log, at))) {
          starts.push(at)
          for (let byte = 1; byte < framePayloadBytes(log, at); byte++) inside.add(at + 4 + byte)
        }
        for (let at = seekFrame(log, 0, log.length); at !== -1; at = seekFrame(log, at + 1, log.length))
          braces.push(at + 4)
        expect(braces.filter((brace) => inside.has(brace))).toEqual([])
        expect(starts.filter((start) => !braces.includes(start + 4))).toEqual([])
      }),
      { numRuns: 200 }
    )
  })

  test('goes on at the next frame when one is damaged anywhere', () => {
    const harmed = fc.tuple(piece, piece).chain(([first, second]) => {
      const log = fc.constant([first, second] as const)
      return fc.tuple(log, fc.nat({ max: frameBytes(first.payload.length) - 1 }), fc.integer({ min: 1, max: 255 }))
    })
    fc.assert(
      fc.property(harmed, logId, ([[first, second], at, mask], id) => {
        const log = applyDamage(sealAll([first, second], id), { kind: 'flip', at, mask })
        expect(findFrame(log, 0, id)).toBe(frameBytes(first.payload.length))
      }),
      { numRuns: 500 }
    )
  })

  test('obeys its limits', () => {
    const frame = seal({ payload: Buffer.from('{}'), continued: false }, 0)
    const bytes = Buffer.concat([frame, frame])
    expect(seekFrame(bytes, 0, bytes.length)).toBe(0)
    expect(seekFrame(bytes, 1, bytes.length)).toBe(frame.length)
    expect(seekFrame(bytes, 1, frame.length + 4)).toBe(-1)
    expect(seekFrame(bytes, 1, frame.length + 5)).toBe(frame.length)
    expect(seekFrame(bytes, frame.length + 1, bytes.length)).toBe(-1)
    expect(seekFrame(bytes, bytes.length, bytes.length)).toBe(-1)
  })
})
