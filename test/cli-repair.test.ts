// Repairing: nothing healthy is touched, nothing is lost, and it may be interrupted anywhere.

import { describe, expect, it } from 'vitest'
import { orThrow } from '../src/index.ts'
import { headerBytes } from '../src/core/header.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { cli, closedLog, folder, withFiles } from './cli-lab.ts'
import { stories, type Story } from './cli-stories.ts'
import { deposit, diskOf, filesOf, lab, openOn, type Files } from './log-lab.ts'

describe('repair', () => {
  it('answers that the log is locked when a writer has it open, and changes nothing', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append(deposit('a')))
    disk.remove(`${folder}/MARK`)
    const files = filesOf(disk)
    expect(await cli(disk, ['repair', folder, '--apply'])).toMatchObject({ code: 3, output: '' })
    expect((await cli(disk, ['repair', folder, '--apply'])).errors).toContain('is held by process')
    expect(filesOf(disk)).toEqual(files)
    expect((await cli(disk, ['repair', folder])).code).toBe(1)
    await orThrow(log.close())
    expect((await cli(disk, ['repair', folder, '--apply'])).code).toBe(0)
  })

  it('gives the lock back, whatever happens', async () => {
    for (const operation of ['rename', 'read', 'make folder', 'sync'] as const) {
      const disk = await diskOf(withFiles(await closedLog(), { MARK: undefined }))
      let locked = false
      disk.arm({
        fault: (call) => (locked && call.operation === operation ? 'EIO' : undefined),
        calls: (call) => (locked ||= call.operation === 'lock')
      })
      expect((await cli(disk, ['repair', folder, '--apply'])).code, operation).toBe(3)
      disk.arm({})
      await orThrow((await openOn(disk)).close())
    }
  })

  it.each(stories)('$name: without --apply changes nothing', async ({ disk: make }) => {
    const disk = await make()
    await cli(disk, ['verify', folder])
    const files = allFilesOf(disk)
    const { output } = await cli(disk, ['repair', folder])
    expect(allFilesOf(disk)).toEqual(files)
    const applied = await cli(disk, ['repair', folder, '--apply'])
    if (output.startsWith('nothing')) expect([applied.output, allFilesOf(disk)]).toEqual([output, files])
  })

  it.each(stories)('$name: keeps everything that it removes or overwrites', async ({ disk: make, applies = true }) => {
    const disk = await make()
    await cli(disk, ['verify', folder])
    const before = filesOf(disk)
    if (applies) await cli(disk, ['repair', folder, '--apply'])
    const after = filesOf(disk)
    const kept = Buffer.concat([...allFilesOf(disk)].filter(([path]) => !after.has(path)).map(([, bytes]) => bytes))
    for (const [name, bytes] of before) {
      const now = after.get(name) ?? Buffer.alloc(0)
      const isSame = now.equals(bytes)
      if (name.endsWith('.log')) expectSegmentKept(bytes, now, kept)
      else if (!isSame) expect(kept.includes(bytes), name).toBe(true)
    }
  })

  // Beside a writer at work there is nothing to repair.
  const repairable = stories.filter(({ name, applies = true }) => applies && name !== 'tail-growing')
  it.each(repairable)('$name: goes on wherever a power cut or a kill has stopped it', async (story) => {
    const goal = await repairedLog(await story.disk())
    for (const choose of [() => 0, (count: number) => count - 1, sometimes(1), sometimes(2)]) {
      for (const crashed of await crashesOf(story, choose)) expect(await repairedLog(crashed)).toEqual(goal)
    }
  })
})

/** What a segment had and has not is kept: its header, what follows its new end, or all of it. */
function expectSegmentKept(before: Buffer, now: Buffer, kept: Buffer): void {
  const header = before.subarray(0, headerBytes)
  if (!now.subarray(0, headerBytes).equals(header)) expect(kept.includes(header)).toBe(true)
  const shared = Math.min(before.length, now.length)
  if (shared > headerBytes)
    expect(now.subarray(headerBytes, shared).equals(before.subarray(headerBytes, shared))).toBe(true)
  if (now.length < before.length && before.subarray(now.length).some((byte) => byte !== 0)) {
    expect(kept.includes(before.subarray(now.length))).toBe(true)
  }
}

/** The files of the log's folder and of the folders in it, by path. */
function allFilesOf(disk: MemoryDisk): Files {
  const files = new Map(filesOf(disk))
  const listed = disk.list(folder)
  if (listed._tag === 'Left') throw listed.left
  for (const { name, kind } of listed.right) {
    if (kind !== 'folder') continue
    for (const [inner, bytes] of filesOf(disk, `${folder}/${name}`)) files.set(`${name}/${inner}`, bytes)
  }
  return files
}

/** The log's own files when nothing is left to repair: what a temporary file was becomes of no interest. */
async function repairedLog(disk: MemoryDisk): Promise<unknown> {
  await cli(disk, ['repair', folder, '--apply'])
  const again = await cli(disk, ['repair', folder, '--apply'])
  expect(again.output).toMatch(/^nothing|^$/)
  const verified = JSON.parse((await cli(disk, ['verify', folder, '--json'])).output) as {
    findings?: { code: string }[]
  }
  const codes = (verified.findings ?? []).map(({ code }) => code).filter((code) => code !== 'kept-aside')
  const segments = [...filesOf(disk)].filter(([name]) => name.endsWith('.log'))
  return { segments: segments.map(([name, bytes]) => `${name} ${bytes.toString('latin1')}`), codes }
}

const reading: ReadonlySet<string> = new Set(['read', 'stat', 'list', 'lock'])

/** The disk after a power cut, and after a kill, behind each call of a repair; states that are alike come once. */
async function crashesOf(story: Story, choose: (count: number) => number): Promise<Iterable<MemoryDisk>> {
  const disk = await story.disk()
  await cli(disk, ['verify', folder])
  const crashes = new Map<string, MemoryDisk>()
  disk.arm({
    calls: ({ operation }) => {
      if (reading.has(operation)) return
      for (const crashed of [disk.crash(choose), disk.processCrash(choose)]) {
        const state = [...allFilesOf(crashed)].map(([path, bytes]) => `${path} ${bytes.toString('latin1')}`)
        crashes.set(state.join('\n'), crashed)
      }
    }
  })
  await cli(disk, ['repair', folder, '--apply'])
  return crashes.values()
}

/** Choices that look random and are always the same. */
function sometimes(seed: number): (count: number) => number {
  let state = seed
  return (count) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
    return (state >>> 8) % count
  }
}
