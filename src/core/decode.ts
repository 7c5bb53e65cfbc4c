// From io-ts's list of errors to the one fault a person should read first: where, and expected what.
//
// io-ts names every place that failed, and for a union every member that did not match, so the list is long where
// the mistake is small. Here each union is settled first, from the outside in: the member that the value was meant to
// be is the one whose tag matches, else the one with the fewest errors. Of what is left the deepest is the fault.
//
// Invariant: nothing here throws or runs long because of the value, whatever it holds: cycles, BigInt, getters that
// throw, megabytes of text. A codec's own `is` may still throw; that is its caller's to catch.

import * as t from 'io-ts'
import { pathStep } from './canon.ts'

/** What is wrong with a value, and where in it: `$.payload.lines[2].cents`. */
export interface Fault {
  readonly path: string
  readonly reason: string
}

/**
 * The most useful of the errors of a failed `decode` or `validate`.
 * @example pipe(codec.decode(input), E.mapLeft(firstFault)) // { path: '$.cents', reason: 'expected number, got "1"' }
 */
export function firstFault(errors: t.Errors): Fault {
  const leads = settle(errors.map(leadOf), 0)
  const first = leads[0]
  if (first === undefined) return { path: '$', reason: 'the codec refuses it and does not say why' }
  const best = leads.reduce((deeper, lead) => (depth(lead) > depth(deeper) ? lead : deeper), first)
  const expected = shorten(best.expected.join(' or '), expectedMax)
  return { path: pathOf(best.context), reason: best.message ?? `expected ${expected}, got ${show(best.value)}` }
}

/**
 * Where a value fails the codec's `is`, undefined when it passes. `decode` cannot tell: it reads the stored form,
 * and calls the Date in a value of `{ at: Date }` wrong, where the stored form has a string.
 */
export function guardFault(codec: t.Any, value: unknown): Fault | undefined {
  const errors = refusals([{ key: '', type: codec, actual: value }])
  return errors.length === 0 ? undefined : firstFault(errors)
}

/** One error on its way to become the fault. */
interface Lead {
  readonly context: t.Context
  readonly value: unknown
  readonly message: string | undefined
  /** The names of the codecs that were tried in this place; several when members of a union agree on it. */
  readonly expected: readonly string[]
}

function leadOf(error: t.ValidationError): Lead {
  const name = error.context.at(-1)?.type.name ?? 'something else'
  return { context: error.context, value: error.value, message: error.message, expected: [name] }
}

/** What io-ts's classes have beside a Type; codecs made by hand have none of it. */
interface Tagged {
  readonly _tag?: string
  readonly type?: t.Any
  readonly types?: readonly t.Any[]
  readonly props?: Readonly<Record<string, t.Any>>
  readonly domain?: t.Any
  readonly codomain?: t.Any
}

/** The codec behind those that add no step of their own to the context. */
function unwrap(codec: Tagged): Tagged {
  const wraps = /^(Exact|Readonly|Refinement|Recursive)Type$/.test(codec._tag ?? '')
  return wraps && codec.type !== undefined ? unwrap(codec.type as Tagged) : codec
}

/** Whether the entry at `index` leads into a member of a union or an intersection, and not into the value. */
function isMemberStep(context: t.Context, index: number): boolean {
  const parent = context[index - 1]
  const entry = context[index]
  if (parent === undefined || entry === undefined) return true // the root
  const tag = unwrap(parent.type as Tagged)._tag
  if (tag === 'UnionType' || tag === 'IntersectionType') return /^\d+$/.test(entry.key)
  // A codec made by hand may stand for a union: a step that stays on the same value is none into it.
  return tag === undefined && Object.is(parent.actual, entry.actual)
}

/** How many steps lead into the value behind the entry at `from`. */
function depth(lead: Lead, from = 0): number {
  let steps = 0
  for (let index = from + 1; index < lead.context.length; index++) if (!isMemberStep(lead.context, index)) steps++
  return steps
}

