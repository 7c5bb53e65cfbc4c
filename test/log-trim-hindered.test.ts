// Trims that something stands in the way of: index files that cannot be read back, indexes that are built anew meanwhile,
// files that cannot be removed, and a record of the trim that somebody else has written. Each of them ends.

import { right } from 'fp-ts/lib/Either.js'
import { describe, expect, it, vi } from 'vitest'
import { orThrow, type EventLog } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { IndexFile } from '../src/indexing/index-file.ts'
import { TierFile } from '../src/indexing/tier-file.ts'
import { trimName } from '../src/indexing/trim-format.ts'
import { mergeTrim } from '../src/indexing/trim-merge.ts'
import { deposit, eventsOf, filesOf, lab, labEntropy, namesOf, openOn, putFile, turn } from './log-lab.ts'
import type { LabOptions } from './log-lab.ts'

const small: LabOptions = { segmentBytes: 256 }

/** Appends so many events, each to a segment of its own but for the first two. */
async function fill(log: EventLog, count: number): Promise<void> {
  for (let nth = 0; nth < count; nth++) await orThrow(log.append(deposit('a', 'x'.repeat(90))))
}

/** As many attempts as somebody might make who never gives up; then the disk lets them through. */
const attemptsMax = 200

describe('a trim', () => {
  it('fails when the indexes can be written and not be opened, and works when they can', async () => {
    const { disk, log } = await lab(small)
    let opens = 0
    disk.arm({
      fault: ({ operation, path }) =>
        operation === 'open' && path.endsWith('.idx') && ++opens < attemptsMax ? 'EMFILE' : undefined
    })
    await fill(log, 8)
    expect(await log.trim(log.end)()).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'EMFILE' } })
    expect(opens).toBeLessThan(attemptsMax)
    expect([log.first, (await eventsOf(log.replay())).length]).toEqual([0, 8])
    disk.arm({})
    expect((await orThrow(log.trim(log.end))).first).toBeGreaterThan(0)
    expect(await orThrow(log.version('a'))).toBe(8)
    await orThrow(log.close())
  })

  it('goes on beside rebuilds of the indexes of what it trims', async () => {
    let seed = 5
    const random = (below: number): number => {
      seed = (seed * 1_103_515_245 + 12_345) & 0x7fff_ffff
      return (seed >> 8) % below
    }
    const turns = async (below: number): Promise<void> => {
      for (let left = random(below); left > 0; left--) await turn()
    }
    for (let round = 0; round < 40; round++) {
      const disk = new MemoryDisk({ gate: () => turns(8) })
      const log = await openOn(disk, { segmentBytes: 1_024 })
      await fill(log, 30)
      const beside: Promise<unknown>[] = []
      for (let count = 0; count < 4; count++) {
        beside.push(log.rebuildIndex()())
        await turns(30)
      }
      const trimming = log.trim(log.end)()
      for (let count = 0; count < 2; count++) {
        await turns(30)
        beside.push(log.rebuildIndex()())
      }
      expect(await trimming).toMatchObject({ _tag: 'Right' })
      for (const rebuilt of await Promise.all(beside)) expect(rebuilt).toEqual(right(undefined))
      await orThrow(log.close())
    }
  })

  it('removes what the one before could not, also when nothing else goes', async () => {
    const { disk, log } = await lab(small)
    await fill(log, 8)
    disk.arm({
      fault: ({ operation, path }) => (operation === 'remove' && path.endsWith('.log') ? 'EBUSY' : undefined)
    })
    const before = namesOf(disk, 'log').length
    expect(await log.trim(log.end)()).toMatchObject({ left: { errno: 'EBUSY' } })
    expect(namesOf(disk, 'log').length).toBe(before)
    disk.arm({})
    expect(await orThrow(log.trim(log.end))).toMatchObject({ first: log.first, segments: [] })
    expect(namesOf(disk, 'log').length).toBe(1)
    await orThrow(log.close())
  })
})

describe('what others have taken the place of', () => {
  it('is forgotten when it is closed', async () => {
    const { disk, log } = await lab({ ...small, checkpointBytes: 200 })
    await fill(log, 60)
    await orThrow(log.trim(log.end))
    await fill(log, 60)
    await orThrow(log.rebuildIndex())
    const closes = [vi.spyOn(IndexFile.prototype, 'close'), vi.spyOn(TierFile.prototype, 'close')]
    try {
      await orThrow(log.close())
      const files = [...filesOf(disk).keys()].filter((name) => /\.(idx|tier)$/.test(name)).length
      const closed = closes.reduce((sum, { mock }) => sum + mock.calls.length, 0)
      // What was retired last of each kind may still be known.
      expect(closed).toBeLessThanOrEqual(files + 2)
    } finally {
      for (const close of closes) close.mockRestore()
    }
  })
})

describe('an aggregate whose version somebody has made the last that there is', () => {
  it('takes no event that could not be read again', async () => {
    const { disk, log } = await lab({ ...small, entropy: labEntropy(7) })
    await fill(log, 4)
    const { first } = await orThrow(log.trim(log.end))
    await orThrow(log.close())
    const entries = [right({ aggregateId: 'z', events: 1, version: Number.MAX_SAFE_INTEGER })]
    const parts: Uint8Array[] = []
    for (const part of mergeTrim({ logId: 7, lastFrameCrc: 1, first }, [{ entries, lastTimestampMs: 1_000 }])) {
      if (part._tag === 'Right') parts.push(part.right)
    }
    await putFile(disk, trimName(first), Buffer.concat(parts))
    const again = await openOn(disk, small)
    expect(await again.append([deposit('b'), deposit('z')])()).toMatchObject({
      left: { _tag: 'InvalidEvent', path: '$.aggregateId', index: 1 }
    })
    await orThrow(again.append(deposit('b')))
    expect((await eventsOf(again.replay())).map(({ event }) => event.aggregateId)).not.toContain('z')
    await orThrow(again.close())
  })
})
