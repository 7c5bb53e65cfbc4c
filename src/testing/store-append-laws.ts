// The laws of appending: receipts, atomic batches, order, versions.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { NewEvent } from '../core/event.ts'
import { append, bodies, elements, event, must, mustBeInOrder, read, tagOf, tryAppend } from './store-probe.ts'
import type { StoreLaw } from './store-probe.ts'

export const appendLaws: readonly StoreLaw[] = [
  [
    'a log without events ends at 0 and answers every question with nothing',
    async (store) => {
      strictEqual(store.readOnly, false)
      strictEqual(store.end(), 0)
      deepStrictEqual(await elements(store), [])
      deepStrictEqual(await elements(store, { backwards: true, query: { tags: ['t'] } }), [])
      strictEqual(must(await store.version('a')), 0)
      strictEqual(must(await store.seekVersion('a', 1)), 0)
      strictEqual(must(await store.offsetAt(0)), 0)
      for await (const _ of store.aggregates('')) throw new Error('there is an aggregate')
      must(await store.sync())
    }
  ],
  [
    'a receipt says where the batch stands, each version in its order, and how safe it is',
    async (store) => {
      const first = must(await tryAppend(store, [event('a'), event('b'), event('a')]))
      const { offset, nextOffset, ...rest } = first
      deepStrictEqual(rest, { versions: [1, 1, 2], durability: 'buffered', duplicate: false })
      strictEqual(offset, 0)
      ok(nextOffset > 0)
      strictEqual(store.end(), nextOffset)
      const second = must(await tryAppend(store, [event('b')], { durability: 'synced' }))
      strictEqual(second.offset, nextOffset)
      strictEqual(second.durability, 'synced')
      deepStrictEqual(second.versions, [2])
      const all = await read(store)
      mustBeInOrder(all, store.end())
      deepStrictEqual(
        all.map(({ version }) => version),
        [1, 1, 2, 2]
      )
      must(await store.sync())
    }
  ],
  [
    'what is read is what was appended, in every field',
    async (store) => {
      const events: readonly NewEvent[] = [
        event('a', null),
        event('__proto__', { ['__proto__']: { constructor: 1 }, list: [[], {}, -1.5e-7, true, ''] }),
        event('\u{1f600} \uffff', 'lone \ud800 surrogate', {
          eventId: 'mine',
          namespace: 'n',
          tags: ['t', 't', '__proto__']
        }),
        event('a', {}, { metadata: { user: 'ada' }, schemaId: 's', schemaVersion: 0, eventType: 'constructor' }),
        event('a', 'x'.repeat(300_000))
      ]
      await append(store, ...events)
      const all = await read(store)
      deepStrictEqual(bodies(all, events), events)
      mustBeInOrder(all, store.end())
      strictEqual(new Set(all.map((one) => one.event.eventId)).size, events.length)
    }
  ],
  [
    'appends at the same time are taken in the order of the calls',
    async (store) => {
      const batches = Array.from({ length: 40 }, (_, place) =>
        Array.from({ length: 1 + (place % 3) }, (_nothing, nth) => event(place % 2 === 0 ? 'a' : 'b', [place, nth]))
      )
      const receipts = await Promise.all(
        batches.map((events, place) =>
          tryAppend(store, events, { durability: place % 5 === 0 ? 'synced' : 'buffered' })
        )
      )
      let end = 0
      for (const receipt of receipts.map(must)) {
        strictEqual(receipt.offset, end)
        end = receipt.nextOffset
      }
      const all = await read(store)
      mustBeInOrder(all, end)
      deepStrictEqual(bodies(all, batches.flat()), batches.flat())
    }
  ],
  [
    'a reader sees all of a batch or nothing of it',
    async (store) => {
      const batch = Array.from({ length: 7 }, () => event('a'))
      let running = true
      const appendAll = async (): Promise<void> => {
        for (let round = 0; round < 20; round++) await append(store, ...batch)
      }
      const readOn = async (): Promise<void> => {
        while (running) {
          const { length } = await read(store)
          strictEqual(length % batch.length, 0, `a read ends inside of a batch, behind ${length} events`)
          // Where reading never waits, as in memory, the writer would never get its turn.
          await new Promise((resolve) => setImmediate(resolve))
        }
      }
      const stop = (): void => {
        running = false
      }
      await Promise.all([appendAll().finally(stop), readOn().finally(stop)])
      strictEqual((await read(store)).length, 140)
    }
  ],
  [
    'a batch that is refused leaves no trace in those around it',
    async (store) => {
      const never = { conditions: [{ aggregateId: 'a', version: 99 }] }
      const results = await Promise.all([
        tryAppend(store, [event('a', 1)]),
        tryAppend(store, [event('a', 'refused'), event('b', 'refused')], never),
        tryAppend(store, [event('a', 2), event('b', 3)])
      ])
      deepStrictEqual(results.map(tagOf), ['Right', 'ConditionFailed', 'Right'])
      const all = await read(store)
      mustBeInOrder(all, store.end())
      deepStrictEqual(
        all.map((one) => one.event.payload),
        [1, 2, 3]
      )
      deepStrictEqual(must(results[2]).versions, [2, 1])
    }
  ]
]
