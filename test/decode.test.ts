// Which one of io-ts's errors a person gets to see, and how it reads.

import { isLeft, type Either } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { describe, expect, it } from 'vitest'
import { firstFault, guardFault, type Fault } from '../src/core/decode.ts'

const DateFromText = new t.Type<Date, string, unknown>(
  'DateFromText',
  (value): value is Date => value instanceof Date,
  (value, context) => {
    const date = typeof value === 'string' ? new Date(value) : undefined
    return date === undefined || Number.isNaN(date.getTime()) ? t.failure(value, context) : t.success(date)
  },
  (date) => date.toISOString()
)

const Line = t.type({ sku: t.string, cents: t.number })
const Order = t.type({ payload: t.type({ lines: t.array(Line) }) })

function decodeFault(codec: t.Mixed, value: unknown): Fault {
  const decoded: Either<t.Errors, unknown> = codec.decode(value)
  if (isLeft(decoded)) return firstFault(decoded.left)
  throw new Error('the codec was meant to refuse the value')
}

describe('the fault of a failed decode', () => {
  it('says where, what was expected and what was there', () => {
    const order = {
      payload: {
        lines: [
          { sku: 'a', cents: 1 },
          { sku: 'b', cents: 2 },
          { sku: 'c', cents: 'abc' }
        ]
      }
    }
    expect(decodeFault(Order, order)).toEqual({
      path: '$.payload.lines[2].cents',
      reason: 'expected number, got "abc"'
    })
  })

  it('is at the root when the value as a whole is wrong', () => {
    expect(decodeFault(t.string, 7)).toEqual({ path: '$', reason: 'expected string, got 7' })
  })

  it('quotes keys that are no identifiers, and takes numbers for keys where the value is no array', () => {
    expect(decodeFault(t.record(t.string, t.number), { 'odd key': 'x' }).path).toBe('$["odd key"]')
    expect(decodeFault(t.record(t.string, t.number), { 0: 'x' }).path).toBe('$["0"]')
    expect(decodeFault(t.tuple([t.string, t.number]), ['a', 'b']).path).toBe('$[1]')
  })

  it('is the deepest of several, the first of equals', () => {
    const codec = t.type({ note: t.string, buyer: t.type({ name: t.string, zip: t.string }) })
    expect(decodeFault(codec, { note: 1, buyer: { name: 2, zip: 3 } }).path).toBe('$.buyer.name')
  })

  it('repeats the message that a codec gives', () => {
    const Even = new t.Type<number>(
      'Even',
      (value): value is number => Number(value) % 2 === 0,
      (value, context) => t.failure(value, context, 'an odd number'),
      t.identity
    )
    expect(decodeFault(t.type({ n: Even }), { n: 3 })).toEqual({ path: '$.n', reason: 'an odd number' })
  })

  it('names refinements, looks through exact and readonly, and follows recursion', () => {
    interface Tree {
      readonly children: Tree[]
    }
    const Tree: t.Type<Tree> = t.recursion('Tree', () => t.type({ children: t.array(Tree) }))
    expect(decodeFault(t.type({ n: t.Int }), { n: 1.5 })).toEqual({ path: '$.n', reason: 'expected Int, got 1.5' })
    expect(decodeFault(t.exact(t.readonly(Line)), { sku: 'a', cents: null }).path).toBe('$.cents')
    expect(decodeFault(Tree, { children: [{ children: [] }, { children: [7] }] }).path).toBe(
      '$.children[1].children[0]'
    )
  })

  it('has no step for a member of an intersection', () => {
    const codec = t.type({ a: t.readonly(t.intersection([t.type({ x: t.string }), t.partial({ y: t.number })])) })
    expect(decodeFault(codec, { a: { x: 'x', y: 'y' } })).toEqual({ path: '$.a.y', reason: 'expected number, got "y"' })
  })

  it('looks through a codec made by hand around a union', () => {
    const Inner = t.union([t.null, t.type({ n: t.number })])
    const ByHand = new t.Type('ByHand', Inner.is, Inner.validate, Inner.encode)
    expect(decodeFault(t.type({ v: ByHand }), { v: { n: 'x' } }).path).toBe('$.v.n')
  })

  it('stands when there is no error to name, or no context', () => {
    expect(firstFault([])).toEqual({ path: '$', reason: 'the codec refuses it and does not say why' })
    expect(firstFault([{ context: [], value: 1 }])).toEqual({ path: '$', reason: 'expected something else, got 1' })
  })
})

