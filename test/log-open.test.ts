// Opening: options, folders that hold no log or something else, segments that are missing, foreign or not segments at
// all. A log is never made where one was, and nothing is deleted that somebody else has put there.

import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { EventLog, Offset, orThrow, type OpenOptions, type EventBody } from '../src/index.ts'
import { encodeHeader, headerBytes } from '../src/core/header.ts'
import { markName } from '../src/core/mark.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import {
  deposit,
  diskOf,
  eventsOf,
  filesOf,
  folder,
  lab,
  labEntropy,
  openOn,
  plainAll,
  putFile,
  type Files
} from './log-lab.ts'

function temporary(): string {
  const made = mkdtempSync(join(tmpdir(), 'chronicle-open-'))
  onTestFinished(() => rmSync(made, { recursive: true, force: true }))
  return made
}

/** A closed log of three segments, one event in each. */
async function threeSegments(
  entropy = labEntropy()
): Promise<{ files: Map<string, Buffer>; bases: readonly number[] }> {
  const { disk, log } = await lab({ segmentBytes: 256, entropy })
  const bases: number[] = []
  for (const id of ['a', 'b', 'c']) bases.push((await orThrow(log.append(deposit(id, 'x'.repeat(100))))).offset)
  await orThrow(log.close())
  return { files: filesOf(disk), bases }
}

function name(base: number, extension = 'log'): string {
  return `${String(base).padStart(20, '0')}.${extension}`
}

async function openingOf(files: Files, readOnly = false): Promise<unknown> {
  const disk = await diskOf(files)
  const opened = await EventLog.open(folder, { disk, readOnly })()
  if (opened._tag === 'Right') await opened.right.close()()
  else
    for (const [file, bytes] of filesOf(disk)) expect(bytes.equals(files.get(file) ?? Buffer.alloc(0)), file).toBe(true)
  return opened
}

describe('opening', () => {
  it.each<[string, string, OpenOptions<EventBody>]>([
    ['an empty folder name', '', {}],
    ['a zero in the folder name', 'a\0b', {}],
    ['too small a segment', '/log', { segmentBytes: 255 }],
    ['too large a segment', '/log', { segmentBytes: 2 ** 31 }],
    ['half a byte', '/log', { segmentBytes: 1_000.5 }],
    ['nothing that may wait', '/log', { pendingBytes: 0 }],
    ['no interval', '/log', { sync: { everyMs: 0 } }],
    ['an endless interval', '/log', { sync: { everyMs: Number.POSITIVE_INFINITY } }]
  ])('refuses %s as InvalidArgument, and makes nothing', async (_, path, options) => {
    const disk = new MemoryDisk()
    expect(await EventLog.open(path, { ...options, disk })()).toMatchObject({ left: { _tag: 'InvalidArgument' } })
    expect(disk.counts.size).toBe(0)
  })

  it('makes the folder and those above it, and finds the log there again', async () => {
    const path = join(temporary(), 'deep', 'er')
    const log = await orThrow(EventLog.open(path))
    await orThrow(log.append(deposit('a')))
    await orThrow(log.close())
    const again = await orThrow(EventLog.open(path, { create: false }))
    expect((await eventsOf(again.replay())).length).toBe(1)
    await orThrow(again.close())
  })

  it.each([{ readOnly: true }, { create: false }, { readOnly: true, create: true }])(
    'of no log with %o is NotFound, and makes nothing',
    async (options) => {
      const path = temporary()
      for (const place of [join(path, 'none'), path]) {
        expect(await EventLog.open(place, options)()).toMatchObject({ left: { _tag: 'NotFound', path: place } })
      }
      expect(readdirSync(path).filter((file) => file !== 'LOCK')).toEqual([])
    }
  )

  it('of a file in the place of the folder is a disk error', async () => {
    const path = join(temporary(), 'file')
    writeFileSync(path, 'mine')
    for (const readOnly of [true, false]) {
      expect(await EventLog.open(path, { readOnly })()).toMatchObject({ left: { _tag: 'DiskFailed' } })
    }
  })

  it('leaves what is not of the log alone', async () => {
    const { files } = await threeSegments()
    const foreign = ['notes.txt', '1.log', '00000000000000000000.log.bak', '99999999999999999999.log', 'x.idx']
    for (const file of foreign) files.set(file, Buffer.from(`this is ${file}`))
    const disk = await diskOf(files)
    const log = await openOn(disk)
    await orThrow(log.append(deposit('d')))
    expect((await eventsOf(log.replay())).length).toBe(4)
    await orThrow(log.rebuildIndex())
    await orThrow(log.close())
    for (const file of foreign) expect(filesOf(disk).get(file)?.toString()).toBe(`this is ${file}`)
  })
})

