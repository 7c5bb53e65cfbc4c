// The entry chronicle-log/testing as its users have it: fault plans and commands on a real log, the contract suite on
// a disk of one's own, the example that finds its planted bugs; and nothing of it in the main entry.

import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import type { TaskEither } from 'fp-ts/lib/TaskEither.js'
import { describe, expect, it } from 'vitest'
import { catchUp, hasty, repeating, skipping } from '../examples/corruption/balances.ts'
import { findings } from '../examples/corruption/find.ts'
import { EventLog, orThrow, type Disk, type EventBody, type NewEvent, type OpenError } from '../src/index.ts'
import type { OpenOptions } from '../src/index.ts'
import {
  crashDisk,
  damageLog,
  diskContract,
  failNth,
  failWhere,
  MemoryDisk,
  plannedFaults,
  runLogCommands,
  type LogCommand
} from '../src/testing.ts'
import { importsOf } from './tidy/rule.ts'

const root = join(import.meta.dirname, '..')

/** Every module that an entry loads: files, and packages by their names. */
function loadedBy(entry: string, seen: Set<string> = new Set()): ReadonlySet<string> {
  const path = join(root, entry)
  if (seen.has(entry) || !existsSync(path)) return seen
  seen.add(entry)
  for (const specifier of importsOf(readFileSync(path, 'utf8'))) {
    if (specifier.startsWith('.')) loadedBy(join(dirname(entry), specifier), seen)
    else seen.add(specifier)
  }
  return seen
}

describe('the main entry', () => {
  it('loads nothing of fast-check, nor of what is for tests', () => {
    const loaded = [...loadedBy('src/index.ts')]
    expect(loaded).toContain(join('src', 'log', 'store.ts'))
    expect(loaded).not.toContain('fast-check')
    expect(loaded.filter((one) => one.includes('testing') || one.includes('memory.ts'))).toEqual([])
    expect([...loadedBy('src/testing.ts')]).toContain('fast-check')
  })
})

function deposit(cents: number): NewEvent {
  return { aggregateId: 'ada', eventType: 'Deposited', payload: { cents } }
}

function open(disk: Disk, options: Omit<OpenOptions<EventBody>, 'codec'> = {}): TaskEither<OpenError, EventLog> {
  return EventLog.open('/log', { ...options, disk })
}

async function payloads(disk: Disk): Promise<readonly unknown[]> {
  const log = await orThrow(open(disk))
  const all: unknown[] = []
  for await (const { event } of orThrow(log.replay())) all.push(event.payload)
  await orThrow(log.close())
  return all
}

describe('fault plans', () => {
  it('fail the n-th of the calls that are meant, and no other', async () => {
    const disk = new MemoryDisk()
    const log = await orThrow(open(disk))
    disk.arm({ fault: plannedFaults(failNth(2, 'ENOSPC', { operation: 'write', path: '.log' })) })
    const results = []
    for (const cents of [1, 2, 3]) results.push(await log.append(deposit(cents))())
    expect(results.map((result) => (result._tag === 'Left' ? result.left._tag : 'Right'))).toEqual([
      'Right',
      'DiskFull',
      'Right'
    ])
    await orThrow(log.close())
    expect(await payloads(disk)).toEqual([{ cents: 1 }, { cents: 3 }])
  })

  it('fail every call that is meant, until the disk is armed anew', async () => {
    const disk = new MemoryDisk()
    const log = await orThrow(open(disk))
    disk.arm({ fault: plannedFaults(failWhere({ operation: ['write', 'truncate'], path: '.log' }, 'EIO')) })
    for (const cents of [1, 2]) expect(await log.append(deposit(cents))()).toMatchObject({ left: { _tag: 'Poisoned' } })
    disk.arm({})
    await log.close()()
    expect(await payloads(disk)).toEqual([])
  })

  it('leave a write half done', async () => {
    const disk = new MemoryDisk()
    await orThrow((await orThrow(open(disk))).close())
    const file = await orThrow(async () => disk.open('/log/MARK', 'write'))
    disk.arm({ fault: plannedFaults(failNth(1, { errno: 'EIO', writtenBytes: 2 })) })
    const before = Buffer.alloc(4)
    expect(file.writeSync(Buffer.from('abcd'), 0)).toMatchObject({ left: { errno: 'EIO' } })
    await orThrow(async () => file.readSync(before, 0))
    expect(before.toString('latin1')).toMatch(/^ab(?!cd)/)
    file.close()
  })

  it('count each for itself, and the first that fails a call says how', () => {
    const fault = plannedFaults(
      failNth(2, 'EIO', { operation: 'sync' }),
      failNth(1, 'ENOSPC', { path: 'b' }),
      failWhere({ operation: 'sync', path: 'b' }, 'EROFS')
    )
    const ask = (operation: 'sync' | 'read', path: string): unknown => fault({ index: 0, operation, path })
    expect([ask('sync', 'a'), ask('read', 'b'), ask('sync', 'b'), ask('sync', 'b')]).toEqual([
      undefined,
      'ENOSPC',
      'EIO',
      'EROFS'
    ])
    expect(() => failNth(0, 'EIO')).toThrow('counted from 1')
  })

  it('are plain data', () => {
    const plan = failNth(2, { errno: 'EIO', writtenBytes: 7 }, { operation: ['sync', 'write'], path: '.idx' })
    expect(JSON.parse(JSON.stringify(plan))).toEqual(plan)
  })
})

