// The laws of reading: ranges, directions, limits, queries, aggregates, and how a read ends.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { Offset } from '../core/brand.ts'
import type { StoredEvent } from '../core/event.ts'
import type { Query } from '../core/query.ts'
import type { Store } from '../port/store.ts'
import { append, elements, event, must, mustRead, read, summaries, tagOf, tags, wholeLog } from './store-probe.ts'
import type { StoreLaw } from './store-probe.ts'

const queries: readonly Query[] = [
  { types: ['Opened'] },
  { types: ['Opened', 'Closed', 'Never'] },
  { tags: ['t'] },
  { tags: ['t', 'u'] },
  { tags: ['t', 'never'] },
  { aggregateId: 'b' },
  { namespace: 'n' },
  { aggregateId: 'a', types: ['Moved'], tags: ['u'] },
  [{ aggregateId: 'b' }, { types: ['Closed'] }, { tags: ['u'] }],
  { aggregateId: 'never' }
]

/** A log that gives every query some events and not others, in several batches. */
async function mixedLog(store: Store): Promise<readonly StoredEvent[]> {
  const types = ['Opened', 'Moved', 'Closed']
  const tagLists = [undefined, ['t'], ['u', 't'], ['u']]
  for (let round = 0; round < 8; round++) {
    const batch = Array.from({ length: 1 + (round % 4) }, (_, nth) => {
      const pick = round * 5 + nth
      const own = tagLists[pick % 4]
      return event(
        pick % 3 === 0 ? 'b' : 'a',
        { round, nth },
        {
          eventType: types[pick % types.length] ?? 'Moved',
          ...(own !== undefined && { tags: own }),
          ...(pick % 2 === 0 && { namespace: 'n' })
        }
      )
    })
    await append(store, ...batch)
  }
  return read(store)
}

