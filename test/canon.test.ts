// What canonical JSON makes of the values that people ask about: coercions, refusals and paths, one by one.

import stableStringify from 'fast-json-stable-stringify'
import { isLeft, left, right } from 'fp-ts/lib/Either.js'
import { runInNewContext } from 'node:vm'
import { describe, expect, it } from 'vitest'
import { canonicalJson, quote } from '../src/core/canon.ts'
import { depthMax } from '../src/core/limit.ts'

function reasonOf(value: unknown): string {
  const text = canonicalJson(value)
  return isLeft(text) ? `${text.left.path}: ${text.left.reason}` : text.right
}

function thrower(error: unknown): () => never {
  return () => {
    throw error
  }
}

describe('canonical JSON', () => {
  it('sorts keys by UTF-16 code units, numbers and non-ASCII among them', () => {
    expect(canonicalJson({ b: 1, a: 2, 10: 3, 9: 4, '': 5, '\u{1f600}': 6, '\uffff': 7, A: 8 })).toEqual(
      right('{"":5,"10":3,"9":4,"A":8,"a":2,"b":1,"\u{1f600}":6,"\uffff":7}')
    )
  })

  it('keeps __proto__, constructor and toString as ordinary keys', () => {
    const text = '{"__proto__":{"a":1},"constructor":2,"toString":3}'
    expect(canonicalJson(JSON.parse(text))).toEqual(right(text))
  })

  it('prints numbers as JSON does', () => {
    expect(canonicalJson([-0, 5e-324, 1.7976931348623157e308, 1e21, 2 ** 53, 0.1])).toEqual(
      right('[0,5e-324,1.7976931348623157e+308,1e+21,9007199254740992,0.1]')
    )
  })

  it('escapes what must be escaped and nothing else', () => {
    expect(quote('a"b\\c\n\u001f\u007f\u2028\ud800\u{1f600}')).toBe(
      '"a\\"b\\\\c\\n\\u001f\u007f\u2028\\ud800\u{1f600}"'
    )
  })

  it('is right for very many and for very long keys, and when more keys were seen than are remembered', () => {
    const wide = Object.fromEntries(Array.from({ length: 20_000 }, (_, at) => [`key ${(at * 7919) % 20_000}`, at]))
    const long = { ['k'.repeat(100_000)]: 1, ['"'.repeat(100_000)]: 2 }
    const alike = [{ price: 1 }, { pri: 1 }, { pri: 2, p: 3, price: 4 }]
    for (const value of [wide, long, wide, ...alike, ...alike])
      expect(canonicalJson(value)).toEqual(right(stableStringify(value)))
  })

  it('begins its paths where it is told', () => {
    expect(canonicalJson([undefined], '$.payload')).toMatchObject(left({ path: '$.payload[0]' }))
    expect(canonicalJson(Symbol('s'), '$.payload')).toMatchObject(left({ path: '$.payload' }))
  })
})

describe('coercions', () => {
  it('turn a Date into its ISO string, of another realm too', () => {
    expect(canonicalJson({ at: new Date(0) })).toEqual(right('{"at":"1970-01-01T00:00:00.000Z"}'))
    expect(canonicalJson(runInNewContext('[new Date(0), { a: 1 }]'))).toEqual(
      right('["1970-01-01T00:00:00.000Z",{"a":1}]')
    )
  })

  it('leave out what is undefined, inherited, not enumerable, or keyed by a symbol', () => {
    const hidden = Object.defineProperty({ u: undefined, [Symbol('s')]: 1 }, 'hidden', { value: 1n })
    expect(canonicalJson(Object.setPrototypeOf(hidden, { inherited: 1 }))).toEqual(right('{}'))
    expect(canonicalJson(Object.assign([1], { extra: 1n }))).toEqual(right('[1]'))
  })

  it('take class instances and objects without a prototype for plain objects', () => {
    class Money {
      readonly cents = 5
    }
    expect(canonicalJson([new Money(), Object.create(null)])).toEqual(right('[{"cents":5},{}]'))
  })
})

