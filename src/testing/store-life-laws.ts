// The laws of a store's life: closing, opening again, readers beside the writer, the clock, damage. The last four need
// a capability of the fixture.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { Store } from '../port/store.ts'
import {
  append,
  elements,
  event,
  having,
  must,
  mustBeInOrder,
  read,
  summaries,
  tagOf,
  tags,
  tryAppend
} from './store-probe.ts'
import { wholeLog, type StoreFixture, type StoreLaw } from './store-probe.ts'

async function reopened(store: Store, fixture: StoreFixture): Promise<Store> {
  must(await store.close())
  return having(fixture.reopen)()
}

export const closeLaws: readonly StoreLaw[] = [
  [
    'close is idempotent, and every later call answers Closed',
    async (store) => {
      await append(store, event('a'))
      const answers = await Promise.all([store.close(), store.close()])
      for (const answer of [...answers, await store.close()]) strictEqual(answer, answers[0])
      must(answers[0])
      deepStrictEqual(await tags(store), ['Closed'])
      deepStrictEqual(await tags(store, { query: { aggregateId: 'a' }, backwards: true }), ['Closed'])
      const listed: string[] = []
      for await (const item of store.aggregates('')) listed.push(tagOf(item))
      deepStrictEqual(listed, ['Closed'])
      const refused = [
        tryAppend(store, [event('a')]),
        store.version('a'),
        store.seekVersion('a', 1),
        store.boundary(store.first()),
        store.offsetAt(0),
        store.sync(),
        store.rebuildIndex({}),
        store.trimmedVersion('a'),
        store.trim(store.end())
      ]
      for (const answer of await Promise.all<Awaited<(typeof refused)[number]>>(refused)) {
        strictEqual(tagOf(answer), 'Closed')
      }
    }
  ],
  [
    'close waits for what was accepted',
    async (store) => {
      const answers = [
        tryAppend(store, [event('a'), event('b')]),
        tryAppend(store, [event('a')], { durability: 'synced' }),
        tryAppend(store, [event('b')])
      ]
      must(await store.close())
      deepStrictEqual((await Promise.all(answers)).map(tagOf), ['Right', 'Right', 'Right'])
    }
  ],
  [
    'a read that the close comes into ends with Closed',
    async (store) => {
      await append(store, event('a'))
      const reader = store.read(wholeLog)
      must(await store.close())
      deepStrictEqual(((await reader.next()) ?? []).map(tagOf), ['Closed'])
      strictEqual(await reader.next(), undefined)
      reader.close()
    }
  ]
]

export const reopenLaws: readonly StoreLaw[] = [
  [
    'what was there is there when the log is opened again, and it goes on from its end',
    async (store, fixture) => {
      await append(store, event('a', 1), event('b', 2))
      await append(store, event('a', 3, { tags: ['t'] }))
      const unanswered = tryAppend(store, [event('b', 4)])
      const again = await reopened(store, fixture)
      must(await unanswered)
      strictEqual(again.recovery.clean, true)
      deepStrictEqual(again.recovery.damage, [])
      const all = await read(again)
      deepStrictEqual(
        all.map((one) => one.event.payload),
        [1, 2, 3, 4]
      )
      mustBeInOrder(all, again.end())
      const receipt = await append(again, event('a', 5))
      deepStrictEqual([receipt.offset, receipt.versions], [all.at(-1)?.nextOffset, [3]])
      deepStrictEqual(await summaries(again), [
        ['a', 3],
        ['b', 2]
      ])
      const last = await reopened(again, fixture)
      strictEqual((await read(last)).length, 5)
      deepStrictEqual((await read(last, { query: { tags: ['t'] } })).length, 1)
      must(await last.close())
    }
  ]
]

