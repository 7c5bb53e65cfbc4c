// Stories of faults, each of which once ended in a log that was lost or did not open.

import { describe, expect, it } from 'vitest'
import { orThrow } from '../src/index.ts'
import type { Event, StoredEvent } from '../src/index.ts'
import type { MemoryCall, MemoryFault, MemoryOperation } from '../src/disk/memory-calls.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import { deposit, lab, openOn, turn } from './log-lab.ts'

/** Lets the next call of this kind fail, and no other. */
function failNext(disk: MemoryDisk, operation: MemoryOperation, fault: MemoryFault = 'EIO', path = '.log'): void {
  let armed = true
  disk.arm({
    fault: (call: MemoryCall) => {
      if (!armed || call.operation !== operation || !call.path.endsWith(path)) return undefined
      armed = false
      return fault
    }
  })
}

/** Lets the next call of each kind fail, of the segments or their folder, each once the one before has failed. */
function failInTurn(disk: MemoryDisk, ...faults: readonly (readonly [MemoryOperation, MemoryFault])[]): void {
  let done = 0
  disk.arm({
    fault: ({ operation, path }) => {
      const next = faults[done]
      if (next?.[0] !== operation || (operation !== 'sync folder' && !path.endsWith('.log'))) return undefined
      done++
      return next[1]
    }
  })
}

async function aggregatesOn(disk: MemoryDisk): Promise<readonly string[]> {
  const log = await openOn(disk)
  expect(log.recovery.damage).toEqual([])
  const names: string[] = []
  for await (const { event } of orThrow(log.replay()) as AsyncIterable<StoredEvent<Event>>)
    names.push(event.aggregateId)
  return names
}

const keepsNothing = (): number => 0
const keepsAll = (count: number): number => count - 1

describe('after a sync has failed', () => {
  it('what the next opening shows stays, though the disk has forgotten to write it', async () => {
    const { disk, log } = await lab()
    failNext(disk, 'sync')
    const answer = await log.appendSync(deposit('doubtful'))()
    expect(answer).toMatchObject({ left: { _tag: 'Poisoned' } })
    expect(await log.close()()).toMatchObject({ left: { _tag: 'Poisoned' } })
    const again = await openOn(disk)
    await orThrow(again.appendSync(deposit('later')))
    expect(await aggregatesOn(disk.crash(keepsNothing))).toEqual(['doubtful', 'later'])
  })

  it('of a new segment or of its name, the segment is made durable by the next opening', async () => {
    for (const [operation, path] of [
      ['sync', '.tmp'],
      ['sync folder', '/log']
    ] as const) {
      const { disk, log } = await lab({ segmentBytes: 256 })
      await orThrow(log.appendSync(deposit('a')))
      failNext(disk, operation, 'EIO', path)
      expect(await log.appendSync(deposit('b'))()).toMatchObject({ left: { _tag: 'Poisoned' } })
      await log.close()()
      const again = await openOn(disk, { segmentBytes: 256 })
      await orThrow(again.appendSync(deposit('c')))
      expect(await aggregatesOn(disk.crash(keepsNothing))).toEqual(['a', 'c'])
    }
  })
})

describe('after the sync of a cut has failed', () => {
  // The disk may keep what the failed write left behind, and lose the cut.
  const chances = Array.from({ length: 60 }, (_, seed) => new Chance(seed))

  it.each([
    ['that was closed before', true],
    ['that was not', false]
  ])('what was cut off does not come back behind later events, in a log %s', async (_name, closedBefore) => {
    const { disk, log } = await lab()
    await orThrow(log.appendSync(deposit('a')))
    if (closedBefore) await orThrow(log.close())
    const second = closedBefore ? await openOn(disk) : log
    failInTurn(disk, ['write', { errno: 'ENOSPC', writtenBytes: 10_000 }], ['sync', 'EIO'])
    // The first one's place is taken by an event of the same length, so the second one stands where it belongs.
    const answers = await Promise.all([second.append(deposit('b'))(), second.append(deposit('c'))()])
    expect(answers).toMatchObject([{ left: { _tag: 'Poisoned' } }, { left: { _tag: 'Poisoned' } }])
    await second.close()()
    const third = await openOn(disk)
    await orThrow(third.appendSync(deposit('d')))
    for (const chance of chances) {
      expect(await aggregatesOn(disk.crash((count) => chance.below(count)))).toEqual(['a', 'd'])
    }
  })

  it('or of the removal of a half-made segment, its name does not come back either', async () => {
    const { disk, log } = await lab({ segmentBytes: 400 })
    await orThrow(log.appendSync(deposit('a')))
    failInTurn(disk, ['write', { errno: 'ENOSPC', writtenBytes: 32 }], ['sync folder', 'EIO'])
    expect(await log.append(deposit('large', 'x'.repeat(400)))()).toMatchObject({ left: { _tag: 'Poisoned' } })
    await log.close()()
    const again = await openOn(disk, { segmentBytes: 4_000 })
    await orThrow(again.appendSync(deposit('b', 'x'.repeat(400))))
    for (const chance of chances) {
      expect(await aggregatesOn(disk.crash((count) => chance.below(count)))).toEqual(['a', 'b'])
    }
  })
})

