// Laws of the index: in memory, in a file and restored from a checkpoint it answers what a filter over all events
// answers, equal content has equal bytes, and no byte that changed is ever believed.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { map as mapEither } from 'fp-ts/lib/Either.js'
import { ByteReader, ByteWriter, encodeKey } from '../src/indexing/bytes.ts'
import { decodeTrailer, encodeTrailer, fileSeed, trailerBytes, type IndexTrailer } from '../src/indexing/format.ts'
import {
  findEntry,
  readDamage,
  readDirectory,
  readEntries,
  readPostings,
  readStrides,
  type Directory
} from '../src/indexing/section.ts'
import type { Timeline } from '../src/indexing/timeline.ts'
import { MemoryIndex } from '../src/indexing/memory-index.ts'
import { bytes, forge, history, name, segment } from '../test/indexing-arbitraries.ts'
import {
  addEntries,
  answers,
  bytesOf,
  fileOf,
  indexOf,
  isDamaged,
  modelAnswers,
  openBytes,
  questionsFor
} from '../test/indexing-model.ts'

test('the index in memory, in a file and restored from it answer what a filter over all events answers', () => {
  fc.assert(
    fc.property(segment, history, (place, entries) => {
      const index = indexOf(place, entries)
      const questions = questionsFor(place.base, entries)
      const expected = modelAnswers(place.base, entries, questions)
      expect(answers(index, questions)).toEqual(expected)
      const file = fileOf(index, place)
      expect(answers(file, questions)).toEqual(expected)
      expect(file.verify()._tag).toBe('Right')
      const restored = MemoryIndex.from(file)
      if (restored._tag === 'Left') throw new Error('a whole file was refused')
      expect(answers(restored.right, questions)).toEqual(expected)
    }),
    { numRuns: 300 }
  )
})

test('built at once, or restored from a checkpoint at any cut and continued: the bytes are the same', () => {
  fc.assert(
    fc.property(segment, history, fc.nat(), (place, entries, seed) => {
      const whole = bytesOf(indexOf(place, entries))
      const cut = seed % (entries.length + 1)
      const restored = MemoryIndex.from(fileOf(indexOf(place, entries.slice(0, cut)), place))
      if (restored._tag === 'Left') throw new Error('a whole file was refused')
      addEntries(restored.right, entries.slice(cut))
      expect(bytesOf(restored.right).equals(whole)).toBe(true)
    }),
    { numRuns: 300 }
  )
})

test('what is added while the parts are taken does not show in them', () => {
  fc.assert(
    fc.property(segment, history, history, (place, entries, later) => {
      const index = indexOf(place, entries)
      const before = bytesOf(index)
      const parts: Uint8Array[] = []
      const iterator = index.parts()[Symbol.iterator]()
      for (let step = 0; ; step++) {
        addEntries(index, later.slice(step, step + 1))
        const part = iterator.next()
        if (part.done === true) break
        parts.push(part.value)
      }
      expect(Buffer.concat(parts).equals(before)).toBe(true)
    }),
    { numRuns: 200 }
  )
})

test('a file with changed bytes is IndexDamaged or answers the same, never anything else', () => {
  fc.assert(
    fc.property(
      segment,
      history,
      fc.nat(),
      fc.uint8Array({ minLength: 1, maxLength: 4 }),
      (place, entries, at, patch) => {
        const questions = questionsFor(place.base, entries)
        const whole = bytesOf(indexOf(place, entries))
        const expected = modelAnswers(place.base, entries, questions)
        const changed = Buffer.from(whole)
        changed.set(patch.subarray(0, Math.min(patch.length, whole.length - (at % whole.length))), at % whole.length)
        fc.pre(!changed.equals(whole))
        const opened = openBytes(changed, place)
        expect(opened._tag === 'Right' || isDamaged(opened)).toBe(true)
        if (opened._tag === 'Left') return
        answers(opened.right, questions).forEach((answer, number) => {
          if (answer !== 'damaged') expect(answer).toEqual(expected[number])
        })
        expect(isDamaged(opened.right.verify())).toBe(true)
      }
    ),
    { numRuns: 400 }
  )
})