export const readerLaws: readonly StoreLaw[] = [
  [
    'a reader beside the writer sees what is appended, and takes no writes',
    async (store, fixture) => {
      await append(store, event('a', 1))
      const reader = await having(fixture.openReader)()
      strictEqual(reader.readOnly, true)
      deepStrictEqual(await read(reader), await read(store))
      await append(store, event('a', 2), event('b', 3))
      deepStrictEqual(await read(reader), await read(store))
      strictEqual(must(await reader.version('a')), 2)
      deepStrictEqual(await summaries(reader), await summaries(store))
      strictEqual(tagOf(await tryAppend(reader, [event('a')])), 'ReadOnly')
      strictEqual(tagOf(await reader.sync()), 'ReadOnly')
      strictEqual(tagOf(await reader.rebuildIndex({})), 'ReadOnly')
      strictEqual(tagOf(await reader.trim(reader.first())), 'ReadOnly')
      must(await reader.close())
      deepStrictEqual(await tags(reader), ['Closed'])
      strictEqual((await append(store, event('a'))).versions[0], 3)
    }
  ]
]

export const clockLaws: readonly StoreLaw[] = [
  [
    'time does not fall when the clock does, and offsetAt finds the first event since a time',
    async (store, fixture) => {
      const setTime = having(fixture.setTime)
      for (const time of [1_000, 1_000, 1_500, 900, 1_400, 2_000]) {
        setTime(time)
        await append(store, event('a', time), event('b', time))
      }
      const all = await read(store)
      mustBeInOrder(all, store.end())
      const expected = [1_000, 1_000, 1_500, 1_500, 1_500, 2_000].flatMap((time) => [time, time])
      deepStrictEqual(
        all.map((one) => one.writeTimestampMs),
        expected
      )
      for (const time of [0, 900, 1_000, 1_001, 1_500, 1_501, 2_000, 2_001]) {
        const first = all.find((one) => one.writeTimestampMs >= time)
        strictEqual(must(await store.offsetAt(time)), first?.offset ?? store.end(), `offsetAt(${time})`)
      }
    }
  ]
]

export const damageLaws: readonly StoreLaw[] = [
  [
    'damage is one Left(Corrupt) in its place, and reading goes on behind it',
    async (store, fixture) => {
      for (let nth = 0; nth < 6; nth++) await append(store, event(nth % 2 === 0 ? 'a' : 'b', nth))
      const all = await read(store)
      const [, , lost] = all
      ok(lost !== undefined)
      must(await store.close())
      await having(fixture.damage)(lost)
      const again = await having(fixture.reopen)()
      const expected = all.map((one) => (one === lost ? 'Corrupt' : one))
      const seen = async (backwards: boolean): Promise<readonly unknown[]> =>
        (await elements(again, { backwards })).map((one) => (one._tag === 'Right' ? one.right : one.left._tag))
      deepStrictEqual(await seen(false), expected)
      deepStrictEqual(await seen(true), [...expected].reverse())
      const [corrupt] = (await elements(again)).flatMap((one) => (one._tag === 'Left' ? [one.left] : []))
      ok(corrupt?._tag === 'Corrupt')
      deepStrictEqual([corrupt.offset, corrupt.nextOffset], [lost.offset, lost.nextOffset])
      // A Left is no event: the limit goes on counting behind it.
      strictEqual((await tags(again, { limit: 3 })).filter((tag) => tag === 'Right').length, 3)
      deepStrictEqual(await tags(again, { query: { aggregateId: 'a' } }), ['Right', 'Corrupt', 'Right'])
      strictEqual(again.end(), all.at(-1)?.nextOffset)
      must(await again.close())
    }
  ],
  [
    'once the index was built from damaged events, every query answers with a Left for what may have matched',
    async (store, fixture) => {
      for (let nth = 0; nth < 6; nth++) await append(store, event(nth % 2 === 0 ? 'a' : 'b', nth))
      const [, , lost] = await read(store)
      ok(lost !== undefined)
      must(await store.close())
      await having(fixture.damage)(lost)
      const again = await having(fixture.reopen)()
      must(await again.rebuildIndex({}))
      for (const backwards of [false, true]) {
        const own = await tags(again, { query: { aggregateId: 'b' }, backwards })
        deepStrictEqual(
          own,
          backwards ? ['Right', 'Right', 'Corrupt', 'Right'] : ['Right', 'Corrupt', 'Right', 'Right']
        )
        deepStrictEqual(await tags(again, { query: { tags: ['never'] }, backwards }), ['Corrupt'])
      }
      must(await again.close())
    }
  ]
]
