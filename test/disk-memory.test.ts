// What the memory disk alone can do: lose power, be killed inside a write, fail on demand, wait, and rot.

import type { Either } from 'fp-ts/lib/Either.js'
import { describe, expect, it } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import type { MemoryCall } from '../src/disk/memory-calls.ts'
import type { Disk, DiskFile } from '../src/port/disk.ts'

const nothing = (): number => 0
const everything = (count: number): number => count - 1

function good<A>(result: Either<Error, A>): A {
  if (result._tag === 'Left') throw result.left
  return result.right
}

function open(disk: Disk, path: string, mode: 'read' | 'write' | 'create'): DiskFile {
  return good(disk.open(path, mode))
}

function text(disk: Disk, path: string): string | undefined {
  const file = disk.open(path, 'read')
  if (file._tag === 'Left') return undefined
  const bytes = Buffer.alloc(good(file.right.size()))
  good(file.right.readSync(bytes, 0))
  return bytes.toString('latin1')
}

function names(disk: Disk, folder: string): readonly string[] {
  return good(disk.list(folder))
    .map((entry) => entry.name)
    .sort()
}

function write(file: DiskFile, content: string, position = 0): void {
  good(file.writeSync(Buffer.from(content, 'latin1'), position))
}

/** A disk with the durable file /a, empty. */
async function diskWithFile(): Promise<{ disk: MemoryDisk; file: DiskFile }> {
  const disk = new MemoryDisk()
  const file = open(disk, '/a', 'create')
  good(await disk.syncFolder('/'))
  return { disk, file }
}

/** Every content of /a that some sequence of choices leaves, found by trying all sequences. */
function allOutcomes(disk: MemoryDisk): ReadonlySet<string | undefined> {
  const outcomes = new Set<string | undefined>()
  let picks: number[] | undefined = []
  while (picks !== undefined) {
    const asked: number[] = []
    const current: readonly number[] = picks
    outcomes.add(
      text(
        disk.crash((count) => current[asked.push(count) - 1] ?? 0),
        '/a'
      )
    )
    picks = nextPicks(current, asked)
  }
  return outcomes
}

/** The sequence of choices after this one, as a counter whose digits have the bases that were asked for. */
function nextPicks(picks: readonly number[], bases: readonly number[]): number[] | undefined {
  const digits = bases.map((_, index) => picks[index] ?? 0)
  while (digits.length > 0) {
    const last = (digits.pop() as number) + 1
    if (last < (bases[digits.length] as number)) return [...digits, last]
  }
  return undefined
}

