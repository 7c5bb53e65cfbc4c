// From a record of payload codecs to typed events: one codec for the whole union, one constructor for each type.
//
// Invariant: the codec speaks of `eventType` and `payload` alone. Every other field of the object it decodes or
// encodes is kept, and when the payload stays the same the object stays the same one, so the log copies nothing.
//
// The member is found by a Map: one lookup whatever the number of event types, and names that every object has
// (`constructor`, `__proto__`) are event types like any other, known only when defined.

import type { Either } from 'fp-ts/lib/Either.js'
import * as t from 'io-ts'
import { assert } from './assert.ts'
import { quote, thrownText } from './canon.ts'
import type { Event, NewEvent } from './event.ts'

/** The fields that `make` fills in. */
interface EventDefaults {
  readonly namespace?: string | undefined
  readonly schemaId?: string | undefined
  readonly schemaVersion?: number | undefined
}

/** A payload codec with defaults of its own. */
export interface EventDefinition<P extends t.Mixed = t.Mixed> extends EventDefaults {
  readonly payload: P
}

/** By event type: the codec of its payload, alone or with defaults of its own. */
export type EventDefinitions = Readonly<Record<string, t.Mixed | EventDefinition>>

type PayloadCodec<D> = D extends t.Mixed ? D : D extends EventDefinition<infer P> ? P : never

/** The union of the events' types and payloads: `{ eventType: 'Deposited', payload: { cents: number } } | …`. */
type EventBodies<Ds> = {
  [K in keyof Ds & string]: { readonly eventType: K; readonly payload: t.TypeOf<PayloadCodec<Ds[K]>> }
}[keyof Ds & string]

/** The same union as it is stored. */
type EventOutputs<Ds> = {
  [K in keyof Ds & string]: { readonly eventType: K; readonly payload: t.OutputOf<PayloadCodec<Ds[K]>> }
}[keyof Ds & string]

/** What may be said of one event besides its payload; undefined means the default. */
export interface MakeOptions extends EventDefaults {
  readonly eventId?: string | undefined
  readonly metadata?: Readonly<Record<string, unknown>> | undefined
  readonly tags?: readonly string[] | undefined
}

/** One constructor for each event type. */
type EventMakers<Ds> = {
  readonly [K in keyof Ds & string]: (
    aggregateId: string,
    payload: t.TypeOf<PayloadCodec<Ds[K]>>,
    options?: MakeOptions
  ) => NewEvent<K, t.TypeOf<PayloadCodec<Ds[K]>>>
}

/** What defineEvents makes: the codec to open a log with, and a constructor for each event type. */
export interface DefinedEvents<Ds> {
  readonly codec: t.Type<EventBodies<Ds>, EventOutputs<Ds>, unknown>
  readonly make: EventMakers<Ds>
}

/** Defaults for all events, and how old shapes are lifted. */
export interface DefineOptions extends EventDefaults {
  /** Lifts an old shape, told by schemaId and schemaVersion, before it is decoded. Events it leaves alone cost nothing. */
  readonly upcast?: ((stored: Event) => Event) | undefined
}

/**
 * Defines the events of a log. `defaults` go into every event that `make` makes, unless the type or the call says
 * otherwise.
 * @example
 * const Bank = defineEvents({ namespace: 'bank' }, { Deposited: t.type({ cents: t.number }) })
 * type BankEvent = t.TypeOf<typeof Bank.codec>
 * const log = await orThrow(EventLog.open('./bank', { codec: Bank.codec }))
 * await orThrow(log.append(Bank.make.Deposited('account-42', { cents: 1250 })))
 */
export function defineEvents<Ds extends EventDefinitions>(defaults: DefineOptions, payloads: Ds): DefinedEvents<Ds> {
  const members: Members = new Map()
  // No prototype: `make.constructor` is not there unless it is defined, and `__proto__` is a key like any other.
  const make = Object.create(null) as Record<string, Maker>
  for (const [eventType, definition] of Object.entries(payloads)) {
    const own: EventDefinition = isCodec(definition) ? { payload: definition } : definition
    members.set(eventType, {
      place: String(members.size),
      codec: bodyCodec(eventType, own.payload),
      payload: own.payload
    })
    make[eventType] = maker(eventType, defaults, own)
  }
  return { codec: eventsCodec(members, defaults.upcast), make } as unknown as DefinedEvents<Ds>
}

interface Body {
  readonly eventType: string
  readonly payload: unknown
}

