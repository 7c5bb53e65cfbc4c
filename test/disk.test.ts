// Both disks under the one contract, and what is true of one of them alone.

import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, it } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import { makeNodeDisk } from '../src/disk/node.ts'
import { diskContract, type DiskCapabilities, type DiskFixture } from '../src/testing/disk-contract.ts'

const windows = process.platform === 'win32'

const nodeCapabilities: DiskCapabilities = {
  symlink: windows ? { skip: 'Windows makes symbolic links for administrators only' } : symlinkSync,
  pipe: windows ? { skip: 'Windows has no pipes in folders' } : (path) => execFileSync('mkfifo', [path])
}

const memoryCapabilities: DiskCapabilities = {
  symlink: { skip: 'the memory disk has no symbolic links' },
  pipe: { skip: 'the memory disk has no pipes' }
}

async function onNode(flockProgram?: string): Promise<DiskFixture> {
  const folder = mkdtempSync(join(tmpdir(), 'chronicle-disk-'))
  const disk = makeNodeDisk({ nowMs: () => 1_000, flockProgram })
  return { disk, folder, cleanup: () => rmSync(folder, { recursive: true }) }
}

async function inMemory(): Promise<DiskFixture> {
  const disk = new MemoryDisk()
  await disk.makeFolder('/tests')
  return { disk, folder: '/tests', cleanup: () => {} }
}

const suites = [
  { title: "Node's disk", make: () => onNode(), capabilities: nodeCapabilities },
  { title: "Node's disk without a flock program", make: () => onNode('/no/flock'), capabilities: nodeCapabilities },
  { title: 'the memory disk', make: inMemory, capabilities: memoryCapabilities }
]

for (const { title, make, capabilities } of suites) {
  describe(title, () => {
    for (const { name, skip, run } of diskContract(make, capabilities)) {
      it.skipIf(skip !== undefined)(skip === undefined ? name : `${name} (skipped: ${skip})`, run)
    }
  })
}
