// docs/format.md is executable: the tables' sizes add up, the constants are the code's, and every hex example is what
// the code writes. Format documents drift from their programs unless something holds the two together.

import { runInThisContext } from 'node:vm'
import { isLeft, isRight } from 'fp-ts/lib/Either.js'
import stableStringify from 'fast-json-stable-stringify'
import { describe, expect, it } from 'vitest'
import { canonicalJson } from '../src/core/canon.ts'
import { Offset } from '../src/core/brand.ts'
import { crc32 } from '../src/core/crc.ts'
import type { CorruptReason } from '../src/core/read-error.ts'
import { encodeEvent, recordJson } from '../src/core/event.ts'
import type { EventKeys } from '../src/core/query.ts'
import {
  cursorFileBytes,
  cursorPositions,
  cursorRecordBytes,
  decodeCursor,
  encodeCursor,
  type CursorRecord
} from '../src/core/cursor.ts'
import { checkFrame, frameOverheadBytes, frameSeed, sealFrame } from '../src/core/frame.ts'
import { decodeHeader, encodeHeader, formatVersion, headerBytes, type SegmentHeader } from '../src/core/header.ts'
import * as limits from '../src/core/limit.ts'
import { decodeMark, encodeMark, markName, markPosition, markRecordBytes, type Mark } from '../src/core/mark.ts'
import { ByteWriter } from '../src/indexing/bytes.ts'
import {
  decodeTrailer,
  encodeTrailer,
  filterKeysMax,
  indexFormatVersion,
  inlineBytesMax,
  keyBlockBytes,
  keyKind,
  trailerBytes,
  type KeyKind
} from '../src/indexing/format.ts'
import { FilterBuilder, filterBlockBytes, filterPageBlocks, keyHash } from '../src/indexing/key-filter.ts'
import { MemoryIndex } from '../src/indexing/memory-index.ts'
import { writeDamage, writeEntry } from '../src/indexing/section.ts'
import {
  text,
  blocks,
  table,
  json,
  hex,
  bytesOf,
  code,
  expectSizesAddUp,
  expectLinesFollow,
  expectFieldsStandThere
} from './tidy/format-page.ts'
import { hexLines, type HexLine } from './tidy/markdown.ts'

describe('the segment header in the format document', () => {
  const rows = table('header')
  const header = json<SegmentHeader>('header')

  it('has the fields of the code, without gap or overlap', () => {
    expectSizesAddUp(rows, headerBytes)
    expect(text).toContain(`position = offset − baseOffset + ${headerBytes}`)
    expect(text.startsWith(`# The format, version ${formatVersion}\n`)).toBe(true)
  })

  it('is the example that the code encodes and decodes', () => {
    const lines = hex('header')
    expectLinesFollow(rows, lines)
    expect(bytesOf(lines)).toEqual(encodeHeader(header))
    expect(decodeHeader(bytesOf(lines))).toMatchObject({ right: header })
    expect(code(rows[0]?.['meaning'])).toBe(lines[0]?.bytes.toString('latin1'))
  })

  it('has each field at its position', () => {
    expectFieldsStandThere(rows, encodeHeader, header)
  })
})

