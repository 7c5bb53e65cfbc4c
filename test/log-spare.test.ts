// The next segment's file, made ahead: it is there when the segment before is nearly full, it takes nobody's place, and
// whatever becomes of it the log goes on.

import { describe, expect, it, vi } from 'vitest'
import { orThrow } from '../src/index.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { MemoryIndex } from '../src/indexing/memory-index.ts'
import { spareName } from '../src/log/spare.ts'
import { deposit, eventsOf, filesOf, folder, lab, openOn, turn } from './log-lab.ts'

const segmentBytes = 1_024

/** The names in the log's folder, but for the mark and the indexes. */
function names(disk: MemoryDisk): string[] {
  return [...filesOf(disk).keys()].filter((name) => name.endsWith('.log') || name === spareName).sort()
}

function segment(base: number): string {
  return `${String(base).padStart(20, '0')}.log`
}

/** A log whose first segment has seven events of 136 bytes and room for no other. */
async function nearlyFull(): Promise<Awaited<ReturnType<typeof lab>> & { readonly end: number }> {
  const { disk, log } = await lab({ segmentBytes })
  for (let count = 0; count < 7; count++) await orThrow(log.append(deposit('a')))
  return { disk, log, end: log.end }
}

describe('the next segment', () => {
  it('is made when three quarters of the one before are full, and is gone when the log is closed', async () => {
    const { disk, log } = await lab({ segmentBytes })
    for (let count = 0; count < 5; count++) await orThrow(log.append(deposit('a')))
    expect(names(disk)).toEqual([segment(0)])
    await orThrow(log.append(deposit('a')))
    await turn()
    expect(names(disk)).toEqual([segment(0), spareName])
    await orThrow(log.close())
    expect(names(disk)).toEqual([segment(0)])
  })

  it('gets its header, and then its name', async () => {
    const { disk, log, end } = await nearlyFull()
    const made: string[] = []
    disk.arm({ calls: ({ operation, path }) => made.push(`${operation} ${path}`) })
    await orThrow(log.append(deposit('a')))
    const of = (name: string): string[] =>
      made.filter((call) => call.endsWith(name)).map((call) => call.split(' ')[0] ?? '')
    expect(of(spareName)).toEqual(['write', 'sync', 'rename'])
    expect(names(disk)).toEqual([segment(0), segment(end)])
    await orThrow(log.close())
    const again = await openOn(disk)
    expect((await eventsOf(again.replay())).length).toBe(8)
    await orThrow(again.close())
  })

  it('is removed by the next opening when the process was killed', async () => {
    const { disk, log } = await nearlyFull()
    await orThrow(log.sync())
    await turn()
    const killed = disk.crash(() => 1)
    expect(names(killed)).toContain(spareName)
    const again = await openOn(killed, { segmentBytes })
    expect(names(killed)).toEqual([segment(0)])
    expect((await eventsOf(again.replay())).length).toBe(7)
    await orThrow(again.close())
    await orThrow(log.close())
  })

  it('is made when it is needed, if it could not be made ahead', async () => {
    const { disk, log } = await lab({ segmentBytes })
    disk.arm({
      fault: ({ path, operation }) => (path.endsWith(spareName) && operation !== 'remove' ? 'ENOSPC' : undefined)
    })
    for (let count = 0; count < 7; count++) await orThrow(log.append(deposit('a')))
    await turn()
    expect(names(disk)).toEqual([segment(0)])
    disk.arm({})
    await orThrow(log.append(deposit('a')))
    expect(names(disk).length).toBe(2)
    await orThrow(log.close())
  })

  it('is made in its own place when a folder has the name that it would have before', async () => {
    const { disk, log } = await lab({ segmentBytes })
    await orThrow(log.close())
    await disk.makeFolder(`${folder}/${spareName}`)
    const again = await openOn(disk, { segmentBytes })
    for (let count = 0; count < 20; count++) await orThrow(again.append(deposit('a')))
    expect(names(disk).length).toBe(3)
    await orThrow(again.close())
    const last = await openOn(disk, { segmentBytes })
    expect((await eventsOf(last.replay())).length).toBe(20)
    await orThrow(last.close())
    const left = disk.list(folder)
    expect(left._tag === 'Right' && left.right).toContainEqual({ name: spareName, kind: 'folder' })
  })

  it('does not take the place of a file that is there', async () => {
    const { disk, log, end } = await nearlyFull()
    const path = `${folder}/${segment(end)}`
    const foreign = disk.open(path, 'create')
    if (foreign._tag === 'Left') throw foreign.left
    foreign.right.writeSync(Buffer.from('a letter'), 0)
    expect(await log.append(deposit('a'))()).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'EEXIST', path } })
    expect(filesOf(disk).get(segment(end))?.toString()).toBe('a letter')
    disk.remove(path)
    await orThrow(log.append(deposit('a')))
    await orThrow(log.close())
  })
})

describe('an assertion that fails', () => {
  it('while a group is indexed is told to everybody whose batch was in it, and to all who come later', async () => {
    const { log } = await lab()
    await orThrow(log.append(deposit('a')))
    const add = vi.spyOn(MemoryIndex.prototype, 'add').mockImplementation(() => {
      throw new Error('frames are indexed in the order of the log')
    })
    try {
      const told = await Promise.all([
        log.append(deposit('b'))(),
        log.appendSync(deposit('c'))(),
        log.append(deposit('d'))()
      ])
      for (const one of told) expect(one).toMatchObject({ left: { _tag: 'Poisoned' } })
      expect(await log.append(deposit('e'))()).toMatchObject({ left: { _tag: 'Poisoned' } })
    } finally {
      add.mockRestore()
    }
    expect(await log.close()()).toMatchObject({ left: { _tag: 'Poisoned' } })
  })
})