describe('the fault of a union', () => {
  const Circle = t.intersection([t.type({ kind: t.literal('circle') }), t.type({ r: t.number, x: t.number })])
  const Square = t.type({ kind: t.literal('square'), side: t.type({ cm: t.number }) })
  // A member made by hand hides its tag, so io-ts tries each.
  const Anything: t.Mixed = new t.Type('Anything', t.never.is, t.failure, t.identity)
  const Shape = t.union([Circle, Square, Anything])

  it('names the whole union when no member gets into the value', () => {
    expect(decodeFault(t.type({ v: t.union([t.string, t.number]) }), { v: true })).toEqual({
      path: '$.v',
      reason: 'expected (string | number), got true'
    })
  })

  it('goes into the one member that fits at all', () => {
    const codec = t.type({ v: t.union([t.null, t.array(t.number), t.string]) })
    expect(decodeFault(codec, { v: [1, 'x'] })).toEqual({ path: '$.v[1]', reason: 'expected number, got "x"' })
  })

  it('follows the tag, even where another member has a deeper error', () => {
    expect(decodeFault(Shape, { kind: 'circle', r: 'x', x: 'x', side: { cm: 1 } })).toEqual({
      path: '$.r',
      reason: 'expected number, got "x"'
    })
    expect(decodeFault(Shape, { kind: 'square', side: { cm: null } }).path).toBe('$.side.cm')
  })

  it('lists the tags when none is met', () => {
    expect(decodeFault(Shape, { kind: 'star' })).toEqual({
      path: '$.kind',
      reason: 'expected "circle" or "square", got "star"'
    })
  })

  it('takes the member with the fewest errors when there is no tag', () => {
    const codec = t.union([t.type({ a: t.string, b: t.string, c: t.string }), t.type({ d: t.string, e: t.string })])
    expect(decodeFault(codec, { d: 'd', e: 5 }).path).toBe('$.e')
  })

  it('takes the deepest of members that tie, and no literal inside them for a tag', () => {
    const codec = t.union([t.type({ b: t.string }), t.type({ a: t.type({ unit: t.literal('cm') }) })])
    expect(decodeFault(codec, { a: { unit: 'mm' } })).toEqual({ path: '$.a.unit', reason: 'expected "cm", got "mm"' })
  })

  it('joins what members that tie expect in the same place, and there only', () => {
    const codec = t.union([
      t.type({ a: t.string }),
      t.type({ a: t.number }),
      t.type({ b: t.null }),
      t.type({ a: t.string })
    ])
    expect(decodeFault(codec, {})).toEqual({ path: '$.a', reason: 'expected string or number, got undefined' })
  })

  it('settles a union inside a union', () => {
    const codec = t.union([t.null, t.type({ inner: t.union([t.null, t.type({ n: t.number })]) })])
    expect(decodeFault(codec, { inner: { n: 'x' } })).toEqual({ path: '$.inner.n', reason: 'expected number, got "x"' })
    expect(decodeFault(codec, { inner: 5 })).toEqual({
      path: '$.inner',
      reason: 'expected (null | { n: number }), got 5'
    })
  })
})

