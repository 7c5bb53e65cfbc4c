// Many frames parsed at once come out as frame by frame: the law that makes ChunkCollector a matter of speed alone.

import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Offset } from '../src/core/brand.ts'
import { frameBytes, frameSeed, sealFrame } from '../src/core/frame.ts'
import { recordJson } from '../src/core/event.ts'
import { ChunkCollector } from '../src/log/chunk.ts'
import { Collector, type Element } from '../src/log/collect.ts'

const logId = 7

function eventJson(id: string, payload: unknown): string {
  const [aggregateId, eventId] = [JSON.stringify(`account-${id}`), JSON.stringify(id)]
  return `{"aggregateId":${aggregateId},"eventId":${eventId},"eventType":"Tested","payload":${JSON.stringify(payload)}}`
}

const record = fc
  .record({ id: fc.stringMatching(/^[a-zé\ufffd€]{1,9}$/), payload: fc.jsonValue(), version: fc.nat() })
  .map(({ id, payload, version }) =>
    Buffer.from(
      recordJson(eventJson(id, payload), { durableBefore: undefined, version: version + 1, writeTimestampMs: 1 })
    )
  )
const long = record.map((bytes) => Buffer.concat([bytes.subarray(0, -1), Buffer.alloc(2_000, 0x20), Buffer.from('}')]))
const deep = fc.integer({ min: 900, max: 1_100 }).map((depth) => {
  const payload = `${'['.repeat(depth)}${']'.repeat(depth)}`
  const event = `{"aggregateId":"a","eventId":"b","eventType":"c","payload":${payload}}`
  return Buffer.from(recordJson(event, { durableBefore: undefined, version: 1, writeTimestampMs: 1 }))
})
/** What no log of ours holds: no JSON, no UTF-8, no record, two values, half a value. */
const foreign = fc.constantFrom(
  Buffer.from('{'),
  Buffer.from('{}'),
  Buffer.from('{},{}'),
  Buffer.from('{"a":[1'),
  Buffer.from('{"a":"'),
  Buffer.from('{"event":1}'),
  Buffer.from('{"a":"\u00e9"}', 'latin1')
)
const isRecord = (bytes: Buffer): boolean => bytes.includes('"eventType"') && !bytes.includes('['.repeat(1_001))
const payloads = fc.array(
  fc.oneof(
    { arbitrary: record, weight: 60 },
    { arbitrary: long, weight: 2 },
    { arbitrary: deep, weight: 1 },
    { arbitrary: foreign, weight: 2 }
  ),
  { minLength: 1, maxLength: 200, size: 'max' }
)

/** Frames behind each other but for one gap, which is told as damage or not. */
function visit(collector: Collector, frames: readonly Buffer[], gapAt: number): Element[] {
  const total = frames.reduce((sum, payload) => sum + frameBytes(payload.length), 100)
  const bytes = Buffer.alloc(total)
  const places: number[] = []
  let end = 0
  for (const [place, payload] of frames.entries()) {
    if (place === gapAt) end += 50
    places.push(end)
    payload.copy(bytes, end + 4)
    end = sealFrame(bytes, end, { payloadBytes: payload.length, continued: false, seed: frameSeed(logId, end) })
  }
  for (const [place, payload] of frames.entries()) {
    const at = places[place] as number
    if (place === gapAt && place % 2 === 0)
      collector.damage({ offset: Offset(at - 50), nextOffset: Offset(at), reason: 'checksum' })
    collector.frame(bytes, at, payload.length, at)
  }
  return collector.take()
}

describe('a chunk of frames', () => {
  it('is decoded as its frames are one by one, whatever stands in them', () => {
    fc.assert(
      fc.property(payloads, fc.nat({ max: 200 }), (frames, gapAt) => {
        const together = visit(new ChunkCollector(), frames, gapAt)
        expect(together).toEqual(visit(new Collector(), frames, gapAt))
        const events = together.filter((element) => element._tag === 'Right').length
        expect(events).toBe(frames.filter(isRecord).length)
      }),
      { numRuns: 200 }
    )
  })
})
