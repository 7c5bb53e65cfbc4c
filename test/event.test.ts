// Events at their borders: the golden text, every limit met and missed by one, and records nobody sane would write.

import { isLeft, isRight, left, right } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { InvalidEvent } from '../src/core/error.ts'
import { AnyEvent, decodeRecord, encodeEvent, recordJson } from '../src/core/event.ts'
import { depthMax, nameBytesMax, tagsMax } from '../src/core/limit.ts'

const small = { aggregateId: 'a', eventId: 'i', eventType: 'T', payload: null }
const place = { durableBefore: undefined, version: 1, writeTimestampMs: 2 }

function encode(event: unknown): ReturnType<typeof encodeEvent> {
  return encodeEvent(event, 3, () => 'made')
}

function jsonOf(event: unknown): string {
  const encoded = encode(event)
  return isLeft(encoded) ? `${encoded.left.path}: ${encoded.left.reason}` : encoded.right.json
}

function decode(text: string): ReturnType<typeof decodeRecord> {
  const bytes = Buffer.from(text)
  return decodeRecord(bytes, 0, bytes.length)
}

/** Containers in one another, `depth` of them. */
function nested(depth: number): unknown {
  let value: unknown = []
  for (let level = 1; level < depth; level++) value = level % 2 === 0 ? [value] : { k: value }
  return value
}