describe('a power cut', () => {
  it('may tear a write at any byte, from either side, and keep the size apart from the data', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'abc')
    expect(allOutcomes(disk)).toEqual(new Set(['', 'a', 'ab', 'abc', '\0\0\0', 'a\0\0', 'ab\0', '\0bc', '\0\0c']))
  })

  it('may lose or keep each sector of a write', async () => {
    const { disk, file } = await diskWithFile()
    write(file, '.'.repeat(1_600))
    good(await file.sync())
    write(file, 'x'.repeat(1_200), 200)
    const sectors = (choices: readonly number[]): string => {
      let next = 0
      const content = text(
        disk.crash(() => choices[next++] ?? 0),
        '/a'
      ) as string
      return [content[200], content[511], content[512], content[1_023], content[1_024], content[1_399]].join('')
    }
    // The fifth of six outcomes is "by sectors"; then one choice for each of the three that the write touches.
    expect(sectors([4, 1, 0, 1])).toBe('xx..xx')
    expect(sectors([4, 0, 1, 0])).toBe('..xx..')
    expect(sectors([4, 0, 0, 0])).toBe('......')
  })

  it('may keep a later write and lose an earlier one', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'a')
    write(file, 'b', 1)
    expect(allOutcomes(disk)).toEqual(new Set(['', 'a', '\0', '\0b', 'ab', 'a\0', '\0\0']))
  })

  it('may lose or keep a truncation', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'abcd')
    good(await file.sync())
    good(file.truncate(1))
    expect(allOutcomes(disk)).toEqual(new Set(['abcd', 'a']))
  })

  it('leaves a new file empty when its name was synced and its content was not', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'abc')
    expect(text(disk.crash(nothing), '/a')).toBe('')
  })

  it('takes a file whose content was synced and whose name was not', async () => {
    const disk = new MemoryDisk()
    const file = open(disk, '/a', 'create')
    write(file, 'abc')
    good(await file.sync())
    expect(text(disk.crash(nothing), '/a')).toBeUndefined()
    expect(text(disk.crash(everything), '/a')).toBe('abc')
    good(await disk.syncFolder('/'))
    expect(text(disk.crash(nothing), '/a')).toBe('abc')
  })

  it('brings a removed file back until its folder is synced', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'abc')
    good(await file.sync())
    good(disk.remove('/a'))
    expect(text(disk, '/a')).toBeUndefined()
    expect(text(disk.crash(nothing), '/a')).toBe('abc')
    good(await disk.syncFolder('/'))
    expect(text(disk.crash(everything), '/a')).toBeUndefined()
  })

  it('never splits a rename within a folder, and may split one between two', async () => {
    const disk = new MemoryDisk()
    good(await disk.makeFolder('/x'))
    good(await disk.makeFolder('/y'))
    open(disk, '/x/a', 'create')
    good(await disk.syncFolder('/x'))
    good(disk.rename('/x/a', '/x/b'))
    const cuts = [[0], [0, 0], [0, 1], [1, 0], [1, 1]].map((choices) => {
      let next = 0
      return names(
        disk.crash(() => choices[next++] ?? 0),
        '/x'
      ).join()
    })
    expect(new Set(cuts)).toEqual(new Set(['a', 'b']))
    good(await disk.syncFolder('/x'))
    good(disk.rename('/x/b', '/y/b'))
    good(await disk.syncFolder('/x'))
    expect([names(disk.crash(nothing), '/x'), names(disk.crash(nothing), '/y')]).toEqual([[], []])
    expect(names(disk.crash(everything), '/y')).toEqual(['b'])
  })

  it('removes with a name only the file that was removed, not the one that a lost rename had replaced', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'old')
    good(await file.sync())
    open(disk, '/b', 'create')
    good(await disk.syncFolder('/'))
    good(disk.rename('/b', '/a'))
    good(disk.remove('/a'))
    const choices = [1, 0, 1] // any of the changes: not the rename, but the removal
    let next = 0
    const after = disk.crash(() => choices[next++] ?? 0)
    expect(text(after, '/a')).toBe('old')
    expect(names(after, '/')).toEqual(['a', 'b'])
  })

  it('leaves folders that makeFolder has made', async () => {
    const disk = new MemoryDisk()
    good(await disk.makeFolder('/x/y/z'))
    expect(names(disk.crash(nothing), '/x/y')).toEqual(['z'])
  })

  it('leaves a folder whose name could not be synced at first, once it was made again', async () => {
    let faults = 1
    const disk = new MemoryDisk({
      fault: ({ operation }) => (operation === 'sync folder' && faults-- > 0 ? 'EIO' : undefined)
    })
    expect(await disk.makeFolder('/x')).toMatchObject({ left: { operation: 'sync folder', path: '/' } })
    expect(names(disk, '/')).toEqual([])
    good(await disk.makeFolder('/x'))
    expect(names(disk.crash(nothing), '/')).toEqual(['x'])
  })

  it('knows nothing of what became of a buffer after the write', async () => {
    const { disk, file } = await diskWithFile()
    const bytes = Buffer.from('abc')
    good(file.writeSync(bytes, 0))
    bytes.fill('x')
    expect(text(disk.crash(everything), '/a')).toBe('abc')
    expect(
      text(
        disk.processCrash((count) => count),
        '/a'
      )
    ).toBe('abc')
    good(await file.sync())
    expect(text(disk.crash(nothing), '/a')).toBe('abc')
  })

  it('leaves the disk that it was taken from as it was, and frees the locks of the new one', async () => {
    const { disk, file } = await diskWithFile()
    good(await disk.lock('/'))
    write(file, 'abc')
    const after = disk.crash(nothing)
    expect(text(disk, '/a')).toBe('abc')
    expect((await disk.lock('/'))._tag).toBe('Left')
    expect((await after.lock('/'))._tag).toBe('Right')
    expect((await disk.processCrash().lock('/'))._tag).toBe('Right')
  })

  it('leaves the same when it comes again', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'abcdef')
    let next = 0
    const after = disk.crash((count) => [2, 3, 0][next++] ?? count - 1)
    expect(text(after, '/a')).toBe('abc')
    expect(text(after.crash(nothing), '/a')).toBe('abc')
    expect(text(after.crash(everything), '/a')).toBe('abc')
  })
})

