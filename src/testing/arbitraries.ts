// fast-check arbitraries for names, payloads and events. They are hostile by design: whatever the library accepts is
// drawn here, and most of all what tends to break software that keeps strings and objects. Together with
// unstorable.ts (what must be refused) and damage.ts (what disks do to bytes) they let a project run its own
// properties on its own log. No test runner is needed; fast-check is an optional peer dependency.

import * as fc from 'fast-check'
import type { NewEvent } from '../core/event.ts'
import { nameBytesMax, tagsMax } from '../core/limit.ts'

/** What JSON.parse can return. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/** Strings that have broken something somewhere; all are legal names. */
const oddNames = [
  ...['__proto__', 'constructor', 'prototype', 'toString', 'valueOf', 'hasOwnProperty', 'toJSON', 'length'],
  ...['0', '-0', '1e3', '4294967295', 'NaN', 'null', 'true', ' ', '$', '"', '\\', '\\u0000', '{', '}', '[', ']', ':'],
  ...[
    '\u0000',
    '\u0001{',
    '\u001f',
    '\u007f',
    '\u0085',
    '\u2028',
    '\u2029',
    '\ufeff',
    '\ufffd',
    '\uffff',
    '\u{10ffff}'
  ],
  ...['../..', 'e\u0301', '\u00e9', '\u{1f469}\u200d\u{1f680}', '\u202egnirts'],
  'n'.repeat(nameBytesMax),
  '\u{1f600}'.repeat(nameBytesMax / 4)
]

/** Names as the log takes them: well-formed Unicode of all planes, from 1 byte to nameBytesMax bytes of UTF-8. */
export function name(): fc.Arbitrary<string> {
  return fc.oneof(
    { weight: 4, arbitrary: fc.string({ unit: 'binary', minLength: 1, maxLength: 40 }) },
    { weight: 4, arbitrary: fc.string({ unit: 'grapheme-ascii', minLength: 1, maxLength: 40 }) },
    { weight: 3, arbitrary: fc.constantFrom(...oddNames) },
    { weight: 1, arbitrary: longName() }
  )
}

function longName(): fc.Arbitrary<string> {
  const unit = fc.string({ unit: 'binary', minLength: 1, maxLength: 8 })
  return fc.tuple(unit, fc.nat()).map(([part, pick]) => {
    const most = Math.floor(nameBytesMax / Buffer.byteLength(part))
    return part.repeat(1 + (pick % most))
  })
}

/** Strings as a payload may hold them: those of `name`, the empty one, and any UTF-16, lone surrogates included. */
export function text(): fc.Arbitrary<string> {
  const codeUnit = fc.oneof(
    fc.integer({ min: 0, max: 0xffff }),
    fc.integer({ min: 0xd800, max: 0xdfff }),
    fc.integer({ min: 0, max: 0x7f })
  )
  return fc.oneof(
    name(),
    fc.constant(''),
    fc.array(codeUnit, { maxLength: 20 }).map((units) => String.fromCharCode(...units))
  )
}

/** Keys of objects: any text, and numbers, which JavaScript keeps in an order of their own. */
export function key(): fc.Arbitrary<string> {
  return fc.oneof({ weight: 5, arbitrary: text() }, { weight: 1, arbitrary: fc.nat({ max: 200 }).map(String) })
}

const oddNumbers = [
  ...[0, -0, 1, -1, 0.1, 1 / 3, 5e-324, -5e-324, 2.2250738585072014e-308, Number.MAX_VALUE, -Number.MAX_VALUE],
  ...[2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1, 2 ** 53, 2 ** 53 + 2, -(2 ** 53), 1e21, 1e-7, 123456789012345680000]
]

/** Finite numbers, −0 and the extremes included. */
function finite(): fc.Arbitrary<number> {
  return fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), fc.constantFrom(...oddNumbers))
}

/**
 * JSON values: every kind of string and number, `__proto__` as an own key, empty and numeric keys, objects with many
 * keys, and chains of containers up to `depth` levels deep (20 unless told).
 */
export function json(options: { readonly depth?: number } = {}): fc.Arbitrary<JsonValue> {
  const depth = options.depth ?? 20
  const { value } = fc.letrec<{ value: JsonValue; leaf: JsonValue }>((tie) => ({
    leaf: fc.oneof(fc.constantFrom(null, true, false), text(), finite()),
    value: fc.oneof(
      { maxDepth: Math.min(depth, 4), depthIdentifier: 'json' },
      { weight: 3, arbitrary: tie('leaf') },
      { weight: 2, arbitrary: fc.array(tie('value'), { maxLength: 5, depthIdentifier: 'json' }) },
      { weight: 3, arbitrary: record(tie('value'), 5) }
    )
  }))
  return fc.oneof(
    { weight: 8, arbitrary: value },
    { weight: 1, arbitrary: record(fc.oneof(text(), finite()), 60) },
    { weight: 1, arbitrary: chain(depth) }
  )
}

/** An object with up to `most` keys; `__proto__` becomes an own property like any other. */
function record(value: fc.Arbitrary<JsonValue>, most: number): fc.Arbitrary<JsonValue> {
  return fc.array(fc.tuple(key(), value), { maxLength: most }).map((entries) => Object.fromEntries(entries))
}

/** Containers in one another, from none up to `depth`, with a leaf in the innermost. */
function chain(depth: number): fc.Arbitrary<JsonValue> {
  const levels = fc.array(fc.option(key()), { maxLength: depth, size: 'max' })
  return fc
    .tuple(levels, fc.oneof(text(), finite()))
    .map(([keys, leaf]) =>
      keys.reduce<JsonValue>((inner, step) => (step === null ? [inner] : Object.fromEntries([[step, inner]])), leaf)
    )
}

/** Events as a caller may pass them, with any choice of the optional fields; the payload is `json()` unless told. */
export function newEvent(payload: fc.Arbitrary<unknown> = json()): fc.Arbitrary<NewEvent> {
  const metadata = fc.dictionary(key(), json({ depth: 4 }), { maxKeys: 5 })
  return fc.record(
    {
      aggregateId: name(),
      eventId: name(),
      eventType: name(),
      payload,
      metadata,
      namespace: name(),
      schemaId: name(),
      schemaVersion: fc.nat({ max: Number.MAX_SAFE_INTEGER }),
      tags: fc.oneof(
        { weight: 9, arbitrary: fc.array(name(), { maxLength: 4 }) },
        { weight: 1, arbitrary: fc.array(fc.constantFrom('a', 'b'), { maxLength: tagsMax, size: 'max' }) }
      )
    },
    { requiredKeys: ['aggregateId', 'eventType', 'payload'] }
  )
}
