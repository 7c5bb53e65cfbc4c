// Events with a type: how the codec's body and the envelope around it become one object, on the way in and out.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type * as t from 'io-ts'
import { thrownText } from '../core/canon.ts'
import { firstFault, guardFault, type Fault } from '../core/decode.ts'
import { InvalidEvent } from '../core/error.ts'
import { InvalidStored } from '../core/read-error.ts'
import { AnyEvent, type Event, type NewEvent } from '../core/event.ts'
import type { EventReader, ReadBatch } from '../port/store.ts'
import type { ReplayElement, TypedReader } from './replay.ts'

/** What a codec fixes: the type of an event and its payload. */
export interface EventBody {
  readonly eventType: string
  readonly payload: unknown
}

/** The fields of an event around its body. */
export type Envelope = Omit<Event, 'eventType' | 'payload'>

/** An event as it is read: the codec's body in its envelope. */
export type Recorded<A> = Envelope & A

/** An event as it is appended; without an id it gets one. */
export type NewRecorded<A> = Omit<NewEvent, 'eventType' | 'payload'> & A

/** A reader that decodes what another one reads. */
export function decodingReader<A extends EventBody>(
  source: EventReader,
  codec: t.Type<A, unknown, unknown>
): TypedReader<Recorded<A>> {
  // Every stored event is an AnyEvent: the store has checked.
  if ((codec as t.Any) === AnyEvent) return source as unknown as TypedReader<Recorded<A>>
  return {
    next: async () => {
      const batch = await source.next()
      return batch === undefined ? undefined : batch.map((element) => decodeElement(element, codec))
    },
    close: () => source.close()
  }
}

function decodeElement<A extends EventBody>(
  element: ReadBatch[number],
  codec: t.Type<A, unknown, unknown>
): ReplayElement<Recorded<A>> {
  if (element._tag === 'Left') return element
  const stored = element.right
  const decoded = decodeSafely(codec, stored.event)
  if (decoded._tag === 'Left') {
    const { offset, nextOffset } = stored
    return left(new InvalidStored({ offset, nextOffset, ...decoded.left }))
  }
  // A codec that changes nothing gives the object back, and the event stays as it is.
  if ((decoded.right as unknown) === stored.event) return element as unknown as ReplayElement<Recorded<A>>
  // A codec may answer with the body alone; the envelope's fields that it does not name stay as they are stored.
  return right({ ...stored, event: { ...stored.event, ...decoded.right } })
}

/** A codec is the user's code: when it throws, that event does not decode. */
function decodeSafely<A>(codec: t.Type<A, unknown, unknown>, event: Event): Either<Fault, A> {
  try {
    const decoded = codec.decode(event)
    return decoded._tag === 'Right' ? decoded : left(firstFault(decoded.left))
  } catch (error) {
    return left({ path: '$', reason: `the codec throws: ${thrownText(error)}` })
  }
}

/** Checks an event against the codec and gives it the form that is stored. */
export function encodeBody(codec: t.Any, event: unknown, index: number): Either<InvalidEvent, unknown> {
  if (codec === AnyEvent) return right(event)
  try {
    if (!codec.is(event)) {
      const fault = guardFault(codec, event) ?? { path: '$', reason: `is no ${codec.name}` }
      return left(new InvalidEvent({ ...fault, index }))
    }
    const encoded: unknown = codec.encode(event)
    return right(encoded === event ? event : { ...event, ...(encoded as object) })
  } catch (error) {
    return left(new InvalidEvent({ path: '$', reason: `the codec throws: ${thrownText(error)}`, index }))
  }
}
