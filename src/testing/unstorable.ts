// Values that JSON cannot carry back, each somewhere inside a value that it can, with the path at which the log must
// refuse it. The list is the refusals of core/canon.ts, seen from outside.

import * as fc from 'fast-check'
import { pathStep } from '../core/canon.ts'
import { depthMax } from '../core/limit.ts'
import { json, key, type JsonValue } from './arbitraries.ts'

/** A value that must be refused, and where in it the fault is: `$.lines[2]`. */
export interface Unstorable {
  readonly kind: string
  readonly path: string
  readonly value: unknown
}

interface Fault {
  readonly value: unknown
  /** From the value to the fault inside it; empty when the value itself is the fault. */
  readonly path: string
}

function whole(value: unknown): Fault {
  return { value, path: '' }
}

function thrower(): never {
  throw new Error('a fault that was asked for')
}

/** What throws cannot always be turned into a string. */
function silentThrower(): never {
  throw Object.create(null) as Error
}

function loop(): Fault {
  const inner: { back?: unknown } = {}
  const outer = { inner: [inner] }
  inner.back = outer
  return { value: outer, path: '.inner[0].back' }
}

function hole(): Fault {
  const items: unknown[] = [1]
  items.length = 3
  return { value: items, path: '[1]' }
}

function revoked(): Fault {
  const { proxy, revoke } = Proxy.revocable({}, {})
  revoke()
  return whole(proxy)
}

/** One container more than may be, counted from the root: `outer` of them are there already. */
function tooDeep(outer: number): Fault {
  let value: unknown = []
  for (let level = outer; level < depthMax; level++) value = [value]
  return { value, path: '[0]'.repeat(depthMax - outer) }
}

/** Each makes a fresh value, given how many containers will stand around it. */
const faults: Readonly<Record<string, (outer: number) => Fault>> = {
  NaN: () => whole(Number.NaN),
  Infinity: () => whole(Infinity),
  '-Infinity': () => whole(-Infinity),
  bigint: () => whole(10n),
  function: () => whole(() => 1),
  'function with toJSON': () => whole(Object.assign(() => 1, { toJSON: () => 1 })),
  class: () => whole(class Money {}),
  symbol: () => whole(Symbol('s')),
  'undefined in an array': () => ({ value: ['a', undefined], path: '[1]' }),
  'hole in an array': hole,
  'cycle of objects': loop,
  'cycle of arrays': () => {
    const items: unknown[] = [0]
    items.push(items)
    return { value: items, path: '[1]' }
  },
  Map: () => whole(new Map([['a', 1]])),
  Set: () => whole(new Set([1])),
  WeakMap: () => whole(new WeakMap()),
  Uint8Array: () => whole(new Uint8Array(2)),
  Float64Array: () => whole(new Float64Array(2)),
  DataView: () => whole(new DataView(new ArrayBuffer(2))),
  ArrayBuffer: () => whole(new ArrayBuffer(2)),
  SharedArrayBuffer: () => whole(new SharedArrayBuffer(2)),
  Buffer: () => whole(Buffer.from('b')),
  RegExp: () => whole(/r/u),
  'boxed number': () => whole(Object(1)),
  'boxed string': () => whole(Object('s')),
  'boxed boolean': () => whole(Object(true)),
  'boxed bigint': () => whole(Object(1n)),
  'boxed symbol': () => whole(Object(Symbol('s'))),
  Promise: () => whole(Promise.resolve(1)),
  Error: () => whole(new Error('e')),
  iterator: () => whole([1].values()),
  'invalid Date': () => whole(new Date(Number.NaN)),
  'throwing getter': () => ({
    value: {
      fine: 1,
      get broken() {
        return thrower()
      }
    },
    path: '.broken'
  }),
  'getter that throws no Error': () => ({
    value: {
      get broken() {
        return silentThrower()
      }
    },
    path: '.broken'
  }),
  'throwing getter in an array': () => ({ value: Object.defineProperty([1, 2], 1, { get: thrower }), path: '[1]' }),
  'getter of toJSON that throws': () =>
    whole({
      get toJSON() {
        return thrower()
      }
    }),
  'throwing toJSON': () => whole({ toJSON: thrower }),
  'toJSON that throws no Error': () => whole({ toJSON: silentThrower }),
  'toJSON to NaN': () => whole({ toJSON: () => Number.NaN }),
  'toJSON to an invalid value inside': () => ({ value: { toJSON: () => ({ a: [1n] }) }, path: '.a[0]' }),
  'toJSON to a Date': () => whole({ toJSON: () => new Date(0) }),
  'toJSON to undefined in an array': () => ({ value: [{ toJSON: () => undefined }], path: '[0]' }),
  'toJSON that contains itself': () => {
    const value: { toJSON: () => unknown } = { toJSON: () => shared }
    const shared = { again: {} }
    shared.again = shared
    return { value, path: '.again' }
  },
  'proxy that throws on get': () => whole(new Proxy({ a: 1 }, { get: thrower })),
  'proxy that throws on ownKeys': () => whole(new Proxy({}, { ownKeys: thrower })),
  'proxy that throws on getPrototypeOf': () => whole(new Proxy({}, { getPrototypeOf: thrower })),
  'proxy of a list that throws on get': () => whole(new Proxy([1], { get: thrower })),
  'revoked proxy': revoked,
  'too deep': tooDeep
}

/** One container around a fault: the key, or the items before it, and what else stands there. */
type Wrap =
  | { readonly key: string; readonly others: Readonly<Record<string, JsonValue>> }
  | { readonly before: readonly JsonValue[]; readonly after: readonly JsonValue[] }

function wrapping(): fc.Arbitrary<Wrap> {
  // Under the key toJSON a function would be a method that is called, and no fault.
  const place = key().filter((drawn) => drawn !== 'toJSON')
  const others = fc.array(json({ depth: 2 }), { maxLength: 3 })
  return fc.oneof(
    fc.record({ key: place, others: fc.dictionary(key(), json({ depth: 2 }), { maxKeys: 3 }) }),
    fc.record({ before: others, after: others })
  )
}

function wrapped(fault: Fault, wrap: Wrap): Fault {
  if ('before' in wrap) {
    const value = [...wrap.before, fault.value, ...wrap.after]
    return { value, path: `[${wrap.before.length}]${fault.path}` }
  }
  const value: unknown = Object.fromEntries([...Object.entries(wrap.others), [wrap.key, fault.value]])
  return { value, path: pathStep(wrap.key) + fault.path }
}

/** Values that must be refused, up to six containers deep inside ones that are fine. */
export function unstorable(): fc.Arbitrary<Unstorable> {
  const kinds = fc.constantFrom(...Object.entries(faults))
  return fc.tuple(kinds, fc.array(wrapping(), { maxLength: 6 })).map(([[kind, make], wraps]) => {
    const { value, path } = wraps.reduce(wrapped, make(wraps.length))
    // Printing a counterexample must not trip over the very value.
    return { kind, path: `$${path}`, value, [fc.toStringMethod]: () => `${kind} at $${path}` }
  })
}
