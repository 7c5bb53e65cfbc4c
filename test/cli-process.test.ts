// The command line as a process on real files: what a healthy log keeps, what stands in a segment's place and is no
// file, signals, and pipes that close.

import { spawn, type ChildProcess } from 'node:child_process'
import { lstatSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { statSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { EventLog, orThrow } from '../src/index.ts'
import { makeNodeDisk } from '../src/disk/node.ts'
import { verifyLog } from '../src/log/verify.ts'
import { cli } from './cli-lab.ts'
import { deposit } from './log-lab.ts'

const root = join(import.meta.dirname, '..')
const first = '00000000000000000000'
const disk = makeNodeDisk({ nowMs: () => 0 })

let log: string

beforeEach(() => {
  log = join(mkdtempSync(join(tmpdir(), 'chronicle-cli-')), 'log')
})

afterEach(() => rmSync(join(log, '..'), { recursive: true, force: true }))

async function writeLog(events = 6): Promise<void> {
  const opened = await orThrow(EventLog.open(log, { segmentBytes: 512 }))
  for (let count = 0; count < events; count++) await orThrow(opened.append(deposit(`account-${count % 3}`, count)))
  await orThrow(opened.close())
}

/** When each file and folder under the log was last changed, and its size. */
function stateOf(folder: string): readonly string[] {
  const { mtimeNs, ctimeNs, size } = statSync(folder, { bigint: true })
  const own = `${folder} ${mtimeNs} ${ctimeNs} ${size}`
  if (!statSync(folder).isDirectory()) return [own]
  return [own, ...readdirSync(folder).flatMap((name) => stateOf(join(folder, name)))]
}

function start(...argv: readonly string[]): ChildProcess {
  // Loaded into the process itself, so that a signal reaches the command and no other program.
  const loader = pathToFileURL(join(root, 'node_modules', 'tsx', 'dist', 'loader.mjs')).href
  const args = ['--import', loader, join(root, 'src', 'cli', 'main.ts'), ...argv]
  return spawn(process.execPath, args, { cwd: log })
}

interface Ended {
  readonly code: number | null
  readonly signal: string | null
  readonly output: string
  readonly errors: string
}

function ended(child: ChildProcess): Promise<Ended> {
  let output = ''
  let errors = ''
  child.stdout?.on('data', (data: Buffer) => (output += data.toString()))
  child.stderr?.on('data', (data: Buffer) => (errors += data.toString()))
  return new Promise((resolve) => {
    child.on('close', (code, signal) => resolve({ code, signal, output, errors }))
  })
}

describe('a healthy log', () => {
  it('is not touched: no file is made or changed, nor the folder', async () => {
    await writeLog()
    const state = stateOf(log)
    for (const argv of [
      ['verify', log],
      ['repair', log],
      ['repair', log, '--apply']
    ]) {
      expect((await cli(disk, argv)).code).toBe(0)
      expect(stateOf(log)).toEqual(state)
    }
  })

  it('may have lost its lock file, and gets no new one', async () => {
    await writeLog()
    rmSync(join(log, 'LOCK'))
    const state = stateOf(log)
    expect((await cli(disk, ['repair', log, '--apply'])).code).toBe(0)
    expect(stateOf(log)).toEqual(state)
  })
})

describe('a dry run', () => {
  it('changes nothing of a broken log either', async () => {
    await writeLog()
    rmSync(join(log, 'MARK'))
    rmSync(join(log, 'LOCK'))
    writeFileSync(join(log, `${first}.idx`), 'no index')
    const state = stateOf(log)
    expect((await cli(disk, ['repair', log])).code).toBe(1)
    expect(stateOf(log)).toEqual(state)
  })
})

describe('what stands where the log keeps a file', () => {
  it('is moved aside, links as links, and the log opens', async () => {
    await writeLog()
    const elsewhere = join(log, '..', 'elsewhere')
    writeFileSync(elsewhere, 'not to be touched')
    rmSync(join(log, 'MARK'))
    rmSync(join(log, `${first}.idx`))
    mkdirSync(join(log, 'MARK'))
    mkdirSync(join(log, `${first}.idx`))
    writeFileSync(join(log, `${first}.idx`, 'inside'), 'mine')
    symlinkSync(elsewhere, join(log, '00000000000000009999.log'))
    expect((await EventLog.open(log)())._tag).toBe('Left')
    expect((await cli(disk, ['verify', log])).code).toBe(2)

    const { code, output } = await cli(disk, ['repair', log, '--apply'])
    expect(output).toContain('did 5 steps')
    expect(code).toBe(0)
    const kept = join(log, /repair-\S+/.exec(output)?.[0] ?? '')
    expect(readdirSync(kept).sort()).toEqual([`${first}.idx`, '00000000000000009999.log', 'MARK', 'report.json'])
    expect(readlinkSync(join(kept, '00000000000000009999.log'))).toBe(elsewhere)
    expect(readFileSync(join(kept, `${first}.idx`, 'inside'), 'utf8')).toBe('mine')
    expect(readFileSync(elsewhere, 'utf8')).toBe('not to be touched')
    const opened = await orThrow(EventLog.open(log))
    let events = 0
    for await (const _ of orThrow(opened.replay())) events++
    expect(events).toBe(6)
    await orThrow(opened.close())
  })

  it('stays where it is when nothing else is left that is a segment', async () => {
    mkdirSync(join(log, `${first}.log`), { recursive: true })
    const { code, output } = await cli(disk, ['repair', log, '--apply'])
    expect([code, output]).toEqual([2, 'nothing was done: no file in the folder can be read as a segment\n'])
    expect(lstatSync(join(log, `${first}.log`)).isDirectory()).toBe(true)
  })
})

describe('the process', () => {
  it('says which version it is, reads a log, and tells by its exit code how that is', async () => {
    await writeLog()
    const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { version: string }
    expect(await ended(start('--version'))).toMatchObject({ code: 0, output: `${version}\n`, errors: '' })
    const healthy = await ended(start('verify', log))
    expect(healthy).toMatchObject({ code: 0, errors: '' })
    expect(healthy.output).toMatch(/\nhealthy\n$/)
    rmSync(join(log, 'MARK'))
    expect(await ended(start('verify', '.', '--json'))).toMatchObject({ code: 1, errors: '' })
    expect(await ended(start('verify', join(log, 'nowhere')))).toMatchObject({ code: 3, output: '' })
    expect(await ended(start('prove'))).toMatchObject({ code: 64, output: '' })
  })

  it('goes on in silence when nobody reads its output any more', async () => {
    await writeLog()
    rmSync(join(log, 'MARK'))
    const child = start('verify', log)
    child.stdout?.destroy()
    expect(await ended(child)).toMatchObject({ code: 1, signal: null, errors: '' })
  })

  it.runIf(process.platform === 'linux')('ends in order when it is interrupted, with 130', async () => {
    await writeLog()
    // As long as a segment can be, and all of it but the beginning a hole: verifying it takes seconds.
    const segments = readdirSync(log).filter((name) => name.endsWith('.log'))
    const last = join(log, segments.sort().at(-1) ?? '')
    truncateSync(last, 2 ** 30)
    const child = start('verify', log)
    const end = ended(child)
    await opens(child, last)
    child.kill('SIGINT')
    expect(await end).toMatchObject({ code: 130, signal: null, output: '', errors: 'chronicle verify: interrupted\n' })
  })
})

/** Waits until the process has the file open. */
async function opens(child: ChildProcess, path: string): Promise<void> {
  const folder = `/proc/${child.pid}/fd`
  for (;;) {
    expect(child.exitCode).toBe(null)
    if (readdirSync(folder).some((name) => linkAt(join(folder, name)) === path)) return
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** What a link leads to; undefined when it is gone, closed between the listing and the reading. */
function linkAt(path: string): string | undefined {
  try {
    return readlinkSync(path)
  } catch {
    return undefined
  }
}

describe('a log with a writer at work', () => {
  it('has no fault in frames, headers or mark however often it is verified meanwhile, and no torn tail', async () => {
    const opened = await orThrow(EventLog.open(log, { segmentBytes: 2_048 }))
    let writing = true
    const writer = (async () => {
      for (let round = 0; writing; round++) {
        const batch = Array.from({ length: 1 + (round % 4) }, (_, place) => deposit(`a-${place}`, round))
        if (round % 8 === 0) await orThrow(opened.appendSync(batch))
        else await orThrow(opened.append(batch))
        await new Promise((resolve) => setImmediate(resolve))
      }
    })()
    // It rolls every few batches, so the indexes of complete segments may be on their way.
    const onTheirWay = ['index-missing', 'index-stale', 'leftover-temporary']
    try {
      for (let time = 0; time < 40; time++) {
        const report = await orThrow(() => verifyLog(disk, log))
        const found = report.findings.filter(({ severity }) => severity !== 'note')
        expect(found.filter(({ code }) => !onTheirWay.includes(code))).toEqual([])
      }
    } finally {
      writing = false
      await writer
    }
    await orThrow(opened.close())
    expect((await orThrow(() => verifyLog(disk, log))).findings).toEqual([])
  })
})
