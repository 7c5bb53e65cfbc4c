// Slots: whatever happens while one is saved, its name stands for the whole old value or the whole new one.

import type { Either } from 'fp-ts/lib/Either.js'
import { expect, it } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import { makeSlot } from '../src/disk/slot.ts'
import type { Disk } from '../src/port/disk.ts'

function good<A>(result: Either<Error, A>): A {
  if (result._tag === 'Left') throw result.left
  return result.right
}

function text(disk: Disk, path: string): string | undefined {
  const file = disk.open(path, 'read')
  if (file._tag === 'Left') return undefined
  const bytes = Buffer.alloc(good(file.right.size()))
  good(file.right.readSync(bytes, 0))
  return bytes.toString('latin1')
}

function parts(...texts: readonly string[]): readonly Uint8Array[] {
  return texts.map((one) => Buffer.from(one))
}

/** A fixed sequence of numbers that look random, for choices. */
function seeded(seed: number): (count: number) => number {
  let state = seed
  return (count) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * count)
  }
}

it('a saved value is the concatenation of its parts, survives a power cut, and leaves no temporary file', async () => {
  const disk = new MemoryDisk()
  await disk.makeFolder('/x')
  const slot = makeSlot(disk)
  good(await slot.save('/x/mark', parts('ab', '', 'cde')))
  expect(
    text(
      disk.crash(() => 0),
      '/x/mark'
    )
  ).toBe('abcde')
  good(await slot.save('/x/mark', parts()))
  expect(
    text(
      disk.crash(() => 0),
      '/x/mark'
    )
  ).toBe('')
  good(await slot.save('top', parts('t')))
  expect(
    text(
      disk.crash(() => 0),
      '/top'
    )
  ).toBe('t')
  expect(good(disk.list('/x')).map((entry) => entry.name)).toEqual(['mark'])
})

it('a power cut or a kill at any moment of a save leaves the old value or the new one', async () => {
  const first = 'old value'
  const second = `new ${'value'.repeat(300)}`
  const found = new Set<string | undefined>()
  const disk: MemoryDisk = new MemoryDisk()
  const slot = makeSlot(disk)
  good(await slot.save('/mark', parts(first)))
  disk.arm({
    calls: () => {
      for (let seed = 0; seed < 100; seed++) found.add(text(disk.crash(seeded(seed)), '/mark'))
      found.add(
        text(
          disk.processCrash((bytes) => bytes >> 1),
          '/mark'
        )
      )
    }
  })
  good(await slot.save('/mark', parts(second.slice(0, 700), second.slice(700))))
  expect(found).toEqual(new Set([first, second]))
})

it('a failure of any call is reported, keeps the old value until the rename, and does not spoil the next save', async () => {
  for (let failing = 0; ; failing++) {
    const disk = new MemoryDisk()
    const slot = makeSlot(disk)
    good(await slot.save('/mark', parts('old')))
    let calls = 0
    let failed: string | undefined
    disk.arm({
      fault: (call) => {
        if (calls++ !== failing) return undefined
        failed = call.operation
        return { errno: 'ENOSPC', writtenBytes: 1 }
      }
    })
    const saved = await slot.save('/mark', parts('new', 'er'))
    disk.arm({})
    if (failed === undefined) {
      good(saved)
      expect(failing).toBe(7) // remove, open, two writes, sync, rename, sync folder
      return
    }
    expect(saved).toMatchObject({ left: { _tag: 'DiskFull', operation: failed } })
    expect(text(disk, '/mark')).toBe(failed === 'sync folder' ? 'newer' : 'old')
    if (failed !== 'sync folder')
      expect(
        text(
          disk.crash(() => 0),
          '/mark'
        )
      ).toBe('old')
    expect(good(disk.list('/')).map((entry) => entry.name)).toEqual(['mark'])
    good(await slot.save('/mark', parts('next')))
    expect(text(disk, '/mark')).toBe('next')
  }
})

it('a temporary file that a crash left behind is replaced', async () => {
  const disk = new MemoryDisk()
  const stale = good(disk.open('/mark.tmp', 'create'))
  good(stale.writeSync(Buffer.from('a long stale value'), 0))
  good(await makeSlot(disk).save('/mark', parts('new')))
  expect(text(disk, '/mark')).toBe('new')
  expect(text(disk, '/mark.tmp')).toBeUndefined()
})

it('saves of one path follow each other in the order of the calls; other paths do not wait', async () => {
  const disk = new MemoryDisk()
  const slot = makeSlot(disk)
  const settled: string[] = []
  const held: (() => void)[] = []
  const hold = (): Promise<void> =>
    new Promise((resolve) => {
      held.push(resolve)
    })
  disk.arm({ gate: (call) => (call.path === '/a.tmp' ? hold() : Promise.resolve()) })
  const save = async (path: string, value: string): Promise<void> => {
    good(await slot.save(path, parts(value)))
    settled.push(`${path} ${value}`)
  }
  const saves = [save('/a', '1'), save('/a', '2')]
  await save('/b', '3')
  expect(settled).toEqual(['/b 3'])
  disk.arm({})
  for (const go of held) go()
  await Promise.all(saves)
  expect(settled).toEqual(['/b 3', '/a 1', '/a 2'])
  expect(text(disk, '/a')).toBe('2')
})

it('a failed save does not keep the next one of its path from starting', async () => {
  const disk = new MemoryDisk()
  const slot = makeSlot(disk)
  disk.arm({ fault: (call) => (call.operation === 'sync' ? 'EIO' : undefined) })
  const first = slot.save('/a', parts('1'))
  const second = slot.save('/a', parts('2'))
  expect((await first)._tag).toBe('Left')
  disk.arm({})
  good(await second)
  expect(text(disk, '/a')).toBe('2')
})
