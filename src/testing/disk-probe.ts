// How the disk contract looks at a disk: each function asserts that its call went the expected way.

import { ok, strictEqual } from 'node:assert'
import type { Either } from 'fp-ts/lib/Either.js'
import type { DiskError, Locked } from '../core/error.ts'
import type { Disk, DiskEntry, DiskFile, OpenMode } from '../port/disk.ts'

/** A law in one sentence, and the test that it holds on a disk, in an empty folder. */
export type Law = readonly [name: string, hold: (disk: Disk, folder: string) => Promise<void> | void]

/** The value, or the failure of the test. */
export function good<A>(result: Either<DiskError | Locked, A>): A {
  if (result._tag === 'Left') throw result.left
  return result.right
}

export function errno(result: Either<DiskError | Locked, unknown>): string {
  ok(result._tag === 'Left', 'the call was expected to fail')
  ok(result.left._tag !== 'Locked', 'the call failed with Locked')
  return result.left.errno
}

export function open(disk: Disk, path: string, mode: OpenMode): DiskFile {
  return good(disk.open(path, mode))
}

export function create(disk: Disk, path: string, text: string): void {
  const file = open(disk, path, 'create')
  good(file.writeSync(Buffer.from(text), 0))
  file.close()
}

export function textOf(file: DiskFile): string {
  const bytes = Buffer.alloc(good(file.size()))
  strictEqual(good(file.readSync(bytes, 0)), bytes.length)
  return bytes.toString('latin1')
}

export function textAt(disk: Disk, path: string): string {
  const file = open(disk, path, 'read')
  const text = textOf(file)
  file.close()
  return text
}

export function sorted(entries: readonly DiskEntry[]): readonly string[] {
  return entries.map((entry) => `${entry.kind} ${entry.name}`).sort()
}
