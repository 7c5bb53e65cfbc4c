// The laws of conditions: of versions and of queries, checked and appended as one step, and retried without harm.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { NewEvent } from '../core/event.ts'
import type { Store } from '../port/store.ts'
import { append, event, must, read, tagOf, tryAppend, type StoreLaw } from './store-probe.ts'

export const conditionLaws: readonly StoreLaw[] = [
  [
    'a condition holds or nothing is written: an exact version, none, exists, of any aggregate',
    async (store) => {
      await append(store, event('a'), event('a'))
      const end = store.end()
      for (const [aggregateId, version, holds] of [
        ...([
          ['a', 2, true],
          ['a', 1, false],
          ['a', 3, false],
          ['a', 0, false],
          ['b', 0, true],
          ['b', 1, false]
        ] as const),
        ...([
          ['a', 'exists', true],
          ['a', 'none', false],
          ['b', 'exists', false],
          ['b', 'none', true]
        ] as const)
      ] as const) {
        const before = store.end()
        const condition = { aggregateId, version }
        const result = await tryAppend(store, [event('c')], { conditions: [condition] })
        if (holds) must(result)
        else {
          ok(result._tag === 'Left' && result.left._tag === 'ConditionFailed', `${aggregateId} at ${version} is taken`)
          deepStrictEqual(result.left.condition, condition)
          strictEqual(result.left.expected, version)
          strictEqual(result.left.actual, aggregateId === 'a' ? 2 : 0)
          strictEqual(store.end(), before)
        }
      }
      strictEqual((await read(store, { from: end })).length, 4)
    }
  ],
  [
    'of several conditions all must hold',
    async (store) => {
      await append(store, event('a'))
      const both = [
        { aggregateId: 'a', version: 1 },
        { aggregateId: 'b', version: 'none' as const }
      ]
      must(await tryAppend(store, [event('b'), event('b')], { conditions: both }))
      for (const conditions of [both, [...both].reverse()]) {
        strictEqual(tagOf(await tryAppend(store, [event('b')], { conditions })), 'ConditionFailed')
      }
      strictEqual(must(await store.version('b')), 2)
    }
  ],
  [
    'conditions see the batches that were taken before: of two that open the same aggregate one succeeds',
    async (store) => {
      const open = (name: string): ReturnType<Store['append']> =>
        tryAppend(store, [event('a', name)], { conditions: [{ aggregateId: 'a', version: 'none' }] })
      const next = (): ReturnType<Store['append']> =>
        tryAppend(store, [event('a', 'next')], { conditions: [{ aggregateId: 'a', version: 1 }] })
      const results = await Promise.all([open('first'), open('second'), next(), next()])
      deepStrictEqual(results.map(tagOf), ['Right', 'ConditionFailed', 'Right', 'ConditionFailed'])
      deepStrictEqual(
        (await read(store)).map((one) => one.event.payload),
        ['first', 'next']
      )
    }
  ],
  [
    'a query condition holds while nothing that matches stands at its offset or behind it',
    async (store) => {
      const first = await append(store, event('a', 1, { tags: ['seat-1'] }))
      const second = await append(store, event('a', 2, { tags: ['seat-2'], eventType: 'Taken' }))
      const end = store.end()
      const cases = [
        [{ tags: ['seat-1'] }, undefined, false],
        [{ tags: ['seat-1'] }, first.offset, false],
        [{ tags: ['seat-1'] }, second.offset, true],
        [{ tags: ['seat-2'], types: ['Taken'] }, second.offset, false],
        [{ tags: ['seat-2'], types: ['Never'] }, undefined, true],
        [[{ tags: ['seat-3'] }, { types: ['Taken'] }], first.offset, false],
        [{ aggregateId: 'b' }, undefined, true],
        [[], end, true],
        [[], second.offset, false]
      ] as const
      for (const [noneMatch, after, holds] of cases) {
        // The batch itself is never in its own way; a condition that fails leaves the log as it is for the next case.
        const condition = after === undefined ? { noneMatch } : { noneMatch, after }
        const conditions = [
          condition,
          { aggregateId: 'never', version: holds ? ('exists' as const) : ('none' as const) }
        ]
        const result = await tryAppend(store, [event('c')], { conditions })
        ok(result._tag === 'Left' && result.left._tag === 'ConditionFailed', `${JSON.stringify(condition)} is taken`)
        deepStrictEqual(result.left.condition, holds ? conditions[1] : condition)
        strictEqual(store.end(), end)
      }
      must(await tryAppend(store, [event('c')], { conditions: [{ noneMatch: { tags: ['seat-3'] } }] }))
    }
  ],
  [
    'of two decisions that rest on the same query one is written',
    async (store) => {
      await append(store, event('a'))
      const take = (name: string): ReturnType<Store['append']> => {
        const conditions = [{ noneMatch: { tags: ['seat-1'] }, after: store.end() }]
        return tryAppend(store, [event(name, name, { tags: ['seat-1'] })], { conditions })
      }
      const results = await Promise.all([take('ada'), take('bob'), take('eve')])
      deepStrictEqual(results.map(tagOf), ['Right', 'ConditionFailed', 'ConditionFailed'])
      deepStrictEqual(
        (await read(store, { query: { tags: ['seat-1'] } })).map((one) => one.event.payload),
        ['ada']
      )
    }
  ],
  [
    'a retry of what was written gets its receipt, marked duplicate, and writes nothing',
    async (store) => {
      const open = { conditions: [{ aggregateId: 'a', version: 'none' as const }] }
      const events: readonly NewEvent[] = [event('a', 1, { eventId: 'one' }), event('b', 2, { eventId: 'two' })]
      const first = must(await tryAppend(store, events, open))
      await append(store, event('a'), event('b'))
      const end = store.end()
      for (const durability of ['buffered', 'synced'] as const) {
        const retried = must(await tryAppend(store, events, { ...open, durability }))
        deepStrictEqual(retried, { ...first, durability, duplicate: true })
      }
      const other = [event('a', 'other', { eventId: 'one' }), events[1] as NewEvent]
      strictEqual(tagOf(await tryAppend(store, other, open)), 'EventIdConflict')
      strictEqual(tagOf(await tryAppend(store, [event('a', 1)], open)), 'ConditionFailed')
      strictEqual(store.end(), end)
    }
  ]
]
