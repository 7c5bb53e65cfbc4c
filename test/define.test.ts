// What defineEvents makes: a codec that decodes, guards, encodes and upcasts, constructors, and the types of both.

import { isLeft, isRight, right } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { assert as claim, describe, expect, expectTypeOf, it } from 'vitest'
import { firstFault, guardFault } from '../src/core/decode.ts'
import { defineEvents } from '../src/core/define.ts'
import { encodeEvent, type Event, type NewEvent } from '../src/core/event.ts'

const DateFromText = new t.Type<Date, string, unknown>(
  'DateFromText',
  (value): value is Date => value instanceof Date,
  (value, context) => {
    const date = typeof value === 'string' ? new Date(value) : undefined
    return date === undefined || Number.isNaN(date.getTime()) ? t.failure(value, context) : t.success(date)
  },
  (date) => date.toISOString()
)

const Bank = defineEvents(
  { namespace: 'bank', schemaVersion: 1 },
  {
    Deposited: t.type({ cents: t.number }),
    Closed: { payload: t.type({ at: DateFromText }), schemaId: 'closing', schemaVersion: 2 }
  }
)

const deposited: Event = {
  aggregateId: 'account-1',
  eventId: 'e-1',
  eventType: 'Deposited',
  metadata: { user: 'ada' },
  payload: { cents: 5, note: 'kept' },
  tags: ['x']
}

const closed: Event = {
  aggregateId: 'account-1',
  eventId: 'e-2',
  eventType: 'Closed',
  payload: { at: '1970-01-01T00:00:00.000Z' }
}

function faultOf(codec: t.Mixed, value: unknown): unknown {
  const decoded = codec.decode(value)
  return isLeft(decoded) ? firstFault(decoded.left) : 'no fault'
}

