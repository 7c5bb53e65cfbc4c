// An index is a cache: whatever a log has gone through, its index files are those that its segments alone give.

import { deepStrictEqual, ok } from 'node:assert'
import * as fc from 'fast-check'
import { it } from 'vitest'
import { orThrow, Offset, type EventLog, type NewEvent } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { newEvent } from '../src/testing/arbitraries.ts'
import { eventsOf, filesOf, folder, LabClock, namesOf, openOn, putFile } from '../test/log-lab.ts'

type Step =
  | { readonly kind: 'append'; readonly batches: readonly (readonly NewEvent[])[] }
  | { readonly kind: 'close' }
  | { readonly kind: 'kill' }
  | { readonly kind: 'delete' | 'rebuild' | 'stale'; readonly pick: number }

const small: fc.Arbitrary<NewEvent> = fc.record(
  {
    aggregateId: fc.constantFrom('a', 'b', 'c'),
    eventType: fc.constantFrom('T', 'U'),
    payload: fc.nat(),
    tags: fc.subarray(['t', 'u']),
    namespace: fc.constantFrom('n')
  },
  { requiredKeys: ['aggregateId', 'eventType', 'payload'] }
)

const batch = fc.array(fc.oneof({ weight: 5, arbitrary: small }, { weight: 1, arbitrary: newEvent(fc.nat()) }), {
  minLength: 1,
  maxLength: 3
})

const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ kind: fc.constant('append' as const), batches: fc.array(batch, { maxLength: 5 }) })
  },
  { weight: 1, arbitrary: fc.constant({ kind: 'close' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'kill' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constantFrom('delete' as const, 'rebuild' as const, 'stale' as const),
      pick: fc.nat({ max: 20 })
    })
  }
)

type Spoiling = Extract<Step, { readonly pick: number }>

interface Stand {
  disk: MemoryDisk
  log: EventLog
  /** Index files as they were when the log was closed for the first time with them. */
  readonly older: Map<string, Buffer>
}

async function take(stand: Stand, done: Step, segmentBytes: number): Promise<void> {
  const open = (): Promise<EventLog> =>
    openOn(stand.disk, { segmentBytes, checkpointBytes: 400, clock: new LabClock([5, 9, 2, 40]) })
  if (done.kind === 'append') {
    await Promise.all(done.batches.map((events) => orThrow(stand.log.append(events))))
  } else if (done.kind === 'close') {
    await orThrow(stand.log.close())
    for (const [name, bytes] of filesOf(stand.disk)) if (!stand.older.has(name)) stand.older.set(name, bytes)
    stand.log = await open()
  } else if (done.kind === 'kill') {
    stand.disk = stand.disk.processCrash()
    stand.log = await open()
  } else if (done.kind === 'rebuild') {
    const events = await eventsOf(stand.log.replay())
    const from = events[done.pick % (events.length + 1)]?.offset ?? Offset(0)
    await orThrow(stand.log.rebuildIndex({ from }))
  } else await spoil(stand, done, open)
}

/** Takes an index file away, or puts an older one in its place. */
async function spoil(stand: Stand, done: Spoiling, open: () => Promise<EventLog>): Promise<void> {
  if (done.pick % 2 === 0) await orThrow(stand.log.close())
  else stand.disk = stand.disk.processCrash()
  const names = namesOf(stand.disk, 'idx')
  const name = names[done.pick % names.length] ?? 'none'
  const old = stand.older.get(name)
  if (done.kind === 'stale' && old !== undefined) await putFile(stand.disk, name, old)
  else stand.disk.remove(`${folder}/${name}`)
  stand.log = await open()
}

function indexesOf(disk: MemoryDisk): Map<string, string> {
  const names = namesOf(disk, 'idx')
  return new Map(
    [...filesOf(disk)].filter(([name]) => names.includes(name)).map(([name, bytes]) => [name, bytes.toString('hex')])
  )
}

it('indexes that grew with the log are byte for byte those that are built from nothing', async () => {
  const segmentBytes = fc.constantFrom(256, 700, 20_000)
  const property = fc.asyncProperty(segmentBytes, fc.array(step, { maxLength: 25 }), async (bytes, steps) => {
    const disk = new MemoryDisk()
    const stand: Stand = {
      disk,
      log: await openOn(disk, { segmentBytes: bytes, checkpointBytes: 400 }),
      older: new Map()
    }
    for (const done of steps) await take(stand, done, bytes)
    await orThrow(stand.log.close())
    const grown = indexesOf(stand.disk)
    deepStrictEqual(grown.size, namesOf(stand.disk, 'log').length)

    for (const name of grown.keys()) stand.disk.remove(`${folder}/${name}`)
    const scanned = await openOn(stand.disk)
    await orThrow(scanned.close())
    deepStrictEqual(indexesOf(stand.disk), grown)

    const rebuilt = await openOn(stand.disk)
    for (const name of grown.keys()) stand.disk.remove(`${folder}/${name}`)
    const progress: number[] = []
    await orThrow(
      rebuilt.rebuildIndex({ onProgress: (doneBytes, totalBytes) => progress.push(doneBytes / totalBytes) })
    )
    ok(rebuilt.end === 0 || progress.at(-1) === 1)
    await orThrow(rebuilt.close())
    deepStrictEqual(indexesOf(stand.disk), grown)
  })
  await fc.assert(property, { numRuns: 150 })
})
