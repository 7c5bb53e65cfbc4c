// Stores that break the laws of a log's beginning (see store-mutants.ts).

import { right } from 'fp-ts/lib/Either.js'
import type { Offset, Version } from '../src/index.ts'
import type { Store } from '../src/port/store.ts'
import type { Mutant } from './store-live-mutants.ts'

/** The store, with events asked for that are gone read from where the log begins. */
function skipping(store: Store): Partial<Store> {
  const inside = (offset: Offset | undefined): Offset | undefined =>
    offset === undefined || offset > store.first() ? offset : store.first()
  return { read: (request) => store.read({ ...request, from: inside(request.from), until: inside(request.until) }) }
}

export const trimMutants: readonly Mutant[] = [
  {
    law: 'the segments follow',
    mutant: 'all of them are sealed',
    overrides: (store) => ({ segments: () => store.segments().map((segment) => ({ ...segment, sealed: true })) })
  },
  {
    law: 'the segments follow',
    mutant: 'the active one is not told',
    overrides: (store) => ({ segments: () => store.segments().slice(0, -1) })
  },
  {
    law: 'what is trimmed is said to be gone',
    mutant: 'a read begins where the log does',
    overrides: skipping
  },
  {
    law: 'what is trimmed is said to be gone',
    mutant: 'nothing is trimmed',
    overrides: (store) => ({
      trim: () => Promise.resolve(right({ first: store.first(), segments: [] }))
    })
  },
  {
    law: 'versions go on',
    mutant: 'versions count what is kept',
    overrides: (store) => ({
      version: async (id) => {
        const version = await store.version(id)
        const trimmed = await store.trimmedVersion(id)
        if (version._tag === 'Left' || trimmed._tag === 'Left') return version
        return right((version.right - trimmed.right) as Version)
      }
    })
  },
  {
    law: 'versions go on',
    mutant: 'what was trimmed never was',
    overrides: () => ({ trimmedVersion: () => Promise.resolve(right(0 as Version)) })
  },
  {
    law: 'a condition that looks back',
    mutant: 'what was trimmed had no match',
    overrides: (store) => ({
      append: (request) => {
        const conditions = request.conditions.map((one) =>
          'noneMatch' in one && one.after !== undefined && one.after < store.first()
            ? { ...one, after: store.first() }
            : one
        )
        return store.append({ ...request, conditions })
      }
    })
  },
  {
    law: 'a trim takes no part',
    mutant: 'it takes the segment that it reaches into',
    overrides: (store) => ({
      trim: (before) => {
        const reached = store.segments().find(({ base, end }) => base < before && before < end)
        return store.trim(reached?.sealed === true ? reached.end : before)
      }
    })
  },
  {
    law: 'the log’s beginning is seen',
    mutant: 'it sees the beginning that was there when it was opened',
    overrides: (store) => {
      const first = store.first()
      return store.readOnly ? { first: () => first } : {}
    }
  },
  {
    law: 'where a trimmed log begins',
    mutant: 'a log that is opened again begins at 0',
    overrides: () => ({ first: () => 0 as Offset })
  }
]
