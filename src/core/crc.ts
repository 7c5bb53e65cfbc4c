// CRC-32 (ISO-HDLC, the polynomial of zip and PNG), as an unsigned number that can be continued from an earlier one.
// The crc-32 package has no call overhead and wins on short input; zlib's native loop wins on long input (64 KiB: 1.5
// against 5 GB/s). In a tight loop they meet at some 380 bytes, between other work a little later (measured). A
// property test holds that the two agree on every length and seed.

import { crc32 as zlibCrc32 } from 'node:zlib'
import CRC32 from 'crc-32'

/** From this many bytes on zlib is faster. */
const nativeFromBytes = 384

/** The CRC-32 of `bytes`, going on from `start` (0, or the CRC of what came before), from 0 to 2^32 − 1. */
export function crc32(bytes: Uint8Array, start: number): number {
  return bytes.length < nativeFromBytes ? CRC32.buf(bytes, start) >>> 0 : zlibCrc32(bytes, start)
}
