// The laws of a log that lives: waiting for it to grow, what is known to be durable, and telling whether an offset that
// was kept still means what it meant.

import { deepStrictEqual, notStrictEqual, ok, strictEqual } from 'node:assert'
import type { Offset } from '../core/brand.ts'
import type { Store, WaitOptions } from '../port/store.ts'
import { append, event, must, read, tagOf, tryAppend, type StoreLaw } from './store-probe.ts'

const patiently: WaitOptions = { signal: undefined, writerLostMs: undefined }

/** Longer than any wake-up is on its way within a process. */
const aWhile = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))

/** A wait that nobody answers fails the law rather than the test runner's patience. */
async function answered<T>(wait: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error('nobody answers whoever waits for the log to grow')), 5_000)
  })
  return Promise.race([wait, late]).finally(() => clearTimeout(timer))
}

function waitFor(store: Store, after: Offset, options = patiently): ReturnType<Store['grown']> {
  return store.grown(after, options)
}

export const liveLaws: readonly StoreLaw[] = [
  [
    'whoever waits for the log to grow is answered where it ends, at once where it has grown, and not before',
    async (store) => {
      const start = store.end()
      let told = 0
      const waits = [waitFor(store, start), waitFor(store, start)]
      for (const wait of waits) void wait.then(() => told++)
      await aWhile()
      strictEqual(told, 0)
      const { nextOffset } = await append(store, event('a'))
      for (const wait of waits) strictEqual(must(await answered(wait)), nextOffset)
      strictEqual(must(await answered(waitFor(store, start))), nextOffset)
      strictEqual(must(await store.refresh()), nextOffset)
    }
  ],
  [
    'a wait ends with the signal, and with the close of the log',
    async (store) => {
      const stop = new AbortController()
      const aborted = waitFor(store, store.end(), { ...patiently, signal: stop.signal })
      const closed = waitFor(store, store.end())
      await aWhile()
      stop.abort()
      strictEqual(tagOf(await answered(aborted)), 'Aborted')
      strictEqual(tagOf(await answered(waitFor(store, store.end(), { ...patiently, signal: stop.signal }))), 'Aborted')
      must(await store.close())
      strictEqual(tagOf(await answered(closed)), 'Closed')
      strictEqual(tagOf(await waitFor(store, store.end())), 'Closed')
      strictEqual(tagOf(await store.refresh()), 'Closed')
    }
  ],
  [
    'what is said to be durable was synced, and what was synced is said to be durable',
    async (store) => {
      await append(store, event('a'))
      ok(must(store.durable()) <= store.end())
      const { nextOffset } = must(await tryAppend(store, [event('a')], { durability: 'synced' }))
      ok(must(store.durable()) >= nextOffset)
      await append(store, event('b'))
      must(await store.sync())
      strictEqual(must(store.durable()), store.end())
    }
  ],
  [
    'a count from an offset is that of the events that a read from there finds',
    async (store) => {
      await append(store, event('a', 1, { tags: ['t'] }), event('b', 2), event('a', 3))
      await append(store, event('b', 4, { tags: ['t'] }), event('a', 5))
      const all = await read(store)
      for (const from of [...all.map(({ offset }) => offset), store.end()]) {
        const rest = all.filter(({ offset }) => offset >= from)
        strictEqual(must(await store.count([], from)), rest.length)
        const tagged = rest.filter(({ event: { tags = [] } }) => tags.includes('t'))
        strictEqual(must(await store.count([{ tags: ['t'] }], from)), tagged.length)
      }
      strictEqual(must(await store.count([], undefined)), all.length)
    }
  ],
  [
    'the fingerprint of an offset stays as it is, and there is none where nothing stands',
    async (store) => {
      strictEqual(must(store.fingerprint(store.first())), undefined)
      await append(store, event('a', 1), event('a', 1))
      const places = (await read(store)).map(({ nextOffset }) => nextOffset)
      const before = places.map((offset) => must(store.fingerprint(offset)))
      notStrictEqual(before[0], before[1])
      await append(store, event('a', 2))
      deepStrictEqual(
        places.map((offset) => must(store.fingerprint(offset))),
        before
      )
      for (const fingerprint of before) strictEqual(typeof fingerprint, 'number')
    }
  ]
]

/** With a reader beside the writer. */
export const liveReaderLaws: readonly StoreLaw[] = [
  [
    'whoever waits beside the writer is woken when the log grows',
    async (store, { openReader }) => {
      ok(openReader !== undefined, 'a store fixture has every capability that is not skipped')
      const reader = await openReader()
      const waiting = waitFor(reader, reader.end())
      await aWhile()
      const { nextOffset } = await append(store, event('a'))
      strictEqual(must(await answered(waiting)), nextOffset)
      strictEqual(must(reader.fingerprint(nextOffset)), must(store.fingerprint(nextOffset)))
      must(await store.sync())
      strictEqual(must(reader.durable()), nextOffset)
      must(await reader.close())
    }
  ]
]