test('a block of another segment, log or checkpoint does not verify, even in the same place', () => {
  fc.assert(
    fc.property(segment, segment, history, history, (place, otherPlace, entries, otherEntries) => {
      const whole = bytesOf(indexOf(place, entries))
      const other = bytesOf(indexOf(otherPlace, otherEntries))
      const trailer = decodeTrailer(whole.subarray(-trailerBytes), whole.length)
      const otherTrailer = decodeTrailer(other.subarray(-trailerBytes), other.length)
      if (trailer._tag === 'Left' || otherTrailer._tag === 'Left') throw new Error('a whole trailer was refused')
      fc.pre(fileSeed(trailer.right) !== fileSeed(otherTrailer.right))
      const mixed = Buffer.concat([
        other.subarray(0, -trailerBytes),
        encodeTrailer({ ...otherTrailer.right, ...identity(whole) })
      ])
      const opened = openBytes(mixed, place)
      if (opened._tag === 'Left') throw new Error('the trailer is whole')
      expect(isDamaged(opened.right.verify())).toBe(true)
      expect(isDamaged(opened.right.version('a'))).toBe(true)
    }),
    { numRuns: 100 }
  )
})

test('sections of any bytes under valid checksums are refused or answered, without a throw', () => {
  const sections = fc.record({ block: bytes, directory: fc.option(bytes), strides: bytes, damaged: bytes })
  fc.assert(
    fc.property(sections, fc.nat({ max: 40 }), ({ block, directory, strides, damaged }, postingsBytes) => {
      // Without a directory of its own the file gets the right one, so that lookups come as far as the key block.
      const found = directory ?? Buffer.from([1, 0, postingsBytes, block.length + 4, 1])
      const opened = openBytes(forge([block, found, strides, damaged], postingsBytes), { logId: 7, base: 64 })
      if (opened._tag === 'Left') throw new Error('the trailer is whole')
      for (const answer of answers(opened.right, questionsFor(64, []))) {
        if (Array.isArray(answer)) expect(answer.length).toBeLessThan(1_000)
      }
      expect(isDamaged(opened.right.verify())).toBe(true)
      expect(isDamaged(MemoryIndex.from(opened.right))).toBe(true)
    }),
    { numRuns: 2_000 }
  )
})

test('no decoder makes more of any bytes than there are bytes, whatever they count up to', () => {
  const word = fc.constantFrom(0, 1, 2, 3, 60, 2 ** 31, 2 ** 53 - 1)
  fc.assert(
    fc.property(bytes, word, word, (input, one, other) => {
      const source = Buffer.from(input)
      const block = { entries: source, entriesEnd: source.length, postingsBytes: one }
      const span = { bytes: source, start: 0, end: source.length }
      const trailer = { ...emptyTrailer, base: Math.min(one, other), end: Math.max(one, other), lastTimestampMs: one }
      const decoded = [
        readPostings(span, { events: one, base: 0, limit: other }),
        readEntries(block),
        readDamage(source, trailer),
        mapEither((timeline: Timeline) => timeline.offsets)(readStrides(source, trailer)),
        mapEither((directory: Directory) => directory.firsts)(
          readDirectory(source, { ...trailer, groupsBytes: one, filterBytes: 36 })
        )
      ]
      for (const list of decoded)
        if (list._tag === 'Right') expect(list.right.length).toBeLessThanOrEqual(source.length)
      findEntry(block, 1, encodeKey('a'))
    }),
    { numRuns: 2_000 }
  )
})

test('numbers and keys come back as they went', () => {
  const numbers = fc.array(
    fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat({ max: 300 }), fc.constantFrom(2 ** 53 - 1, 2 ** 31))
  )
  fc.assert(
    fc.property(numbers, fc.array(name), (varints, names) => {
      const target = new ByteWriter()
      varints.forEach((value) => target.varint(value))
      names.forEach((key) => target.key(key))
      const written = target.take()
      const source = new ByteReader(written, 0, written.length)
      expect(varints.map(() => source.varint())).toEqual(varints)
      expect(names.map(() => source.key())).toEqual(names)
      expect([source.done, source.failed]).toEqual([true, false])
    })
  )
})

const emptyTrailer: IndexTrailer = {
  ...{ logId: 0, lastFrameCrc: 0, base: 0, end: 0, events: 0, firstTimestampMs: 0, lastTimestampMs: 0 },
  ...{ groupsBytes: 0, directoryBytes: 0, stridesBytes: 0, damageBytes: 0, filterBytes: 0 }
}

function identity(file: Buffer): { logId: number; lastFrameCrc: number; base: number; end: number } {
  const trailer = decodeTrailer(file.subarray(-trailerBytes), file.length)
  if (trailer._tag === 'Left') throw new Error(trailer.left)
  const { logId, lastFrameCrc, base, end } = trailer.right
  return { logId, lastFrameCrc, base, end }
}
