// A frame, the unit of the log:
//
//   0              4                    4 + length     8 + length
//   ┌──────────────┬────────────────────┬──────────────┐
//   │ length word  │ payload            │ CRC-32       │      all numbers u32, little-endian
//   └──────────────┴────────────────────┴──────────────┘
//     bits 0–23: payload's length, 1 to 2^24 − 1
//     bit 24:    continued, the batch goes on in the next frame
//     bits 25–31: refused
//
// The CRC covers length word and payload and starts from logId XOR (offset mod 2^32) instead of 0: a frame of
// another log, or one moved, swapped or duplicated within this one, never verifies where it does not belong.
//
// A payload is JSON text and holds no byte below 0x20. So the sequence "high byte of a length word, then `{`" cannot
// occur inside a payload, which is how the next frame is found behind damage (see `seekFrame`).

import { crc32 } from './crc.ts'
import { payloadBytesMax } from './limit.ts'

/** Length word and CRC: what a frame costs besides its payload, in bytes. */
export const frameOverheadBytes = 8

const continuedFlag = 0x01
const brace = 0x7b

/** The value a frame's CRC starts from. Offsets reach 2^53; `^` takes the low 32 bits of its operands exactly. */
export function frameSeed(logId: number, offset: number): number {
  return (logId ^ offset) >>> 0
}

/**
 * Completes a frame whose payload stands at `start + 4` in `bytes`: writes the length word and the CRC around it.
 * The caller has checked that `payloadBytes` is from 1 to payloadBytesMax and that 8 more bytes are there.
 * @returns the position behind the frame
 */
export function sealFrame(
  bytes: Buffer,
  start: number,
  frame: { readonly payloadBytes: number; readonly continued: boolean; readonly seed: number }
): number {
  const end = start + 4 + frame.payloadBytes
  const flags = frame.continued ? continuedFlag : 0
  bytes.writeUInt32LE((flags * 0x100_0000 + frame.payloadBytes) >>> 0, start)
  bytes.writeUInt32LE(crc32(bytes.subarray(start, end), frame.seed), end)
  return end + 4
}

/** What stands at a place where a frame should be. */
export type FrameFault =
  /** Fewer bytes are left than the frame needs; with more bytes it might be whole. */
  | 'incomplete'
  /** A length of 0: zeros, where nothing was ever written or a block was lost. */
  | 'zeros'
  /** Unknown flags in the length word, or a payload that does not open with a brace. */
  | 'flags'
  /** The CRC does not hold: flipped bits, or a frame that belongs elsewhere. */
  | 'checksum'

/** The payload's length of the frame at `at`, unproven; the caller has checked that 4 bytes are there. */
export function framePayloadBytes(bytes: Buffer, at: number): number {
  return bytes.readUInt32LE(at) & 0xff_ffff
}

/** Whether the frame at `at` says that its batch goes on. */
export function frameContinues(bytes: Buffer, at: number): boolean {
  return (bytes[at + 3] as number) === continuedFlag
}

/**
 * Checks the frame at `at` in `bytes[0, limit)`.
 * @returns undefined when it is whole and proven, or what is wrong with it
 */
export function checkFrame(bytes: Buffer, at: number, limit: number, seed: number): FrameFault | undefined {
  const left = limit - at
  if (left < 4) return 'incomplete'
  const word = bytes.readUInt32LE(at)
  const payloadBytes = word & 0xff_ffff
  if (payloadBytes === 0) return 'zeros'
  if (word >>> 25 !== 0) return 'flags'
  if (left > 4 && bytes[at + 4] !== brace) return 'flags'
  if (left < payloadBytes + frameOverheadBytes) return 'incomplete'
  const end = at + 4 + payloadBytes
  return crc32(bytes.subarray(at, end), seed) === bytes.readUInt32LE(end) ? undefined : 'checksum'
}

/**
 * The first place from `at` on in `bytes[0, limit)` where a frame may begin: a legal flag byte followed by a brace.
 * Only its CRC proves it. The last four bytes can hold no candidate that is visible yet.
 * @returns the place, or −1
 */
export function seekFrame(bytes: Buffer, at: number, limit: number): number {
  for (
    let place = bytes.indexOf(brace, at + 4);
    place !== -1 && place < limit;
    place = bytes.indexOf(brace, place + 1)
  ) {
    const word = bytes.readUInt32LE(place - 4)
    if (word >>> 25 === 0 && (word & 0xff_ffff) > 0) return place - 4
  }
  return -1
}

/** The frame's length in bytes when its payload has `payloadBytes`. */
export function frameBytes(payloadBytes: number): number {
  return payloadBytes + frameOverheadBytes
}

export const frameBytesMax: number = payloadBytesMax + frameOverheadBytes
