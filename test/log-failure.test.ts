// A disk that fails: a failed write fails its batch and no other, a failed sync fails everything that is not yet
// known to be safe, reading goes on, and what was acknowledged is there when the log is opened again.

import { basename } from 'node:path'
import { describe, expect, it } from 'vitest'
import { orThrow, type EventLog } from '../src/index.ts'
import type { MemoryCall, MemoryFault } from '../src/disk/memory-calls.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { spareName } from '../src/log/spare.ts'
import { deposit, eventsOf, filesOf, folder, lab, openOn, plainAll, turn } from './log-lab.ts'

const first = `${folder}/00000000000000000000.log`

/** Fails calls on segment files, or on what else is named, as often as told. */
function failing(operation: string, fault: MemoryFault, times = Number.POSITIVE_INFINITY, path = '.log') {
  let left = times
  return (call: MemoryCall): MemoryFault | undefined =>
    call.operation === operation && call.path.endsWith(path) && left-- > 0 ? fault : undefined
}

async function ids(log: EventLog): Promise<string[]> {
  return (await eventsOf(log.replay())).map(({ event }) => event.aggregateId)
}

/** Opens the log as another process would find it, and closes it again. */
async function idsAfter(disk: MemoryDisk): Promise<string[]> {
  const log = await openOn(disk)
  const found = await ids(log)
  expect(log.recovery.damage).toEqual([])
  await orThrow(log.close())
  return found
}

describe('a failed write', () => {
  it.each<MemoryFault>(['ENOSPC', 'EIO', { errno: 'ENOSPC', writtenBytes: 40 }, { errno: 'EDQUOT', writtenBytes: 1 }])(
    'with %o fails its batch alone; the next one takes its place',
    async (fault) => {
      const { disk, log } = await lab()
      await orThrow(log.append(deposit('a')))
      const { end } = log
      const bytes = filesOf(disk).get(basename(first))
      disk.arm({ fault: failing('write', fault, 1) })
      const failed = await log.append([deposit('b'), deposit('c')])()
      const errno = typeof fault === 'string' ? fault : fault.errno
      const _tag = errno === 'EIO' ? 'DiskFailed' : 'DiskFull'
      expect(failed).toMatchObject({ _tag: 'Left', left: { _tag, errno, path: first } })
      expect(log.end).toBe(end)
      expect(filesOf(disk).get(basename(first))).toEqual(bytes)
      const receipt = await orThrow(log.appendSync(deposit('d')))
      expect(receipt).toMatchObject({ offset: end, versions: [1] })
      expect(await ids(log)).toEqual(['a', 'd'])
      await orThrow(log.close())
      expect(await idsAfter(disk)).toEqual(['a', 'd'])
    }
  )

  it('of several batches blames only those that fail again alone', async () => {
    const { disk, log } = await lab()
    // There is room for what is small, as on a disk that is nearly full.
    disk.arm({
      fault: ({ operation, path, bytes = 0 }) =>
        operation === 'write' && path.endsWith('.log') && bytes > 1_000
          ? { errno: 'ENOSPC', writtenBytes: 200 }
          : undefined
    })
    const calls = [
      ...['a', 'b'].map((id) => log.append(deposit(id))()),
      log.append(deposit('large', 'x'.repeat(1_000)))(),
      ...['c', 'd'].map((id) => log.appendSync(deposit(id))()),
      ...Array.from({ length: 10 }, (_, place) => log.append(deposit(`e${place}`))())
    ]
    const results = await Promise.all(calls)
    expect(results.map((one) => one._tag)).toEqual(calls.map((_, place) => (place === 2 ? 'Left' : 'Right')))
    expect(results[2]).toMatchObject({ left: { _tag: 'DiskFull' } })
    const written = ['a', 'b', 'c', 'd', ...Array.from({ length: 10 }, (_, place) => `e${place}`)]
    expect(await ids(log)).toEqual(written)
    disk.arm({})
    // When the disk has room again, a turn's batches share a write again.
    const writes = disk.counts.get('write') ?? 0
    await Promise.all([orThrow(log.append(deposit('f'))), orThrow(log.append(deposit('g')))])
    expect(disk.counts.get('write')).toBe(writes + 1)
    await orThrow(log.close())
    expect(await idsAfter(disk)).toEqual([...written, 'f', 'g'])
  })

  it('keeps the order of the calls when more waits than one write takes', async () => {
    const { disk, log } = await lab({ segmentBytes: 8_000_000 })
    await orThrow(log.append(deposit('a', 'x'.repeat(7_999_000))))
    disk.arm({ fault: (call) => ((call.bytes ?? 0) > 500_000 ? failing('write', 'ENOSPC')(call) : undefined) })
    // The first of these rolls, and while it does the others gather.
    const calls = Array.from({ length: 25 }, (_, place) =>
      orThrow(log.append(deposit(`${place}`, 'x'.repeat(100_000))))
    )
    const offsets = (await Promise.all(calls)).map((one) => one.offset)
    expect(offsets).toEqual([...offsets].sort((one, other) => one - other))
    await orThrow(log.close())
  })

  it('keeps versions and conditions right for the batches behind it', async () => {
    const { disk, log } = await lab()
    disk.arm({ fault: failing('write', 'ENOSPC', 2) })
    const results = await Promise.all([
      log.append(deposit('a'))(),
      log.append(deposit('a'), { conditions: [{ aggregateId: 'a', version: 'none' }] })(),
      log.append(deposit('a'), { conditions: [{ aggregateId: 'a', version: 1 }] })()
    ])
    // Together they fail; alone the first fails again, so for the second there is no event yet.
    expect(results.map((one) => (one._tag === 'Right' ? one.right.versions : one.left._tag))).toEqual([
      'DiskFull',
      [1],
      [2]
    ])
    await orThrow(log.close())
  })

  it('that cannot be cut back poisons the log, and what it left is cut at the next opening', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    disk.arm({
      fault: (call) => failing('write', { errno: 'ENOSPC', writtenBytes: 50 })(call) ?? failing('truncate', 'EIO')(call)
    })
    expect(await log.append(deposit('b'))()).toMatchObject({ left: { _tag: 'Poisoned', cause: { _tag: 'DiskFull' } } })
    disk.arm({})
    expect(await log.append(deposit('c'))()).toMatchObject({ left: { _tag: 'Poisoned' } })
    expect(await ids(log)).toEqual(['a'])
    expect(await log.close()()).toMatchObject({ left: { _tag: 'Poisoned' } })
    const again = await openOn(disk)
    expect(again.recovery).toMatchObject({ torn: { bytes: 50 }, damage: [] })
    expect(await ids(again)).toEqual(['a'])
    await orThrow(again.close())
  })
})