describe('the frame in the format document', () => {
  const rows = table('frame')
  const { logId, createdAt } = json<SegmentHeader>('header')
  const events = json<readonly unknown[]>('batch')
  const offsets = blocks.flatMap(({ info }) => (/^hex frame \d+$/.test(info) ? [Number(info.slice(10))] : []))

  it('costs what the code says besides its payload', () => {
    expect(rows.map((row) => row['position'])).toEqual(['0', '4', '4 + length'])
    expect(rows.map((row) => row['size'])).toEqual(['4', 'length', '4'])
    expect(4 + 4).toBe(frameOverheadBytes)
    expect(rows[0]?.['meaning']).toContain(`from 1 to ${limits.payloadBytesMax}`)
  })

  it('is one example for each event of the batch, as the code writes them', () => {
    expect(offsets).toHaveLength(events.length)
    let offset = 0
    for (const [index, event] of events.entries()) {
      expect(offsets[index]).toBe(offset)
      const lines = hex(`frame ${offset}`)
      const bytes = bytesOf(lines)
      const encoded = encodeEvent(event, index, () => 'unused')
      if (isLeft(encoded)) throw encoded.left
      const record = { durableBefore: undefined, version: index + 1, writeTimestampMs: createdAt + index }
      const payload = Buffer.from(recordJson(encoded.right.json, record))
      const sealed = Buffer.concat([Buffer.alloc(4), payload, Buffer.alloc(4)])
      const seed = frameSeed(logId, offset)
      sealFrame(sealed, 0, { payloadBytes: payload.length, continued: index + 1 < events.length, seed })
      expect(bytes).toEqual(sealed)
      expect(checkFrame(bytes, 0, bytes.length, seed)).toBeUndefined()
      expectNotesHold(lines, { payload, continued: index + 1 < events.length, seed })
      offset += bytes.length
    }
    expect(text).toContain(`next frame will be at offset ${offset}, in the file at position ${offset + headerBytes}.`)
  })

  it('states the time that the record holds', () => {
    for (const [index, offset] of offsets.entries()) {
      expect(text).toContain(`frame at offset ${offset}, written at ${createdAt + index} ms:`)
    }
  })
})

function expectNotesHold(
  lines: readonly HexLine[],
  frame: { readonly payload: Buffer; readonly continued: boolean; readonly seed: number }
): void {
  const state = frame.continued ? 'continued' : 'the batch ends here'
  expect(lines[0]?.note).toBe(`length word: ${frame.payload.length}, ${state}`)
  const inner = lines.slice(1, -1)
  for (const line of inner) expect(line.note).toBe(`|${line.bytes.toString('latin1')}|`)
  expect(inner.map((line) => line.note.slice(1, -1)).join('')).toBe(frame.payload.toString())
  const seed = frame.seed
    .toString(16)
    .padStart(8, '0')
    .replace(/(..)(?=.)/g, '$1 ')
  expect(lines.at(-1)?.note).toBe(`CRC-32, from the seed ${seed}`)
}

describe('the record in the format document', () => {
  const full = {
    aggregateId: 'a',
    eventId: 'e',
    eventType: 't',
    metadata: {},
    namespace: 'n',
    payload: null,
    schemaId: 's',
    schemaVersion: 1,
    tags: ['x']
  }

  it('has the fields that the code writes, in the order of their keys', () => {
    const encoded = encodeEvent(full, 0, () => 'unused')
    if (isLeft(encoded)) throw encoded.left
    const written = recordJson(encoded.right.json, { durableBefore: 1, version: 1, writeTimestampMs: 1 })
    const record = JSON.parse(written) as { readonly event: object }
    expect(table('record').map((row) => row['field'])).toEqual(Object.keys(record))
    expect(table('event').map((row) => row['field'])).toEqual(Object.keys(record.event))
    expect(written).toBe(stableStringify(record))
  })

  it('says which fields an event may leave out', () => {
    for (const row of table('event')) {
      const field = row['field'] as keyof typeof full
      const { [field]: _, ...rest } = full
      const encoded = encodeEvent(rest, 0, () => 'made')
      // The writer makes an event id where none is given, so that it is always stated.
      const required = row['stated'] === 'always' && field !== 'eventId'
      expect(isRight(encoded), field).toBe(!required)
    }
  })

  it('carries values as the table of coercions says', () => {
    for (const row of table('coercions')) {
      const value: unknown = runInThisContext(`(${code(row['passed'])})`)
      expect(canonicalJson(value), row['passed']).toMatchObject({ right: code(row['stored']) })
    }
  })

  it('refuses values where the table of refusals says', () => {
    for (const row of table('refusals')) {
      const value: unknown = runInThisContext(`(${code(row['passed'])})`)
      expect(canonicalJson(value), row['passed']).toMatchObject({ left: { path: code(row['refused at']) } })
    }
  })
})

