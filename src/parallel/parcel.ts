// Errors between threads. A structured clone of an error keeps its message, its stack and its cause and forgets its
// class and its fields, which are what a program acts on; so they travel beside it, and the class is put on again.

import * as writing from '../core/error.ts'
import * as reading from '../core/read-error.ts'
import type { OpenError } from '../core/error.ts'
import type { FoldError } from '../replay/fold.ts'

/** What a fold in a thread can answer. */
export type ThreadError = FoldError | OpenError

/** An error, ready to be cloned. */
export interface Parcel {
  readonly error: Error
  readonly fields: Readonly<Record<string, unknown>>
}

const { ChronicleError: _, ...writingErrors } = writing
const classes: Readonly<Record<string, { readonly prototype: object }>> = { ...writingErrors, ...reading }

export function packError(error: ThreadError): Parcel {
  const plain =
    error.cause === undefined ? new Error(error.message) : new Error(error.message, { cause: clonable(error.cause) })
  if (error.stack !== undefined) plain.stack = error.stack
  return { error: plain, fields: Object.fromEntries(Object.entries(error)) }
}

export function unpackError({ error, fields }: Parcel): ThreadError {
  const prototype = classes[String(fields['_tag'])]?.prototype ?? Error.prototype
  return Object.assign(Object.setPrototypeOf(error, prototype) as ThreadError, fields)
}

/** A cause is whatever was thrown: what cannot be cloned is told in words. */
function clonable(cause: unknown): unknown {
  try {
    return structuredClone(cause)
  } catch {
    return new Error(cause instanceof Error ? cause.message : `something of type ${typeof cause} was thrown`)
  }
}