export const readLaws: readonly StoreLaw[] = [
  [
    'a read of any range, in both directions, answers the events that stand in it',
    async (store) => {
      const all = await mixedLog(store)
      const places = [...all.map(({ offset }) => offset), store.end()]
      for (const from of [undefined, ...places]) {
        await mustRead(store, all, { from })
        await mustRead(store, all, { from, backwards: true })
        for (const until of places) {
          await mustRead(store, all, { from, until })
          await mustRead(store, all, { from, until, backwards: true })
        }
      }
    }
  ],
  [
    'a limit counts events, from the side where the read begins',
    async (store) => {
      const all = await mixedLog(store)
      for (const limit of [0, 1, 2, all.length - 1, all.length, 1_000]) {
        await mustRead(store, all, { limit })
        await mustRead(store, all, { limit, backwards: true, from: all[5]?.offset })
        await mustRead(store, all, { limit, query: { tags: ['t'] } })
        await mustRead(store, all, { limit, query: { tags: ['t'] }, backwards: true })
      }
    }
  ],
  [
    'a query is an OR of items, in which types are ORed and every other term holds',
    async (store) => {
      const all = await mixedLog(store)
      for (const query of queries) {
        await mustRead(store, all, { query })
        await mustRead(store, all, { query, backwards: true })
        await mustRead(store, all, { query, from: all[4]?.offset, until: all[11]?.offset })
        await mustRead(store, all, { query, from: all[11]?.offset, until: all[4]?.offset, backwards: true })
      }
    }
  ],
  [
    'a read runs to the end that the log had at its first next',
    async (store) => {
      await append(store, event('a', 1))
      const early = store.read(wholeLog)
      const late = store.read(wholeLog)
      const first = await early.next()
      await append(store, event('a', 2))
      const seen = [...(first ?? [])]
      for (let batch = await early.next(); batch !== undefined; batch = await early.next()) seen.push(...batch)
      deepStrictEqual(
        seen.map(must).map((one) => one.event.payload),
        [1]
      )
      const all: unknown[] = []
      for (let batch = await late.next(); batch !== undefined; batch = await late.next())
        all.push(...batch.map(must).map((one) => one.event.payload))
      deepStrictEqual(all, [1, 2])
    }
  ],
  [
    'an offset that is no event’s is refused, once, and nothing is read',
    async (store) => {
      const { offset, nextOffset } = await append(store, event('a', 'x'.repeat(100)))
      await append(store, event('a'))
      const wrong = [store.end() + 1, Number.MAX_SAFE_INTEGER]
      // A store whose events are one apart has nothing between them.
      if (nextOffset - offset > 1) wrong.push(offset + 1, nextOffset - 1)
      for (const at of wrong) {
        deepStrictEqual(await tags(store, { from: at }), ['InvalidOffset'])
        deepStrictEqual(await tags(store, { until: at }), ['InvalidOffset'])
        deepStrictEqual(await tags(store, { from: at, backwards: true }), ['InvalidOffset'])
        deepStrictEqual(await tags(store, { from: at, query: { aggregateId: 'a' } }), ['InvalidOffset'])
      }
    }
  ],
  [
    'an abort is the last thing that is read',
    async (store) => {
      await mixedLog(store)
      deepStrictEqual(await tags(store, { signal: AbortSignal.abort('enough') }), ['Aborted'])
      const controller = new AbortController()
      const reader = store.read({ ...wholeLog, signal: controller.signal })
      controller.abort('enough')
      const last = (await reader.next()) ?? []
      deepStrictEqual(last.map(tagOf), ['Aborted'])
      strictEqual(await reader.next(), undefined)
    }
  ],
  [
    'a reader that is closed answers nothing more, and disturbs no other',
    async (store) => {
      const all = await mixedLog(store)
      const closed = store.read(wholeLog)
      const other = store.read(wholeLog)
      const piece = (await other.next()) ?? []
      closed.close()
      closed.close()
      strictEqual(await closed.next(), undefined)
      const rest: unknown[] = [...piece.map(must)]
      for (let batch = await other.next(); batch !== undefined; batch = await other.next())
        rest.push(...batch.map(must))
      deepStrictEqual(rest, all)
    }
  ],
  [
    'aggregates are listed in the order of their ids, by UTF-16 code units, with their versions',
    async (store) => {
      const ids = ['b', 'a', 'ab', '\uffff', '\u{1f600}', 'a\u0000', '__proto__', 'B', 'b-2']
      await append(store, ...ids.map((id) => event(id)))
      await append(store, event('ab'), event('\u{1f600}'))
      const versions = new Map<string, number>(ids.map((id) => [id, 1]))
      versions.set('ab', 2).set('\u{1f600}', 2)
      const sorted = [...versions].sort(([a], [b]) => (a < b ? -1 : 1))
      for (const prefix of ['', 'a', 'b', 'B', '\u{1f600}', '\ud83d', '__proto__', 'never']) {
        const expected = sorted.filter(([id]) => id.startsWith(prefix))
        deepStrictEqual(await summaries(store, prefix), expected, `prefix ${JSON.stringify(prefix)}`)
      }
      for (const [id, version] of versions) strictEqual(must(await store.version(id)), version)
      strictEqual(must(await store.version('never')), 0)
    }
  ],
  [
    'seekVersion finds the event of a version, or the end',
    async (store) => {
      const all = await mixedLog(store)
      for (const id of ['a', 'b']) {
        const own = all.filter((one) => one.event.aggregateId === id)
        for (const { version, offset } of own) strictEqual(must(await store.seekVersion(id, version)), offset)
        strictEqual(must(await store.seekVersion(id, own.length + 1)), store.end())
      }
      strictEqual(must(await store.seekVersion('never', 1)), store.end())
    }
  ],
  [
    'the log can be divided anywhere: a boundary is where an event begins, at or before the offset, and the end is one',
    async (store) => {
      const all = await mixedLog(store)
      const places = new Set<number>(all.map(({ offset }) => offset)).add(store.end())
      let last = 0
      for (let at = 0; at <= store.end(); at += 7) {
        const found = must(await store.boundary(at as Offset))
        ok(places.has(found), `no event begins at ${found}`)
        ok(found <= at && found >= last, `the boundary of ${at} is ${found}`)
        last = found
      }
      strictEqual(must(await store.boundary(store.end())), store.end())
    }
  ],
  [
    'rebuilding the index changes no answer, tells how far it is, and can be aborted',
    async (store) => {
      const all = await mixedLog(store)
      const done: (readonly [number, number])[] = []
      must(await store.rebuildIndex({ onProgress: (bytes, total) => done.push([bytes, total]) }))
      ok(done.length > 0)
      for (const [bytes, total] of done) ok(bytes <= total)
      deepStrictEqual(done.at(-1)?.[0], done.at(-1)?.[1])
      const middle = all[7]?.offset
      must(await store.rebuildIndex({ from: middle }))
      for (const query of queries) await mustRead(store, all, { query })
      deepStrictEqual(
        (await summaries(store)).map(([id]) => id),
        ['a', 'b']
      )
      strictEqual(tagOf(await store.rebuildIndex({ signal: AbortSignal.abort() })), 'Aborted')
      deepStrictEqual((await elements(store)).map(must), all)
    }
  ]
]
