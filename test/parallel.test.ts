// Folds by real threads, over logs on the disk: what they come to, and what happens when something goes wrong, in the
// log, in the caller's module, or to a thread. Whatever it is, no thread is left behind.

import { mkdtempSync, openSync, closeSync, readdirSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { Corrupt, EventLog, FoldFailed, InvalidStored, Offset, orThrow, type Receipt } from '../src/index.ts'
import { foldInParallel, type ParallelOptions } from '../src/parallel.ts'
import { headerBytes } from '../src/core/header.ts'
import type { fold as totals } from './parallel/totals.ts'

const folder = mkdtempSync(join(tmpdir(), 'chronicle-parallel-'))
const events = 4_000
const receipts: Receipt[] = []

/** A module of this folder's `parallel`. */
function module(name: string): URL {
  return new URL(`./parallel/${name}`, import.meta.url)
}

// The threads load TypeScript, which this process has vitest for; and pieces so short that a small log is shared out.
const execArgv = ['--import', module('typescript.mjs').href]
const threaded: ParallelOptions = { workers: 3, pieceBytes: 4_096, execArgv }

function cents(from: number, until: number): string {
  return Array.from({ length: until - from }, (_, place) => `${from + place},`).join('')
}

async function fill(path: string): Promise<readonly Receipt[]> {
  const log = await orThrow(EventLog.open(path, { segmentBytes: 300_000 }))
  const written: Receipt[] = []
  for (let from = 0; from < events; from += 10) {
    const batch = Array.from({ length: 10 }, (_, place) => ({
      aggregateId: `account-${place}`,
      eventType: 'Deposited',
      payload: { cents: from + place },
      ...(place === 3 && { tags: ['third'] })
    }))
    written.push(await orThrow(log.append(batch)))
  }
  await orThrow(log.close())
  return written
}

beforeAll(async () => {
  receipts.push(...(await fill(folder)))
})

afterAll(() => {
  rmSync(folder, { recursive: true, force: true })
})

/** What keeps this process alive and is a thread. */
function threads(): readonly string[] {
  return process.getActiveResourcesInfo().filter((name) => /worker|messageport/i.test(name))
}

const before = threads()

afterEach(() => {
  expect(threads()).toEqual(before)
})

describe('a fold by several threads', () => {
  it('comes to what one thread comes to, in the order of the log, and several have worked', async () => {
    const { state, from, until } = await orThrow(foldInParallel<typeof totals>(folder, module('totals.ts'), threaded))
    expect(state.order).toBe(cents(0, events))
    expect([state.events, state.cents]).toEqual([events, (events * (events - 1)) / 2])
    expect(state.threads.size).toBeGreaterThan(1)
    expect([from, until]).toEqual([0, receipts.at(-1)?.nextOffset])
  })

  it('folds a range, and goes on from where it ended', async () => {
    const middle = receipts[150]?.nextOffset ?? Offset(0)
    const first = await orThrow(
      foldInParallel<typeof totals>(folder, module('totals.ts'), { ...threaded, until: middle })
    )
    const rest = await orThrow(
      foldInParallel<typeof totals>(folder, module('totals.ts'), { ...threaded, from: first.until })
    )
    expect(first.state.order).toBe(cents(0, 1_510))
    expect(rest.state.order).toBe(cents(1_510, events))
  })

  it('folds what a query finds', async () => {
    const query = { tags: ['third'] }
    const { state } = await orThrow(foldInParallel<typeof totals>(folder, module('totals.ts'), { ...threaded, query }))
    expect(state.order).toBe(Array.from({ length: events / 10 }, (_, batch) => `${batch * 10 + 3},`).join(''))
  })

  it('folds a small log in this thread, to a state of the same kind', async () => {
    const options = { ...threaded, pieceBytes: 1_000_000 }
    const { state } = await orThrow(foldInParallel<typeof totals>(folder, module('totals.ts'), options))
    expect(state.order).toBe(cents(0, events))
    expect(state.threads.size).toBe(1)
  })

  it('reads beside the writer what it has appended', async () => {
    const path = join(folder, 'live')
    await fill(path)
    await using log = await orThrow(EventLog.open(path))
    await orThrow(log.append({ aggregateId: 'account-1', eventType: 'Deposited', payload: { cents: events } }))
    const { state, until } = await orThrow(foldInParallel<typeof totals>(path, module('totals.ts'), threaded))
    expect(state.order).toBe(cents(0, events + 1))
    expect(until).toBe(log.end)
  })

  it('refuses what makes no sense, before anything is read', async () => {
    const wrong: readonly (readonly [string, ParallelOptions])[] = [
      ['workers', { workers: 0 }],
      ['pieceBytes', { pieceBytes: 1.5 }],
      ['from', { from: -1 as Offset }],
      ['query', { query: { tags: 'third' } as never }]
    ]
    for (const [argument, options] of wrong) {
      const result = await foldInParallel(folder, module('totals.ts'), options)()
      expect(result).toMatchObject({ _tag: 'Left', left: { _tag: 'InvalidArgument', argument } })
    }
    const forProcesses = { ...threaded, execArgv: ['--expose-gc'] }
    const refused = await foldInParallel(folder, module('totals.ts'), forProcesses)()
    expect(refused).toMatchObject({ _tag: 'Left', left: { _tag: 'InvalidArgument', argument: 'execArgv' } })
    const relative = await foldInParallel(folder, './totals.ts' as never)()
    expect(relative).toMatchObject({ _tag: 'Left', left: { argument: 'module' } })
    const nowhere = await foldInParallel(join(folder, 'nowhere'), module('totals.ts'))()
    expect(nowhere).toMatchObject({ _tag: 'Left', left: { _tag: 'NotFound' } })
    const inside = await foldInParallel(folder, module('totals.ts'), { ...threaded, until: Offset(1) })()
    expect(inside).toMatchObject({ _tag: 'Left', left: { _tag: 'InvalidOffset' } })
    const beyond = await foldInParallel(folder, module('totals.ts'), { ...threaded, until: Offset(2 ** 40) })()
    expect(beyond).toMatchObject({ _tag: 'Left', left: { _tag: 'InvalidOffset' } })
  })
})

describe('damage', () => {
  const path = join(folder, 'damaged')
  const receiptsOfDamaged: Receipt[] = []

  function spoil(offset: number, bytes: number): void {
    const segments = readdirSync(path)
      .filter((name) => name.endsWith('.log'))
      .toSorted()
    const name = segments.findLast((one) => Number(one.slice(0, 20)) <= offset) ?? ''
    const file = openSync(join(path, name), 'r+')
    writeSync(file, Buffer.alloc(bytes, '~'), 0, bytes, offset - Number(name.slice(0, 20)) + headerBytes + 40)
    closeSync(file)
  }

  /** As one who reads alone meets it. */
  async function firstDamage(): Promise<Corrupt> {
    await using log = await orThrow(EventLog.open(path, { readOnly: true }))
    for await (const element of log.replay()) {
      if (element._tag === 'Left' && element.left instanceof Corrupt) return element.left
    }
    throw new Error('nothing is damaged')
  }

  it('is the answer: the earliest, as an error of its own class, although another thread met a later one first', async () => {
    const written = await fill(path)
    receiptsOfDamaged.push(...written)
    for (const batch of [200, 310]) spoil(written[batch]?.offset ?? 0, 1)
    // Over several pieces.
    spoil(written[90]?.offset ?? 0, 20_000)
    const { offset, nextOffset } = await firstDamage()
    expect(offset).toBe(written[90]?.offset)
    expect(nextOffset - offset).toBeGreaterThan(20_000)
    for (const options of [threaded, { ...threaded, workers: 1 }]) {
      const result = await foldInParallel(path, module('totals.ts'), options)()
      if (result._tag === 'Right') throw new Error('the damage was not seen')
      expect(result.left).toBeInstanceOf(Corrupt)
      expect(result.left).toMatchObject({ offset, nextOffset, reason: 'checksum' })
    }
  })

  it('is not looked for in a range that is none', async () => {
    const inside = Offset((receiptsOfDamaged.at(-1)?.offset ?? 0) + 1)
    const result = await foldInParallel(path, module('totals.ts'), { ...threaded, until: inside })()
    expect(result).toMatchObject({ _tag: 'Left', left: { _tag: 'InvalidOffset', offset: inside } })
  })

  it('of an event that does not decode is told with its path', async () => {
    const path2 = join(folder, 'other')
    await fill(path2)
    const log = await orThrow(EventLog.open(path2))
    const { offset } = await orThrow(
      log.append({ aggregateId: 'a', eventType: 'Deposited', payload: { cents: 'many' } })
    )
    await orThrow(log.close())
    const result = await foldInParallel(path2, module('totals.ts'), threaded)()
    if (result._tag === 'Right') throw new Error('the event decodes')
    expect(result.left).toBeInstanceOf(InvalidStored)
    expect(result.left).toMatchObject({ offset, path: '$.payload.cents', code: 'CHRONICLE_INVALID_STORED' })
  })
})

describe('a module that goes wrong', () => {
  async function failureOf(way: string, options = threaded): Promise<FoldFailed> {
    const result = await foldInParallel(folder, module(way), options)()
    if (result._tag === 'Right' || result.left._tag !== 'FoldFailed') throw new Error(`not refused: ${way}`)
    expect(result.left).toBeInstanceOf(FoldFailed)
    expect(result.left.message).toContain(way)
    return result.left
  }

  it('in evolve: told with the first event, and the cause', async () => {
    for (const options of [threaded, { ...threaded, workers: 1 }]) {
      const failed = await failureOf('throwing.ts', options)
      expect(failed).toMatchObject({ step: 'evolve', offset: 0, cause: new RangeError('no more') })
      expect(failed.message).toContain('no more')
    }
  })

  it('in merge', async () => {
    expect(await failureOf('unmerged.ts')).toMatchObject({
      step: 'merge',
      cause: { message: 'these do not go together' }
    })
  })

  it('while it is loaded, here or in a thread only', async () => {
    expect(await failureOf('unloadable.ts')).toMatchObject({ step: 'load' })
    const failed = await failureOf('unloadable-apart.ts')
    expect(failed).toMatchObject({ step: 'load', cause: { message: 'not in a thread' } })
    expect(await failureOf('missing.ts')).toMatchObject({ step: 'load' })
    expect((await failureOf('empty.ts')).message).toContain('exports nothing under the name fold')
  })

  it('with a state that cannot be copied, in a small log too', async () => {
    for (const options of [threaded, { ...threaded, workers: 1 }]) {
      const failed = await failureOf('uncopied.ts', options)
      expect(failed).toMatchObject({ step: 'copy', cause: { name: 'DataCloneError' } })
    }
  })

  it('by ending its thread', async () => {
    const failed = await failureOf('leaving.ts')
    expect(failed).toMatchObject({ step: 'thread' })
    expect(failed.message).toContain('code 3')
  })
})

describe('an abort', () => {
  it('before and during the fold is the answer', async () => {
    const early = await foldInParallel(folder, module('totals.ts'), { ...threaded, signal: AbortSignal.abort('no') })()
    expect(early).toMatchObject({ _tag: 'Left', left: { _tag: 'Aborted', cause: 'no' } })
    const controller = new AbortController()
    const channel = new BroadcastChannel('chronicle-endless')
    channel.onmessage = () => controller.abort('enough')
    const options = { ...threaded, signal: controller.signal }
    const result = await foldInParallel(folder, module('endless.ts'), options)()
    channel.close()
    expect(result).toMatchObject({ _tag: 'Left', left: { _tag: 'Aborted', cause: 'enough' } })
  })
})
