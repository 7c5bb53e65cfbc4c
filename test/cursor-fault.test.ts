// What keeps a reader's place when syncs fail: what was told to be safe is there after a restart and a power cut, and
// no name of the log is lost by the way.

import { mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { EventLog, orThrow, type Clock } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import type { MemoryCall } from '../src/disk/memory-calls.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import { deposit, folder, openOn } from './log-lab.ts'
import { cursorPath, filled, mailer, place } from './reader-lab.ts'

/** Fails the first call of the operation on the path. */
function once(operation: string, path: string, errno = 'EIO'): (call: MemoryCall) => string | undefined {
  let left = 1
  return (call) => (call.operation === operation && call.path === path && left-- > 0 ? errno : undefined)
}

describe('the folder of the readers', () => {
  it('is made and durable before the log is written to, so that no reader comes between a name and its sync', async () => {
    const disk = new MemoryDisk()
    const log = await openOn(disk)
    const synced: string[] = []
    disk.arm({ calls: ({ operation, path }) => operation === 'sync folder' && synced.push(path) })
    await mailer(log)
    expect(synced).toEqual([`${folder}/readers`, place])
    expect(disk.crash(() => 0).list(`${folder}/readers`)).toMatchObject({ right: [{ name: 'mailer' }] })
  })

  it('fails the opening when its name may be lost, and not the next one', async () => {
    const disk = new MemoryDisk()
    await orThrow((await openOn(disk)).close())
    let made = false
    disk.arm({
      calls: ({ operation }) => void (made ||= operation === 'make folder'),
      fault: ({ operation, path }) => (made && operation === 'sync folder' && path === folder ? 'EIO' : undefined)
    })
    const failed = await EventLog.open(folder, { disk, create: false })()
    expect(failed).toMatchObject({ left: { _tag: 'DiskFailed', operation: 'sync folder', path: folder } })
    disk.arm({})
    await orThrow((await openOn(disk)).close())
  })

  it('made late, after a full disk, poisons the log when the sync of that fails', async () => {
    const disk = new MemoryDisk({ fault: once('make folder', `${folder}/readers`, 'ENOSPC') })
    const log = await openOn(disk)
    await orThrow(log.appendSync(deposit('a')))
    disk.arm({ fault: once('sync folder', folder) })
    expect(await log.reader('mailer')()).toMatchObject({ left: { operation: 'sync folder', path: folder } })
    expect(await log.append(deposit('b'))()).toMatchObject({ left: { _tag: 'Poisoned' } })
  })
})

describe('a registration whose sync has failed', () => {
  it.each([
    [`${folder}/readers`, false],
    [`${folder}/readers`, true],
    [place, false],
    [place, true]
  ])('of %s is made good by the next one, killed in between: %s', async (path, killed) => {
    const before = await filled(3)
    before.disk.arm({ fault: once('sync folder', path) })
    expect(await before.log.reader('mailer', { from: 'end' })()).toMatchObject({ left: { path } })
    before.disk.arm({})
    const disk = killed ? before.disk.processCrash() : before.disk
    const log = killed ? await openOn(disk) : before.log
    const reader = await mailer(log, { from: 'end' })
    await orThrow(log.appendSync(deposit('b')))
    await orThrow(reader.next())
    const committed = await orThrow(reader.commitSync())
    await orThrow(log.appendSync(deposit('c')))
    const cut = await mailer(await openOn(disk.crash(() => 0)), { from: 'end' })
    expect(cut).toMatchObject({ cursor: committed, recovered: undefined })
  })
})

describe('a commit whose sync has failed', () => {
  it('is not believed to be on disk by the next process: what commitSync has answered stays', async () => {
    const { disk, log, stored } = await filled(10)
    await orThrow(log.sync())
    const reader = await mailer(log)
    for (let count = 0; count < stored.length; count++) await orThrow(reader.next())
    const [first, second, third, fourth] = stored.map(({ nextOffset }) => nextOffset)
    await orThrow(reader.commitSync(first))
    await orThrow(reader.commit(second))
    const promised = await orThrow(reader.commitSync(third))
    disk.arm({ fault: once('sync', cursorPath) })
    expect(await reader.commitSync(fourth)()).toMatchObject({ left: { _tag: 'DiskFailed' } })
    const chance = new Chance(7)
    const crashes: MemoryDisk[] = []
    const after: MemoryDisk = disk.processCrash(undefined, {
      calls: () => {
        for (let count = 0; count < 8; count++) crashes.push(after.crash((outcomes) => chance.below(outcomes)))
      }
    })
    const next = await mailer(await openOn(after))
    await orThrow(next.next())
    await orThrow(next.commitSync())
    after.arm({})
    expect(crashes.length).toBeGreaterThan(100)
    for (const crash of crashes) {
      const { cursor } = await mailer(await openOn(crash))
      expect(cursor).toBeGreaterThanOrEqual(promised)
    }
  })
})

it.skipIf(process.platform === 'win32')(
  'a reader whose folder is a link is listed, and holds retention up',
  async () => {
    const outside = mkdtempSync(join(tmpdir(), 'chronicle-link-'))
    const inside = join(outside, 'log')
    try {
      const log = await orThrow(EventLog.open(inside))
      mkdirSync(join(outside, 'elsewhere'))
      for (const [name, target] of [
        ['mailer', 'elsewhere'],
        ['nowhere', 'none']
      ] as const) {
        symlinkSync(join(outside, target), join(inside, 'readers', name))
      }
      await mailer(log)
      expect(await orThrow(log.readers())).toMatchObject([{ name: 'mailer', cursor: 0 }])
      await orThrow(log.close())
    } finally {
      rmSync(outside, { recursive: true, force: true })
    }
  }
)

it.each([
  ['nanoseconds', 1.7e18],
  ['nothing', Number.NaN],
  ['a half', 0.5],
  ['the past', -5]
])('a clock that says %s stops no reader', async (_, now) => {
  const tasks = new Set<() => void>()
  const clock: Clock = { nowMs: () => now, every: (_ms, task) => (tasks.add(task), () => tasks.delete(task)) }
  const disk = new MemoryDisk()
  const log = await openOn(disk, { clock })
  await orThrow(log.append(deposit('a')))
  const reader = await mailer(log)
  await orThrow(reader.next())
  for (const task of tasks) task()
  await orThrow(reader.commit())
  await orThrow(reader.close())
  expect(await orThrow(log.readers())).toMatchObject([{ cursor: reader.cursor, heartbeatMs: 0 }])
  expect((await mailer(log)).cursor).toBe(reader.cursor)
})

it('a clock that throws fails the commit that has asked it, and no other', async () => {
  let broken = false
  const nowMs = (): number => {
    if (broken) throw new Error('stopped')
    return 1
  }
  const log = await openOn(new MemoryDisk(), { clock: { nowMs, every: () => () => {} } })
  await orThrow(log.append(deposit('a')))
  const reader = await mailer(log)
  await orThrow(reader.next())
  broken = true
  await expect(reader.commit()()).rejects.toThrow('stopped')
  broken = false
  await orThrow(reader.commit())
  await orThrow(reader.close())
  await orThrow(log.close())
})