describe('what stands in a segment\u2019s place', () => {
  it.each<[string, (path: string) => void]>([
    ['a folder', (path) => mkdirSync(path)],
    [
      'a link to a segment',
      (path) => {
        renameSync(path, `${path}.moved`)
        symlinkSync(`${path}.moved`, path)
      }
    ],
    ['a link to nothing', (path) => symlinkSync('/nowhere/at/all', path)],
    ['a pipe', (path) => execFileSync('mkfifo', [path])]
  ])('%s is refused as BadSegment', async (what, put) => {
    const path = temporary()
    const log = await orThrow(EventLog.open(path))
    await orThrow(log.append(deposit('a')))
    await orThrow(log.close())
    const segment = join(path, name(0))
    if (what !== 'a link to a segment') rmSync(segment)
    put(segment)
    for (const readOnly of [false, true]) {
      expect(await EventLog.open(path, { readOnly })()).toMatchObject({ left: { _tag: 'BadSegment', path: segment } })
    }
  })

  it('a file of another program is refused, and left as it is', async () => {
    for (const content of ['hello', 'x'.repeat(100), '\0'.repeat(40), 'CHRN' + '\0'.repeat(40)]) {
      const opened = await openingOf(new Map([[name(0), Buffer.from(content)]]))
      expect(opened, JSON.stringify(content)).toMatchObject({ left: { _tag: 'BadSegment' } })
    }
  })

  it('a segment of another log is ForeignSegment', async () => {
    const { files, bases } = await threeSegments()
    const { files: other } = await threeSegments(labEntropy(7))
    const place = name(bases[1] as number)
    files.set(place, other.get(place) as Buffer)
    for (const readOnly of [false, true]) {
      expect(await openingOf(files, readOnly)).toMatchObject({
        left: { _tag: 'ForeignSegment', path: `${folder}/${place}`, logId: 7, expectedLogId: 0x51ed_1e55 }
      })
    }
  })

  it('a segment under another name is BadSegment', async () => {
    const { files, bases } = await threeSegments()
    files.set(name(bases[2] as number), files.get(name(bases[1] as number)) as Buffer)
    expect(await openingOf(files)).toMatchObject({ left: { _tag: 'BadSegment' } })
  })

  it('a segment that runs into the next one is BadSegment', async () => {
    const { files, bases } = await threeSegments()
    const place = name(bases[1] as number)
    files.set(place, Buffer.concat([files.get(place) as Buffer, Buffer.from('more')]))
    expect(await openingOf(files)).toMatchObject({ left: { _tag: 'BadSegment', path: `${folder}/${place}` } })
  })

  it('a segment of a later version is UnsupportedVersion, whatever its checksum says', async () => {
    const { files, bases } = await threeSegments()
    for (const base of bases) {
      const bytes = Buffer.from(files.get(name(base)) as Buffer)
      bytes.writeUInt16LE(2, 4)
      expect(await openingOf(new Map(files).set(name(base), bytes))).toMatchObject({
        left: { _tag: 'UnsupportedVersion', version: 2, supported: 1 }
      })
    }
  })
})

describe('a segment that is missing', () => {
  it('first, in the middle, or several, is damage of exactly its offsets, and stays so', async () => {
    const { files, bases } = await threeSegments()
    const end = Offset(files.get(name(bases[2] as number))?.length ?? 0) - headerBytes + (bases[2] as number)
    const edges = [...bases, end]
    const tries = [[0], [1], [0, 1]].flatMap((gone) => [true, false].map((withIndex) => ({ gone, withIndex })))
    for (const { gone, withIndex } of tries) {
      const lost = new Set(gone.map((place) => name(bases[place] as number)))
      const left = [...files].filter(([file]) => !lost.has(file) && (withIndex || !file.endsWith('.idx')))
      const region = {
        offset: edges[gone[0] as number],
        nextOffset: edges[(gone.at(-1) as number) + 1],
        reason: 'missing'
      }
      const disk = await diskOf(new Map(left))
      for (const readOnly of [true, false, false]) {
        const log = await openOn(disk, { readOnly })
        expect(log.recovery.damage).toEqual([region])
        const replayed = await plainAll(log.replay())
        expect(replayed.filter((one) => '_tag' in (one as object))).toEqual([{ _tag: 'Corrupt', ...region }])
        expect(replayed.length).toBe(3 - gone.length + 1)
        expect(await plainAll(log.replay(undefined, { backwards: true }))).toEqual([...replayed].reverse())
        const byType = log.replay(undefined, { query: { types: ['Deposited'] } })
        expect(await plainAll(byType)).toEqual(replayed)
        expect(log.end).toBe(end)
        await orThrow(log.close())
      }
    }
  })

  it('last, with everything behind it, is damage up to what the mark vouches for', async () => {
    const { files, bases } = await threeSegments()
    const end = (files.get(name(bases[2] as number))?.length ?? 0) - headerBytes + (bases[2] as number)
    files.delete(name(bases[1] as number))
    files.delete(name(bases[2] as number))
    const disk = await diskOf(files)
    for (const readOnly of [true, false, false]) {
      const log = await openOn(disk, { readOnly })
      expect(log.recovery.damage.map(({ offset, nextOffset }) => [offset, nextOffset])).toEqual([[bases[1], end]])
      expect(log.end).toBe(end)
      if (!readOnly) await orThrow(log.append(deposit('d')))
      await orThrow(log.close())
      if (!readOnly) break
    }
    const again = await openOn(disk)
    expect((await plainAll(again.replay())).length).toBe(3)
    expect((await orThrow(again.loadAggregate('d'))).map((one) => one.offset)).toEqual([end])
    await orThrow(again.close())
  })

  it('with all others refuses to make a new log over it', async () => {
    const { files } = await threeSegments()
    const mark = new Map([[markName, files.get(markName) as Buffer]])
    expect(await openingOf(mark)).toMatchObject({ left: { _tag: 'BadSegment' } })
    expect(await openingOf(mark, true)).toMatchObject({ left: { _tag: 'BadSegment' } })
  })
})

