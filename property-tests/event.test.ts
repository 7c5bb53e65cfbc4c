// An event that was accepted comes back equal; anything else is refused with its path, on both ways, without a throw.

import { isUtf8 } from 'node:buffer'
import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import stableStringify from 'fast-json-stable-stringify'
import { isLeft, isRight } from 'fp-ts/lib/Either.js'
import { describe, expect, test } from 'vitest'
import { AnyEvent, decodeRecord, encodeEvent, recordJson, type EncodedEvent } from '../src/core/event.ts'
import { json, name, newEvent, text } from '../src/testing/arbitraries.ts'
import { applyDamage, damage } from '../src/testing/damage.ts'
import { unstorable } from '../src/testing/unstorable.ts'

const freshId = 'fresh-id'
const place = fc.record({
  durableBefore: fc.option(fc.nat({ max: Number.MAX_SAFE_INTEGER }), { nil: undefined }),
  version: fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER }),
  writeTimestampMs: fc.nat({ max: Number.MAX_SAFE_INTEGER })
})

function accepted(event: unknown): EncodedEvent {
  const encoded = encodeEvent(event, 0, () => freshId)
  if (isLeft(encoded)) throw encoded.left
  return encoded.right
}

interface Box {
  readonly value: unknown
}

const firstPlace = { durableBefore: undefined, version: 1, writeTimestampMs: 1 }

/** What JSON makes of a value; the reference for the round trip. */
function carried(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value))
}

/** Where an encoding or a decoding was refused, '' when it was not. */
function pathOf(answer: ReturnType<typeof encodeEvent> | ReturnType<typeof decodeRecord>): string {
  return isLeft(answer) ? answer.left.path : ''
}

function decodeText(record: string): ReturnType<typeof decodeRecord> {
  const bytes = Buffer.from(record)
  return decodeRecord(bytes, 0, bytes.length)
}

