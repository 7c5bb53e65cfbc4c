// What is true of Node's disk alone: errors of the operating system, and what the memory disk cannot show.

import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { DiskFailed, DiskFull } from '../src/core/error.ts'
import { attempt } from '../src/disk/fault.ts'
import { makeNodeDisk } from '../src/disk/node.ts'

const disk = makeNodeDisk({ nowMs: () => 0 })
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chronicle-node-'))
})

afterEach(() => rmSync(folder, { recursive: true }))

it('only ENOSPC, EDQUOT and EFBIG mean that there is no room, and the cause is kept', () => {
  const what = { operation: 'write', path: '/a' }
  for (const errno of ['ENOSPC', 'EDQUOT', 'EFBIG', 'EIO', 'EROFS', 'EACCES', 'EMFILE']) {
    const cause = Object.assign(new Error('the system says no'), { code: errno })
    const result = attempt(what, () => {
      throw cause
    })
    if (result._tag === 'Right') throw new Error('the call was expected to fail')
    const full = ['ENOSPC', 'EDQUOT', 'EFBIG'].includes(errno)
    expect(result.left).toBeInstanceOf(full ? DiskFull : DiskFailed)
    expect(result.left).toMatchObject({ errno, operation: 'write', path: '/a', cause })
  }
})

it.skipIf(process.platform === 'win32')(
  'a write over the file size limit is DiskFull, and the file goes on working',
  () => {
    const script = join(import.meta.dirname, 'disk', 'fill.ts')
    const path = join(folder, 'a')
    // Blocks of 1,024 bytes. The system takes 8 KiB of the write and says nothing; only the next one gets the errno.
    const command = 'ulimit -f 8 && exec "$0" --import tsx "$1" "$2"'
    const environment = { ...process.env, TSX_DISABLE_CACHE: '1' } // the cache may need larger files
    const text = execFileSync('bash', ['-c', command, process.execPath, script, path], { env: environment })
    expect(JSON.parse(text.toString())).toMatchObject({
      written: { _tag: 'Left', left: { _tag: 'DiskFull', errno: 'EFBIG', operation: 'write', path } },
      size: { _tag: 'Right', right: 8_192 },
      again: { _tag: 'Right' }
    })
  }
)

it.skipIf(!existsSync('/dev/full'))('a device is no file', () => {
  expect(disk.open('/dev/full', 'write')).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'ENXIO' } })
  expect(disk.open('/dev/null', 'read')).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'ENXIO' } })
})

it.skipIf(!existsSync('/proc/self/fd'))('a file that is refused or closed leaves no descriptor behind', async () => {
  const descriptors = (): number => readdirSync('/proc/self/fd').length
  const before = descriptors()
  mkdirSync(join(folder, 'b'))
  for (let round = 0; round < 20; round++) {
    disk.open(folder, 'read')
    disk.open('/dev/null', 'read')
    const file = disk.open(join(folder, 'a'), round === 0 ? 'create' : 'write')
    if (file._tag === 'Left') throw file.left
    const sync = file.right.sync()
    file.right.close()
    await sync
    await disk.syncFolder(folder)
    const lock = await disk.lock(folder)
    await disk.lock(folder)
    if (lock._tag === 'Left') throw lock.left
    lock.right.release()
  }
  expect(descriptors()).toBe(before)
})

it.skipIf(process.platform === 'win32')(
  'a folder may be reached through a symbolic link, a relative path or dots',
  async () => {
    mkdirSync(join(folder, 'real'))
    symlinkSync(join(folder, 'real'), join(folder, 'link'))
    expect(await disk.makeFolder(`${folder}/link/a`)).toMatchObject({ _tag: 'Right' })
    expect(await disk.makeFolder(`${folder}/link/a/../b/./c`)).toMatchObject({ _tag: 'Right' })
    expect(await disk.makeFolder('.')).toMatchObject({ _tag: 'Right' })
    expect(await disk.makeFolder('/')).toMatchObject({ _tag: 'Right' })
    expect(readdirSync(join(folder, 'real')).sort()).toEqual(['a', 'b'])
    symlinkSync(join(folder, 'none'), join(folder, 'nowhere'))
    expect(await disk.makeFolder(`${folder}/nowhere/a`)).toMatchObject({ left: { errno: 'EEXIST' } })
  }
)
