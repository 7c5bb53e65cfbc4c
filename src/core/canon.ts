// Canonical JSON: keys sorted by UTF-16 code units, no white space, byte for byte what fast-json-stable-stringify
// prints (a property test holds that), so equal values have equal bytes. The walk refuses, with the path, whatever
// JSON would carry back as something else: nothing is lost in silence.
//
// Coercions, the complete list: a value with toJSON (a Date) becomes what that returns; properties that are
// undefined, not enumerable or keyed by a symbol are left out; −0 becomes 0; an object comes back as a plain one.
//
// fast-json-stable-stringify itself cannot serve here: it prints NaN as null, drops functions, and costs three to
// four times JSON.stringify. Key order is found by an insertion sort, since most objects have few keys and the keys
// of most events come in order already.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { depthMax } from './limit.ts'

/** Why a value cannot be stored, and where in it. */
export interface CanonFault {
  /** A JSON-path-like address: `$.lines[2].price`, `$["odd key"]`. */
  readonly path: string
  readonly reason: string
}

/** The canonical JSON text of `value`, or the first place in it that JSON cannot carry back. */
export function canonicalJson(value: unknown, root = '$'): Either<CanonFault, string> {
  try {
    return right(writeValue(value, 0, undefined))
  } catch (error) {
    if (error instanceof Refusal) return left({ path: root + error.path, reason: error.reason })
    throw error
  }
}

// The walk signals by throwing, inside this file only: an Either per node would cost more than the text itself.
class Refusal {
  path = '' // grows from the leaf to the root while the walk unwinds
  readonly reason: string
  constructor(reason: string) {
    this.reason = reason
  }
}

/** The containers that the walk stands in, innermost first; how cycles are seen. */
interface Chain {
  readonly value: object
  readonly outer: Chain | undefined
}

// Left: undefined, and everything that needs no escape. Lone surrogates are escaped by JSON.stringify and come back.
// oxlint-disable-next-line no-control-regex -- control characters are what must be escaped
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

/** The JSON text of a string. */
export function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}

function writeValue(value: unknown, depth: number, chain: Chain | undefined): string {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
      if (!Number.isFinite(value)) throw new Refusal(`${value} has no JSON form`)
      return `${value}` // −0 prints as 0
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      return value === null ? 'null' : writeObject(value, depth, chain)
    case 'undefined':
      throw new Refusal('undefined has no JSON form; use null, or leave the property out')
    default:
      throw new Refusal(`a ${typeof value} has no JSON form`)
  }
}

function writeObject(value: object, depth: number, chain: Chain | undefined): string {
  if (depth >= depthMax) throw new Refusal(`nested deeper than ${depthMax} levels`)
  for (let link = chain; link !== undefined; link = link.outer) {
    if (link.value === value) throw new Refusal('a cycle: the value contains itself')
  }
  const inner: Chain = { value, outer: chain }
  const toJSON = readToJSON(value)
  if (toJSON !== undefined) return writeConverted(value, toJSON, depth, inner)
  if (Array.isArray(value)) return writeArray(value, depth, inner)
  refuseExotic(value)
  return writeRecord(value as Readonly<Record<string, unknown>>, depth, inner)
}

function readToJSON(value: object): (() => unknown) | undefined {
  const method = readProperty(value as Readonly<Record<string, unknown>>, 'toJSON')
  return typeof method === 'function' ? (method as () => unknown) : undefined
}

function writeConverted(value: object, toJSON: () => unknown, depth: number, chain: Chain): string {
  let converted: unknown
  try {
    converted = toJSON.call(value)
  } catch (error) {
    throw new Refusal(`toJSON throws: ${String(error)}`)
  }
  if (value instanceof Date && converted === null) throw new Refusal('an invalid Date has no JSON form')
  return writeValue(converted, depth + 1, chain)
}

function writeArray(items: readonly unknown[], depth: number, chain: Chain): string {
  let text = '['
  for (let index = 0; index < items.length; index++) {
    if (index > 0) text += ','
    const item = items[index]
    try {
      if (item === undefined) throw new Refusal('undefined or a hole in an array has no JSON form; use null')
      text += writeValue(item, depth + 1, chain)
    } catch (error) {
      if (error instanceof Refusal) error.path = `[${index}]${error.path}`
      throw error
    }
  }
  return text + ']'
}

function writeRecord(record: Readonly<Record<string, unknown>>, depth: number, chain: Chain): string {
  const keys = sorted(Object.keys(record))
  let text = '{'
  for (const key of keys) {
    const value = readProperty(record, key)
    if (value === undefined) continue
    if (text.length > 1) text += ','
    try {
      text += `${quote(key)}:${writeValue(value, depth + 1, chain)}`
    } catch (error) {
      if (error instanceof Refusal) error.path = `${pathStep(key)}${error.path}`
      throw error
    }
  }
  return text + '}'
}

function readProperty(record: Readonly<Record<string, unknown>>, key: string): unknown {
  try {
    return record[key]
  } catch (error) {
    const refusal = new Refusal(`the getter throws: ${String(error)}`)
    refusal.path = pathStep(key)
    throw refusal
  }
}

function pathStep(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

/** Refuses objects whose content is not in their properties, and would come back as `{}` or as something else. */
function refuseExotic(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  if (tag !== 'Object' || ArrayBuffer.isView(value)) throw new Refusal(`a ${tag} has no JSON form; convert it first`)
}

/** Sorts in place. Array.prototype.sort costs more than the sort itself on the few keys that objects have. */
function sorted(keys: string[]): string[] {
  if (keys.length > 32) return keys.sort()
  for (let index = 1; index < keys.length; index++) {
    const key = keys[index] as string
    let place = index - 1
    while (place >= 0 && (keys[place] as string) > key) {
      keys[place + 1] = keys[place] as string
      place--
    }
    keys[place + 1] = key
  }
  return keys
}
