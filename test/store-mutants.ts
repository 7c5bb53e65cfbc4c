// Stores that break the contract, each in one way, beside the law that must notice: a law that no mutant breaks holds
// nothing.

import { left, right } from 'fp-ts/lib/Either.js'
import {
  ConditionFailed,
  InvalidOffset,
  type Condition,
  type StoredEvent,
  type VersionCondition
} from '../src/index.ts'
import { liveMutants, type Mutant } from './store-live-mutants.ts'
import { seekMutants } from './store-seek-mutants.ts'
import { trimMutants } from './store-trim-mutants.ts'
import type { EventReader, ReadBatch, ReadRequest, Store } from '../src/port/store.ts'

type Overrides = Partial<Store>
type Element = ReadBatch[number]

export function broken(store: Store, overrides: Overrides): Store {
  return {
    readOnly: store.readOnly,
    recovery: store.recovery,
    end: () => store.end(),
    append: (request) => store.append(request),
    read: (request) => store.read(request),
    version: (id) => store.version(id),
    first: () => store.first(),
    durable: () => store.durable(),
    refresh: () => store.refresh(),
    grown: (after, options) => store.grown(after, options),
    fingerprint: (offset) => store.fingerprint(offset),
    count: (query, from) => store.count(query, from),
    trimmedVersion: (id) => store.trimmedVersion(id),
    segments: () => store.segments(),
    trim: (before) => store.trim(before),
    aggregates: (prefix) => store.aggregates(prefix),
    seekVersion: (id, version) => store.seekVersion(id, version),
    boundary: (offset) => store.boundary(offset),
    offsetAt: (time) => store.offsetAt(time),
    sync: () => store.sync(),
    rebuildIndex: (options) => store.rebuildIndex(options),
    close: () => store.close(),
    ...overrides
  }
}

/** A reader whose pieces are changed; an empty piece is left out. */
function mapped(source: EventReader, change: (batch: ReadBatch) => ReadBatch): EventReader {
  return {
    next: async () => {
      for (let batch = await source.next(); batch !== undefined; batch = await source.next()) {
        const changed = change(batch)
        if (changed.length > 0) return changed
      }
      return undefined
    },
    close: () => source.close()
  }
}

function reading(change: (request: ReadRequest) => ReadRequest): Mutant['overrides'] {
  return (store) => ({ read: (request) => store.read(change(request)) })
}

function showing(change: (element: Element) => readonly Element[]): Mutant['overrides'] {
  return (store) => ({ read: (request) => mapped(store.read(request), (batch) => batch.flatMap(change)) })
}

function withEvent(change: (stored: StoredEvent) => StoredEvent): Mutant['overrides'] {
  return showing((element) => [element._tag === 'Right' ? right(change(element.right)) : element])
}

const wholeLog: ReadRequest = {
  from: undefined,
  until: undefined,
  query: [],
  limit: undefined,
  backwards: false,
  signal: undefined
}

/** The condition, blind for the event that stands exactly where it begins. */
function beyond(condition: Condition): Condition {
  return 'noneMatch' in condition && condition.after === 0
    ? { ...condition, noneMatch: { types: ['Never'] } }
    : condition
}

const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

