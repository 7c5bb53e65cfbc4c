// One writer per folder, among real processes: with the kernel's lock, and with the lock that is a file.

import { execFileSync, spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest'
import { decodeHolder, selfHolder } from '../src/disk/holder.ts'
import { makeNodeDisk } from '../src/disk/node.ts'
import type { Disk, DiskLock } from '../src/port/disk.ts'

const root = join(import.meta.dirname, '..')
const windows = process.platform === 'win32'

let folder = ''
let children: ChildProcess[] = []

/** Where test/lock/hold.ts stands compiled: fifty processes that compile it themselves take half a minute. */
let compiled = ''

beforeAll(() => {
  compiled = realpathSync(mkdtempSync(join(tmpdir(), 'chronicle-hold-')))
  symlinkSync(join(root, 'node_modules'), join(compiled, 'node_modules'), 'junction')
  writeFileSync(join(compiled, 'package.json'), '{"type":"module"}')
  const compilerOptions = { noEmit: false, noCheck: true, rootDir: root, outDir: compiled }
  const config = {
    extends: join(root, 'tsconfig.json'),
    compilerOptions,
    include: [],
    files: [join(root, 'test/lock/hold.ts')]
  }
  writeFileSync(join(compiled, 'tsconfig.json'), JSON.stringify(config))
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', compiled])
})

afterAll(() => rmSync(compiled, { recursive: true }))

beforeEach(() => {
  folder = realpathSync(mkdtempSync(join(tmpdir(), 'chronicle-lock-')))
  children = []
})

afterEach(async () => {
  await Promise.all(children.map(end))
  rmSync(folder, { recursive: true })
})

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const gone = once(child, 'exit')
  child.kill('SIGKILL')
  await gone
}

interface Answer {
  readonly child: ChildProcess
  readonly kind?: string
  readonly _tag?: string
  readonly pid?: number
  readonly sinceMs?: number
  readonly message?: string
}

/** Starts a process that takes the lock; resolves with what it got. */
async function holder(path: string, flockProgram?: string): Promise<Answer> {
  const program = flockProgram === undefined ? [] : [flockProgram]
  const child = spawn(process.execPath, [join(compiled, 'test/lock/hold.js'), path, ...program], {
    stdio: ['pipe', 'pipe', 'inherit']
  })
  children.push(child)
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string]
  return { child, ...(JSON.parse(line) as Omit<Answer, 'child'>) }
}

async function taken(disk: Disk, path: string = folder): Promise<DiskLock> {
  const lock = await disk.lock(path)
  if (lock._tag === 'Left') throw lock.left
  return lock.right
}

/** Who holds the folder, as Locked says it. */
async function lockedBy(disk: Disk, path: string = folder): Promise<{ pid: number | undefined; sinceMs: unknown }> {
  const lock = await disk.lock(path)
  if (lock._tag === 'Right') lock.right.release()
  if (lock._tag === 'Right' || lock.left._tag !== 'Locked') throw new Error('the folder was expected to be locked')
  return { pid: lock.left.pid, sinceMs: lock.left.sinceMs }
}

function mounts(source: string, target: string): boolean {
  return spawnSync('mount', ['--bind', source, target], { stdio: 'ignore' }).status === 0
}

function diskWith(flockProgram?: string): Disk {
  return makeNodeDisk({ nowMs: () => 5_678, flockProgram })
}

const hasFlock = process.platform === 'linux'
const kinds = [
  { kind: 'flock', program: undefined, runs: hasFlock },
  { kind: 'file', program: '/no/flock', runs: !windows }
] as const

