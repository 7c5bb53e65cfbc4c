// The laws of a log's beginning: the segments that it tells, and what trimming them leaves. A store that keeps all in one
// segment has nothing to trim, and the laws hold of it all the same.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { Offset } from '../core/brand.ts'
import type { StoredEvent } from '../core/event.ts'
import type { SegmentSummary, Store } from '../port/store.ts'
import { append, elements, event, having, must, read, summaries, tagOf, tags, tryAppend } from './store-probe.ts'
import type { StoreLaw } from './store-probe.ts'

/** A log of some segments, where the store makes them: the aggregate `early` is in the first only. */
async function segmentedLog(store: Store): Promise<readonly StoredEvent[]> {
  await append(store, event('early'), event('early'))
  for (let nth = 0; nth < 12; nth++) await append(store, event(nth % 3 === 0 ? 'b' : 'a', 'x'.repeat(60)))
  return read(store)
}

/** Trims about the first half; answers the segments that had to go. */
async function trimHalf(store: Store, all: readonly StoredEvent[]): Promise<readonly SegmentSummary[]> {
  const before = all[Math.floor(all.length / 2)]?.offset as Offset
  const going = store.segments().filter(({ sealed, end }) => sealed && end <= before)
  const report = must(await store.trim(before))
  deepStrictEqual(report.segments, going, 'a trim does not tell what went')
  strictEqual(report.first, going.at(-1)?.end ?? 0)
  strictEqual(store.first(), report.first)
  return going
}

export const trimLaws: readonly StoreLaw[] = [
  [
    'the segments follow one another from the first event to the end, the last one active',
    async (store) => {
      const all = await segmentedLog(store)
      const segments = store.segments()
      let place: number = store.first()
      for (const { base, end, sealed, bytes, firstTimestampMs, lastTimestampMs } of segments) {
        const own = all.filter(({ offset }) => offset >= base && offset < end)
        strictEqual(base, place, 'a segment does not begin where the one before ends')
        strictEqual(sealed, base !== segments.at(-1)?.base, 'not the last segment alone is active')
        ok(bytes >= end - base, 'a segment takes less than its events')
        strictEqual(firstTimestampMs, own[0]?.writeTimestampMs ?? 0)
        strictEqual(lastTimestampMs, own.at(-1)?.writeTimestampMs ?? 0)
        place = end
      }
      strictEqual(place, store.end())
    }
  ],
  [
    'what is trimmed is said to be gone, and what is kept is as it was',
    async (store) => {
      const all = await segmentedLog(store)
      const going = await trimHalf(store, all)
      const first = store.first()
      const kept = all.filter(({ offset }) => offset >= first)
      deepStrictEqual(await read(store), kept)
      deepStrictEqual(await read(store, { backwards: true }), [...kept].reverse())
      deepStrictEqual(await read(store, { from: first }), kept)
      strictEqual(store.segments()[0]?.base, first)
      strictEqual(must(await store.count([], undefined)), kept.length)
      strictEqual(must(await store.offsetAt(0)), first)
      const query = { aggregateId: 'a' }
      for (const { base } of going) {
        for (const more of [{ from: base }, { until: base }, { from: base, query }, { until: base, backwards: true }]) {
          deepStrictEqual(await tags(store, more), ['Trimmed'], JSON.stringify(more))
        }
        const [lost] = await elements(store, { from: base })
        ok(lost?._tag === 'Left' && lost.left._tag === 'Trimmed')
        deepStrictEqual([lost.left.offset, lost.left.first], [base, first])
      }
    }
  ],
  [
    'versions go on as if nothing had been trimmed',
    async (store) => {
      const all = await segmentedLog(store)
      const before = await summaries(store)
      await trimHalf(store, all)
      deepStrictEqual(await summaries(store), before)
      for (const [id, version] of before) {
        const gone = all.filter(({ event: one, offset }) => one.aggregateId === id && offset < store.first()).length
        strictEqual(must(await store.version(id)), version)
        strictEqual(must(await store.trimmedVersion(id)), gone)
        const kept = all.find(({ event: one, offset }) => one.aggregateId === id && offset >= store.first())
        strictEqual(must(await store.seekVersion(id, 1)), kept?.offset ?? store.end())
      }
      strictEqual(must(await store.trimmedVersion('never')), 0)
      const early = { conditions: [{ aggregateId: 'early', version: 2 }] }
      deepStrictEqual(must(await tryAppend(store, [event('early')], early)).versions, [3])
      strictEqual(
        tagOf(await tryAppend(store, [event('early')], { conditions: [{ aggregateId: 'early', version: 'none' }] })),
        'ConditionFailed'
      )
    }
  ],
  [
    'a condition that looks back to what was trimmed fails by what is kept, or cannot be known',
    async (store) => {
      const all = await segmentedLog(store)
      await trimHalf(store, all)
      const known = store.first() === 0
      const noneMatch = (type: string, after?: Offset) => ({
        conditions: [{ noneMatch: { types: [type] }, ...(after !== undefined && { after }) }]
      })
      const start = 0 as Offset
      strictEqual(tagOf(await tryAppend(store, [event('a')], noneMatch('Happened', start))), 'ConditionFailed')
      strictEqual(tagOf(await tryAppend(store, [event('a')], noneMatch('Never', start))), known ? 'Right' : 'Trimmed')
      strictEqual(tagOf(await tryAppend(store, [event('a')], noneMatch('Never'))), 'Right')
      strictEqual(tagOf(await tryAppend(store, [event('a')], noneMatch('Never', store.first()))), 'Right')
    }
  ],
  [
    'a trim takes no part of a segment, and none that is active',
    async (store) => {
      await segmentedLog(store)
      const [oldest] = store.segments()
      ok(oldest !== undefined)
      deepStrictEqual(must(await store.trim((oldest.end - 1) as Offset)).segments, [])
      strictEqual(tagOf(await store.trim((store.end() + 1) as Offset)), 'InvalidOffset')
      strictEqual(store.first(), 0)
      const active = store.segments().at(-1)
      must(await store.trim(store.end()))
      deepStrictEqual(store.segments(), [active])
      strictEqual(store.first(), active?.base)
      deepStrictEqual(must(await store.trim(store.end())).segments, [])
    }
  ]
]