describe('encodeEvent', () => {
  it('writes every field in the order of the format', () => {
    const event = {
      tags: ['y', 'x'],
      schemaVersion: 0,
      schemaId: 's',
      payload: { b: 1, a: new Date(0), c: undefined },
      namespace: 'n',
      metadata: { user: 'u', at: -0 },
      eventType: 'T',
      eventId: 'i',
      aggregateId: 'a'
    }
    const json =
      '{"aggregateId":"a","eventId":"i","eventType":"T","metadata":{"at":0,"user":"u"},"namespace":"n",' +
      '"payload":{"a":"1970-01-01T00:00:00.000Z","b":1},"schemaId":"s","schemaVersion":0,"tags":["y","x"]}'
    const keys = { aggregateId: 'a', eventId: 'i', eventType: 'T', namespace: 'n', tags: ['y', 'x'] }
    expect(encode(event)).toEqual(right({ ...keys, json }))
    expect(recordJson(json, { durableBefore: 7, version: 8, writeTimestampMs: 9 })).toBe(
      `{"durableBefore":7,"event":${json},"version":8,"writeTimestampMs":9}`
    )
    expect(recordJson(json, { durableBefore: undefined, version: 8, writeTimestampMs: 9 })).toBe(
      `{"event":${json},"version":8,"writeTimestampMs":9}`
    )
  })

  it('leaves absent fields out, undefined ones too', () => {
    const json = '{"aggregateId":"a","eventId":"i","eventType":"T","payload":null}'
    expect(jsonOf({ ...small, metadata: undefined, tags: undefined, schemaVersion: undefined })).toBe(json)
    expect(jsonOf({ ...small, tags: [], metadata: {} })).toBe(
      '{"aggregateId":"a","eventId":"i","eventType":"T","metadata":{},"payload":null,"tags":[]}'
    )
  })

  it('asks for an id only when the event has none, and checks the one it gets', () => {
    const asked: string[] = []
    const make = (id: string) => (): string => {
      asked.push(id)
      return id
    }
    encodeEvent(small, 0, make('unasked'))
    expect(encodeEvent({ ...small, eventId: undefined }, 0, make('asked'))).toMatchObject(right({ eventId: 'asked' }))
    expect(asked).toEqual(['asked'])
    expect(encodeEvent({ ...small, eventId: undefined }, 0, make(''))).toMatchObject(left({ path: '$.eventId' }))
  })

  it('answers with an InvalidEvent that names the place in the batch', () => {
    const refused = encode({ ...small, payload: { cents: Number.NaN } })
    expect(isLeft(refused) && refused.left).toBeInstanceOf(InvalidEvent)
    expect(isLeft(refused) && refused.left.message).toBe(
      'event 3 of the batch cannot be stored: $.payload.cents: NaN has no JSON form'
    )
  })

  it.each([null, undefined, 1, 'e', [], () => small, Symbol('s')])('takes %o for no event', (event) => {
    expect(jsonOf(event)).toBe('$: an event is an object')
  })

  it('knows its fields', () => {
    expect(jsonOf({ ...small, paylod: 1 })).toBe('$.paylod: is no field of an event')
    expect(jsonOf({ ...small, version: 1 })).toBe('$.version: is no field of an event')
    expect(jsonOf({ ...small, writeTimestampMs: 1 })).toBe('$.writeTimestampMs: is no field of an event')
    expect(jsonOf(JSON.parse('{"__proto__":{}}'))).toBe('$.__proto__: is no field of an event')
    expect(jsonOf({ ...small, 'odd key': 1 })).toBe('$["odd key"]: is no field of an event')
  })

  it.each(['aggregateId', 'eventId', 'eventType', 'namespace', 'schemaId'])(
    'holds %s to the rules of names',
    (field) => {
      const withName = (name: unknown): string => jsonOf({ ...small, [field]: name })
      expect(withName('')).toBe(`$.${field}: is empty`)
      expect(withName(null)).toBe(`$.${field}: is not a string`)
      expect(withName(1)).toBe(`$.${field}: is not a string`)
      expect(withName('a\ud800')).toBe(`$.${field}: holds half of a surrogate pair`)
      expect(withName('\udc00\ud800')).toBe(`$.${field}: holds half of a surrogate pair`)
      for (const longest of ['n'.repeat(nameBytesMax), '\u{1f600}'.repeat(nameBytesMax / 4)]) {
        expect(withName(longest)).toContain(longest)
        expect(withName(`${longest}n`)).toBe(`$.${field}: has ${nameBytesMax + 1} bytes, the limit is ${nameBytesMax}`)
      }
    }
  )

  it('refuses what is missing', () => {
    expect(jsonOf({})).toBe('$.aggregateId: is missing')
    expect(jsonOf({ aggregateId: 'a' })).toBe('$.eventType: is missing')
    expect(jsonOf({ aggregateId: 'a', eventType: 'T' })).toBe('$.payload: is missing')
  })

  it('refuses tags that are no list of names, and too many', () => {
    const tagged = (tags: unknown): string => jsonOf({ ...small, tags })
    expect(tagged(null)).toBe('$.tags: is not an array of strings')
    expect(tagged('t')).toBe('$.tags: is not an array of strings')
    expect(tagged(new Set(['t']))).toBe('$.tags: is not an array of strings')
    expect(tagged(['t', 1])).toBe('$.tags[1]: is not a string')
    expect(tagged(Object.assign([], { length: 1 }))).toBe('$.tags[0]: is missing')
    expect(tagged(Array.from({ length: tagsMax }, () => 't'))).toContain('"tags":["t"')
    expect(tagged(Array.from({ length: tagsMax + 1 }, () => 't'))).toBe(`$.tags: has more than ${tagsMax} tags`)
    expect(tagged(Object.assign([], { length: 2 ** 32 - 1 }))).toBe(`$.tags: has more than ${tagsMax} tags`)
  })

  it('refuses metadata that is no object once it is text, since it could not be read back', () => {
    const withMetadata = (metadata: unknown): string => jsonOf({ ...small, metadata })
    for (const metadata of [null, 'm', 1, [], new Date(0), { toJSON: () => [] }, { toJSON: () => 'm' }]) {
      expect(withMetadata(metadata)).toBe('$.metadata: is not an object')
    }
    expect(withMetadata({ toJSON: () => ({ by: 'me' }) })).toContain('"metadata":{"by":"me"}')
    expect(withMetadata(new Map())).toBe('$.metadata: Map has no JSON form; convert it first')
  })

  it.each([-1, 0.5, Number.NaN, 2 ** 53, '1', null, 1n])('takes %s for no schemaVersion', (schemaVersion) => {
    expect(jsonOf({ ...small, schemaVersion })).toBe('$.schemaVersion: is not an integer from 0')
  })

  it('names the field whose getter throws', () => {
    const event = Object.defineProperty({ ...small }, 'namespace', {
      enumerable: true,
      get: () => {
        throw new Error('no')
      }
    })
    expect(jsonOf(event)).toBe('$.namespace: reading it throws: Error: no')
    expect(jsonOf(new Proxy(small, { ownKeys: () => [1] as never }))).toMatch(/^\$: reading it throws: TypeError/)
  })
})