export const mutants: readonly Mutant[] = [
  {
    law: 'a log without events',
    mutant: 'every aggregate has an event',
    overrides: () => ({ version: () => Promise.resolve(right(1 as never)) })
  },
  {
    law: 'a receipt says',
    mutant: 'every receipt says buffered',
    overrides: (store) => ({ append: (request) => store.append({ ...request, durability: 'buffered' }) })
  },
  {
    law: 'what is read is what was appended',
    mutant: 'tags lose their repetitions',
    overrides: withEvent((stored) => {
      const { tags } = stored.event
      return tags === undefined ? stored : { ...stored, event: { ...stored.event, tags: [...new Set(tags)] } }
    })
  },
  {
    law: 'appends at the same time',
    mutant: 'every other append comes later',
    overrides: (store) => {
      let calls = 0
      return {
        append: async (request) => {
          if (calls++ % 2 === 1) await later()
          return store.append(request)
        }
      }
    }
  },
  {
    law: 'a reader sees all of a batch',
    mutant: 'a batch is appended event by event',
    overrides: (store) => ({
      append: async (request) => {
        for (const event of request.events.slice(1)) {
          await store.append({ ...request, events: [event] })
          await later()
        }
        return store.append({ ...request, events: request.events.slice(0, 1) })
      }
    })
  },
  {
    law: 'a condition holds',
    mutant: 'an exact version is a minimum',
    overrides: (store) => ({
      append: async (request) => {
        const [condition] = request.conditions as readonly VersionCondition[]
        const actual = condition === undefined ? right(0) : await store.version(condition.aggregateId)
        const isEnough = actual._tag === 'Right' && actual.right > Number(condition?.version)
        return store.append(isEnough ? { ...request, conditions: [] } : request)
      }
    })
  },
  ...[0, 1].map((place) => ({
    law: 'of several conditions',
    mutant: `only condition ${place} is looked at`,
    overrides: (store: Store): Overrides => ({
      append: (request) => store.append({ ...request, conditions: request.conditions.slice(place, place + 1) })
    })
  })),
  {
    law: 'conditions see the batches',
    mutant: 'conditions are checked when the append is called',
    overrides: (store) => ({
      append: async (request) => {
        const conditions = request.conditions as readonly VersionCondition[]
        const versions = conditions.map(({ aggregateId }) => store.version(aggregateId))
        const isNew = (await Promise.all(versions)).every((one) => one._tag === 'Right' && one.right === 0)
        return store.append(isNew ? { ...request, conditions: [] } : request)
      }
    })
  },
  {
    law: 'a query condition holds',
    mutant: 'an event at the offset itself does not count',
    overrides: (store) => ({
      append: (request) => store.append({ ...request, conditions: request.conditions.map(beyond) })
    })
  },
  {
    law: 'a query condition holds',
    mutant: 'queries are not looked at',
    overrides: (store) => ({
      append: (request) =>
        store.append({ ...request, conditions: request.conditions.filter((one) => 'version' in one) })
    })
  },
  {
    law: 'of two decisions',
    mutant: 'queries are checked when the append is called',
    overrides: (store) => ({
      append: async (request) => {
        const [condition] = request.conditions
        if (condition === undefined || !('noneMatch' in condition)) return store.append(request)
        const query = [condition.noneMatch].flat()
        const found = await store.read({ ...wholeLog, from: condition.after, query }).next()
        return store.append(found === undefined ? { ...request, conditions: [] } : request)
      }
    })
  },
  {
    law: 'a retry of what',
    mutant: 'a retry is refused',
    overrides: (store) => ({
      append: async (request) => {
        const result = await store.append(request)
        const [condition] = request.conditions
        const isRetry = result._tag === 'Right' && result.right.duplicate && condition !== undefined
        return isRetry ? left(new ConditionFailed(condition, { actual: undefined, offset: undefined })) : result
      }
    })
  },
  {
    law: 'a batch that is refused',
    mutant: 'a refused batch leaves its first event',
    overrides: (store) => ({
      append: async (request) => {
        const result = await store.append(request)
        if (result._tag === 'Left')
          await store.append({ ...request, conditions: [], events: request.events.slice(0, 1) })
        return result
      }
    })
  },
  ...liveMutants,
  ...trimMutants,
  {
    law: 'a read of any range',
    mutant: 'backwards, `from` is inclusive',
    overrides: (store) => ({
      read: (request) =>
        store.read(request.backwards && request.from !== undefined ? { ...request, from: undefined } : request)
    })
  },
  {
    law: 'a limit counts',
    mutant: 'a limit of 0 is none',
    overrides: reading((request) => (request.limit === 0 ? { ...request, limit: undefined } : request))
  },
  {
    law: 'a query is an OR',
    mutant: 'only the first item counts',
    overrides: reading((request) => ({ ...request, query: request.query.slice(0, 1) }))
  },
  {
    law: 'a query is an OR',
    mutant: 'tags are ORed',
    overrides: reading((request) => ({
      ...request,
      query: request.query.flatMap((item) =>
        (item.tags ?? []).length < 2 ? [item] : (item.tags ?? []).map((tag) => ({ ...item, tags: [tag] }))
      )
    }))
  },
  {
    law: 'a read runs to the end',
    mutant: 'the end is settled when the reader is made',
    overrides: (store) => ({ read: (request) => store.read({ ...request, until: request.until ?? store.end() }) })
  },
  {
    law: 'a read runs to the end',
    mutant: 'a read follows the log',
    overrides: (store) => ({
      read: (request) => {
        let from = request.from
        let ended = false
        const next = async (): Promise<ReadBatch | undefined> => {
          const batch = ended ? undefined : await store.read({ ...request, from }).next()
          const last = batch?.at(-1)
          ended = last === undefined || last._tag === 'Left'
          if (last?._tag === 'Right') from = last.right.nextOffset
          return batch
        }
        return { next, close: () => {} }
      }
    })
  },
  {
    law: 'an offset that is no event',
    mutant: 'a wrong offset reads nothing',
    overrides: showing((element) => (element._tag === 'Left' && element.left instanceof InvalidOffset ? [] : [element]))
  },
  {
    law: 'an abort',
    mutant: 'no signal is heard',
    overrides: reading((request) => ({ ...request, signal: undefined }))
  },
  {
    law: 'a reader that is closed',
    mutant: 'close does nothing',
    overrides: (store) => ({
      read: (request) => {
        const reader = store.read(request)
        return { next: () => reader.next(), close: () => {} }
      }
    })
  },
  {
    law: 'aggregates are listed',
    mutant: 'they are in the order of their bytes',
    overrides: (store) => ({
      aggregates: async function* (prefix) {
        const listed = []
        for await (const item of store.aggregates(prefix)) if (item._tag === 'Right') listed.push(item.right)
        const bytes = (id: string): Buffer => Buffer.from(id)
        for (const one of listed.sort((a, b) => bytes(a.aggregateId).compare(bytes(b.aggregateId)))) yield right(one)
      }
    })
  },
  ...seekMutants,
  {
    law: 'rebuilding the index',
    mutant: 'it does nothing',
    overrides: () => ({ rebuildIndex: () => Promise.resolve(right(undefined)) })
  },
  {
    law: 'close is idempotent',
    mutant: 'every close answers anew',
    overrides: (store) => ({
      close: async (): ReturnType<Store['close']> => {
        const closed = await store.close()
        return closed._tag === 'Left' ? closed : right(undefined)
      }
    })
  },
  {
    law: 'close is idempotent',
    mutant: 'a closed log has no aggregates',
    overrides: (store) => ({
      aggregates: async function* (prefix) {
        for await (const item of store.aggregates(prefix)) if (item._tag === 'Right') yield item
      }
    })
  },
  {
    law: 'close waits',
    mutant: 'an append is accepted late',
    overrides: (store) => ({ append: (request) => later().then(() => store.append(request)) })
  },
  {
    law: 'a read that the close comes into',
    mutant: 'it just ends',
    overrides: showing((element) => (element._tag === 'Left' && element.left._tag === 'Closed' ? [] : [element]))
  },
  {
    law: 'what was there is there',
    mutant: 'closing is not clean',
    overrides: (store) => ({ recovery: { ...store.recovery, clean: false } })
  },
  {
    law: 'a reader beside the writer',
    mutant: 'a reader sees what was there when it was opened',
    overrides: (store) => {
      const end = store.end()
      return store.readOnly ? { read: (request) => store.read({ ...request, until: request.until ?? end }) } : {}
    }
  },
  {
    law: 'a reader beside the writer',
    mutant: 'a reader takes syncs',
    overrides: () => ({ sync: () => Promise.resolve(right(undefined)) })
  },
  {
    law: 'time does not fall',
    mutant: 'offsetAt finds what is later',
    overrides: (store) => ({ offsetAt: (time) => store.offsetAt(time + 1) })
  },
  {
    law: 'time does not fall',
    mutant: 'events have the time of the clock',
    overrides: withEvent((stored) => ({ ...stored, writeTimestampMs: Number(stored.event.payload) }))
  },
  {
    law: 'damage is one Left',
    mutant: 'damage is skipped',
    overrides: showing((element) => (element._tag === 'Left' && element.left._tag === 'Corrupt' ? [] : [element]))
  },
  {
    law: 'damage is one Left',
    mutant: 'damage ends the read',
    overrides: (store) => ({
      read: (request) => {
        let ended = false
        return mapped(store.read(request), (batch) => {
          const place = batch.findIndex((element) => element._tag === 'Left')
          const shown = ended ? [] : place === -1 ? batch : batch.slice(0, place + 1)
          ended ||= place !== -1
          return shown
        })
      }
    })
  },
  {
    law: 'once the index was built',
    mutant: 'it is not built',
    overrides: () => ({ rebuildIndex: () => Promise.resolve(right(undefined)) })
  }
]
