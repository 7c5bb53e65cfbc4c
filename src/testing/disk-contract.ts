// The contract of port/disk.ts as tests that any implementation runs, without a test runner inside. Each is a law in
// one sentence and gets a disk and an empty folder of its own.
//
// What only some disks can be shown is a capability: a function that makes the situation, or the reason for skipping.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import type { Disk } from '../port/disk.ts'
import { fileLaws } from './disk-file-laws.ts'
import { create, errno, good, open, sorted, textAt, textOf, type Law } from './disk-probe.ts'

/** A disk under test, with a folder that exists and is empty. */
export interface DiskFixture {
  readonly disk: Disk
  readonly folder: string
  readonly cleanup: () => Promise<void> | void
}

/** What the disk under test can be made to hold; what it cannot is given with a reason. */
export interface DiskCapabilities {
  /** Makes a symbolic link at `path`, or why there are none. */
  readonly symlink: ((target: string, path: string) => void) | { readonly skip: string }
  /** Makes a named pipe at `path`, or why there are none. */
  readonly pipe: ((path: string) => void) | { readonly skip: string }
}

/** One law of a port, for any test runner. */
export interface ContractTest {
  readonly name: string
  /** Why the test does not apply; then it must not be run. */
  readonly skip: string | undefined
  readonly run: () => Promise<void>
}

/** All laws of the disk port. `make` is called once a test; what it made is cleaned up after it. */
export function diskContract(
  make: () => Promise<DiskFixture>,
  capabilities: DiskCapabilities
): readonly ContractTest[] {
  const { symlink, pipe } = capabilities
  return [
    ...[...fileLaws, ...nameLaws, ...watchLaws, ...lockLaws].map((law) => prepared(law, undefined, make)),
    ...linkLaws(typeof symlink === 'function' ? symlink : unavailable).map((law) =>
      prepared(law, typeof symlink === 'function' ? undefined : symlink.skip, make)
    ),
    ...pipeLaws(typeof pipe === 'function' ? pipe : unavailable).map((law) =>
      prepared(law, typeof pipe === 'function' ? undefined : pipe.skip, make)
    )
  ]
}

function prepared([name, hold]: Law, skip: string | undefined, make: () => Promise<DiskFixture>): ContractTest {
  const run = async (): Promise<void> => {
    const { disk, folder, cleanup } = await make()
    try {
      await hold(disk, folder)
    } finally {
      await cleanup()
    }
  }
  return { name, skip, run }
}

function unavailable(): never {
  throw new Error('this disk lacks the capability; the test says so in `skip`')
}

const nameLaws: readonly Law[] = [
  [
    'list names files and folders, and fails where there is no folder',
    async (disk, folder) => {
      create(disk, `${folder}/a`, '')
      good(await disk.makeFolder(`${folder}/b`))
      create(disk, `${folder}/b/c`, '')
      deepStrictEqual(sorted(good(disk.list(folder))), ['file a', 'folder b'])
      strictEqual(errno(disk.list(`${folder}/none`)), 'ENOENT')
      strictEqual(errno(disk.list(`${folder}/a`)), 'ENOTDIR')
    }
  ],
  [
    'makeFolder makes every missing level, and is fine with what exists',
    async (disk, folder) => {
      good(await disk.makeFolder(`${folder}/a/b/c`))
      good(await disk.makeFolder(`${folder}/a/b/c`))
      good(await disk.makeFolder(`${folder}/a/b`))
      deepStrictEqual(sorted(good(disk.list(`${folder}/a/b`))), ['folder c'])
      create(disk, `${folder}/file`, 'kept')
      strictEqual(errno(await disk.makeFolder(`${folder}/file`)), 'EEXIST')
      strictEqual(errno(await disk.makeFolder(`${folder}/file/a`)), 'ENOTDIR')
      strictEqual(textAt(disk, `${folder}/file`), 'kept')
    }
  ],
  [
    'rename replaces the target; who had it open goes on reading the old content',
    (disk, folder) => {
      create(disk, `${folder}/new`, 'new')
      create(disk, `${folder}/old`, 'old')
      const old = open(disk, `${folder}/old`, 'read')
      good(disk.rename(`${folder}/new`, `${folder}/old`))
      deepStrictEqual(sorted(good(disk.list(folder))), ['file old'])
      strictEqual(textAt(disk, `${folder}/old`), 'new')
      strictEqual(textOf(old), 'old')
      old.close()
      strictEqual(errno(disk.rename(`${folder}/none`, `${folder}/old`)), 'ENOENT')
      strictEqual(errno(disk.rename(`${folder}/old`, `${folder}/none/old`)), 'ENOENT')
      good(disk.rename(`${folder}/old`, `${folder}/old`))
      strictEqual(textAt(disk, `${folder}/old`), 'new')
    }
  ],
  [
    'rename moves a file to another folder; an open file follows it',
    async (disk, folder) => {
      good(await disk.makeFolder(`${folder}/other`))
      const file = open(disk, `${folder}/a`, 'create')
      good(disk.rename(`${folder}/a`, `${folder}/other/b`))
      good(file.writeSync(Buffer.from('late'), 0))
      file.close()
      strictEqual(textAt(disk, `${folder}/other/b`), 'late')
      deepStrictEqual(sorted(good(disk.list(folder))), ['folder other'])
    }
  ],
  [
    'remove takes the name away and leaves open files readable; a missing file is fine, a folder is not',
    async (disk, folder) => {
      create(disk, `${folder}/a`, 'abc')
      const file = open(disk, `${folder}/a`, 'read')
      good(disk.remove(`${folder}/a`))
      good(disk.remove(`${folder}/a`))
      good(disk.remove(`${folder}/none/a`))
      deepStrictEqual(good(disk.list(folder)), [])
      strictEqual(textOf(file), 'abc')
      file.close()
      good(await disk.makeFolder(`${folder}/b`))
      ok(['EISDIR', 'EPERM'].includes(errno(disk.remove(`${folder}/b`))))
    }
  ],
  [
    'syncFolder needs a folder',
    async (disk, folder) => {
      good(await disk.syncFolder(folder))
      strictEqual(errno(await disk.syncFolder(`${folder}/none`)), 'ENOENT')
    }
  ]
]