describe('commands', () => {
  const append = (cents: number, more: object = {}): LogCommand =>
    ({ type: 'append', events: [deposit(cents)], conditions: [], durability: 'buffered', wait: true, ...more }) as const

  it('are run in their order, each with its answer', async () => {
    const disk = new MemoryDisk()
    const begun: number[] = []
    const run = await runLogCommands(
      [
        append(1),
        append(2, { durability: 'synced', wait: false }),
        append(3, { conditions: [{ aggregateId: 'ada', version: 'none' }] }),
        { type: 'reopen' },
        { type: 'rebuildIndex' },
        append(4),
        { type: 'sync' }
      ],
      { open: open(disk), onCommand: (index) => void begun.push(index) }
    )
    if (run._tag === 'Left') throw run.left
    const answers = run.right.outcomes.map(({ index, result }) => [
      index,
      result._tag === 'Left' ? result.left._tag : result.right?.durability
    ])
    expect(answers.sort(([a], [b]) => Number(a) - Number(b))).toEqual([
      [0, 'buffered'],
      [1, 'synced'],
      [2, 'ConditionFailed'],
      [3, undefined],
      [4, undefined],
      [5, 'buffered'],
      [6, undefined]
    ])
    expect(begun).toEqual([0, 1, 2, 3, 4, 5, 6])
    await orThrow(run.right.log.close())
    expect(await payloads(disk)).toEqual([{ cents: 1 }, { cents: 2 }, { cents: 4 }])
  })

  it('that do not wait share a write', async () => {
    const writes = async (wait: boolean): Promise<number> => {
      const disk = new MemoryDisk()
      await runLogCommands([append(1, { wait }), append(2, { wait }), append(3, { wait })], { open: open(disk) })
      return disk.counts.get('write') ?? 0
    }
    expect((await writes(true)) - (await writes(false))).toBe(2)
  })

  it('say when the log does not open', async () => {
    const run = await runLogCommands([append(1)], { open: open(new MemoryDisk(), { readOnly: true }) })
    expect(run).toMatchObject({ left: { _tag: 'NotFound' } })
  })
})

describe('crashes and damage', () => {
  it('a power cut that keeps nothing keeps what was synced; a kill keeps all', async () => {
    const disk = new MemoryDisk()
    const log = await orThrow(open(disk))
    await orThrow(log.appendSync(deposit(1)))
    await orThrow(log.append(deposit(2)))
    const cut = crashDisk(disk, { kind: 'power cut', keeps: 'nothing' })
    expect(await payloads(cut)).toEqual([{ cents: 1 }])
    const everything = crashDisk(disk, { kind: 'power cut', keeps: 'everything' })
    expect(await payloads(everything)).toEqual([{ cents: 1 }, { cents: 2 }])
    const killed = crashDisk(disk, { kind: 'kill', tornBytes: undefined })
    expect(await payloads(killed)).toEqual([{ cents: 1 }, { cents: 2 }])
    // Inside of the last write: its batch is gone.
    const torn = crashDisk(disk, { kind: 'kill', tornBytes: 20 })
    expect(await payloads(torn)).toEqual([{ cents: 1 }])
  })

  it('damage is done where it says, and the log tells', async () => {
    const disk = new MemoryDisk()
    const log = await orThrow(open(disk))
    for (const cents of [1, 2, 3]) await orThrow(log.append(deposit(cents)))
    await orThrow(log.close())
    const done = await damageLog(disk, '/log', [{ segment: 4, harm: { kind: 'flip', at: 20, mask: 1 } }])
    expect(done).toEqual(['00000000000000000000.log: the byte at offset 20 is flipped by 0x01'])
    const again = await orThrow(open(disk))
    const tags: string[] = []
    for await (const element of again.replay()) tags.push(element._tag)
    expect(tags).toEqual(['Left', 'Right', 'Right'])
  })
})