describe('toJSON', () => {
  it('is called once, without arguments, and on the value', () => {
    const calls: unknown[] = []
    const value = {
      cents: 5,
      toJSON(...passed: unknown[]): unknown {
        calls.push(this, ...passed)
        return { cents: this.cents }
      }
    }
    expect(canonicalJson({ value })).toEqual(right('{"value":{"cents":5}}'))
    expect(calls).toEqual([value])
    expect(calls[0]).toBe(value)
  })

  it('is not called on what a toJSON returned, as JSON.stringify does not', () => {
    class Twice {
      readonly a = 1
      toJSON(): unknown {
        return new Once()
      }
    }
    class Once {
      readonly b = 2
      toJSON(): never {
        throw new Error('called')
      }
    }
    expect(canonicalJson(new Twice())).toEqual(right(JSON.stringify(new Twice())))
    expect(canonicalJson(new Twice())).toEqual(right(stableStringify(new Twice())))
  })

  it('may return the value itself', () => {
    class Itself {
      readonly a = [1]
      toJSON(): unknown {
        return this
      }
    }
    expect(canonicalJson(new Itself())).toEqual(right('{"a":[1]}'))
  })

  it('that returns undefined leaves a property out, and is refused elsewhere', () => {
    const nothing = { toJSON: () => undefined }
    expect(canonicalJson({ a: nothing, b: 1 })).toEqual(right('{"b":1}'))
    expect(canonicalJson([nothing])).toMatchObject(left({ path: '$[0]' }))
    expect(canonicalJson(nothing)).toMatchObject(left({ path: '$' }))
  })

  it('is data when it is no function', () => {
    expect(canonicalJson({ toJSON: 'a' })).toEqual(right('{"toJSON":"a"}'))
  })

  it('that makes ever new objects comes to an end', () => {
    const endless = { toJSON: () => ({ endless }) }
    expect(reasonOf(endless)).toBe(`$${'.endless'.repeat(depthMax)}: nested deeper than ${depthMax} levels`)
  })

  it('is not asked of primitives, even where a program has patched one on', () => {
    const patched = Object.defineProperty(BigInt.prototype, 'toJSON', { value: () => '1', configurable: true })
    try {
      expect(reasonOf({ a: 1n })).toBe('$.a: a bigint has no JSON form')
    } finally {
      delete (patched as { toJSON?: unknown }).toJSON
    }
  })
})

describe('refusals', () => {
  it.each<[string, unknown]>([
    ['$: NaN has no JSON form', Number.NaN],
    ['$.a[0]: undefined or a hole', { a: [undefined] }],
    ['$.a: a cycle: the value contains itself', cyclic()],
    ['$: an invalid Date has no JSON form', new Date(Number.NaN)],
    ['$[0]: an invalid Date has no JSON form', runInNewContext('[new Date(NaN)]')],
    ['$: Map has no JSON form', new Map()],
    ['$[0]: Map has no JSON form', runInNewContext('[new Map()]')],
    ['$: binary data has no JSON form', Buffer.from('b')],
    ['$: Uint8Array has no JSON form', new Uint8Array(1)],
    ['$: a function has no JSON form', () => 1],
    ['$["a b"]: a symbol has no JSON form', { 'a b': Symbol('s') }],
    ['$[""]: a symbol has no JSON form', { '': Symbol('s') }],
    ['$.$a_1: a bigint has no JSON form', { $a_1: 1n }],
    ['$["1"]: a bigint has no JSON form', { 1: 1n }],
    ['$["\\""]: a bigint has no JSON form', { '"': 1n }],
    [
      '$.a: reading it throws: Error: no',
      {
        get a() {
          return thrower(new Error('no'))()
        }
      }
    ],
    ['$: toJSON throws: no', { toJSON: thrower('no') }],
    ['$: toJSON throws: something that cannot be shown', { toJSON: thrower(Object.create(null)) }],
    ['$: reading it throws: TypeError', new Proxy({}, { ownKeys: () => [1] as unknown as string[] })]
  ])('say %s', (sentence, value) => {
    expect(reasonOf(value).slice(0, sentence.length)).toBe(sentence)
  })

  it('name the first fault in the order in which the text is written', () => {
    expect(reasonOf({ b: 1n, a: [1, Number.NaN, Infinity] })).toMatch(/^\$\.a\[1\]/)
  })

  it('come back as a value when the text grows longer than a string can be', () => {
    const megabyte = 'x'.repeat(2 ** 20)
    expect(reasonOf(Array.from({ length: 512 }, () => megabyte))).toMatch(/^\$.*: reading it throws: RangeError/)
  })

  it('leave nothing behind: the same value is judged the same again', () => {
    const value = { fine: [1], broken: [2, 1n] }
    expect(reasonOf(value)).toBe(reasonOf(value))
    expect(canonicalJson({ fine: value.fine })).toEqual(right('{"fine":[1]}'))
  })
})

function cyclic(): unknown {
  const value: { a?: unknown } = {}
  value.a = value
  return value
}