export const trimReaderLaws: readonly StoreLaw[] = [
  [
    'the log’s beginning is seen by a reader beside the writer, also when it moves',
    async (store, fixture) => {
      const all = await segmentedLog(store)
      const reader = await having(fixture.openReader)()
      deepStrictEqual(await read(reader), all)
      const going = await trimHalf(store, all)
      // The first thing that it is asked is for what is gone.
      for (const { base } of going) deepStrictEqual(await tags(reader, { from: base }), ['Trimmed'])
      deepStrictEqual(await read(reader), await read(store))
      strictEqual(reader.first(), store.first())
      deepStrictEqual(await summaries(reader), await summaries(store))
      await append(store, event('late'))
      must(await store.trim(store.end()))
      deepStrictEqual(await read(reader), await read(store))
      strictEqual(must(await reader.version('early')), 2)
      deepStrictEqual(
        reader.segments().map(({ base }) => base),
        store.segments().map(({ base }) => base)
      )
    }
  ]
]

export const trimReopenLaws: readonly StoreLaw[] = [
  [
    'where a trimmed log begins, and what its versions are, is kept when it is opened again',
    async (store, fixture) => {
      const all = await segmentedLog(store)
      await trimHalf(store, all)
      const first = store.first()
      const before = await summaries(store)
      const kept = await read(store)
      must(await store.close())
      const again = await having(fixture.reopen)()
      strictEqual(again.first(), first)
      deepStrictEqual(again.recovery.damage, [])
      deepStrictEqual(await read(again), kept)
      deepStrictEqual(await summaries(again), before)
      deepStrictEqual((await append(again, event('early'))).versions, [3])
      must(await again.close())
    }
  ]
]