describe('an event', () => {
  test('comes back from its frame as it was passed, with its place and its id', () => {
    fc.assert(
      fc.property(newEvent(), place, fc.uint8Array({ maxLength: 5 }), (event, record, before) => {
        const bytes = Buffer.concat([before, Buffer.from(recordJson(accepted(event).json, record)), before])
        const decoded = decodeRecord(bytes, before.length, bytes.length - before.length)
        if (isLeft(decoded)) return expect.fail(`${decoded.left.path} ${decoded.left.reason}`)
        const whole = carried({ ...record, event: { ...event, eventId: event.eventId ?? freshId } })
        expect(isDeepStrictEqual(decoded.right, whole)).toBe(true)
        expect(AnyEvent.is(decoded.right.event)).toBe(true)
      }),
      { numRuns: 500 }
    )
  })

  test('is stored in the very bytes that fast-json-stable-stringify prints, record and all', () => {
    fc.assert(
      fc.property(newEvent(), place, (event, record) => {
        const whole = { ...event, eventId: event.eventId ?? freshId }
        const encoded = accepted(event)
        expect(encoded.json).toBe(stableStringify(whole))
        expect(recordJson(encoded.json, record)).toBe(stableStringify({ ...record, event: whole }))
      }),
      { numRuns: 300 }
    )
  })

  test('is found by the very names it was passed with', () => {
    fc.assert(
      fc.property(newEvent(), (event) => {
        const { aggregateId, eventId, eventType, namespace, tags } = accepted(event)
        const { eventId: passedId = freshId, tags: passedTags = [] } = event
        expect([aggregateId, eventId, eventType, namespace]).toEqual([
          event.aggregateId,
          passedId,
          event.eventType,
          event.namespace
        ])
        expect(tags).toEqual(passedTags)
      })
    )
  })

  test('is refused at the path of what cannot be stored, in the payload and in the metadata', () => {
    const event = { aggregateId: 'a', eventType: 'T', payload: {} }
    fc.assert(
      fc.property(unstorable(), fc.nat({ max: 99 }), ({ value, path }, index) => {
        const refused = encodeEvent({ ...event, payload: value }, index, () => freshId)
        expect(isLeft(refused) && [refused.left._tag, refused.left.path, refused.left.index]).toEqual([
          'InvalidEvent',
          path.replace('$', '$.payload'),
          index
        ])
        const metadata = pathOf(encodeEvent({ ...event, metadata: { value } }, 0, () => freshId))
        expect(metadata.startsWith('$.metadata.value')).toBe(true)
      }),
      { numRuns: 1_000 }
    )
  })

  test('never makes encodeEvent throw, whatever it is and whatever stands in its fields', () => {
    // Drawn in boxes, since fast-check itself would trip over a revoked proxy.
    const boxed = (drawn: fc.Arbitrary<unknown>): fc.Arbitrary<Box> => drawn.map((value) => ({ value }))
    const anything = fc.oneof(boxed(fc.anything({ withBigInt: true, withMap: true, withDate: true })), unstorable())
    const named = fc.oneof({ weight: 9, arbitrary: boxed(name()) }, anything)
    const required = { aggregateId: named, eventId: named, eventType: named }
    const rest = { metadata: anything, namespace: named, payload: anything, schemaId: named, schemaVersion: anything }
    const tags = fc.array(named, { maxLength: 4 })
    const fields = fc.record({ ...required, ...rest, tags: anything }, { requiredKeys: [] })
    fc.assert(
      fc.property(fields, fc.option(tags, { nil: undefined }), anything, (boxes, list, other) => {
        const event = Object.fromEntries(Object.entries(boxes).map(([field, box]) => [field, box.value]))
        if (list !== undefined) event['tags'] = list.map((box) => box.value)
        for (const input of [event, other.value]) {
          const encoded = encodeEvent(input, 0, () => freshId)
          if (isLeft(encoded)) expect(encoded.left.path.startsWith('$')).toBe(true)
          else expect(pathOf(decodeText(recordJson(encoded.right.json, firstPlace)))).toBe('')
        }
      }),
      { numRuns: 2_000 }
    )
  })

  test('is read once: no getter can pass the check with one value and be stored with another', () => {
    const lying = (first: unknown, then: unknown): PropertyDescriptor => {
      let reads = 0
      return { enumerable: true, get: () => (reads++ === 0 ? first : then) }
    }
    fc.assert(
      fc.property(name(), text(), (first, then) => {
        const event = Object.defineProperties(
          {},
          {
            aggregateId: lying(first, then),
            eventType: lying(first, then),
            payload: lying({ deep: first }, Number.NaN),
            tags: lying(Object.defineProperties([0], { 0: lying(first, then) }), [then])
          }
        )
        const encoded = accepted(event)
        expect(encoded.json).toBe(
          stableStringify({
            aggregateId: first,
            eventId: freshId,
            eventType: first,
            payload: { deep: first },
            tags: [first]
          })
        )
      })
    )
  })
})

/** A record as the writer makes it, its fields open to replacement. */
const sound: Readonly<Record<string, unknown>> = {
  aggregateId: 'a',
  eventId: 'i',
  eventType: 'T',
  metadata: { by: 'me' },
  namespace: 'n',
  payload: { cents: 1 },
  schemaId: 's',
  schemaVersion: 1,
  tags: ['t']
}

function recordWith(fields: Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ event: sound, version: 1, writeTimestampMs: 1, ...fields })
}

