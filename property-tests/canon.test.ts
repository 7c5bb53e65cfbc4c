// The laws of canonical JSON, with fast-json-stable-stringify and JSON itself as the references.

import { isDeepStrictEqual } from 'node:util'
import * as fc from 'fast-check'
import stableStringify from 'fast-json-stable-stringify'
import { isLeft, isRight } from 'fp-ts/lib/Either.js'
import { expect, test } from 'vitest'
import { canonicalJson } from '../src/core/canon.ts'
import { depthMax } from '../src/core/limit.ts'
import { json, key, type JsonValue } from '../src/testing/arbitraries.ts'
import { unstorable } from '../src/testing/unstorable.ts'

function textOf(value: unknown): string {
  const text = canonicalJson(value)
  if (isLeft(text)) throw new Error(`refused at ${text.left.path}: ${text.left.reason}`)
  return text.right
}

/** An object whose class has the method, as a money or date library would have it. */
class Converted {
  readonly #made: unknown
  readonly shown = 'not this'
  constructor(made: unknown) {
    this.#made = made
  }
  toJSON(): unknown {
    return this.#made
  }
}

class Plain {
  readonly [name: string]: unknown
  constructor(fields: Readonly<Record<string, unknown>>) {
    Object.defineProperties(this, Object.getOwnPropertyDescriptors(fields))
  }
}

/** What may be stored though JSON.parse would never return it: each of the coercions, anywhere. */
function storable(): fc.Arbitrary<unknown> {
  const { value } = fc.letrec<{ value: unknown; fields: Record<string, unknown> }>((tie) => ({
    fields: fc
      .array(fc.tuple(key(), fc.option(tie('value'), { nil: undefined })), { maxLength: 4 })
      .map((entries) => Object.fromEntries(entries.filter(([name]) => name !== 'toJSON'))),
    value: fc.oneof(
      { maxDepth: 4 },
      json({ depth: 3 }),
      fc.date({ noInvalidDate: true }),
      fc.array(tie('value'), { maxLength: 3 }),
      tie('fields'),
      tie('fields').map((fields) => new Plain(fields)),
      tie('fields').map((fields) => Object.assign(Object.create(null) as object, fields)),
      tie('fields').map((fields) => Object.assign(fields, { [Symbol('hidden')]: 1n })),
      tie('fields').map((fields) => Object.defineProperty(fields, 'hidden', { value: Number.NaN, enumerable: false })),
      tie('fields').map((fields) => Object.assign(fields, { gone: { toJSON: () => undefined } })),
      json({ depth: 2 }).map((made) => new Converted(made)),
      json({ depth: 2 }).map((made) => ({ toJSON: () => made }))
    )
  }))
  return value
}

function compareWith(reference: (value: unknown) => string, value: unknown): void {
  expect(textOf(value)).toBe(reference(value))
}

test('JSON values have the very bytes that fast-json-stable-stringify prints', () => {
  fc.assert(
    fc.property(json({ depth: 200 }), (value) => compareWith(stableStringify, value)),
    { numRuns: 500 }
  )
})

test('values with dates, toJSON, classes, undefined and hidden properties have those bytes too', () => {
  fc.assert(
    fc.property(storable(), (value) => compareWith(stableStringify, value)),
    { numRuns: 500 }
  )
})

test('what is read back is what was written, up to the coercions that JSON itself makes', () => {
  const law = (value: unknown): boolean =>
    isDeepStrictEqual(JSON.parse(textOf(value)), JSON.parse(JSON.stringify(value)))
  fc.assert(fc.property(fc.oneof(storable(), json()), law), { numRuns: 500 })
})

test('the text of a text that was read back is the same text', () => {
  fc.assert(fc.property(storable(), (value) => textOf(JSON.parse(textOf(value))) === textOf(value)))
})

/** The same value, every object built with its keys in another order. */
function reordered(value: JsonValue, turn: number): JsonValue {
  if (typeof value !== 'object' || value === null) return value
  if (Array.isArray(value)) return value.map((item: JsonValue) => reordered(item, turn))
  const entries = Object.entries(value as Readonly<Record<string, JsonValue>>)
  const cut = entries.length === 0 ? 0 : turn % entries.length
  const turned = [...entries.slice(cut), ...entries.slice(0, cut)].reverse()
  return Object.fromEntries(turned.map(([name, inner]) => [name, reordered(inner, turn)]))
}