describe('decodeRecord', () => {
  it('reads back a payload and metadata that nest as deep as may be, and refuses one level more', () => {
    const deepest = nested(depthMax)
    const encoded = encode({ ...small, payload: deepest, metadata: { k: nested(depthMax - 1) } })
    if (isLeft(encoded)) throw encoded.left
    const text = recordJson(encoded.right.json, place)
    expect(decode(text)).toMatchObject(right({ version: 1 }))
    const over = text.replace('"payload":', '"payload":[').replace('},"version"', ']},"version"')
    expect(JSON.parse(over)).toBeDefined()
    expect(decode(over)).toEqual(left({ path: '$', reason: `nests deeper than ${depthMax} levels` }))
  })

  it('counts no bracket that stands in a string, escaped quotes or not', () => {
    const payload = { '[{"': `${'[{'.repeat(5_000)}"${'['.repeat(5_000)}\\"\\\\` }
    const encoded = encode({ ...small, payload })
    if (isLeft(encoded)) throw encoded.left
    expect(decode(recordJson(encoded.right.json, place))).toMatchObject(right({ event: { payload } }))
  })

  it('takes very many brackets side by side for no depth', () => {
    const payload = Array.from({ length: 5_000 }, () => [{}])
    const encoded = encode({ ...small, payload })
    if (isLeft(encoded)) throw encoded.left
    expect(isRight(decode(recordJson(encoded.right.json, place)))).toBe(true)
  })

  it.each(['[', '{"a":', '[{"":', ']', '"\\'])('survives a million times %s', (part) => {
    expect(isLeft(decode(part.repeat(1_000_000)))).toBe(true)
    expect(isLeft(decode(`{"event":${part.repeat(1_000_000)}`))).toBe(true)
  })

  it('refuses names of other writers that this one would not take', () => {
    const stored = (event: object): unknown => decode(JSON.stringify({ event: { ...small, ...event }, ...place }))
    expect(stored({ aggregateId: '' })).toEqual(left({ path: '$.event.aggregateId', reason: 'is empty' }))
    expect(stored({ eventType: '\ud800' })).toMatchObject(left({ path: '$.event.eventType' }))
    expect(stored({ namespace: 'n'.repeat(nameBytesMax + 1) })).toMatchObject(left({ path: '$.event.namespace' }))
    expect(stored({ tags: ['t', '\udc00'] })).toMatchObject(left({ path: '$.event.tags[1]' }))
  })

  it('keeps __proto__ in a payload to itself', () => {
    const payload: unknown = JSON.parse('{"__proto__":{"polluted":true}}')
    const encoded = encode({ ...small, payload })
    if (isLeft(encoded)) throw encoded.left
    const decoded = decode(recordJson(encoded.right.json, place))
    if (isLeft(decoded)) throw new Error(decoded.left.reason)
    expect(Object.keys(decoded.right.event.payload as object)).toEqual(['__proto__'])
    expect(({} as { polluted?: unknown }).polluted).toBeUndefined()
  })

  it('refuses a byte order mark and trailing text', () => {
    const text = recordJson('{"aggregateId":"a","eventId":"i","eventType":"T","payload":1}', place)
    expect(isRight(decode(text))).toBe(true)
    for (const wrong of [`\ufeff${text}`, `${text}x`, `${text}\u0000`, text.slice(0, -1), '']) {
      expect(decode(wrong)).toMatchObject(left({ path: '$' }))
    }
  })
})

describe('AnyEvent', () => {
  it('takes what decodeRecord takes, and says where it refuses', () => {
    expect(AnyEvent.decode(small)).toEqual(right(small))
    expect(AnyEvent.is({ ...small, metadata: [] })).toBe(false)
    const refused = AnyEvent.decode({ ...small, eventType: 1 })
    expect(isLeft(refused) && refused.left[0]?.message).toBe('$.eventType is not a string')
    expect(isLeft(AnyEvent.decode([small]))).toBe(true)
  })
})