describe('a sync', () => {
  it('covers the writes that returned before it began, and no later one', async () => {
    const waiting: (() => void)[] = []
    const { disk, file } = await diskWithFile()
    disk.arm({
      gate: () =>
        new Promise((resolve) => {
          waiting.push(resolve)
        })
    })
    write(file, 'early')
    const sync = file.sync()
    write(file, 'late', 5)
    expect(text(disk.crash(nothing), '/a')).toBe('')
    for (const go of waiting) go()
    good(await sync)
    expect(text(disk.crash(nothing), '/a')).toBe('early')
  })

  it('that fails leaves its writes unknown for ever: a later success does not save them', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'lost')
    disk.arm({ fault: (call) => (call.operation === 'sync' ? 'EIO' : undefined) })
    expect(await file.sync()).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'EIO' } })
    disk.arm({})
    expect(text(disk, '/a')).toBe('lost') // readers see it, which is the trap
    good(await file.sync())
    write(file, 'saved', 4)
    good(await file.sync())
    expect(text(disk.crash(nothing), '/a')).toBe('\0\0\0\0saved')
    expect(text(disk.crash(everything), '/a')).toBe('lostsaved')
  })

  it('of a folder that fails leaves its names unknown for ever', async () => {
    const disk = new MemoryDisk({ fault: (call) => (call.operation === 'sync folder' ? 'EIO' : undefined) })
    open(disk, '/a', 'create')
    expect((await disk.syncFolder('/'))._tag).toBe('Left')
    disk.arm({})
    good(await disk.syncFolder('/'))
    expect(names(disk.crash(nothing), '/')).toEqual([])
    expect(names(disk.crash(everything), '/')).toEqual(['a'])
  })
})

describe('a killed process', () => {
  it('loses no write, and makes none durable', async () => {
    const { disk, file } = await diskWithFile()
    write(file, 'abc')
    const after = disk.processCrash()
    expect(text(after, '/a')).toBe('abc')
    expect(text(after.crash(nothing), '/a')).toBe('')
  })

  it('tears the write that it dies in, and no other', async () => {
    const { disk, file } = await diskWithFile()
    write(file, '....', 0)
    write(file, 'abcd', 2)
    expect(
      text(
        disk.processCrash(() => 3),
        '/a'
      )
    ).toBe('..abc')
    expect(
      text(
        disk.processCrash(() => 0),
        '/a'
      )
    ).toBe('....')
    expect(
      text(
        disk.processCrash((bytes) => bytes),
        '/a'
      )
    ).toBe('..abcd')
    good(file.size())
    expect(
      text(
        disk.processCrash(() => 0),
        '/a'
      )
    ).toBe('..abcd')
  })
})

describe('the hooks', () => {
  it('see every call in its order, after its effect', async () => {
    const seen: string[] = []
    const disk: MemoryDisk = new MemoryDisk({
      calls: (call, error) =>
        seen.push(`${call.index} ${call.operation} ${call.path} ${text(disk.clone(), '/a')} ${error?._tag}`)
    })
    const file = open(disk, '/a', 'create')
    write(file, 'x')
    disk.open('/none', 'read')
    good(await file.sync())
    expect(seen).toEqual([
      '0 open /a  undefined',
      '1 write /a x undefined',
      '2 open /none x DiskFailed',
      '3 sync /a x undefined'
    ])
    expect(Object.fromEntries(disk.counts)).toEqual({ open: 2, write: 1, sync: 1 })
  })

  it('fail any call, a write also after some bytes', async () => {
    const { disk, file } = await diskWithFile()
    const calls: MemoryCall[] = []
    disk.arm({
      fault: (call) => {
        calls.push(call)
        return call.operation === 'write' ? { errno: 'ENOSPC', writtenBytes: 2 } : 'EIO'
      }
    })
    expect(file.writeSync(Buffer.from('abc'), 1)).toMatchObject({
      left: { _tag: 'DiskFull', errno: 'ENOSPC', path: '/a' }
    })
    const results = [
      file.size(),
      file.truncate(0),
      file.readSync(Buffer.alloc(1), 0),
      await file.read(Buffer.alloc(1), 0),
      await file.sync(),
      disk.list('/'),
      disk.open('/b', 'create'),
      disk.rename('/a', '/b'),
      disk.remove('/a'),
      await disk.syncFolder('/'),
      await disk.makeFolder('/x'),
      await disk.lock('/')
    ]
    for (const result of results) expect(result).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'EIO' } })
    expect(calls).toHaveLength(13)
    disk.arm({})
    expect(text(disk, '/a')).toBe('\0ab')
    expect(names(disk, '/')).toEqual(['a'])
    expect((await disk.lock('/'))._tag).toBe('Right')
  })

  it('that always fail end makeFolder, whatever they answer', async () => {
    expect(await new MemoryDisk({ fault: () => 'ENOENT' }).makeFolder('/x/y')).toMatchObject({
      left: { errno: 'ENOENT' }
    })
  })
})

it('bit rot is there for good, on the platter and for every reader, and never grows a file', async () => {
  const { disk, file } = await diskWithFile()
  write(file, 'abc')
  good(await file.sync())
  disk.corrupt('/a', 1, 0x20)
  disk.corrupt('/a', 7, 0xff)
  expect(text(disk, '/a')).toBe('aBc')
  expect(text(disk.crash(nothing), '/a')).toBe('aBc')
  write(file, 'b', 1)
  good(await file.sync())
  expect(text(disk.crash(nothing), '/a')).toBe('abc')
})