describe('the limits in the format document', () => {
  it('are the constants of the code, all of them', () => {
    const stated = table('limits').map((row) => [row['limit'], Number(row['value'])])
    expect(Object.fromEntries(stated)).toEqual({ ...limits })
  })
})

describe('the mark in the format document', () => {
  const rows = table('mark')
  const mark = json<Mark>('mark')

  it('has the fields of the code, without gap or overlap', () => {
    expectSizesAddUp(rows, markRecordBytes)
    expectFieldsStandThere(rows, encodeMark, mark)
    expect(markPosition({ ...mark, sequence: 2 })).toBe(0)
    expect(text).toContain(`the second at position ${markPosition({ ...mark, sequence: 3 })}`)
    expect(table('folder').map((row) => code(row['name']))).toContain(markName)
  })

  it('is the example that the code encodes and decodes', () => {
    const lines = hex('mark')
    expectLinesFollow(rows, lines)
    expect(bytesOf(lines)).toEqual(encodeMark(mark))
    const file = Buffer.alloc(markPosition(mark) + markRecordBytes)
    bytesOf(lines).copy(file, markPosition(mark))
    expect(decodeMark(file, mark.logId)).toEqual(mark)
  })
})

describe('the cursor in the format document', () => {
  const rows = table('cursor')
  const record = json<CursorRecord>('cursor')

  it('has the fields of the code, without gap or overlap', () => {
    expectSizesAddUp(rows, cursorRecordBytes)
    expectFieldsStandThere(rows, encodeCursor, record)
    expect(text).toContain(`at the positions ${cursorPositions.join(', ').replace(/, (?=\d+$)/, ' and ')}.`)
    expect(text).toContain(`refuses the file, and so does another log's id.`)
  })

  it('is the example that the code encodes and decodes', () => {
    const lines = hex('cursor')
    expectLinesFollow(rows, lines)
    expect(bytesOf(lines)).toEqual(encodeCursor(record))
    const file = Buffer.alloc(cursorFileBytes)
    bytesOf(lines).copy(file, cursorPositions[1])
    expect(decodeCursor(file, record.logId)).toEqual({ _tag: 'Right', right: { record, place: 1 } })
  })

  it('names the CRCs of the frames before its offsets', () => {
    const ends = blocks.flatMap(({ info, text: lines }) => {
      if (!/^hex frame \d+$/.test(info)) return []
      const frame = bytesOf(hexLines(lines))
      return [[Number(info.slice(10)) + frame.length, frame.readUInt32LE(frame.length - 4)] as const]
    })
    const prints = new Map(ends)
    expect(prints.get(record.cursor)).toBe(record.cursorPrint)
    expect(prints.get(record.certain)).toBe(record.certainPrint)
  })
})

