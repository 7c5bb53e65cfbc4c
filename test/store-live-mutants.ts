// Stores that break the laws of a log that lives (see store-mutants.ts).

import { right } from 'fp-ts/lib/Either.js'
import type { Offset } from '../src/index.ts'
import type { Store } from '../src/port/store.ts'

export interface Mutant {
  /** How the law's sentence begins. */
  readonly law: string
  readonly mutant: string
  readonly overrides: (store: Store) => Partial<Store>
}

export const liveMutants: readonly Mutant[] = [
  {
    law: 'whoever waits for the log to grow',
    mutant: 'a wait ends at once',
    overrides: (store) => ({ grown: () => store.refresh() })
  },
  {
    law: 'whoever waits for the log to grow',
    mutant: 'only the next append wakes',
    overrides: (store) => ({ grown: (_after, options) => store.grown(store.end(), options) })
  },
  {
    law: 'a wait ends with the signal',
    mutant: 'signals are not looked at',
    overrides: (store) => ({
      grown: (after, options) => store.grown(after, { ...options, signal: undefined })
    })
  },
  {
    law: 'what is said to be durable',
    mutant: 'everything is durable',
    overrides: (store) => ({ durable: () => right((store.end() + 1) as Offset) })
  },
  {
    law: 'what is said to be durable',
    mutant: 'nothing is durable',
    overrides: () => ({ durable: () => right(0 as Offset) })
  },
  {
    law: 'a count from an offset',
    mutant: 'a count is of everything',
    overrides: (store) => ({ count: (query) => store.count(query, undefined) })
  },
  {
    law: 'the fingerprint of an offset',
    mutant: 'a fingerprint is of the end',
    overrides: (store) => ({ fingerprint: () => store.fingerprint(store.end()) })
  },
  {
    law: 'whoever waits beside the writer',
    mutant: 'a reader looks once',
    overrides: (store) => (store.readOnly ? { grown: () => store.refresh() } : {})
  }
]
