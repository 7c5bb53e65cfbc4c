// The log on both disks under the contract of the store, with segments that hold everything and with segments so small
// that nearly every batch rolls; and the contract itself, which must notice a store that breaks it.

import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs'
import { randomInt, randomUUID } from 'node:crypto'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { headerBytes } from '../src/core/header.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { makeNodeDisk } from '../src/disk/node.ts'
import { makeSlot } from '../src/disk/slot.ts'
import { LocalStore } from '../src/log/store.ts'
import type { Disk } from '../src/port/disk.ts'
import type { Store } from '../src/port/store.ts'
import { storeContract, type StoreCapabilities, type StoreFixture } from '../src/testing.ts'
import type { Mutant } from './store-live-mutants.ts'
import { broken, mutants } from './store-mutants.ts'

const capabilities: StoreCapabilities = { reopen: true, reader: true, clock: true, damage: true }

interface Place {
  readonly disk: Disk
  readonly folder: string
  readonly segmentBytes: number
  readonly flip: (path: string, position: number) => void
  readonly cleanup: () => void
}

async function fixture({ disk, folder, segmentBytes, flip, cleanup }: Place): Promise<StoreFixture> {
  let now = 1_000
  const opened: Store[] = []
  const open = async (readOnly: boolean): Promise<Store> => {
    const store = await LocalStore.open(folder, {
      disk,
      slot: makeSlot(disk),
      clock: { nowMs: () => now, every: () => () => {} },
      entropy: { u32: () => randomInt(2 ** 32), eventId: randomUUID },
      readOnly,
      create: !readOnly,
      segmentBytes,
      pendingBytes: 64 * 1024 * 1024,
      checkpointBytes: 300,
      syncEveryMs: undefined
    })
    if (store._tag === 'Left') throw store.left
    opened.push(store.right)
    return store.right
  }
  return {
    store: await open(false),
    reopen: () => open(false),
    openReader: () => open(true),
    damage: ({ offset, nextOffset }) => {
      const path = segmentOf(disk, folder, offset)
      const base = Number(path.slice(-24, -4))
      // In the middle of the payload.
      flip(path, Math.floor((offset + nextOffset) / 2) - base + headerBytes)
    },
    setTime: (nowMs) => {
      now = nowMs
    },
    cleanup: async () => {
      for (const store of opened) await store.close()
      cleanup()
    }
  }
}

function segmentOf(disk: Disk, folder: string, offset: number): string {
  const listed = disk.list(folder)
  if (listed._tag === 'Left') throw listed.left
  const names = listed.right.map(({ name }) => name).filter((name) => name.endsWith('.log'))
  const name = names.sort().findLast((one) => Number(one.slice(0, 20)) <= offset)
  return `${folder}/${name}`
}

function inMemory(segmentBytes: number): Promise<StoreFixture> {
  const disk = new MemoryDisk()
  const flip = (path: string, position: number): void => disk.corrupt(path, position, 0x10)
  return fixture({ disk, folder: '/log', segmentBytes, flip, cleanup: () => {} })
}

function onNode(segmentBytes: number): Promise<StoreFixture> {
  const root = mkdtempSync(join(tmpdir(), 'chronicle-store-'))
  const disk = makeNodeDisk({ nowMs: () => 1_000 })
  const cleanup = (): void => rmSync(root, { recursive: true })
  return fixture({ disk, folder: join(root, 'log'), segmentBytes, flip: flipOnDisk, cleanup })
}

function flipOnDisk(path: string, position: number): void {
  const file = openSync(path, 'r+')
  const byte = Buffer.alloc(1)
  readSync(file, byte, 0, 1, position)
  byte[0] = (byte[0] ?? 0) ^ 0x10
  writeSync(file, byte, 0, 1, position)
  closeSync(file)
}

const suites = [
  { title: 'the log on a memory disk', make: () => inMemory(64 * 1024 * 1024) },
  { title: 'the log on a memory disk, in small segments', make: () => inMemory(256) },
  { title: "the log on Node's disk", make: () => onNode(64 * 1024 * 1024) },
  { title: "the log on Node's disk, in small segments", make: () => onNode(700) }
]

for (const { title, make } of suites) {
  describe(title, () => {
    for (const { name, run } of storeContract(make, capabilities)) it(name, run)
  })
}

async function brokenFixture(overrides: Mutant['overrides']): Promise<StoreFixture> {
  // In small segments, so that there is something to trim.
  const fine = await inMemory(256)
  const wrap = (store: Store): Store => broken(store, overrides(store))
  const { reopen, openReader } = fine
  return {
    ...fine,
    store: wrap(fine.store),
    reopen: reopen && (async () => wrap(await reopen())),
    openReader: openReader && (async () => wrap(await openReader()))
  }
}

describe('the contract', () => {
  const laws = storeContract(() => inMemory(256), capabilities)

  it.each(mutants)('notices by "$law …": $mutant', async ({ law, overrides }) => {
    const suite = storeContract(() => brokenFixture(overrides), capabilities)
    const mine = suite.filter(({ name }) => name.startsWith(law))
    expect(mine).toHaveLength(1)
    await expect(mine[0]?.run()).rejects.toBeInstanceOf(Error)
  })

  it('has no law that nothing breaks', () => {
    const unbroken = laws.filter(({ name }) => !mutants.some(({ law }) => name.startsWith(law)))
    expect(unbroken.map(({ name }) => name)).toEqual([])
  })

  it('says why it skips what a store cannot be shown', () => {
    const skip = { skip: 'it is a list' }
    const suite = storeContract(() => inMemory(256), { reopen: skip, reader: skip, clock: skip, damage: skip })
    expect(suite.map(({ name }) => name)).toEqual(laws.map(({ name }) => name))
    const skipped = suite.filter((test) => test.skip !== undefined)
    expect(skipped.map((test) => test.skip)).toEqual(Array.from({ length: 8 }, () => 'it is a list'))
    expect(laws.every((test) => test.skip === undefined)).toBe(true)
  })
})