describe('a segment whose creation a crash cut off', () => {
  it('is set aside at every byte, and the log goes on before it', async () => {
    const { files, bases } = await threeSegments()
    const base = bases[2] as number
    const whole = files.get(name(base)) as Buffer
    for (let bytes = 0; bytes < headerBytes; bytes++) {
      // What was durable when the third segment was made: the first two, and a mark up to there at most.
      const left = new Map(files).set(name(base), whole.subarray(0, bytes))
      left.delete(markName)
      left.delete(name(base, 'idx'))
      const disk = await diskOf(left)
      const reader = await openOn(disk, { readOnly: true })
      expect((await eventsOf(reader.replay())).length).toBe(2)
      expect(reader.end).toBe(base)
      await orThrow(reader.close())
      const log = await openOn(disk, { segmentBytes: 256 })
      expect(log.end).toBe(base)
      expect(filesOf(disk, `${folder}/torn`).size).toBe(1)
      await orThrow(log.append(deposit('d', 'y'.repeat(100))))
      expect((await eventsOf(log.replay())).map((one) => one.event.aggregateId)).toEqual(['a', 'b', 'd'])
      await orThrow(log.close())
      const again = await openOn(disk)
      expect((await eventsOf(again.replay())).length).toBe(3)
      await orThrow(again.close())
    }
  })

  it.each(['its mark', 'its index'])('is refused when %s says that it held something', async (what) => {
    const { files, bases } = await threeSegments()
    const base = bases[2] as number
    files.delete(what === 'its mark' ? name(base, 'idx') : markName)
    files.set(name(base), (files.get(name(base)) as Buffer).subarray(0, 20))
    for (const readOnly of [true, false]) {
      expect(await openingOf(files, readOnly)).toMatchObject({ left: { _tag: 'BadSegment' } })
    }
  })

  it('as the first one leaves no log, and a new one is made', async () => {
    for (let bytes = 0; bytes < headerBytes; bytes++) {
      const header = encodeHeader({ createdAt: 1, baseOffset: 0, logId: 9 }).subarray(0, bytes)
      const disk = await diskOf(new Map([[name(0), header]]))
      expect(await EventLog.open(folder, { disk, readOnly: true })()).toMatchObject({ left: { _tag: 'NotFound' } })
      const log = await openOn(disk)
      await orThrow(log.append(deposit('a')))
      await orThrow(log.close())
    }
  })

  it('in the middle is damage that nobody repairs: BadSegment', async () => {
    const { files, bases } = await threeSegments()
    files.set(name(bases[1] as number), Buffer.alloc(10))
    for (const evidence of ['', markName, name(bases[1] as number, 'idx')]) {
      files.delete(evidence)
      expect(await openingOf(files)).toMatchObject({ left: { _tag: 'BadSegment' } })
    }
  })
})

describe('bytes that were moved', () => {
  it('swapped frames, and a frame over another, are damage where they stand', async () => {
    const { disk, log } = await lab()
    const receipts = []
    for (const id of ['a', 'b', 'c']) receipts.push(await orThrow(log.append(deposit(id))))
    await orThrow(log.close())
    const [one, two, three] = receipts.map((receipt) => [receipt.offset, receipt.nextOffset] as const)
    const bytes = filesOf(disk).get(name(0)) as Buffer
    const frame = (range: readonly [number, number] | undefined): Buffer =>
      bytes.subarray(headerBytes + (range?.[0] ?? 0), headerBytes + (range?.[1] ?? 0))
    expect(frame(one).length).toBe(frame(two).length)
    for (const [order, lost] of [
      [
        [frame(two), frame(one), frame(three)],
        [0, two?.[1]]
      ],
      [
        [frame(one), frame(one), frame(three)],
        [two?.[0], two?.[1]]
      ]
    ] as const) {
      const changed = await diskOf(filesOf(disk))
      await putFile(changed, name(0), Buffer.concat([bytes.subarray(0, headerBytes), ...order]))
      const again = await openOn(changed)
      const replayed = (await plainAll(again.replay())) as { _tag?: string; offset: number; nextOffset: number }[]
      const regions = replayed.filter((element) => element._tag === 'Corrupt')
      expect(regions.map((region) => [region.offset, region.nextOffset])).toEqual([lost])
      expect(replayed.at(-1)).toMatchObject({ event: { aggregateId: 'c' } })
      await orThrow(again.close())
    }
  })
})
