// A stream has what its replay has, however it is read, and never gets further ahead of its consumer than it was told.

import type { Readable } from 'node:stream'
import { finished } from 'node:stream/promises'
import { left } from 'fp-ts/lib/Either.js'
import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { Corrupt, Offset } from '../src/index.ts'
import { turn } from '../test/log-lab.ts'
import { Batches, batchesOf, stored } from '../test/readable-lab.ts'

it('a stream asks for a batch only when there is room and the one before is used up, whatever the sizes', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 7 }), { maxLength: 8 })
  const property = fc.asyncProperty(sizes, fc.integer({ min: 1, max: 9 }), async (drawn, highWaterMark) => {
    const batches = new Batches(batchesOf(...drawn))
    const stream = batches.replay.toReadable({ highWaterMark })
    const total = drawn.reduce((sum, size) => sum + size, 0)
    // The first read starts it; it fills up and stops.
    for (let taken = 0; taken <= total; taken++) {
      stream.read(0)
      for (let pause = 0; pause < 2 * (drawn.length + 2); pause++) await turn()
      expect(stream.readableLength).toBe(Math.min(highWaterMark, total - taken))
      // As many batches as it takes to fill the buffer, and one more only to find the end.
      let [needed, covered] = [0, 0]
      while (covered < taken + highWaterMark && needed <= drawn.length) covered += drawn[needed++] ?? 0
      expect(batches.asked).toBe(needed)
      if (taken < total) expect(stream.read()).toEqual(stored(taken))
    }
    expect(stream.read()).toBeNull()
    await finished(stream)
    expect(batches.closed).toBe(1)
  })
  await fc.assert(property, { numRuns: 60 })
})

/** Reads a stream to its end, and answers with the error that ended it. */
const ways: Readonly<Record<string, (stream: Readable, take: (chunk: unknown) => void) => Promise<unknown>>> = {
  iterating: async (stream, take) => {
    try {
      for await (const chunk of stream) take(chunk)
    } catch (error) {
      return error
    }
    return undefined
  },
  flowing: (stream, take) => {
    stream.on('data', (chunk: unknown) => {
      take(chunk)
      // Now and then it has to stop and go on.
      stream.pause()
      setImmediate(() => stream.resume())
    })
    return ended(stream)
  },
  reading: (stream, take) => {
    stream.on('readable', () => {
      for (let chunk: unknown = stream.read(); chunk !== null; chunk = stream.read()) take(chunk)
    })
    return ended(stream)
  }
}

function ended(stream: Readable): Promise<unknown> {
  return finished(stream).then(
    () => undefined,
    (error: unknown) => error
  )
}

it('a stream has the events of its replay up to the first error, or every element, however it is read', async () => {
  const sizes = fc.array(fc.integer({ min: 1, max: 6 }), { maxLength: 6 })
  const way = fc.constantFrom(...Object.keys(ways))
  const property = fc.asyncProperty(
    fc.record({ sizes, way, either: fc.boolean(), highWaterMark: fc.nat({ max: 8 }), damaged: fc.array(fc.nat(20)) }),
    async (drawn) => {
      const corrupt = new Corrupt({ offset: Offset(0), nextOffset: Offset(1), reason: 'zeros' })
      const batches = batchesOf(...drawn.sizes).map((batch) =>
        batch.map((one) => (one._tag === 'Right' && drawn.damaged.includes(one.right.offset) ? left(corrupt) : one))
      )
      const books = new Batches(batches)
      const { either, highWaterMark } = drawn
      const stream = either
        ? books.replay.toReadable({ either, highWaterMark })
        : books.replay.toReadable({ highWaterMark })
      const taken: unknown[] = []
      const failed = await ways[drawn.way]?.(stream, (chunk) => taken.push(chunk))
      const whole = batches.flat()
      const first = whole.findIndex((one) => one._tag === 'Left')
      const events = whole.slice(0, first === -1 ? undefined : first)
      expect(taken).toEqual(either ? whole : events.map((one) => one._tag === 'Right' && one.right))
      expect(failed).toBe(either || first === -1 ? undefined : corrupt)
      expect(books.closed).toBe(1)
    }
  )
  await fc.assert(property, { numRuns: 200 })
})
