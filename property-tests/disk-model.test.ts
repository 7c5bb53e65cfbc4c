// Without a crash the memory disk behaves as Node's disk does, call for call, errors included. What was tried on the
// one may then be relied upon on the other.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import fc from 'fast-check'
import type { Either } from 'fp-ts/lib/Either.js'
import { expect, it } from 'vitest'
import type { DiskError } from '../src/core/error.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { makeNodeDisk } from '../src/disk/node.ts'
import type { Disk, DiskFile } from '../src/port/disk.ts'
import { tree } from './memory-disk/look.ts'

type Call =
  | { readonly call: 'open'; readonly name: string; readonly mode: 'read' | 'write' | 'create' }
  | { readonly call: 'write'; readonly file: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly call: 'read' | 'readSync'; readonly file: number; readonly position: number; readonly length: number }
  | { readonly call: 'truncate'; readonly file: number; readonly length: number }
  | { readonly call: 'size' | 'sync' | 'close'; readonly file: number }
  | { readonly call: 'rename'; readonly name: string; readonly target: string }
  | { readonly call: 'remove' | 'list' | 'makeFolder' | 'syncFolder'; readonly name: string }

const name = fc.constantFrom('a', 'b', 'f', 'f/a', 'f/b', 'f/g')
const file = fc.nat(3)
const place = fc.oneof(fc.nat(20), fc.integer({ min: 1_000, max: 2_100 })) // pages of the memory disk have 1,024 bytes
const call: fc.Arbitrary<Call> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({ call: fc.constant('open' as const), name, mode: fc.constantFrom('read', 'write') })
  },
  {
    weight: 3,
    arbitrary: fc.record({ call: fc.constant('open' as const), name, mode: fc.constant('create' as const) })
  },
  {
    weight: 4,
    arbitrary: fc.record({
      call: fc.constant('write' as const),
      file,
      position: place,
      bytes: fc.uint8Array({ maxLength: 40 })
    })
  },
  fc.record({ call: fc.constantFrom('read', 'readSync'), file, position: place, length: place }),
  fc.record({ call: fc.constant('truncate' as const), file, length: place }),
  fc.record({ call: fc.constantFrom('size', 'sync', 'close'), file }),
  fc.record({ call: fc.constant('rename' as const), name, target: name }),
  fc.record({ call: fc.constantFrom('remove', 'list', 'makeFolder', 'syncFolder'), name })
)

/** A disk with the files that were opened on it. */
interface Player {
  readonly disk: Disk
  readonly root: string
  readonly files: (DiskFile | undefined)[]
}

/** Makes the call and says what came of it: a plain value, equal on both disks. */
async function play(player: Player, step: Call): Promise<unknown> {
  const { disk, root, files } = player
  if ('file' in step) {
    const opened = files[step.file]
    return opened === undefined ? 'no such file' : playOnFile(opened, step)
  }
  const path = `${root}/${step.name}`
  switch (step.call) {
    case 'open': {
      const opened = disk.open(path, step.mode)
      if (opened._tag === 'Right') files.push(opened.right)
      return outcome(opened, () => 'open')
    }
    case 'rename':
      return outcome(disk.rename(path, `${root}/${step.target}`))
    case 'remove':
      return outcome(disk.remove(path))
    case 'list':
      return outcome(disk.list(path), (entries) => entries.map((entry) => `${entry.kind} ${entry.name}`).sort())
    case 'makeFolder':
      return outcome(await disk.makeFolder(path))
    case 'syncFolder':
      return outcome(await disk.syncFolder(path))
  }
}

async function playOnFile(opened: DiskFile, step: Extract<Call, { readonly file: number }>): Promise<unknown> {
  switch (step.call) {
    case 'write':
      return outcome(opened.writeSync(step.bytes, step.position))
    case 'truncate':
      return outcome(opened.truncate(step.length))
    case 'size':
      return outcome(opened.size())
    case 'sync':
      return outcome(await opened.sync())
    case 'close':
      return opened.close()
    default: {
      const bytes = Buffer.alloc(step.length, 0x23)
      const read =
        step.call === 'read' ? await opened.read(bytes, step.position) : opened.readSync(bytes, step.position)
      return [outcome(read), bytes.toString('hex')]
    }
  }
}

function outcome<A>(result: Either<DiskError, A>, view: (value: A) => unknown = (value) => value): unknown {
  if (result._tag === 'Right') return ['right', view(result.right)]
  return ['left', result.left._tag, result.left.operation, result.left.errno]
}

it('without a crash the memory disk behaves as files do, call for call', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(call, { maxLength: 40 }), async (steps) => {
      const root = mkdtempSync(join(tmpdir(), 'chronicle-model-'))
      const node: Player = { disk: makeNodeDisk({ nowMs: () => 0 }), root, files: [] }
      const memory: Player = { disk: new MemoryDisk(), root: '/model', files: [] }
      await memory.disk.makeFolder('/model')
      try {
        for (const step of steps) {
          // Node renames folders, the memory disk says that it does not.
          if (step.call === 'rename' && memory.disk.list(`/model/${step.name}`)._tag === 'Right') continue
          expect(await play(memory, step)).toEqual(await play(node, step))
        }
        expect(tree(memory.disk, '/model')).toEqual(tree(node.disk, root))
      } finally {
        for (const opened of node.files) opened?.close()
        rmSync(root, { recursive: true })
      }
    }),
    { numRuns: 300 }
  )
})