describe('decoding', () => {
  it('returns the same object when the payload stays the same', () => {
    const decoded = Bank.codec.decode(deposited)
    claim(isRight(decoded))
    expect(decoded.right).toBe(deposited)
  })

  it('replaces a payload that changes, and keeps every other field', () => {
    const event = { ...closed, metadata: { user: 'ada' }, tags: ['x'] }
    expect(Bank.codec.decode(event)).toEqual(right({ ...event, payload: { at: new Date(0) } }))
    expect(event.payload).toEqual({ at: '1970-01-01T00:00:00.000Z' })
  })

  it('says where a payload is wrong', () => {
    const fault = faultOf(Bank.codec, { ...deposited, payload: { cents: 'five' } })
    expect(fault).toEqual({ path: '$.payload.cents', reason: 'expected number, got "five"' })
    expect(faultOf(Bank.codec, { eventType: 'Deposited' })).toEqual({
      path: '$.payload',
      reason: 'expected { cents: number }, got undefined'
    })
  })

  it('answers an unknown event type with those it knows', () => {
    expect(faultOf(Bank.codec, { ...deposited, eventType: 'Deposted' })).toEqual({
      path: '$.eventType',
      reason: 'unknown event type "Deposted"; known are Deposited, Closed'
    })
    expect(faultOf(Bank.codec, { payload: 1 })).toEqual({
      path: '$.eventType',
      reason: 'expected string, got undefined'
    })
    expect(faultOf(Bank.codec, [deposited])).toMatchObject({
      path: '$',
      reason: expect.stringMatching(/^expected \(Deposited \| Closed\), got \[/) as unknown
    })
    expect(faultOf(Bank.codec, null)).toEqual({ path: '$', reason: 'expected (Deposited | Closed), got null' })
  })

  it.each(['__proto__', 'constructor', 'toString', 'hasOwnProperty'])(
    'knows %s only when it is defined',
    (eventType) => {
      const event = { ...deposited, eventType }
      expect(faultOf(Bank.codec, event)).toMatchObject({ path: '$.eventType' })
      expect(Bank.codec.is(event)).toBe(false)
      expect(eventType in Bank.make).toBe(false)

      const Odd = defineEvents({}, Object.fromEntries([[eventType, t.type({ cents: t.number })]]))
      expect(Odd.codec.decode(event)).toEqual(right(event))
      expect(Odd.make[eventType]?.('a', { cents: 1 })).toEqual({ aggregateId: 'a', eventType, payload: { cents: 1 } })
    }
  )
})

describe('guarding and encoding', () => {
  it('speaks of the decoded form', () => {
    const event = { ...closed, payload: { at: new Date(0) } }
    expect(Bank.codec.is(event)).toBe(true)
    expect(Bank.codec.is(closed)).toBe(false)
    expect(Bank.codec.is({ ...event, eventType: 'Deposited' })).toBe(false)
    expect(Bank.codec.is(undefined)).toBe(false)
    expect(guardFault(Bank.codec, event)).toBeUndefined()
    expect(guardFault(Bank.codec, closed)).toEqual({
      path: '$.payload.at',
      reason: 'expected DateFromText, got "1970-01-01T00:00:00.000Z"'
    })
    expect(guardFault(Bank.codec, { ...deposited, eventType: 'Opened' })).toEqual({
      path: '$.eventType',
      reason: 'expected "Deposited" or "Closed", got "Opened"'
    })
  })

  it('is undone by decoding, and leaves an unchanged event the same object', () => {
    const event = Bank.make.Closed('account-1', { at: new Date(0) }, { tags: ['x'] })
    const encoded = Bank.codec.encode(event)
    expect(encoded).toEqual({ ...event, payload: { at: '1970-01-01T00:00:00.000Z' } })
    expect(Bank.codec.decode(encoded)).toEqual(right(event))
    const other = Bank.make.Deposited('account-1', { cents: 5 })
    expect(Bank.codec.encode(other)).toBe(other)
  })

  it('is the identity itself when no payload changes its form, so that callers can skip it', () => {
    expect(defineEvents({}, { Deposited: t.type({ cents: t.number }) }).codec.encode).toBe(t.identity)
    expect(Bank.codec.encode).not.toBe(t.identity)
  })

  it('refuses to encode an event type that is not defined', () => {
    const stray = { eventType: 'Stray', payload: {} } as unknown as t.TypeOf<typeof Bank.codec>
    expect(() => Bank.codec.encode(stray)).toThrow('only defined events are encoded, and "Stray" is not')
  })
})

describe('upcasting', () => {
  const upcast = (stored: Event): Event => {
    if (stored.eventType !== 'PaidIn' || stored.schemaVersion !== 1) return stored
    return { ...stored, eventType: 'Deposited', schemaVersion: 2, payload: { cents: Number(stored.payload) * 100 } }
  }
  const Current = defineEvents({ schemaVersion: 2, upcast }, { Deposited: t.type({ cents: t.number }) })

  it('lifts an old shape before it is decoded', () => {
    const old: Event = { ...deposited, eventType: 'PaidIn', schemaVersion: 1, payload: '3' }
    expect(Current.codec.decode(old)).toEqual(
      right({ ...old, eventType: 'Deposited', schemaVersion: 2, payload: { cents: 300 } })
    )
    expect(faultOf(Current.codec, { ...old, schemaVersion: 3 })).toMatchObject({ path: '$.eventType' })
  })

  it('keeps the object that it leaves alone', () => {
    const decoded = Current.codec.decode(deposited)
    claim(isRight(decoded))
    expect(decoded.right).toBe(deposited)
  })

  it('turns what it throws, or a value that is no event, into a fault', () => {
    const Broken = defineEvents({ upcast: () => JSON.parse('{') as Event }, { Deposited: t.unknown })
    expect(faultOf(Broken.codec, deposited)).toMatchObject({
      path: '$',
      reason: expect.stringMatching(/^upcast throws: SyntaxError/) as unknown
    })
    expect(faultOf(Broken.codec, 5)).toEqual({ path: '$', reason: 'expected (Deposited), got 5' })
    const Lost = defineEvents({ upcast: () => null as unknown as Event }, { Deposited: t.unknown })
    expect(faultOf(Lost.codec, deposited)).toMatchObject({ path: '$' })
  })
})

describe('make', () => {
  it('fills in the defaults, the own ones of the type first', () => {
    expect(Bank.make.Deposited('account-1', { cents: 5 })).toStrictEqual({
      aggregateId: 'account-1',
      eventType: 'Deposited',
      namespace: 'bank',
      payload: { cents: 5 },
      schemaVersion: 1
    })
    expect(Bank.make.Closed('account-1', { at: new Date(0) })).toStrictEqual({
      aggregateId: 'account-1',
      eventType: 'Closed',
      namespace: 'bank',
      payload: { at: new Date(0) },
      schemaId: 'closing',
      schemaVersion: 2
    })
  })

  it('takes a namespace of the type', () => {
    const { make } = defineEvents({ namespace: 'bank' }, { Audited: { payload: t.null, namespace: 'audit' } })
    expect(make.Audited('account-1', null).namespace).toBe('audit')
  })

  it('lets the call override them, and say the rest', () => {
    const said = {
      eventId: 'e-9',
      metadata: { user: 'ada' },
      namespace: 'n',
      schemaId: 's',
      schemaVersion: 0,
      tags: ['x']
    }
    expect(Bank.make.Closed('account-1', { at: new Date(0) }, said)).toStrictEqual({
      aggregateId: 'account-1',
      eventType: 'Closed',
      payload: { at: new Date(0) },
      ...said
    })
  })

  it('leaves out what is undefined', () => {
    const plain = defineEvents({ namespace: undefined }, { Deposited: t.type({ cents: t.number }) })
    const event = plain.make.Deposited('account-1', { cents: 5 }, { eventId: undefined, tags: undefined })
    expect(Object.keys(event)).toEqual(['aggregateId', 'eventType', 'payload'])
  })

  it('makes what the log accepts and the codec reads back', () => {
    const event = Bank.make.Closed('account-1', { at: new Date(0) }, { eventId: 'e-1', tags: ['x'] })
    const encoded = encodeEvent(Bank.codec.encode(event), 0, () => 'unused')
    claim(isRight(encoded))
    expect(Bank.codec.decode(JSON.parse(encoded.right.json))).toEqual(right(event))
  })
})

describe('in company of other codecs', () => {
  const Shop = defineEvents({ namespace: 'shop' }, { Ordered: t.type({ sku: t.string }) })

  it('joins with other events in a t.union, chosen by the event type', () => {
    const Both = t.union([Bank.codec, Shop.codec])
    expect(Both.decode(closed)).toEqual(right({ ...closed, payload: { at: new Date(0) } }))
    expect(Both.is(Shop.make.Ordered('order-1', { sku: 'a' }))).toBe(true)
    expect(faultOf(Both, { eventType: 'Ordered', payload: { sku: 1 } })).toEqual({
      path: '$.payload.sku',
      reason: 'expected string, got 1'
    })
  })

  it('names the member in the context of an error, as the unions of io-ts do', () => {
    const decoded = Bank.codec.decode({ eventType: 'Closed', payload: { at: 1 } })
    claim(isLeft(decoded))
    expect(decoded.left.map((error) => error.context.map((entry) => entry.key))).toEqual([['', '1', 'payload', 'at']])
  })

  it('can be narrowed by an intersection', () => {
    const Tagged = t.intersection([Bank.codec, t.type({ tags: t.array(t.string) })])
    expect(Tagged.decode(deposited)).toEqual(right(deposited))
    expect(faultOf(Tagged, closed)).toEqual({ path: '$.tags', reason: 'expected Array<string>, got undefined' })
  })
})

describe('types', () => {
  type BankEvent = t.TypeOf<typeof Bank.codec>

  it('are a discriminated union', () => {
    expectTypeOf<BankEvent>().toEqualTypeOf<
      | { readonly eventType: 'Deposited'; readonly payload: { cents: number } }
      | { readonly eventType: 'Closed'; readonly payload: { at: Date } }
    >()
    expectTypeOf<t.OutputOf<typeof Bank.codec>>().toEqualTypeOf<
      | { readonly eventType: 'Deposited'; readonly payload: { cents: number } }
      | { readonly eventType: 'Closed'; readonly payload: { at: string } }
    >()
    const cents = (event: BankEvent): number => (event.eventType === 'Deposited' ? event.payload.cents : 0)
    expect(cents({ eventType: 'Deposited', payload: { cents: 5 } })).toBe(5)
  })

  it('let a log of any event body take the codec', () => {
    expectTypeOf(Bank.codec).toExtend<t.Type<BankEvent, unknown, unknown>>()
  })

  it('fit each constructor to its payload', () => {
    expectTypeOf<keyof typeof Bank.make>().toEqualTypeOf<'Deposited' | 'Closed'>()
    expectTypeOf(Bank.make.Deposited).parameter(1).toEqualTypeOf<{ cents: number }>()
    expectTypeOf(Bank.make.Closed).parameter(1).toEqualTypeOf<{ at: Date }>()
    expectTypeOf(Bank.make.Deposited).returns.toEqualTypeOf<NewEvent<'Deposited', { cents: number }>>()
    expectTypeOf(Bank.make.Deposited).returns.toExtend<BankEvent>()
    // @ts-expect-error -- cents is a number
    Bank.make.Deposited('account-1', { cents: '5' })
    // @ts-expect-error -- there is no such event type
    expect(Bank.make.Stolen).toBeUndefined()
  })
})