describe('a new segment that cannot be made', () => {
  it.each([
    ['open', '.log'],
    ['write', spareName],
    ['rename', spareName]
  ])('for want of room (%s) fails the batch that needs it, until there is room', async (operation, path) => {
    const { disk, log } = await lab({ segmentBytes: 256 })
    await orThrow(log.append([deposit('a'), deposit('a')]))
    disk.arm({ fault: failing(operation, 'ENOSPC', 2, path) })
    const failed = await Promise.all([log.append([deposit('b'), deposit('b')])(), log.append(deposit('c'))()])
    expect(failed.every((one) => one._tag === 'Left' && one.left._tag === 'DiskFull')).toBe(true)
    expect([...filesOf(disk).keys()].filter((name) => name.endsWith('.log')).length).toBe(1)
    await orThrow(log.append(deposit('d')))
    expect(await ids(log)).toEqual(['a', 'a', 'd'])
    expect([...filesOf(disk).keys()].filter((name) => name.endsWith('.log')).length).toBe(2)
    await orThrow(log.close())
    expect(await idsAfter(disk)).toEqual(['a', 'a', 'd'])
  })

  it.each([
    ['sync', spareName],
    ['sync folder', folder]
  ])('durably (%s) poisons the log, and loses nothing that was acknowledged', async (operation, path) => {
    const { disk, log } = await lab({ segmentBytes: 256 })
    await orThrow(log.appendSync([deposit('a'), deposit('a')]))
    disk.arm({ fault: failing(operation, 'EIO', 1, path) })
    const results = await Promise.all([log.append([deposit('b'), deposit('b')])(), log.appendSync(deposit('c'))()])
    expect(results.every((one) => one._tag === 'Left' && one.left._tag === 'Poisoned')).toBe(true)
    expect(await log.close()()).toMatchObject({ left: { _tag: 'Poisoned' } })
    disk.arm({})
    expect(await idsAfter(disk.crash(() => 0))).toEqual(['a', 'a'])
    expect(await idsAfter(disk)).toEqual(['a', 'a'])
  })
})