/** Resolves at the first notice behind `change`. A disk that gives none lets the test run out of time. */
async function noticeOf(disk: Disk, folder: string, change: () => void): Promise<void> {
  await new Promise<void>((resolve) => {
    const watch = disk.watch(folder, () => {
      watch.close()
      watch.close()
      resolve()
    })
    watch.ref()
    change()
  })
}

const watchLaws: readonly Law[] = [
  [
    'watch tells of what is written, cut, renamed and removed in the folder',
    async (disk, folder) => {
      create(disk, `${folder}/a`, 'abc')
      const file = open(disk, `${folder}/a`, 'write')
      const changes = [
        (): void => good(file.writeSync(Buffer.from('d'), 3)),
        (): void => good(file.truncate(2)),
        (): void => good(disk.rename(`${folder}/a`, `${folder}/b`)),
        (): void => good(disk.remove(`${folder}/b`))
      ]
      for (const change of changes) await noticeOf(disk, folder, change)
      file.close()
    }
  ],
  [
    'watch tells nothing when it is closed',
    async (disk, folder) => {
      let told = 0
      disk.watch(folder, () => told++).close()
      create(disk, `${folder}/a`, 'abc')
      await noticeOf(disk, folder, () => good(disk.remove(`${folder}/a`)))
      strictEqual(told, 0)
    }
  ]
]

const lockLaws: readonly Law[] = [
  [
    'lock: a folder has one holder; the second attempt learns who that is',
    async (disk, folder) => {
      const lock = good(await disk.lock(folder))
      const second = await disk.lock(folder)
      ok(second._tag === 'Left' && second.left._tag === 'Locked')
      strictEqual(second.left.path, folder)
      strictEqual(second.left.pid, process.pid)
      lock.release()
      good(await disk.lock(folder)).release()
    }
  ],
  [
    'lock: of many attempts at once exactly one succeeds, and the others say Locked',
    async (disk, folder) => {
      const results = await Promise.all(Array.from({ length: 5 }, () => disk.lock(folder)))
      const locks = results.flatMap((result) => (result._tag === 'Right' ? [result.right] : []))
      strictEqual(locks.length, 1)
      for (const result of results) if (result._tag === 'Left') strictEqual(result.left._tag, 'Locked')
      locks[0]?.release()
    }
  ],
  [
    'lock: release is idempotent, and a late second one does not free the next holder',
    async (disk, folder) => {
      const first = good(await disk.lock(folder))
      first.release()
      const second = good(await disk.lock(folder))
      first.release()
      const third = await disk.lock(folder)
      ok(third._tag === 'Left' && third.left._tag === 'Locked')
      second.release()
    }
  ],
  [
    'lock: folders are locked apart, and a missing one cannot be',
    async (disk, folder) => {
      good(await disk.makeFolder(`${folder}/inner`))
      const locks = [good(await disk.lock(folder)), good(await disk.lock(`${folder}/inner`))]
      for (const lock of locks) lock.release()
      strictEqual(errno(await disk.lock(`${folder}/none`)), 'ENOENT')
    }
  ]
]

function linkLaws(symlink: (target: string, path: string) => void): readonly Law[] {
  return [
    [
      'a symbolic link is listed as other, refused by open, and removed itself',
      (disk, folder) => {
        create(disk, `${folder}/a`, 'abc')
        symlink(`${folder}/a`, `${folder}/link`)
        symlink(`${folder}/none`, `${folder}/nowhere`)
        deepStrictEqual(sorted(good(disk.list(folder))), ['file a', 'other link', 'other nowhere'])
        for (const name of ['link', 'nowhere']) {
          strictEqual(errno(disk.open(`${folder}/${name}`, 'read')), 'ELOOP')
          strictEqual(errno(disk.open(`${folder}/${name}`, 'write')), 'ELOOP')
          ok(['EEXIST', 'ELOOP'].includes(errno(disk.open(`${folder}/${name}`, 'create'))))
          good(disk.remove(`${folder}/${name}`))
        }
        deepStrictEqual(sorted(good(disk.list(folder))), ['file a'])
      }
    ],
    [
      'a symbolic link to a folder leads to the same lock',
      async (disk, folder) => {
        good(await disk.makeFolder(`${folder}/real`))
        symlink(`${folder}/real`, `${folder}/link`)
        const lock = good(await disk.lock(`${folder}/real`))
        const second = await disk.lock(`${folder}/link`)
        ok(second._tag === 'Left' && second.left._tag === 'Locked')
        lock.release()
      }
    ]
  ]
}

function pipeLaws(pipe: (path: string) => void): readonly Law[] {
  return [
    [
      'a pipe is listed as other, and refused by open without waiting for its other end',
      (disk, folder) => {
        pipe(`${folder}/pipe`)
        deepStrictEqual(sorted(good(disk.list(folder))), ['other pipe'])
        strictEqual(errno(disk.open(`${folder}/pipe`, 'read')), 'ENXIO')
        strictEqual(errno(disk.open(`${folder}/pipe`, 'write')), 'ENXIO')
      }
    ]
  ]
}
