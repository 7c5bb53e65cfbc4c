// Stores that break the laws of finding a place in the log (see store-mutants.ts).

import { right } from 'fp-ts/lib/Either.js'
import type { Mutant } from './store-live-mutants.ts'

export const seekMutants: readonly Mutant[] = [
  {
    law: 'seekVersion finds',
    mutant: 'it finds the one behind',
    overrides: (store) => ({ seekVersion: (id, version) => store.seekVersion(id, version + 1) })
  },
  {
    law: 'the log can be divided',
    mutant: 'the boundary is the offset itself',
    overrides: () => ({ boundary: (offset) => Promise.resolve(right(offset)) })
  },
  {
    law: 'the log can be divided',
    mutant: 'the boundary of the end is the beginning',
    overrides: (store) => ({
      boundary: (offset) => (offset === store.end() ? Promise.resolve(right(store.first())) : store.boundary(offset))
    })
  }
]