for (const { kind, program, runs } of kinds) {
  describe.skipIf(!runs)(`the lock of kind ${kind}`, () => {
    const disk = diskWith(program)

    it('names its holder to other processes, and is free once that released it', async () => {
      const other = await holder(folder, program)
      expect(other.kind).toBe(kind)
      expect(await lockedBy(disk)).toEqual({ pid: other.child.pid, sinceMs: 1_234 })
      const gone = once(other.child, 'exit')
      other.child.stdin?.end()
      await gone
      const lock = await taken(disk)
      expect(lock.kind).toBe(kind)
      lock.release()
      expect(readdirSync(folder)).toEqual(['LOCK'])
    })

    it('names this process to another', async () => {
      const lock = await taken(disk)
      const other = await holder(folder, program)
      expect(other).toMatchObject({ _tag: 'Locked', path: folder, pid: process.pid, sinceMs: 5_678 })
      expect(other.message).toContain(`process ${process.pid} since 1970-01-01T00:00:05.678Z`)
      lock.release()
    })

    it('is free after a kill -9 of its holder', async () => {
      const other = await holder(folder, program)
      await end(other.child)
      const lock = await taken(disk)
      lock.release()
    })

    it('stays with a holder that is stopped', async () => {
      const other = await holder(folder, program)
      other.child.kill('SIGSTOP')
      expect((await lockedBy(disk)).pid).toBe(other.child.pid)
    })

    it('goes to exactly one of eight processes that ask at once', async () => {
      const answers = await Promise.all(Array.from({ length: 8 }, () => holder(folder, program)))
      expect(answers.filter((answer) => answer.kind === kind)).toHaveLength(1)
      expect(answers.filter((answer) => answer._tag === 'Locked')).toHaveLength(7)
    })

    it('goes to exactly one of eight that find a killed holder', async () => {
      await end((await holder(folder, program)).child)
      const answers = await Promise.all(Array.from({ length: 8 }, () => holder(folder, program)))
      expect(answers.filter((answer) => answer.kind === kind)).toHaveLength(1)
      expect(answers.filter((answer) => answer._tag === 'Locked')).toHaveLength(7)
      expect(readdirSync(folder).filter((name) => name.includes('.after-'))).toEqual([])
    })

    it('is met through a symbolic link to the folder', async () => {
      mkdirSync(join(folder, 'real'))
      symlinkSync(join(folder, 'real'), join(folder, 'link'))
      const other = await holder(join(folder, 'real'), program)
      expect((await lockedBy(disk, join(folder, 'link'))).pid).toBe(other.child.pid)
      const here = await taken(disk, folder)
      here.release()
    })

    it('is met through a bind mount of the folder', async ({ skip }) => {
      const [real, second] = [join(folder, 'real'), join(folder, 'second')]
      mkdirSync(real)
      mkdirSync(second)
      if (!mounts(real, second)) skip('mount --bind is not permitted here')
      try {
        const other = await holder(real, program)
        expect((await lockedBy(disk, second)).pid).toBe(other.child.pid)
        await end(other.child)
        const lock = await taken(disk, second)
        expect(await lockedBy(disk, real)).toEqual({ pid: process.pid, sinceMs: 5_678 })
        expect(await holder(real, program)).toMatchObject({ _tag: 'Locked', pid: process.pid })
        lock.release()
      } finally {
        execFileSync('umount', ['-l', second])
      }
    })

    it('is not passed on to children of its holder', async () => {
      const lock = await taken(disk)
      const child = spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
      children.push(child)
      await once(child, 'spawn')
      lock.release()
      const other = await holder(folder, program)
      expect(other.kind).toBe(kind)
    })

    it('is met by a second copy of this library in one process, a worker thread for instance', async () => {
      const lock = await taken(disk)
      vi.resetModules()
      const copy = await import('../src/disk/node.ts')
      expect(copy.makeNodeDisk).not.toBe(makeNodeDisk)
      expect(await lockedBy(copy.makeNodeDisk({ nowMs: () => 1, flockProgram: program }))).toEqual({
        pid: process.pid,
        sinceMs: 5_678
      })
      lock.release()
    })

    it('does not mind what stands in LOCK', async () => {
      const garbage = ['', 'not JSON', '{"pid":"x"}', '{"pid":-1,"sinceMs":0}', 'null', '[[[', '\0'.repeat(100_000)]
      for (const text of garbage) {
        writeFileSync(join(folder, 'LOCK'), text)
        const lock = await taken(disk)
        lock.release()
      }
    })
  })
}

