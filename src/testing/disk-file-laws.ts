// The laws of open files: what the disk contract says of reading, writing and closing.

import { deepStrictEqual, ok, strictEqual, throws } from 'node:assert'
import { create, errno, good, open, textAt, textOf, type Law } from './disk-probe.ts'

export const fileLaws: readonly Law[] = [
  [
    'open: read and write need a file, create needs that there is none',
    (disk, folder) => {
      strictEqual(errno(disk.open(`${folder}/a`, 'read')), 'ENOENT')
      strictEqual(errno(disk.open(`${folder}/a`, 'write')), 'ENOENT')
      create(disk, `${folder}/a`, 'kept')
      strictEqual(errno(disk.open(`${folder}/a`, 'create')), 'EEXIST')
      strictEqual(textAt(disk, `${folder}/a`), 'kept')
      open(disk, `${folder}/a`, 'write').close()
      strictEqual(textAt(disk, `${folder}/a`), 'kept')
      strictEqual(errno(disk.open(`${folder}/none/a`, 'create')), 'ENOENT')
      strictEqual(errno(disk.open(`${folder}/a/b`, 'create')), 'ENOTDIR')
    }
  ],
  [
    'open: a folder is no file',
    (disk, folder) => {
      strictEqual(errno(disk.open(folder, 'read')), 'EISDIR')
      strictEqual(errno(disk.open(folder, 'write')), 'EISDIR')
      strictEqual(errno(disk.open(folder, 'create')), 'EEXIST')
    }
  ],
  [
    'an error says what was attempted, on what, and why it failed',
    (disk, folder) => {
      const result = disk.open(`${folder}/a`, 'read')
      ok(result._tag === 'Left')
      const { _tag, code, operation, path } = result.left
      deepStrictEqual([_tag, code, operation, path], ['DiskFailed', 'CHRONICLE_DISK_FAILED', 'open', `${folder}/a`])
    }
  ],
  [
    'what is written is read back, by every open file at once, by both kinds of read',
    async (disk, folder) => {
      const writer = open(disk, `${folder}/a`, 'create')
      const reader = open(disk, `${folder}/a`, 'read')
      good(writer.writeSync(Buffer.from('hello world'), 0))
      good(writer.writeSync(Buffer.from('W'), 6))
      strictEqual(textOf(reader), 'hello World')
      strictEqual(textOf(writer), 'hello World')
      const bytes = Buffer.alloc(5)
      strictEqual(good(await reader.read(bytes, 6)), 5)
      strictEqual(bytes.toString(), 'World')
      writer.close()
      reader.close()
    }
  ],
  [
    'a read is short only at the end of the file, and touches nothing behind what it counts',
    async (disk, folder) => {
      create(disk, `${folder}/a`, 'abcdef')
      const file = open(disk, `${folder}/a`, 'read')
      for (const [position, count] of [
        [0, 4],
        [2, 4],
        [4, 2],
        [6, 0],
        [1_000, 0]
      ] as const) {
        const expected = 'abcdef'.slice(position, position + 4).padEnd(4, '#')
        const now = Buffer.from('####')
        strictEqual(good(file.readSync(now, position)), count)
        strictEqual(now.toString(), expected)
        const later = Buffer.from('####')
        strictEqual(good(await file.read(later, position)), count)
        strictEqual(later.toString(), expected)
      }
      strictEqual(good(file.readSync(new Uint8Array(0), 3)), 0)
      strictEqual(good(await file.read(new Uint8Array(0), 3)), 0)
      file.close()
    }
  ],
  [
    'a buffer is borrowed: changing it after the call changes nothing on the disk',
    (disk, folder) => {
      const file = open(disk, `${folder}/a`, 'create')
      const bytes = Buffer.from('aaaa')
      good(file.writeSync(bytes, 0))
      bytes.fill('b')
      strictEqual(textOf(file), 'aaaa')
      file.close()
    }
  ],
  [
    'a view into a larger buffer moves only its own bytes',
    (disk, folder) => {
      const file = open(disk, `${folder}/a`, 'create')
      const bytes = new Uint8Array(Buffer.from('0123456789'))
      good(file.writeSync(bytes.subarray(3, 6), 0))
      strictEqual(textOf(file), '345')
      good(file.readSync(bytes.subarray(7, 9), 1))
      strictEqual(Buffer.from(bytes).toString(), '0123456459')
      file.close()
    }
  ],
  [
    'a write behind the end fills the gap with zeros; an empty one changes nothing',
    (disk, folder) => {
      const file = open(disk, `${folder}/a`, 'create')
      good(file.writeSync(new Uint8Array(0), 100))
      strictEqual(good(file.size()), 0)
      good(file.writeSync(Buffer.from('x'), 3))
      strictEqual(textOf(file), '\0\0\0x')
      file.close()
    }
  ],
  [
    'truncate cuts, and grows with zeros where something else was',
    (disk, folder) => {
      create(disk, `${folder}/a`, 'abcdefgh')
      const file = open(disk, `${folder}/a`, 'write')
      good(file.truncate(3))
      strictEqual(textOf(file), 'abc')
      good(file.truncate(6))
      strictEqual(textOf(file), 'abc\0\0\0')
      good(file.truncate(0))
      good(file.writeSync(Buffer.from('z'), 1))
      strictEqual(textOf(file), '\0z')
      file.close()
    }
  ],
  [
    'a file opened for reading refuses to change',
    (disk, folder) => {
      create(disk, `${folder}/a`, 'abc')
      const file = open(disk, `${folder}/a`, 'read')
      strictEqual(errno(file.writeSync(Buffer.from('x'), 0)), 'EBADF')
      strictEqual(errno(file.truncate(0)), 'EBADF')
      strictEqual(textOf(file), 'abc')
      file.close()
    }
  ],
  [
    'megabytes go in and out in one call',
    async (disk, folder) => {
      const bytes = Buffer.alloc(3_000_001)
      for (let at = 0; at < bytes.length; at++) bytes[at] = (at * 31) >>> 3
      const file = open(disk, `${folder}/a`, 'create')
      good(file.writeSync(bytes, 7))
      const back = Buffer.alloc(bytes.length)
      strictEqual(good(await file.read(back, 7)), bytes.length)
      ok(back.equals(bytes))
      file.close()
    }
  ],
  [
    'close is idempotent, lets calls under way finish, and every later call is refused',
    async (disk, folder) => {
      const file = open(disk, `${folder}/a`, 'create')
      good(file.writeSync(Buffer.from('abc'), 0))
      const bytes = Buffer.alloc(3)
      const underWay = [file.sync(), file.read(bytes, 0)] as const
      file.close()
      file.close()
      // A disk that closed at once would now hand the descriptor's number to this file.
      const other = open(disk, `${folder}/b`, 'create')
      good(await underWay[0])
      strictEqual(good(await underWay[1]), 3)
      strictEqual(bytes.toString(), 'abc')
      const refused = [file.size(), file.readSync(bytes, 0), file.writeSync(bytes, 0), file.truncate(0)]
      for (const result of [...refused, await file.read(bytes, 0), await file.sync()]) {
        strictEqual(errno(result), 'EBADF')
      }
      strictEqual(good(other.size()), 0)
      other.close()
    }
  ],
  [
    'a position that is no integer from 0 is an error of the program, never another place in the file',
    (disk, folder) => {
      const file = open(disk, `${folder}/a`, 'create')
      for (const position of [-1, 0.5, NaN, 2 ** 53]) {
        throws(() => file.writeSync(Buffer.from('x'), position), /integer from 0/)
        throws(() => file.readSync(Buffer.alloc(1), position), /integer from 0/)
        throws(() => file.read(Buffer.alloc(1), position), /integer from 0/)
        throws(() => file.truncate(position), /integer from 0/)
      }
      strictEqual(good(file.size()), 0)
      file.close()
    }
  ]
]