function pathOf(context: t.Context): string {
  let path = '$'
  for (let index = 1; index < context.length; index++) {
    if (isMemberStep(context, index)) continue
    const key = (context[index] as t.ContextEntry).key
    path += Array.isArray(context[index - 1]?.actual) ? `[${key}]` : pathStep(key)
  }
  return path
}

/** The place in the context, from `from` on, of the first union that was entered by one of its members, or −1. */
function unionAt(context: t.Context, from: number): number {
  for (let index = from; index + 1 < context.length; index++) {
    const isUnion = unwrap((context[index] as t.ContextEntry).type as Tagged)._tag === 'UnionType'
    if (isUnion && isMemberStep(context, index + 1)) return index
  }
  return -1
}

/** Replaces the errors of each union by those that matter. The contexts agree up to `from`. */
function settle(leads: readonly Lead[], from: number): readonly Lead[] {
  const inUnion = (lead: Lead): boolean => unionAt(lead.context, from) !== -1
  const unions = groupBy(leads.filter(inUnion), ({ context }) => {
    const keys = context.slice(from, unionAt(context, from) + 1).map((entry) => entry.key)
    return JSON.stringify(keys)
  })
  const settled = unions.map((union) => settleUnion(union, unionAt((union[0] as Lead).context, from)))
  return [...leads.filter((lead) => !inUnion(lead)), ...settled.flat()]
}

/** The errors of the member that the value was most likely meant to be; `at` is the union's place in the contexts. */
function settleUnion(leads: readonly Lead[], at: number): readonly Lead[] {
  const members = groupBy(leads, (lead) => (lead.context[at + 1] as t.ContextEntry).key).map((m) => settle(m, at + 1))
  const entered = members.filter((member) => member.every((lead) => depth(lead, at) > 0))
  if (entered.length === 0) return [refusedByAll(leads[0] as Lead, at)]
  const isTag = (lead: Lead): boolean => depth(lead, at) === 1 && expectsLiteral(lead)
  const tagged = entered.filter((member) => !member.some(isTag))
  const meant = tagged.length > 0 ? tagged : entered.map((member) => member.filter(isTag))
  const fewest = Math.min(...meant.map((member) => member.length))
  const tied = meant.filter((member) => member.length === fewest)
  const winner = tied.reduce((best, member) => (deepest(member) > deepest(best) ? member : best))
  return fewest === 1 ? [joined(winner[0] as Lead, tied.flat())] : winner
}

function refusedByAll(lead: Lead, at: number): Lead {
  const union = lead.context[at] as t.ContextEntry
  return {
    context: lead.context.slice(0, at + 1),
    value: union.actual,
    message: undefined,
    expected: [union.type.name]
  }
}

function expectsLiteral(lead: Lead): boolean {
  const type = lead.context.at(-1)?.type as Tagged | undefined
  return type?._tag === 'LiteralType' || type?._tag === 'KeyofType'
}

function deepest(member: readonly Lead[]): number {
  return member.reduce((most, lead) => Math.max(most, depth(lead)), 0)
}

/** The lead, expecting also what the others expect in the same place. */
function joined(lead: Lead, others: readonly Lead[]): Lead {
  const path = pathOf(lead.context)
  const same = others.filter((other) => pathOf(other.context) === path)
  return { ...lead, expected: [...new Set(same.flatMap((other) => other.expected))] }
}

function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): readonly (readonly T[])[] {
  const groups = new Map<string, T[]>()
  for (const item of items) {
    const key = keyOf(item)
    const group = groups.get(key)
    if (group === undefined) groups.set(key, [item])
    else group.push(item)
  }
  return [...groups.values()]
}