describe.skipIf(!hasFlock)('the file LOCK', () => {
  const disk = diskWith()

  it('says who holds the lock, and nobody after the release, but stays', async () => {
    const lock = await taken(disk)
    expect(JSON.parse(readFileSync(join(folder, 'LOCK'), 'utf8'))).toMatchObject({ pid: process.pid, sinceMs: 5_678 })
    lock.release()
    expect(readFileSync(join(folder, 'LOCK'), 'utf8')).toBe('')
  })

  it.each(['garbage', '{"pid":17,"sinceMs":9000000000000000}', `{"pid":1${'7'.repeat(99_999)}`])(
    'may hold anything while it is locked: the holder is unknown then (%#)',
    async (text) => {
      await holder(folder)
      writeFileSync(join(folder, 'LOCK'), text)
      expect(await lockedBy(disk)).toEqual({ pid: undefined, sinceMs: undefined })
    }
  )

  it('that still names a killed holder is not believed', async () => {
    await holder(folder)
    const dead = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
    await once(dead, 'exit')
    writeFileSync(join(folder, 'LOCK'), JSON.stringify({ ...selfHolder(17), pid: dead.pid }))
    expect(await lockedBy(disk)).toEqual({ pid: undefined, sinceMs: undefined })
  })

  it('is asked for once in a process: while one attempt is under way, others know without the kernel', async () => {
    const script = join(folder, 'flock.sh')
    writeFileSync(script, '#!/bin/sh\nexit 0\n', { mode: 0o755 }) // says that everything is free
    const [first, second] = await Promise.all([disk.lock(folder), diskWith(script).lock(folder)])
    expect(second).toMatchObject({ left: { _tag: 'Locked', pid: process.pid, sinceMs: 5_678 } })
    expect((await diskWith(script).lock(folder))._tag).toBe('Left')
    if (first._tag === 'Right') first.right.release()
  })

  it('is refused as a symbolic link or a folder, and what a link leads to is not touched', async () => {
    writeFileSync(join(folder, 'precious'), 'kept')
    symlinkSync(join(folder, 'precious'), join(folder, 'LOCK'))
    expect(await disk.lock(folder)).toMatchObject({ _tag: 'Left', left: { _tag: 'DiskFailed', errno: 'ELOOP' } })
    expect(readFileSync(join(folder, 'precious'), 'utf8')).toBe('kept')
    rmSync(join(folder, 'LOCK'))
    mkdirSync(join(folder, 'LOCK'))
    expect(await disk.lock(folder)).toMatchObject({ _tag: 'Left', left: { _tag: 'DiskFailed', errno: 'EISDIR' } })
  })

  it('is taken anew when somebody replaces it while the lock is being taken', async () => {
    // This flock removes the file before it locks it, twice; the third time it leaves it alone.
    const script = join(folder, 'flock.sh')
    const count = join(folder, 'count')
    writeFileSync(
      script,
      `#!/bin/sh\necho x >> '${count}'\n[ $(wc -l < '${count}') -le 2 ] && rm '${folder}/LOCK'\nexec flock "$@"\n`,
      { mode: 0o755 }
    )
    const lock = await taken(diskWith(script))
    expect(readFileSync(count, 'utf8')).toBe('x\nx\nx\n')
    expect((await holder(folder))._tag).toBe('Locked')
    lock.release()
  })

  it('is an error, and no lock, when it is replaced again and again', async () => {
    const script = join(folder, 'flock.sh')
    writeFileSync(script, `#!/bin/sh\nrm '${folder}/LOCK'\nexec flock "$@"\n`, { mode: 0o755 })
    const before = readdirSync('/proc/self/fd').length
    expect(await diskWith(script).lock(folder)).toMatchObject({ left: { _tag: 'DiskFailed', errno: 'ESTALE' } })
    expect(readdirSync('/proc/self/fd')).toHaveLength(before)
  })

  it.each([
    ['exit 71', 'ENOLCK'],
    ['kill -9 $$', 'EINTR']
  ])('is not locked when the flock program fails: %s', async (command, errno) => {
    const script = join(folder, 'flock.sh')
    writeFileSync(script, `#!/bin/sh\n${command}\n`, { mode: 0o755 })
    expect(await diskWith(script).lock(folder)).toMatchObject({ left: { _tag: 'DiskFailed', errno } })
    const lock = await taken(disk)
    lock.release()
  })

  it('is locked with a flock program even without PATH', async () => {
    const { PATH } = process.env
    delete process.env['PATH']
    try {
      const lock = await taken(disk)
      expect(lock.kind).toBe('flock')
      lock.release()
    } finally {
      process.env['PATH'] = PATH
    }
  })
})

