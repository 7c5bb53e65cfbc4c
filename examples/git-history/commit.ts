// What the history is made of: a commit, and the names in it as text.

import { isUtf8 } from 'node:buffer'

/** One path that a commit touched. The counts are null for a binary file. */
export interface Change {
  readonly path: string
  readonly added: number | null
  readonly deleted: number | null
}

/** A commit that is no merge. Dates are in ms since the epoch. */
export interface Commit {
  readonly hash: string
  readonly authorEmail: string
  readonly authorName: string
  readonly authorDateMs: number
  readonly commitDateMs: number
  readonly subject: string
  readonly changes: readonly Change[]
}

const marker = '\ufffd'

/**
 * Text for bytes that need not be UTF-8, as git's paths are. Different bytes never give the same text, or the
 * histories of two files would run together: a byte that fits nowhere becomes U+FFFD and two hexadecimal digits,
 * U+FFFD itself is doubled, and everything else stays as it is.
 */
export function textOf(bytes: Uint8Array): string {
  if (isUtf8(bytes)) return decode(bytes).replaceAll(marker, marker + marker)
  let text = ''
  for (let at = 0; at < bytes.length;) {
    const length = characterBytes(bytes, at)
    text += length === 0 ? marker + hex(bytes[at] as number) : textOf(bytes.subarray(at, at + length))
    at += Math.max(length, 1)
  }
  return text
}

/** How many bytes the character at `at` takes, 0 when none begins there. */
function characterBytes(bytes: Uint8Array, at: number): number {
  for (let length = 1; length <= 4 && at + length <= bytes.length; length++) {
    if (isUtf8(bytes.subarray(at, at + length))) return length
  }
  return 0
}

function decode(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8')
}

function hex(byte: number): string {
  return byte.toString(16).padStart(2, '0')
}
