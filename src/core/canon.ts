// Canonical JSON: keys sorted by UTF-16 code units, no white space, byte for byte what fast-json-stable-stringify
// prints (a property test holds that), so equal values have equal bytes. The walk refuses, with the path, whatever
// JSON would carry back as something else: nothing is lost in silence, and whatever the value does, nothing is thrown.
//
// Coercions, the complete list. A value with a method toJSON (a Date) becomes what that returns; it is called once,
// without an argument, and what it returns is not asked for a toJSON again, as in JSON.stringify. Left out are
// properties that are undefined, or become so by toJSON, those inherited, not enumerable or keyed by a symbol, and
// those of an array besides its items. −0 becomes 0, and every object comes back as a plain one. A Buffer, though it
// has a toJSON, is refused like all binary data: it would come back as a list of numbers.
//
// fast-json-stable-stringify itself cannot serve here: it prints NaN as null, drops functions, and costs three to
// four times JSON.stringify.

import { isDate } from 'node:util/types'
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
    return right(writeValue(converted(value), []))
  } catch (error) {
    const refusal = refusalAt('', error)
    return left({ path: root + refusal.path, reason: refusal.reason })
  }
}

/** `path` continued by a property: `$.price`, `$["odd key"]`. */
export function pathStep(key: string): string {
  return /^[A-Za-z_$][\w$]*$/.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}

/** Says what was thrown, whatever it was: even turning it into a string may throw. */
export function thrownText(thrown: unknown): string {
  try {
    return String(thrown)
  } catch {
    return 'something that cannot be shown'
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

/** What unwinds through `step`: a refusal, or what a proxy or getter has thrown. */
function refusalAt(step: string, thrown: unknown): Refusal {
  const refusal = thrown instanceof Refusal ? thrown : new Refusal(`reading it throws: ${thrownText(thrown)}`)
  refusal.path = step + refusal.path
  return refusal
}

// Lone surrogates are escaped by JSON.stringify and come back.
// oxlint-disable-next-line no-control-regex -- control characters are what must be escaped
const needsEscape = /["\\\u0000-\u001f\ud800-\udfff]/

/** The JSON text of a string. */
export function quote(text: string): string {
  return needsEscape.test(text) ? JSON.stringify(text) : `"${text}"`
}

/** The containers that the walk stands in, outermost first: how cycles and depth are seen. */
type Chain = object[]

/** What toJSON makes of the value, or the value itself. */
function converted(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value
  const toJSON = (value as { readonly toJSON?: unknown }).toJSON
  if (typeof toJSON !== 'function') return value
  if (ArrayBuffer.isView(value)) throw new Refusal('binary data has no JSON form; convert it to text first')
  if (isDate(value) && Number.isNaN(value.getTime())) throw new Refusal('an invalid Date has no JSON form')
  try {
    return toJSON.call(value) as unknown
  } catch (error) {
    throw new Refusal(`toJSON throws: ${thrownText(error)}`)
  }
}

function writeValue(value: unknown, chain: Chain): string {
  switch (typeof value) {
    case 'string':
      return quote(value)
    case 'number':
      if (!Number.isFinite(value)) throw new Refusal(`${value} has no JSON form`)
      return `${value}` // −0 prints as 0
    case 'boolean':
      return value ? 'true' : 'false'
    case 'object':
      return value === null ? 'null' : writeContainer(value, chain)
    case 'undefined':
      throw new Refusal('undefined has no JSON form; use null, or leave the property out')
    default:
      throw new Refusal(`a ${typeof value} has no JSON form`)
  }
}

function writeContainer(value: object, chain: Chain): string {
  for (let place = chain.length - 1; place >= 0; place--) {
    if (chain[place] === value) throw new Refusal('a cycle: the value contains itself')
  }
  if (chain.length >= depthMax) throw new Refusal(`nested deeper than ${depthMax} levels`)
  chain.push(value)
  const text = Array.isArray(value) ? writeArray(value, chain) : writeRecord(value, chain)
  chain.pop()
  return text
}

// In both, what a proxy throws when asked for its length or keys belongs to the container, not to a place in it: it
// unwinds from before the `try`.

function writeArray(items: readonly unknown[], chain: Chain): string {
  const { length } = items
  let text = '['
  let index = 0
  try {
    for (; index < length; index++) {
      const item = converted(items[index])
      if (item === undefined) throw new Refusal('undefined or a hole in an array has no JSON form; use null')
      text += index > 0 ? `,${writeValue(item, chain)}` : writeValue(item, chain)
    }
    return text + ']'
  } catch (error) {
    throw refusalAt(`[${index}]`, error)
  }
}

function writeRecord(value: object, chain: Chain): string {
  refuseExotic(value)
  const record = value as Readonly<Record<string, unknown>>
  const keys = sorted(Object.keys(record))
  let text = ''
  let key = ''
  try {
    for (key of keys) {
      const property = converted(record[key])
      if (property === undefined) continue
      const printed = printedKey(key)
      text += (text === '' ? printed.first : printed.next) + writeValue(property, chain)
    }
  } catch (error) {
    throw refusalAt(pathStep(key), error)
  }
  return text === '' ? '{}' : text + '}'
}

/** A key as it opens an object and as it goes on in one: `{"price":` and `,"price":`. */
interface PrintedKey {
  readonly first: string
  readonly next: string
}

/** Keys repeat from event to event. Emptied when full, so that keys made of data cost time, never memory. */
const printedKeys = new Map<string, PrintedKey>()
const printedKeysMax = 4_096
const printedKeyLengthMax = 64

function printedKey(key: string): PrintedKey {
  const known = printedKeys.get(key)
  if (known !== undefined) return known
  const text = quote(key)
  const printed: PrintedKey = { first: `{${text}:`, next: `,${text}:` }
  if (key.length > printedKeyLengthMax) return printed
  if (printedKeys.size >= printedKeysMax) printedKeys.clear()
  printedKeys.set(key, printed)
  return printed
}

/** Refuses objects whose content is not in their properties, and would come back as `{}` or as something else. */
function refuseExotic(value: object): void {
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Object.prototype || prototype === null) return
  const tag = Object.prototype.toString.call(value).slice(8, -1)
  if (tag !== 'Object' || ArrayBuffer.isView(value)) throw new Refusal(`${tag} has no JSON form; convert it first`)
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