describe('reading a record', () => {
  test('never throws on any bytes, and accepts no bytes that are not UTF-8', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
      json({ depth: 100 }).map((value) => Buffer.from(JSON.stringify(value)))
    )
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const decoded = decodeRecord(bytes, 0, bytes.length)
        expect(isLeft(decoded) && decoded.left.path.startsWith('$')).toBe(true)
      }),
      { numRuns: 1_000 }
    )
  })

  test('answers after damage with a fault or with a record that is sound in itself', () => {
    const harmed = newEvent(json({ depth: 3 })).chain((event) => {
      const bytes = Buffer.from(recordJson(accepted(event).json, { durableBefore: 5, version: 1, writeTimestampMs: 2 }))
      return fc.tuple(fc.constant(bytes), damage(bytes.length))
    })
    fc.assert(
      fc.property(harmed, ([bytes, harm]) => {
        const image = applyDamage(bytes, harm)
        const decoded = decodeRecord(image, 0, image.length)
        if (isLeft(decoded)) return
        expect(isUtf8(image)).toBe(true)
        expect(isDeepStrictEqual(decoded.right, JSON.parse(image.toString()))).toBe(true)
        expect(AnyEvent.is(decoded.right.event)).toBe(true)
      }),
      { numRuns: 1_000 }
    )
  })

  test('refuses bytes that are not UTF-8, and takes a U+FFFD that was written', () => {
    const wrong = fc.constantFrom(
      [0x80],
      [0xff],
      [0xc0, 0xaf],
      [0xed, 0xa0, 0x80],
      [0xf5, 0x80, 0x80, 0x80],
      [0xe2, 0x82]
    )
    fc.assert(
      fc.property(text(), text(), wrong, (before, after, bytes) => {
        const halves = [`${before}\ufffd`, `\ufffd${after}`].map((half) =>
          Buffer.from(JSON.stringify(half).slice(1, -1))
        )
        const payloadOf = (middle: Buffer): Buffer => {
          const [head, tail] = recordWith({ event: { ...sound, payload: 'HERE' } }).split('HERE')
          return Buffer.concat([
            Buffer.from(head ?? ''),
            halves[0] as Buffer,
            middle,
            halves[1] as Buffer,
            Buffer.from(tail ?? '')
          ])
        }
        const fine = payloadOf(Buffer.alloc(0))
        expect(isRight(decodeRecord(fine, 0, fine.length))).toBe(true)
        const broken = payloadOf(Buffer.from(bytes))
        const refused = decodeRecord(broken, 0, broken.length)
        expect(isLeft(refused) && refused.left).toEqual({ path: '$', reason: 'is not UTF-8' })
      })
    )
  })

  test('refuses a missing field, or one of the wrong kind, by its path', () => {
    const optional = ['metadata', 'namespace', 'schemaId', 'schemaVersion', 'tags']
    const wrong = fc.constantFrom<unknown>(null, true, -1, 0.5, '', [1], [['t']], [''], ['\ud800'])
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(sound)), wrong, (field, value) => {
        const { [field]: taken, ...others } = sound
        const missing = pathOf(decodeText(recordWith({ event: others })))
        expect(missing).toBe(optional.includes(field) ? '' : `$.event.${field}`)
        const replaced = pathOf(decodeText(recordWith({ event: { ...others, [field]: value } })))
        const expected = field === 'payload' ? '' : `$.event.${field}`
        // A list whose member is wrong is refused at the member.
        expect(replaced).toBe(field === 'tags' && Array.isArray(value) ? '$.event.tags[0]' : expected)
        expect(taken).toBeDefined()
      }),
      { numRuns: 500 }
    )
  })

  test('refuses a place that no log gives, by its path', () => {
    const noCount = fc.constantFrom<unknown>(null, '1', 0.5, [], {}, 2 ** 53, -(2 ** 53))
    fc.assert(
      fc.property(fc.constantFrom('version', 'writeTimestampMs', 'durableBefore'), noCount, (field, value) => {
        expect(pathOf(decodeText(recordWith({ [field]: value })))).toBe(`$.${field}`)
      })
    )
    expect(pathOf(decodeText(recordWith({ version: 0 })))).toBe('$.version')
    expect(pathOf(decodeText(recordWith({ durableBefore: -1 })))).toBe('$.durableBefore')
    expect(pathOf(decodeText('{"event":{},"version":1}'))).toBe('$.writeTimestampMs')
    for (const event of [null, [], 'e', undefined]) expect(pathOf(decodeText(recordWith({ event })))).toBe('$.event')
  })
})