describe('the value in a reason', () => {
  const shown = (value: unknown): string =>
    decodeFault(t.undefined, value).reason.replace('expected undefined, got ', '')

  it('is printed by its kind', () => {
    expect(shown(10n)).toBe('10n')
    expect(shown(Symbol('s'))).toBe('Symbol(s)')
    expect(shown(Number.NaN)).toBe('NaN')
    expect(shown(() => 1)).toBe('a function')
    expect(shown(new Date(0))).toBe('the Date 1970-01-01T00:00:00.000Z')
    expect(shown(new Date(Number.NaN))).toBe('an invalid Date')
    expect(shown(new Map())).toBe('Map {}')
    expect(shown({ a: [1, { b: 'x' }], c: null })).toBe('{"a":[1,{"b":"x"}],"c":null}')
    expect(shown([1, 2, 3, 4, 5, 6, 7, 8, 9])).toBe('[1,2,3,4,5,6,7,8,…]')
  })

  it('is cut to 60 characters, however long it is', () => {
    expect(shown('x'.repeat(5_000_000))).toBe(`"${'x'.repeat(58)}…`)
    expect(shown(`x${'🙂'.repeat(100)}`).isWellFormed()).toBe(true)
    expect(shown({ ['k'.repeat(1_000_000)]: 1 })).toHaveLength(60)
  })

  it('may contain itself, or throw when it is read', () => {
    const cycle: { self?: unknown } = {}
    cycle.self = cycle
    expect(shown(cycle)).toBe('{"self":{"self":{"self":{…}}}}')
    const trap = Object.defineProperty({}, 'x', { enumerable: true, get: (): unknown => JSON.parse('{') })
    expect(shown(trap)).toBe('a value that cannot be read')
  })

  it('leaves the expected type readable, however long its name', () => {
    const wide = t.type(Object.fromEntries(Array.from({ length: 50 }, (_, n) => [`field${n}`, t.string])))
    expect(decodeFault(wide, 1).reason).toMatch(/^expected \{ field0: string, .*…, got 1$/)
  })
})

describe('the fault of a value that its codec would not encode', () => {
  it('is none when the value is right', () => {
    expect(guardFault(Order, { payload: { lines: [{ sku: 'a', cents: 1 }] } })).toBeUndefined()
  })

  it('speaks of the decoded form: a Date is right where the stored form is a string', () => {
    const codec = t.type({ at: DateFromText, lines: t.array(Line) })
    expect(guardFault(codec, { at: new Date(0), lines: [{ sku: 'a', cents: 'x' }] })).toEqual({
      path: '$.lines[0].cents',
      reason: 'expected number, got "x"'
    })
    expect(guardFault(codec, { at: '1970-01-01', lines: [] })).toEqual({
      path: '$.at',
      reason: 'expected DateFromText, got "1970-01-01"'
    })
  })

  it('finds its way through every kind of codec', () => {
    const codec = t.type({
      exact: t.exact(t.partial({ n: t.number })),
      list: t.readonlyArray(t.union([t.null, t.type({ n: t.number })])),
      pair: t.tuple([t.string, t.intersection([t.type({ a: t.string }), t.type({ b: t.string })])]),
      byName: t.record(t.string, t.Int)
    })
    const fine = { exact: {}, list: [null, { n: 1 }], pair: ['a', { a: 'a', b: 'b' }], byName: { x: 1 } }
    expect(guardFault(codec, fine)).toBeUndefined()
    expect(guardFault(codec, { ...fine, exact: { n: 'x' } })?.path).toBe('$.exact.n')
    expect(guardFault(codec, { ...fine, list: [null, { n: 'x' }] })?.path).toBe('$.list[1].n')
    expect(guardFault(codec, { ...fine, pair: ['a', { a: 'a', b: 1 }] })?.path).toBe('$.pair[1].b')
    expect(guardFault(codec, { ...fine, byName: { 'x y': 1.5 } })).toEqual({
      path: '$.byName["x y"]',
      reason: 'expected Int, got 1.5'
    })
  })

  it('finds its way through refinements and recursion', () => {
    interface Tree {
      readonly name: string
      readonly children: Tree[]
    }
    const Tree: t.Type<Tree> = t.recursion('Tree', () => t.type({ name: t.string, children: t.array(Tree) }))
    expect(guardFault(Tree, { name: 'a', children: [{ name: 1, children: [] }] })?.path).toBe('$.children[0].name')
    const Priced = t.brand(
      Line,
      (line): line is t.Branded<typeof line, { readonly Priced: symbol }> => line.cents > 0,
      'Priced'
    )
    expect(guardFault(Priced, { sku: 'a', cents: 'x' })?.path).toBe('$.cents')
    expect(guardFault(Priced, { sku: 'a', cents: 0 })).toEqual({
      path: '$',
      reason: 'expected Priced, got {"sku":"a","cents":0}'
    })
  })

  it('passes over what the codec does not look at', () => {
    const Optional = t.partial({ n: t.number, m: t.number })
    expect(guardFault(Optional, { n: undefined, m: 'x' })?.path).toBe('$.m')
    const Flag = t.brand(
      t.string,
      (key): key is t.Branded<string, { readonly Flag: symbol }> => key.startsWith('is'),
      'Flag'
    )
    expect(guardFault(t.record(Flag, t.boolean), { note: 'x', isOpen: 'x' })?.path).toBe('$.isOpen')
  })

  it('is the value itself where no part explains it', () => {
    expect(guardFault(t.type({ pair: t.tuple([t.number, t.number]) }), { pair: [1, 2, 3] })).toEqual({
      path: '$.pair',
      reason: 'expected [number, number], got [1,2,3]'
    })
    expect(guardFault(t.type({ lines: t.array(Line) }), { lines: 'none' })?.path).toBe('$.lines')
    expect(guardFault(Line, 'text')?.path).toBe('$')
    expect(guardFault(Line, null)?.path).toBe('$')
    expect(guardFault(Line, [])).toEqual({ path: '$', reason: 'expected { sku: string, cents: number }, got []' })
  })

  it('tells a missing property from one that is undefined', () => {
    const codec = t.type({ note: t.union([t.string, t.undefined]) })
    expect(guardFault(codec, { note: undefined })).toBeUndefined()
    expect(guardFault(codec, {})).toEqual({
      path: '$.note',
      reason: 'the property is missing; say undefined, or declare it with t.partial'
    })
  })

  it('asks a codec made by hand, unless its two forms differ', () => {
    const Even = new t.Type<number>(
      'Even',
      (value): value is number => Number(value) % 2 === 0,
      (value, context) => t.failure(value, context, 'an odd number'),
      t.identity
    )
    expect(guardFault(t.type({ n: Even }), { n: 3 })).toEqual({ path: '$.n', reason: 'an odd number' })
    const Hidden = t.type({ at: DateFromText, n: t.number })
    const ByHand = new t.Type('ByHand', Hidden.is, Hidden.validate, Hidden.encode)
    expect(guardFault(ByHand, { at: new Date(0), n: 'x' })?.reason).toMatch(/^expected ByHand, got \{"at":the Date/)
  })
})