test('equal values have equal bytes, in whatever order their keys were set', () => {
  fc.assert(
    fc.property(json({ depth: 200 }), fc.nat(), (value, turn) => textOf(reordered(value, turn)) === textOf(value)),
    { numRuns: 300 }
  )
})

test('different values have different bytes', () => {
  fc.assert(
    fc.property(json({ depth: 3 }), json({ depth: 3 }), (one, other) => {
      const equal = isDeepStrictEqual(JSON.parse(JSON.stringify(one)), JSON.parse(JSON.stringify(other)))
      expect(textOf(one) === textOf(other)).toBe(equal)
    })
  )
})

test('a text holds no byte below 0x20, and is well-formed UTF-8 whatever surrogates it was made of', () => {
  fc.assert(
    fc.property(json(), (value) => {
      const text = textOf(value)
      expect(Buffer.from(text).every((byte) => byte >= 0x20)).toBe(true)
      expect(Buffer.from(text).toString()).toBe(text)
    }),
    { numRuns: 300 }
  )
})

test('a value that cannot be stored is refused at its very path, wherever it stands', () => {
  fc.assert(
    fc.property(unstorable(), ({ value, path }) => {
      const refused = canonicalJson(value)
      expect(isLeft(refused) && refused.left.path).toBe(path)
    }),
    { numRuns: 2_000 }
  )
})

test('nothing is thrown, and what is not refused comes back, whatever is passed', () => {
  const anything = fc.anything({
    key: key(),
    maxDepth: 4,
    withBigInt: true,
    withBoxedValues: true,
    withDate: true,
    withMap: true,
    withNullPrototype: true,
    withObjectString: true,
    withSet: true,
    withSparseArray: true,
    withTypedArray: true
  })
  fc.assert(
    fc.property(anything, (value) => {
      const text = canonicalJson(value)
      if (isRight(text)) expect(text.right).toBe(stableStringify(value))
    }),
    { numRuns: 2_000 }
  )
})

const traps = [
  ...['get', 'has', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor', 'set', 'defineProperty'],
  ...['deleteProperty', 'isExtensible', 'preventExtensions', 'setPrototypeOf']
] as const

test('a proxy is refused or read, whichever of its traps throw', () => {
  fc.assert(
    fc.property(fc.subarray([...traps]), fc.boolean(), (trapped, list) => {
      const handler = Object.fromEntries(
        trapped.map((trap) => [
          trap,
          () => {
            throw new Error(trap)
          }
        ])
      )
      const text = canonicalJson({ a: [new Proxy(list ? [1] : { b: 1 }, handler)] })
      const readBy = list ? ['get'] : ['get', 'ownKeys', 'getPrototypeOf', 'getOwnPropertyDescriptor']
      if (trapped.some((trap) => readBy.includes(trap))) {
        expect(isLeft(text) && text.left.path).toBe('$.a[0]')
      } else expect(isRight(text) && text.right).toBe(list ? '{"a":[[1]]}' : '{"a":[{"b":1}]}')
    })
  )
})

test('a value that stands in several places is no cycle, and is written in each', () => {
  fc.assert(
    fc.property(json({ depth: 5 }), (shared) => {
      const text = textOf(shared)
      expect(textOf({ a: shared, b: [shared, { c: shared }] })).toBe(`{"a":${text},"b":[${text},{"c":${text}}]}`)
    })
  )
})

test('depthMax containers in one another are stored, one more is refused, whatever their kinds', () => {
  const levels = fc.array(fc.boolean(), { minLength: depthMax - 1, maxLength: depthMax - 1 })
  fc.assert(
    fc.property(levels, fc.constantFrom<unknown>([], {}), (lists, innermost) => {
      const deepest = lists.reduce<unknown>((inner, list) => (list ? [inner] : { k: inner }), innermost)
      expect(depthOf(deepest)).toBe(depthMax)
      expect(textOf(deepest)).toBe(JSON.stringify(deepest))
      const over = canonicalJson([deepest])
      const steps = ['[0]', ...lists.toReversed().map((list) => (list ? '[0]' : '.k'))]
      expect(isLeft(over) && over.left.path).toBe(`$${steps.join('')}`)
    }),
    { numRuns: 20 }
  )
})

function depthOf(value: unknown): number {
  let depth = 0
  for (let inner = value; typeof inner === 'object' && inner !== null; inner = Object.values(inner)[0]) depth++
  return depth
}
