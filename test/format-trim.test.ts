// The chapter of docs/format.md on what was trimmed: its table is the code's, and its example is what the code writes.

import { isLeft, right } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import type { SegmentHeader } from '../src/core/header.ts'
import {
  decodeTrimTrailer,
  encodeTrimTrailer,
  trimBlockBytes,
  trimFormatVersion,
  trimTrailerBytes
} from '../src/indexing/trim-format.ts'
import { mergeTrim } from '../src/indexing/trim-merge.ts'
import {
  bytesOf,
  expectFieldsStandThere,
  expectLinesFollow,
  expectSizesAddUp,
  hex,
  json,
  table,
  text
} from './tidy/format-page.ts'

describe('the trim file in the format document', () => {
  const rows = table('trim')
  const { logId, createdAt } = json<SegmentHeader>('header')
  const lines = hex('trim')

  it('has a trailer with the fields of the code, without gap or overlap', () => {
    expectSizesAddUp(rows, trimTrailerBytes)
    expectLinesFollow(rows, lines.slice(-rows.length))
    const decoded = decodeTrimTrailer(bytesOf(lines).subarray(-trimTrailerBytes), bytesOf(lines).length)
    if (isLeft(decoded)) throw new Error(decoded.left)
    expectFieldsStandThere(rows, encodeTrimTrailer, decoded.right)
    expect(rows.find((row) => row['field'] === 'version')?.['meaning']).toContain(`: ${trimFormatVersion}.`)
    expect(text).toContain(`a block closes when it has ${trimBlockBytes} bytes`)
    expect(text).toContain('`<first>.trim`')
  })

  it('is the file that the code writes for the log of the examples', () => {
    const frames = ['frame 0', 'frame 142'].map((name) => bytesOf(hex(name)))
    const first = frames.reduce((sum, frame) => sum + frame.length, 0)
    const lastFrameCrc = frames.at(-1)?.readUInt32LE((frames.at(-1)?.length ?? 0) - 4) ?? 0
    const entries = [right({ aggregateId: 'a-1', events: 2, version: 2 })]
    const parts = mergeTrim({ logId, lastFrameCrc, first }, [{ entries, lastTimestampMs: createdAt + 1 }])
    const written = Array.from(parts, (part) => (isLeft(part) ? Buffer.alloc(0) : part.right))
    expect(Buffer.concat(written)).toEqual(bytesOf(lines))
  })
})