describe('a failed sync', () => {
  it.each(['EIO', 'ENOSPC', 'EROFS'])(
    'with %s fails all that wait and all that come, while reading goes on',
    async (errno) => {
      const { disk, log } = await lab()
      await orThrow(log.appendSync(deposit('safe')))
      disk.arm({ fault: failing('sync', errno, 1) })
      const waiting = [log.appendSync(deposit('a'))(), log.appendSync(deposit('b'))(), log.sync()()]
      const buffered = log.append(deposit('c'))()
      for (const result of await Promise.all(waiting)) {
        expect(result).toMatchObject({ left: { _tag: 'Poisoned', cause: { operation: 'sync', errno } } })
      }
      expect((await buffered)._tag).toBe('Right')
      disk.arm({})
      for (const later of [log.append(deposit('d')), log.appendSync(deposit('d')), log.sync()]) {
        expect(await later()).toMatchObject({ left: { _tag: 'Poisoned' } })
      }
      expect(await ids(log)).toEqual(['safe', 'a', 'b', 'c'])
      expect(await orThrow(log.version('safe'))).toBe(1)
      const [one, two] = [await log.close()(), await log.close()()]
      expect(one).toMatchObject({ left: { _tag: 'Poisoned' } })
      expect(two).toBe(one)
      expect((await idsAfter(disk.crash(() => 0)))[0]).toBe('safe')
      // The lock is free, and what is there is read again.
      expect((await idsAfter(disk))[0]).toBe('safe')
    }
  )

  it('in the background is told to the next append', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    disk.arm({ fault: failing('sync', 'EIO', 1) })
    const batch = log.appendSync(deposit('b'))()
    await turn()
    expect(await log.append(deposit('c'))()).toMatchObject({ left: { _tag: 'Poisoned' } })
    expect(await batch).toMatchObject({ left: { _tag: 'Poisoned' } })
    await log.close()()
  })

  it('on opening fails the opening, and frees the lock', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    const crashed = disk.processCrash()
    crashed.arm({ fault: failing('sync', 'EIO', 1) })
    await expect(openOn(crashed)).rejects.toMatchObject({ _tag: 'DiskFailed', errno: 'EIO' })
    expect(await idsAfter(crashed)).toEqual(['a'])
    await log.close()()
  })
})

describe('a failed read', () => {
  it('ends a replay with the error, and is never taken for the end or for damage', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append([deposit('a'), deposit('b')]))
    disk.arm({ fault: failing('read', 'EIO') })
    expect(await plainAll(log.replay())).toEqual([{ _tag: 'DiskFailed' }])
    expect(await plainAll(log.replay(undefined, { backwards: true }))).toEqual([{ _tag: 'DiskFailed' }])
    expect(await plainAll(log.replayAggregate('a'))).toEqual([{ _tag: 'DiskFailed' }])
    disk.arm({})
    expect(await ids(log)).toEqual(['a', 'b'])
    await orThrow(log.close())
  })

  it.each(['.log', '.idx', 'MARK'])('of %s on opening fails the opening and changes nothing', async (path) => {
    const { disk, log } = await lab({ segmentBytes: 256 })
    for (const id of ['a', 'b', 'c', 'd']) await orThrow(log.append(deposit(id)))
    await orThrow(log.close())
    const before = filesOf(disk)
    const tries = [true, false].flatMap((readOnly) =>
      ['read', 'open', 'stat'].flatMap((operation) => [0, 1, 2, 3].map((skip) => ({ readOnly, operation, skip })))
    )
    for (const { readOnly, operation, skip } of tries) {
      let seen = 0
      const failOne = failing(operation, 'EIO', Number.POSITIVE_INFINITY, path)
      disk.arm({ fault: (call) => (failOne(call) !== undefined && seen++ >= skip ? 'EIO' : undefined) })
      const opened = await openOn(disk, { readOnly }).catch((error: unknown) => error)
      disk.arm({})
      if (seen > skip) expect(opened).toMatchObject({ _tag: 'DiskFailed', errno: 'EIO' })
      else {
        expect(await ids(opened as EventLog)).toEqual(['a', 'b', 'c', 'd'])
        await (opened as EventLog).close()()
      }
      expect(filesOf(disk)).toEqual(before)
    }
    expect(await idsAfter(disk)).toEqual(['a', 'b', 'c', 'd'])
  })
})

it('an index that cannot be written costs nothing but the next opening', async () => {
  const { disk, log } = await lab({ segmentBytes: 256 })
  disk.arm({ fault: failing('open', 'ENOSPC', Number.POSITIVE_INFINITY, '.idx.tmp') })
  for (const id of ['a', 'b', 'c', 'd']) await orThrow(log.append(deposit(id)))
  expect(await ids(log)).toEqual(['a', 'b', 'c', 'd'])
  expect(await orThrow(log.version('a'))).toBe(1)
  expect(await log.close()()).toMatchObject({ left: { _tag: 'DiskFull' } })
  disk.arm({})
  const again = await openOn(disk)
  expect(again.recovery.reindexed.length).toBeGreaterThan(1)
  expect(await ids(again)).toEqual(['a', 'b', 'c', 'd'])
  await orThrow(again.close())
})
