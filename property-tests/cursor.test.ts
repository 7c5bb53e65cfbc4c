// The file of a reader's cursor: what was written is read back, and whatever happens to one record, the file answers with
// the newest of the others.

import * as fc from 'fast-check'
import { left, right } from 'fp-ts/lib/Either.js'
import { expect, it } from 'vitest'
import {
  cursorFileBytes,
  cursorPositions,
  cursorRecordBytes,
  cursorVersion,
  decodeCursor,
  encodeCursor,
  readerNameFault,
  type CursorRecord
} from '../src/core/cursor.ts'
import { crc32 } from '../src/core/crc.ts'

const logId = 0x51ed_1e55
const u32 = fc.nat({ max: 0xffff_ffff })
const print = fc.option(u32, { nil: undefined })

/** Three offsets in order: floor, certain, cursor. */
const offsets = fc.tuple(fc.maxSafeNat(), fc.maxSafeNat(), fc.maxSafeNat()).map((three) => three.sort((a, b) => a - b))

const notes = fc
  .record({ offsets, cursorPrint: print, certainPrint: print, heartbeatMs: fc.maxSafeNat(), heartbeatEveryMs: u32 })
  .chain(({ offsets: [floor, certain, cursor], ...rest }) =>
    fc.record({ pid: u32 }).map(({ pid }) => ({ ...rest, floor, certain, cursor, pid, logId }))
  )

const three = fc
  .record({ notes: fc.tuple(notes, notes, notes), first: fc.nat({ max: 2 ** 40 }) })
  .map(({ notes: all, first }) => all.map((note, index): CursorRecord => ({ ...note, sequence: first + index })))

/** The records in some order of the places. */
const files = fc
  .record({ records: three, order: fc.shuffledSubarray([0, 1, 2], { minLength: 3 }) })
  .map(({ records, order }) => {
    const file = Buffer.alloc(cursorFileBytes)
    for (const [index, record] of records.entries()) {
      encodeCursor(record).copy(file, cursorPositions[order[index] as number])
    }
    return { file, records, order }
  })

it('the newest record is what a file answers, to the last field', () => {
  fc.assert(
    fc.property(files, ({ file, records, order }) => {
      expect(decodeCursor(file, logId)).toEqual(right({ record: records[2], place: order[2] }))
      const newest = records[2] as CursorRecord
      expect(decodeCursor(file, logId + 1)).toEqual(left({ kind: 'foreign', logId: newest.logId }))
    })
  )
})

it('a record whose sequence leaves no room to count on is none', () => {
  fc.assert(
    fc.property(files, ({ file, records, order }) => {
      const bytes = (sequence: number): Buffer => encodeCursor({ ...(records[0] as CursorRecord), sequence })
      bytes(2 ** 52 + 1).copy(file, cursorPositions[order[0] as number])
      expect(decodeCursor(file, logId)).toEqual(right({ record: records[2], place: order[2] }))
      bytes(2 ** 52).copy(file, cursorPositions[order[0] as number])
      expect(decodeCursor(file, logId)).toMatchObject(right({ record: { sequence: 2 ** 52 } }))
    })
  )
})

it('any damage to the newest record leaves the one before it, and damage to another changes nothing', () => {
  const harm = fc.record({
    record: fc.nat({ max: 2 }),
    at: fc.nat({ max: cursorRecordBytes - 1 }),
    bytes: fc.uint8Array({ minLength: 1, maxLength: cursorRecordBytes })
  })
  fc.assert(
    fc.property(files, harm, ({ file, records, order }, { record, at, bytes }) => {
      const start = cursorPositions[order[record] as number] as number
      const before = Buffer.from(file)
      file.set(bytes.subarray(0, cursorRecordBytes - at), start + at)
      fc.pre(!file.equals(before))
      const expected = record === 2 ? 1 : 2
      expect(decodeCursor(file, logId)).toEqual(right({ record: records[expected], place: order[expected] }))
    }),
    { numRuns: 500 }
  )
})

it('every single byte of a record is vouched for', () => {
  const record: CursorRecord = {
    sequence: 9,
    cursor: 300,
    certain: 200,
    floor: 100,
    cursorPrint: 1,
    certainPrint: undefined,
    heartbeatMs: 5,
    heartbeatEveryMs: 6,
    pid: 7,
    logId
  }
  for (let at = 0; at < cursorRecordBytes; at++) {
    for (let bit = 0; bit < 8; bit++) {
      const file = encodeCursor(record)
      file[at] = (file[at] as number) ^ (1 << bit)
      expect(decodeCursor(file, logId), `byte ${at}, bit ${bit}`).toEqual(left({ kind: 'damaged' }))
    }
  }
})

it('a file that was cut answers from the records that are whole', () => {
  fc.assert(
    fc.property(files, fc.nat({ max: cursorFileBytes }), ({ file, records, order }, bytes) => {
      const whole = records.filter(
        (_, index) => (cursorPositions[order[index] as number] ?? 0) + cursorRecordBytes <= bytes
      )
      const found = decodeCursor(file.subarray(0, bytes), logId)
      expect(found).toMatchObject(
        whole.length === 0 ? left({ kind: 'damaged' }) : right({ record: whole[whole.length - 1] })
      )
    })
  )
})

it('a record of a later version refuses the file, and one whose offsets contradict each other is passed over', () => {
  fc.assert(
    fc.property(files, fc.nat({ max: 2 }), ({ file, records, order }, which) => {
      const start = cursorPositions[order[which] as number] as number
      const bytes = file.subarray(start, start + cursorRecordBytes)
      const seal = (): void => void bytes.writeUInt32LE(crc32(bytes.subarray(0, 68), 0), 68)
      bytes.writeUInt16LE(cursorVersion + 1, 4)
      seal()
      expect(decodeCursor(file, logId)).toEqual(left({ kind: 'version', version: cursorVersion + 1 }))
      bytes.writeUInt16LE(cursorVersion, 4)
      bytes.writeBigUInt64LE(BigInt(Number.MAX_SAFE_INTEGER), 32)
      bytes.writeBigUInt64LE(1n, 24)
      seal()
      const expected = which === 2 ? 1 : 2
      expect(decodeCursor(file, logId)).toMatchObject(right({ record: records[expected] }))
    })
  )
})

it('a name is refused unless it is a plain name of a folder', () => {
  const good = fc.stringMatching(/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}$/)
  fc.assert(fc.property(good, (name) => readerNameFault(name) === undefined))
  const dangerous = ['', '.', '..', '.hidden', 'a/b', '../a', 'a\\b', 'a\0', 'a b', 'ä', 'a\n', 'x'.repeat(101)]
  for (const name of [...dangerous, undefined, 7, null, {}]) {
    expect(readerNameFault(name), JSON.stringify(name)).toContain('1 to 100 of')
  }
})