/** What `validate` would report, found with `is`: each failing part that no smaller part explains. */
function refusals(context: t.Context): t.Errors {
  const { type, actual } = context.at(-1) as t.ContextEntry
  const codec = type as t.Any
  if (codec.is(actual)) return []
  const errors: t.ValidationError[] = []
  for (const part of partsOf(unwrap(codec as Tagged), actual)) {
    const inner = [...context, part]
    const found = refusals(inner)
    for (const error of found) errors.push(error)
    if (found.length === 0 && isMissing(part, actual)) errors.push(missing(inner))
  }
  if (errors.length > 0) return errors
  // Made by hand: only its own validate can say more, and only where both forms are one it speaks of this value.
  const own =
    (codec as Tagged)._tag === undefined && codec.encode === t.identity ? codec.validate(actual, context) : undefined
  return own?._tag === 'Left' ? own.left : [{ context, value: actual }]
}

/** `t.type` wants the property to be there even where its codec takes undefined. */
function isMissing(part: t.ContextEntry, whole: unknown): boolean {
  return part.actual === undefined && !Array.isArray(whole) && !Object.hasOwn(whole as object, part.key)
}

function missing(context: t.Context): t.ValidationError {
  return { context, value: undefined, message: 'the property is missing; say undefined, or declare it with t.partial' }
}

/** The steps from a value to the parts that its codec looks at. */
function partsOf(codec: Tagged, value: unknown): readonly t.ContextEntry[] {
  const { _tag: tag, type, types = [], props = {}, domain, codomain } = codec
  if (tag === 'UnionType' || tag === 'IntersectionType') return types.map((member, at) => step(at, member, value))
  if (Array.isArray(value)) {
    if (tag === 'TupleType') return types.map((item, at) => step(at, item, value[at]))
    const isList = tag === 'ArrayType' || tag === 'ReadonlyArrayType'
    return isList && type !== undefined ? value.map((item, at) => step(at, type, item)) : []
  }
  if (typeof value !== 'object' || value === null) return []
  const record = value as Readonly<Record<string, unknown>>
  if (tag === 'DictionaryType' && codomain !== undefined) {
    const keys = Object.keys(record).filter((key) => domain?.is(key))
    return keys.map((key) => step(key, codomain, record[key]))
  }
  const keys = Object.keys(props).filter((key) => tag !== 'PartialType' || record[key] !== undefined)
  return keys.map((key) => step(key, props[key] as t.Any, record[key]))
}

function step(key: string | number, type: t.Any, actual: unknown): t.ContextEntry {
  return { key: String(key), type, actual }
}

const shownMax = 60
const expectedMax = 120
const shownItemsMax = 8
const shownDepthMax = 3

/** A short text for any value, for messages. */
function show(value: unknown): string {
  try {
    return shorten(print(value, 0), shownMax)
  } catch {
    return 'a value that cannot be read' // a getter or a proxy throws
  }
}

function shorten(text: string, most: number): string {
  return text.length <= most ? text : `${text.slice(0, most - 1).toWellFormed()}…`
}

function print(value: unknown, level: number): string {
  switch (typeof value) {
    case 'string':
      return JSON.stringify(value.slice(0, shownMax))
    case 'bigint':
      return `${value}n`
    case 'function':
      return 'a function'
    case 'object':
      return value === null ? 'null' : printObject(value, level)
    default:
      return String(value)
  }
}

function printObject(value: object, level: number): string {
  if (value instanceof Date)
    return Number.isNaN(value.getTime()) ? 'an invalid Date' : `the Date ${value.toISOString()}`
  if (Array.isArray(value)) return `[${level >= shownDepthMax ? '…' : list(value, (item) => print(item, level + 1))}]`
  const record = value as Readonly<Record<string, unknown>>
  const prototype = Object.getPrototypeOf(value) as { readonly constructor?: { readonly name?: unknown } } | null
  const isPlain = prototype === Object.prototype || prototype === null
  const name = isPlain ? '' : `${String(prototype?.constructor?.name)} `
  const entry = (key: string): string => `${JSON.stringify(key.slice(0, shownMax))}:${print(record[key], level + 1)}`
  return `${name}{${level >= shownDepthMax ? '…' : list(Object.keys(record), entry)}}`
}

function list<T>(items: readonly T[], text: (item: T) => string): string {
  const shown = items.slice(0, shownItemsMax).map(text).join(',')
  return items.length > shownItemsMax ? `${shown},…` : shown
}
