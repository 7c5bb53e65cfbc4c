// A segment whose creation a crash cut off: whatever part of its header the disk has kept, the log opens. A file that
// somebody else put there does not pass for one.

import { expect, it } from 'vitest'
import { EventLog } from '../src/index.ts'
import { encodeHeader, headerBytes } from '../src/core/header.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { good } from '../src/testing/disk-probe.ts'
import { openOn } from './log-lab.ts'

const name = '00000000000000000000.log'
const header = encodeHeader({ createdAt: 1_700_000_000_000, baseOffset: 0, logId: 0x1234_5678 })

async function diskWith(bytes: Uint8Array): Promise<MemoryDisk> {
  const disk = new MemoryDisk()
  good(await disk.makeFolder('/log'))
  const file = good(disk.open(`/log/${name}`, 'create'))
  good(file.writeSync(bytes, 0))
  file.close()
  return disk
}

function asideOn(disk: MemoryDisk): Buffer {
  const file = good(disk.open(`/log/torn/${name}-1.bin`, 'read'))
  const bytes = Buffer.alloc(good(file.size()))
  good(file.readSync(bytes, 0))
  return bytes
}

it('the remains of a header are set aside, whichever end of it was lost', async () => {
  for (let length = 0; length < headerBytes; length++) {
    const without = Buffer.from(header).fill(0, 0, headerBytes - length)
    for (const bytes of [header.subarray(0, length), Buffer.from(header).fill(0, length), without]) {
      const disk = await diskWith(bytes)
      const log = await openOn(disk)
      expect(log.end).toBe(0)
      expect(log.recovery.damage).toEqual([])
      expect(asideOn(disk)).toEqual(Buffer.from(bytes))
    }
  }
})

it('a small file that is no header is refused, and so is a later version', async () => {
  const later = Buffer.from(header)
  later[4] = 2
  const tags: string[] = []
  for (const bytes of [Buffer.from('hello'), Buffer.from('CHRO'), Buffer.concat([Buffer.alloc(8), header]), later]) {
    const disk = await diskWith(bytes)
    const opened = await EventLog.open('/log', { disk })()
    tags.push(opened._tag === 'Left' ? opened.left._tag : 'opened')
    expect(disk.list('/log/torn')._tag).toBe('Left')
  }
  expect(tags).toEqual(['BadSegment', 'BadSegment', 'BadSegment', 'UnsupportedVersion'])
})