describe('the index in the format document', () => {
  const rows = table('trailer')
  const { logId, createdAt } = json<SegmentHeader>('header')
  const lines = hex('index')

  it('has a trailer with the fields of the code, without gap or overlap', () => {
    expectSizesAddUp(rows, trailerBytes)
    expectLinesFollow(rows, lines.slice(-rows.length))
    const decoded = decodeTrailer(bytesOf(lines).subarray(-trailerBytes), bytesOf(lines).length)
    if (isLeft(decoded)) throw new Error(decoded.left)
    expectFieldsStandThere(rows, encodeTrailer, decoded.right)
    const own = ['reserved', 'magic', 'version', 'flags', 'CRC-32']
    expect(rows.map((row) => row['field']).filter((field) => !own.includes(field as string))).toEqual(
      Object.keys(decoded.right)
    )
  })

  it('is the file that the code writes for the log of the examples', () => {
    const index = new MemoryIndex({ logId, base: 0 })
    let offset = 0
    for (const [place, event] of json<readonly EventKeys[]>('batch').entries()) {
      const frame = bytesOf(hex(`frame ${offset}`))
      const nextOffset = offset + frame.length
      const crc = frame.readUInt32LE(frame.length - 4)
      index.add(
        { offset, nextOffset, crc, version: place + 1, writeTimestampMs: createdAt + place },
        { aggregateId: event.aggregateId, eventType: event.eventType, namespace: undefined, tags: [] }
      )
      offset = nextOffset
    }
    expect(bytesOf(lines)).toEqual(Buffer.concat([...index.parts()]))
  })

  it('has the kinds, the block size and the reasons of the code', () => {
    const kinds = table('kinds').map((row) => [row['kind'], Number(row['code'])])
    expect(Object.fromEntries(kinds)).toEqual(keyKind)
    expect(rows.find((row) => row['field'] === 'version')?.['meaning']).toContain(`: ${indexFormatVersion}.`)
    expect(text).toContain(`has ${keyBlockBytes} bytes, and ends with its CRC`)
    expect(text).toContain(`stride of ${limits.strideBytes} bytes`)
    // The compiler holds this list to the code's reasons; the rows must be the same ones.
    const reasons: Readonly<Record<CorruptReason, true>> = {
      checksum: true,
      framing: true,
      zeros: true,
      missing: true,
      content: true
    }
    expect(table('reasons').map((row) => row['reason'])).toEqual(Object.keys(reasons))
    for (const row of table('reasons')) {
      const section = new ByteWriter()
      const reason = row['reason'] as CorruptReason
      writeDamage(section, [{ offset: Offset(105), nextOffset: Offset(125), reason }], 100)
      expect([...section.take()], reason).toEqual([5, 20, Number(row['code'])])
    }
  })

  it('has entries of the fields that the code writes, in their order', () => {
    const entry = {
      kind: keyKind.aggregate,
      key: 'a-1',
      events: 2,
      version: 3
    }
    const fields = [...Object.keys(entry), 'postingsBytes', 'postings', 'postingsCrc']
    expect(table('entry').map((row) => row['field'])).toEqual(fields)
    const written = new ByteWriter()
    const from = new ByteWriter()
    const postings = Buffer.alloc(inlineBytesMax + 1, 1)
    from.raw({ bytes: postings, start: 0, end: inlineBytesMax })
    writeEntry(written, entry, { from, start: 0, seed: 0 })
    const head = [1, 6, 0x61, 0x2d, 0x31, 2, 3]
    expect([...written.take()]).toEqual([...head, inlineBytesMax, ...postings.subarray(1)])
    from.raw({ bytes: postings, start: 0, end: postings.length })
    writeEntry(written, entry, { from, start: 0, seed: 5 })
    const sum = Buffer.alloc(4)
    sum.writeUInt32LE(crc32(postings, 5))
    expect([...written.take()]).toEqual([...head, inlineBytesMax + 1, ...sum])
  })

  it('has the filter of the code', () => {
    const prose = text.replaceAll(/\s+/g, ' ')
    expect(prose).toContain(`blocks of ${filterBlockBytes} bytes`)
    expect(prose).toContain(`pages of ${filterPageBlocks} blocks`)
    expect(prose).toContain(`up to ${inlineBytesMax} bytes`)
    expect(prose).toContain(`${filterKeysMax} keys`)
    const [aggregate, type, other] = [[1, 'a-1'] as const, [2, 'Paid'] as const, [2, 'Opened'] as const]
    const builder = new FilterBuilder()
    for (const [kind, key] of [aggregate, type, other]) builder.add(keyHash(kind, key))
    const first = lines.findIndex(({ note }) => note.startsWith('filters: '))
    expect(bytesOf(lines.slice(first, first + 4))).toEqual(builder.take())
    for (const row of table('hashes')) {
      const hash = keyHash(Number(row['kind']) as KeyKind, code(row['key']))
      expect(hash.toString(16).padStart(8, '0'), row['key']).toBe(row['hash'])
    }
  })
})