describe('damage to a log', () => {
  it('is fitted to the file, wherever it was drawn for', async () => {
    const disk = new MemoryDisk()
    const log = await orThrow(open(disk))
    const { nextOffset } = await orThrow(log.append(deposit(1)))
    await orThrow(log.close())
    const far = 10 * nextOffset
    const done = []
    for (const harm of [
      { kind: 'flip', at: far + 3, mask: 255 },
      { kind: 'zero', at: far + 3, length: nextOffset },
      { kind: 'swap', at: 1, other: far, length: far + 2 },
      { kind: 'truncate', length: far + 5 }
    ] as const) {
      done.push(...(await damageLog(disk, '/log', [{ segment: 0, harm }])))
    }
    const [flipped, zeroed, swapped = '', cut] = done.map((text) => text.replace(/^0{20}\.log: /, ''))
    expect([flipped, zeroed, cut]).toEqual([
      'the byte at offset 3 is flipped by 0xff',
      'offsets 3 to 6 are zeros',
      'the file is cut off at offset 5'
    ])
    const [, end, other] = /^offsets 1 to (\d+) have changed places with those at (\d+)$/.exec(swapped) ?? []
    expect(Number(end)).toBeLessThanOrEqual(Number(other))
    expect(Number(other) + Number(end) - 1).toBeLessThanOrEqual(nextOffset)
  })
})

describe('the contract of the disk', () => {
  it('runs without a test runner on a disk of one’s own, and notices what is wrong with it', async () => {
    const make = (disk: MemoryDisk) => async () => {
      await disk.makeFolder('/tests')
      return { disk, folder: '/tests', cleanup: () => {} }
    }
    const capabilities = { symlink: { skip: 'it has none' }, pipe: { skip: 'it has none' } }
    const failures = async (disk: () => MemoryDisk): Promise<number> => {
      const tests = diskContract(() => make(disk())(), capabilities).filter(({ skip }) => skip === undefined)
      expect(tests.length).toBeGreaterThan(20)
      const results = await Promise.allSettled(tests.map(({ run }) => run()))
      return results.filter(({ status }) => status === 'rejected').length
    }
    expect(await failures(() => new MemoryDisk())).toBe(0)
    expect(
      await failures(() => new MemoryDisk({ fault: plannedFaults(failWhere({ operation: 'rename' }, 'EIO')) }))
    ).toBe(3)
  })
})

describe('the example of corruption', () => {
  const damaged =
    /^the projection answers Right on a damaged log.*\ndamage: [^\n]+\na replay of the log now:\n {2}offset 0: Left\(Corrupt: \w+\) up to \d+\nexpected: \{"(?:ada|bob)":-?1\}\nanswered: \{\}$/
  const repeated =
    /- the projection catches up\n[^]*expected: \{"balances":\{"ada":1\}.*\nanswered: \{"balances":\{"ada":2\}/
  const tookBack = /- append of \d events? \(buffered.*\n- the projection catches up\n- a power cut that keeps/

  it.each([
    { name: 'skipping', version: skipping, found: { 'survives damage': damaged, resumes: /- damage: / } },
    { name: 'repeating', version: repeating, found: { resumes: repeated } },
    { name: 'hasty', version: hasty, found: { resumes: tookBack } }
  ])('finds the bug of $name, and shrinks it to a short story', async ({ version, found }) => {
    const bugs = (await findings(version, { numRuns: 500, seed: 1 })).filter(({ story }) => story !== undefined)
    expect(bugs.map(({ property }) => property)).toEqual(Object.keys(found))
    for (const [place, story] of Object.values(found).entries()) expect(bugs[place]?.story).toMatch(story)
  })

  it('finds nothing in the mended version', async () => {
    const found = await findings(catchUp, { numRuns: 300 })
    expect(found.map(({ story }) => story)).toEqual([undefined, undefined, undefined])
  })
})
