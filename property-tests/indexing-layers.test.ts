// Laws of the layered index: wherever it was cut into checkpoints, and whatever was added while one was written, it
// answers and writes what one index of all frames does; and no byte that changed below is ever believed.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { LayeredIndex } from '../src/indexing/layered-index.ts'
import { MemoryIndex, type ActiveIndex } from '../src/indexing/memory-index.ts'
import { bytes, forge, history, segment } from '../test/indexing-arbitraries.ts'
import {
  addEntries,
  answers,
  bytesOf,
  fileOf,
  indexOf,
  isDamaged,
  joinParts,
  modelAnswers,
  openBytes,
  questionsFor,
  right,
  type Entry,
  type Place,
  layered
} from '../test/indexing-model.ts'

/** Which entries come before a checkpoint, and how many are added while it is written. */
const checkpoints = fc.array(fc.record({ cut: fc.nat(), during: fc.nat({ max: 12 }) }), { maxLength: 4 })

type Checkpoints = readonly { readonly cut: number; readonly during: number }[]

/** Adds all entries to an index that takes checkpoints on the way. */
function grown(place: Place, entries: readonly Entry[], plan: Checkpoints): ActiveIndex {
  let index: ActiveIndex = new MemoryIndex(place)
  let done = 0
  const cuts = plan.map(({ cut, during }) => ({ cut: cut % (entries.length + 1), during }))
  for (const { cut, during } of cuts.sort((one, other) => one.cut - other.cut)) {
    addEntries(index, entries.slice(done, cut))
    done = Math.max(done, Math.min(cut, entries.length))
    const parts = index.checkpoint()[Symbol.iterator]()
    const written: Uint8Array[] = []
    const stop = done + during
    for (;;) {
      addEntries(index, entries.slice(done, Math.min(done + 1, stop)))
      if (done < Math.min(stop, entries.length)) done++
      const part = parts.next()
      if (part.done === true) break
      written.push(right(part.value))
    }
    index = layered(right(openBytes(Buffer.concat(written), place)), index)
  }
  addEntries(index, entries.slice(done))
  return index
}

test('cut into checkpoints anywhere, while frames are added, the index answers as one of all frames', () => {
  fc.assert(
    fc.property(segment, history, checkpoints, (place, entries, plan) => {
      const index = grown(place, entries, plan)
      const questions = questionsFor(place.base, entries)
      expect(answers(index, questions)).toEqual(modelAnswers(place.base, entries, questions))
    }),
    { numRuns: 300 }
  )
})

test('cut into checkpoints anywhere, the next checkpoint has the bytes of an index of all frames', () => {
  fc.assert(
    fc.property(segment, history, checkpoints, (place, entries, plan) => {
      const index = grown(place, entries, plan)
      expect(bytesOf(index).equals(bytesOf(indexOf(place, entries)))).toBe(true)
    }),
    { numRuns: 500 }
  )
})

test('opened on a checkpoint of any length and continued, it answers as one of all frames and writes its bytes', () => {
  fc.assert(
    fc.property(segment, history, fc.nat(), (place, entries, seed) => {
      const cut = seed % (entries.length + 1)
      const index = LayeredIndex.on(fileOf(indexOf(place, entries.slice(0, cut)), place))
      addEntries(index, entries.slice(cut))
      const questions = questionsFor(place.base, entries)
      expect(answers(index, questions)).toEqual(modelAnswers(place.base, entries, questions))
      expect(bytesOf(index).equals(bytesOf(indexOf(place, entries)))).toBe(true)
    }),
    { numRuns: 200 }
  )
})

test('on a file with changed bytes it is IndexDamaged or answers the same, and writes the same or nothing', () => {
  const patch = fc.record({ at: fc.nat(), changes: fc.uint8Array({ minLength: 1, maxLength: 4 }) })
  fc.assert(
    fc.property(segment, history, fc.nat(), patch, (place, entries, seed, { at, changes }) => {
      const cut = seed % (entries.length + 1)
      const below = bytesOf(indexOf(place, entries.slice(0, cut)))
      const changed = Buffer.from(below)
      const position = at % below.length
      changed.set(changes.subarray(0, below.length - position), position)
      fc.pre(!changed.equals(below))
      const opened = openBytes(changed, place)
      if (opened._tag === 'Left') return
      const index = LayeredIndex.on(opened.right)
      addEntries(index, entries.slice(cut))
      const questions = questionsFor(place.base, entries)
      const expected = modelAnswers(place.base, entries, questions)
      answers(index, questions).forEach((answer, number) => {
        if (answer !== 'damaged') expect(answer).toEqual(expected[number])
      })
      // The filters of the file below are not read: the next one has its own.
      const next = joinParts(index.checkpoint())
      if (next._tag === 'Right') expect(next.right.equals(bytesOf(indexOf(place, entries)))).toBe(true)
      else expect(isDamaged(next)).toBe(true)
    }),
    { numRuns: 300 }
  )
})

test('sections of any bytes below, under valid checksums, are refused or answered, without a throw', () => {
  const sections = fc.record({ block: bytes, directory: fc.option(bytes), strides: bytes, damaged: bytes })
  fc.assert(
    fc.property(sections, fc.nat({ max: 40 }), ({ block, directory, strides, damaged }, postingsBytes) => {
      const found = directory ?? Buffer.from([1, 0, postingsBytes, block.length + 4, 1])
      const place = { logId: 7, base: 64 }
      const file = right(openBytes(forge([block, found, strides, damaged], postingsBytes), place))
      const index = LayeredIndex.on(file)
      addEntries(index, [{ kind: 'damage', bytes: 9, reason: 'zeros' }])
      for (const answer of answers(index, questionsFor(64, []))) {
        if (Array.isArray(answer)) expect(answer.length).toBeLessThan(1_000)
      }
      expect(isDamaged(joinParts(index.checkpoint()))).toBe(true)
    }),
    { numRuns: 1_000 }
  )
})