it('a log that was closed, and then failed to write, is marked as closed once it is closed again', async () => {
  const { disk, log } = await lab()
  await orThrow(log.appendSync(deposit('a')))
  await orThrow(log.close())
  const second = await openOn(disk)
  failNext(disk, 'write', 'ENOSPC')
  expect(await second.append(deposit('b'))()).toMatchObject({ left: { _tag: 'DiskFull' } })
  await orThrow(second.close())
  expect((await openOn(disk)).recovery.clean).toBe(true)
})

it('after the folder could not be synced for an index, nothing is acknowledged in a segment made meanwhile', async () => {
  const { disk, log } = await lab({ segmentBytes: 256 })
  for (const name of ['a', 'b', 'c']) await orThrow(log.appendSync(deposit(name, 'x'.repeat(150))))
  for (let count = 0; count < 30; count++) await turn() // the indexes of what is sealed are saved
  let goOn = (): void => {}
  const rebuilt = new Promise<void>((resolve) => (goOn = resolve))
  disk.arm({
    gate: ({ operation, path }) => (operation === 'sync' && path.endsWith('.log') ? rebuilt : Promise.resolve()),
    fault: ({ operation }) => (operation === 'sync folder' ? 'EIO' : undefined)
  })
  const answer = log.appendSync(deposit('d', 'x'.repeat(150)))()
  await turn() // the new segment has its name, and its header is being synced
  await log.rebuildIndex()()
  disk.arm({})
  goOn()
  expect(await answer).toMatchObject({ left: { _tag: 'Poisoned' } })
  expect(await aggregatesOn(disk.crash(keepsNothing))).toEqual(['a', 'b', 'c'])
})

describe('after a write has failed half-way', () => {
  it('a power cut does not bring back what was cut off', async () => {
    const { disk, log } = await lab()
    await orThrow(log.appendSync(deposit('a')))
    failNext(disk, 'write', { errno: 'ENOSPC', writtenBytes: 1_000 })
    expect(await log.append(deposit('refused'))()).toMatchObject({ left: { _tag: 'DiskFull' } })
    for (const choose of [keepsNothing, keepsAll, (count: number) => (count === 2 ? 0 : count - 1)]) {
      expect(await aggregatesOn(disk.crash(choose))).toEqual(['a'])
    }
  })

  it('a segment that is sealed next ends where the next one begins', async () => {
    const { disk, log } = await lab({ segmentBytes: 400 })
    await orThrow(log.appendSync(deposit('a')))
    failNext(disk, 'write', { errno: 'ENOSPC', writtenBytes: 100 })
    expect(await log.append(deposit('refused'))()).toMatchObject({ left: { _tag: 'DiskFull' } })
    await orThrow(log.appendSync(deposit('large', 'x'.repeat(400))))
    // The bytes that were cut off are kept by the disk, the cut is not.
    expect(await aggregatesOn(disk.crash((count) => (count === 2 ? 0 : count - 1)))).toEqual(['a', 'large'])
  })

  it('a segment that could not be made is gone for good before others stand at its offset', async () => {
    const { disk, log } = await lab({ segmentBytes: 400 })
    await orThrow(log.appendSync(deposit('a')))
    failNext(disk, 'write', 'ENOSPC')
    expect(await log.append(deposit('large', 'x'.repeat(400)))()).toMatchObject({ left: { _tag: 'DiskFull' } })
    await orThrow(log.appendSync(deposit('b')))
    // Among others the disk keeps the new segment's name, and not its removal.
    for (let seed = 0; seed < 100; seed++) {
      const chance = new Chance(seed)
      expect(await aggregatesOn(disk.crash((count) => chance.below(count)))).toEqual(['a', 'b'])
    }
  })

  it('and the half-made segment cannot be removed either, it stands in nobody’s way', async () => {
    const { disk, log } = await lab({ segmentBytes: 400 })
    await orThrow(log.appendSync(deposit('a')))
    const failing = ['write', 'remove']
    disk.arm({ fault: ({ operation }) => (operation === failing[0] ? (failing.shift(), 'EIO') : undefined) })
    expect(await log.append(deposit('large', 'x'.repeat(400)))()).toMatchObject({ left: { _tag: 'DiskFailed' } })
    expect(failing).toEqual([])
    await orThrow(log.append(deposit('b')))
    const again = await openOn(disk.processCrash(), { segmentBytes: 400 })
    await orThrow(again.appendSync(deposit('c', 'x'.repeat(400))))
    await orThrow(again.close())
    await orThrow(log.appendSync(deposit('d', 'x'.repeat(400))))
    expect(await aggregatesOn(disk.crash(keepsNothing))).toEqual(['a', 'b', 'd'])
  })
})

it('a segment whose name is not durable yet is no clean log, though the mark before it says so', async () => {
  const { disk, log } = await lab({ segmentBytes: 256 })
  await orThrow(log.appendSync(deposit('a', 'x'.repeat(200))))
  await orThrow(log.close())
  const second = await openOn(disk, { segmentBytes: 256 })
  const killed: MemoryDisk[] = []
  disk.arm({
    // The new segment's header is written and synced, its name is not.
    fault: ({ operation }) => {
      if (operation === 'sync folder' && killed.length === 0) killed.push(disk.processCrash())
      return undefined
    }
  })
  await orThrow(second.append(deposit('b', 'x'.repeat(200))))
  const after = killed[0] as MemoryDisk
  const third = await openOn(after, { segmentBytes: 256 })
  expect(third.recovery.clean).toBe(false)
  await orThrow(third.appendSync(deposit('c')))
  expect(await aggregatesOn(after.crash(keepsNothing))).toEqual(['a', 'c'])
})