describe.skipIf(!hasFlock)('the lock of kind file, when another process is quicker', () => {
  afterEach(() => vi.doUnmock('node:fs'))

  it('goes to the one that replaced the dead holder, not to the one that read of it before', async () => {
    const dead = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
    await once(dead, 'exit')
    const rootPath = join(folder, 'LOCK.pid')
    writeFileSync(rootPath, JSON.stringify({ ...selfHolder(1, 'dead'), pid: dead.pid }))
    // Between our look at the chain and our link: another takes over, holds the lock, and has removed its claim.
    const other = await holder(folder)
    const fs = await vi.importActual<typeof import('node:fs')>('node:fs')
    let links = 0
    const linkSync: typeof fs.linkSync = (source, target) => {
      if (links++ === 0) {
        const quicker = { ...selfHolder(2, 'quicker'), pid: other.child.pid, start: undefined }
        writeFileSync(join(folder, 'new'), JSON.stringify(quicker))
        fs.renameSync(join(folder, 'new'), rootPath)
      }
      fs.linkSync(source, target)
    }
    vi.resetModules()
    vi.doMock('node:fs', () => ({ ...fs, linkSync }))
    const { makeNodeDisk: makeSlowDisk } = await import('../src/disk/node.ts')
    const slow = makeSlowDisk({ nowMs: () => 3, flockProgram: '/no/flock' })
    expect(await lockedBy(slow)).toEqual({ pid: other.child.pid, sinceMs: 2 })
    expect(links).toBe(1)
    expect(readdirSync(folder).filter((name) => name.startsWith('LOCK.pid'))).toEqual(['LOCK.pid'])
    expect(decodeHolder(readFileSync(rootPath))?.nonce).toBe('quicker')
  })
})

describe.skipIf(windows)('a folder that was deleted while it was locked', () => {
  it('does not lock the folders that are made after it', async () => {
    const disk = diskWith()
    const lost = join(folder, 'lost')
    mkdirSync(lost)
    const lock = await taken(disk, lost)
    rmSync(lost, { recursive: true })
    // A file system that gives the lowest free inode gives the lost folder's to one of these.
    for (let index = 0; index < 20; index++) {
      mkdirSync(join(folder, `${index}`))
      const other = await taken(disk, join(folder, `${index}`))
      other.release()
    }
    lock.release()
  })
})

describe.skipIf(!hasFlock)('a process that sees a flock program and one that does not', () => {
  it('meet, whichever comes first', async () => {
    const first = await holder(folder)
    expect((await lockedBy(diskWith('/no/flock'))).pid).toBe(first.child.pid)
    await end(first.child)
    const second = await holder(folder, '/no/flock')
    expect(second.kind).toBe('file')
    expect((await lockedBy(diskWith())).pid).toBe(second.child.pid)
    await end(second.child)
    const lock = await taken(diskWith())
    lock.release()
  })
})