interface Member {
  /** The member's place in the union, as io-ts counts it. */
  readonly place: string
  /** The member as an io-ts codec: what error contexts name, and tools that walk codecs see. */
  readonly codec: t.Any
  readonly payload: t.Any
}

type Members = Map<string, Member>

type Maker = (aggregateId: string, payload: unknown, options?: MakeOptions) => NewEvent

// By its method and not by instanceof: two copies of io-ts may be installed.
function isCodec(definition: t.Mixed | EventDefinition): definition is t.Mixed {
  return 'validate' in definition && typeof definition.validate === 'function'
}

function bodyCodec(eventType: string, payload: t.Mixed): t.Any {
  return t.type({ eventType: t.literal(eventType), payload }, eventType)
}

function maker(eventType: string, defaults: EventDefaults, own: EventDefaults): Maker {
  const base = {
    namespace: own.namespace ?? defaults.namespace,
    schemaId: own.schemaId ?? defaults.schemaId,
    schemaVersion: own.schemaVersion ?? defaults.schemaVersion
  }
  return (aggregateId, payload, options = {}) => {
    const { eventId, metadata, tags } = options
    const namespace = options.namespace ?? base.namespace
    const schemaId = options.schemaId ?? base.schemaId
    const schemaVersion = options.schemaVersion ?? base.schemaVersion
    return {
      aggregateId,
      ...(eventId !== undefined && { eventId }),
      eventType,
      ...(metadata !== undefined && { metadata }),
      ...(namespace !== undefined && { namespace }),
      payload,
      ...(schemaId !== undefined && { schemaId }),
      ...(schemaVersion !== undefined && { schemaVersion }),
      ...(tags !== undefined && { tags })
    }
  }
}

// A UnionType to io-ts, so that it composes with other codecs (t.union finds the tags) and errors read as a union's;
// only the choice of the member is ours.
function eventsCodec(members: Members, upcast: DefineOptions['upcast']): t.Any {
  const codecs = [...members.values()]
  const keepsForm = codecs.every((member) => member.payload.encode === t.identity)
  return new t.UnionType<t.Any[], Body, Body, unknown>(
    `(${[...members.keys()].join(' | ')})`,
    (value): value is Body => isBody(members, value),
    (value, context) => {
      const lifted = upcast === undefined || !isObject(value) ? t.success(value) : lift(upcast, value, context)
      return lifted._tag === 'Left' ? lifted : decodeBody(members, lifted.right, context)
    },
    keepsForm ? t.identity : (body) => encodeBody(members, body),
    codecs.map((member) => member.codec)
  )
}

function isBody(members: Members, value: unknown): value is Body {
  if (!isObject(value)) return false
  const member = members.get(value['eventType'] as string)
  return member !== undefined && member.payload.is(value['payload'])
}

function lift(upcast: (stored: Event) => Event, value: object, context: t.Context): Either<t.Errors, unknown> {
  try {
    return t.success(upcast(value as Event))
  } catch (error) {
    return t.failure(value, context, `upcast throws: ${thrownText(error)}`)
  }
}

function decodeBody(members: Members, value: unknown, context: t.Context): Either<t.Errors, Body> {
  if (!isObject(value)) return t.failure(value, context)
  const { eventType, payload } = value
  const member = members.get(eventType as string)
  if (member === undefined) return unknownType(members, eventType, context)
  const inMember = t.appendContext(context, member.place, member.codec, value)
  const decoded: Either<t.Errors, unknown> = member.payload.validate(
    payload,
    t.appendContext(inMember, 'payload', member.payload, payload)
  )
  if (decoded._tag === 'Left') return decoded
  return t.success(withPayload(value as unknown as Body, decoded.right))
}

function unknownType(members: Members, eventType: unknown, context: t.Context): Either<t.Errors, never> {
  const inType = t.appendContext(context, 'eventType', t.string, eventType)
  if (typeof eventType !== 'string') return t.failure(eventType, inType)
  const known = [...members.keys()].join(', ')
  return t.failure(eventType, inType, `unknown event type ${quote(eventType)}; known are ${known}`)
}

function encodeBody(members: Members, body: Body): Body {
  const member = members.get(body.eventType)
  assert(member !== undefined, `only defined events are encoded, and ${JSON.stringify(body.eventType)} is not`)
  return withPayload(body, member.payload.encode(body.payload))
}

function withPayload(body: Body, payload: unknown): Body {
  return Object.is(payload, body.payload) ? body : { ...body, payload }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
