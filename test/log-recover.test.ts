// Stories of opening: each is a fault that was found once, told by what a user would lose.

import { expect, it } from 'vitest'
import { decodeMark, encodeMark, markFileBytes, markPosition } from '../src/core/mark.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { BadSegment, EventLog, orThrow } from '../src/index.ts'
import { deposit, diskOf, filesOf, folder, HandleDisk, lab, openOn } from './log-lab.ts'

const first = '00000000000000000000.log'

it('a segment that was never finished vouches for what is before it: rot there is damage and not a torn tail', async () => {
  const { disk, log } = await lab({ segmentBytes: 500 })
  for (const id of ['a', 'b', 'c']) await orThrow(log.appendSync(deposit(id)))
  const files = filesOf(disk)
  files.delete('MARK')
  const rotten = Buffer.from(files.get(first) as Buffer)
  rotten.writeUInt8(rotten.readUInt8(332) ^ 0xff, 332)
  files.set(first, rotten)
  files.set(`${String(rotten.length - 32).padStart(20, '0')}.log`, Buffer.alloc(0))
  const broken = await diskOf(files)
  for (let time = 0; time < 2; time++) {
    const opened = await openOn(broken)
    expect(opened.recovery).toMatchObject({ torn: undefined, damage: [{ reason: 'checksum' }] })
    expect(opened.end).toBe(rotten.length - 32)
    await orThrow(opened.close())
  }
})

it('a mark further ahead than a segment can reach is refused, the first time and every time', async () => {
  const { disk, log } = await lab()
  await orThrow(log.appendSync(deposit('a')))
  await orThrow(log.close())
  const files = filesOf(disk)
  const before = decodeMark(files.get('MARK') as Buffer, undefined)
  const ahead = { ...before, sequence: before.sequence + 1, durable: 2 ** 40, clean: false }
  const bytes = Buffer.alloc(markFileBytes)
  encodeMark(ahead).copy(bytes, markPosition(ahead))
  files.set('MARK', bytes)
  const broken = await diskOf(files)
  for (let time = 0; time < 2; time++) {
    expect(await EventLog.open(folder, { disk: broken })()).toMatchObject({ left: expect.any(BadSegment) as unknown })
    expect(filesOf(broken)).toEqual(files)
  }
})

it('no file stays open behind an opening that fails, whichever call it is', async () => {
  const { disk, log } = await lab({ segmentBytes: 700, checkpointBytes: 200 })
  for (let count = 0; count < 30; count++) await orThrow(log.append(deposit(`a-${count % 4}`)))
  await orThrow(log.close())
  let failures = 0
  for (let failing = 0; failing < 200; failing++) {
    let calls = 0
    const faulty = disk.clone({ fault: () => (calls++ === failing ? 'EIO' : undefined) })
    const handles = new HandleDisk(faulty)
    const opened = await EventLog.open(folder, { disk: handles, segmentBytes: 700 })()
    if (opened._tag === 'Right') await opened.right.close()()
    else failures++
    expect(handles.handles).toEqual([])
  }
  expect(failures).toBeGreaterThan(10)
})

/** Begins to list the aggregates and breaks off. */
async function leaveList(log: EventLog): Promise<void> {
  const list = log.aggregates()[Symbol.asyncIterator]()
  await list.next()
  await list.return?.()
}

it('no file stays open behind a log that was closed amid rebuilds, rolls and lists that were left', async () => {
  const disk = new MemoryDisk()
  const handles = new HandleDisk(disk)
  const log = await openOn(handles, { segmentBytes: 256, checkpointBytes: 100 })
  const work: Promise<unknown>[] = []
  for (let count = 0; count < 120; count++) {
    work.push(orThrow(log.append(deposit(`a-${count % 9}`))))
    if (count % 40 === 20) work.push(orThrow(log.rebuildIndex()))
    if (count % 10 === 5) await leaveList(log)
  }
  await Promise.all(work)
  await orThrow(log.close())
  expect(handles.handles).toEqual([])
})
