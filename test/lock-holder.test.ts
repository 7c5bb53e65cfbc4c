// Whether the holder of a lock that is a file is provably gone. Wrongly gone means two writers, so doubt is no proof.

import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import type { Readable, Writable } from 'node:stream'
import { createInterface } from 'node:readline'
import { describe, expect, it } from 'vitest'
import { decodeHolder, isGone, selfHolder } from '../src/disk/holder.ts'

/** How long to wait for another process to come as far; it asserts nothing. */
const patience = { timeout: 60_000 }

describe.skipIf(process.platform !== 'linux')('a holder', () => {
  const self = selfHolder(0, 'n')

  it('is gone only where that is proven', async () => {
    const child = spawn(process.execPath, ['-e', ''], { stdio: 'ignore' })
    await once(child, 'exit')
    const dead = { ...self, pid: child.pid ?? 0 }
    expect(isGone(self)).toBe(false)
    expect(isGone(dead)).toBe(true)
    expect(isGone({ ...self, start: '1' })).toBe(true) // the id was given to another process
    expect(isGone({ ...self, start: undefined })).toBe(false)
    expect(isGone({ ...dead, space: 'pid:[1]' })).toBe(false) // its id means nothing to us
    expect(isGone({ ...dead, machine: 'elsewhere' })).toBe(false)
    expect(isGone({ ...self, boot: 'an earlier one' })).toBe(true)
    expect(isGone({ ...self, boot: 'an earlier one', machine: 'elsewhere' })).toBe(false)
    expect(isGone({ ...dead, boot: undefined })).toBe(false)
  })

  it('that has ended and was not waited for is gone', async () => {
    // The shell becomes a sleep, which never waits for the child that the shell had; then that child ends.
    const parent = spawn('sh', ['-c', 'sh -c "read line" <&3 & echo $!; exec sleep 1000'], {
      stdio: ['ignore', 'pipe', 'ignore', 'pipe']
    })
    const [line] = (await once(createInterface(parent.stdout as Readable), 'line')) as [string]
    const pid = Number(line)
    const stat = (of: number): string => readFileSync(`/proc/${of}/stat`, 'utf8')
    await expect.poll(() => stat(parent.pid ?? 0), patience).toContain('(sleep)')
    const start = stat(pid).split(' ')[21]
    expect(isGone({ ...self, pid, start })).toBe(false)
    ;(parent.stdio[3] as Writable).end()
    await expect.poll(() => stat(pid).split(' ')[2], patience).toBe('Z')
    expect(isGone({ ...self, pid, start })).toBe(true)
    const gone = once(parent, 'exit')
    parent.kill('SIGKILL')
    await gone
  })

  it('is read back from its note', () => {
    expect(decodeHolder(Buffer.from(JSON.stringify(self)))).toEqual(self)
  })
})
