// A durable reader in a process of its own, beside a writer in another one that is killed in the middle of a write.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { expect, it, onTestFinished } from 'vitest'
import { EventLog, orThrow } from '../src/index.ts'
import { eventsOf } from './log-lab.ts'

class Child {
  readonly process: ChildProcess
  readonly lines: string[] = []
  private readonly listeners = new Set<() => void>()

  constructor(script: string, ...args: readonly string[]) {
    const argv = ['--import', 'tsx', join('test', 'live', script), ...args]
    const cwd = join(import.meta.dirname, '..')
    const child = spawn(process.execPath, argv, { cwd, stdio: ['pipe', 'pipe', 'inherit'] })
    onTestFinished(() => void child.kill('SIGKILL'))
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.lines.push(line)
      for (const listener of this.listeners) listener()
    })
    this.process = child
  }

  /** What it has said of one kind. */
  said(kind: string): readonly string[] {
    return this.lines.filter((line) => line.startsWith(`${kind} `)).map((line) => line.slice(kind.length + 1))
  }

  /** Resolves when it has said so many lines of a kind. */
  async until(kind: string, count: number): Promise<void> {
    while (this.said(kind).length < count) {
      await new Promise<void>((resolve) => {
        const heard = (): void => {
          this.listeners.delete(heard)
          resolve()
        }
        this.listeners.add(heard)
      })
    }
  }

  async append(count: number | 'flood'): Promise<void> {
    const before = this.said('end').length
    this.process.stdin?.write(`${count}\n`)
    if (count !== 'flood') await this.until('end', before + 1)
  }

  async kill(): Promise<void> {
    const ended = once(this.process, 'exit')
    this.process.kill('SIGKILL')
    await ended
  }
}

function temporary(): string {
  const root = mkdtempSync(join(tmpdir(), 'chronicle-reader-process-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  return join(root, 'log')
}

/** What the log holds, as a reader says it. */
async function heldBy(folder: string): Promise<readonly string[]> {
  const log = await orThrow(EventLog.open(folder, { readOnly: true }))
  const held = (await eventsOf(log.replay())).map(({ offset, event }) => `${offset} ${event.eventId}`)
  await orThrow(log.close())
  return held
}

it('a reader waits out a writer that dies half-way, says so, and goes on with what the next one appends', async () => {
  const folder = temporary()
  const writer = new Child('writer.ts', folder)
  await writer.until('open', 1)
  await writer.append(5)
  const reader = new Child('reader.ts', folder, 'mailer')
  await reader.until('event', 5)
  await writer.append('flood')
  await reader.until('event', 13)
  await writer.kill()
  // A kill need not have come into a write: half a frame for sure.
  const active = readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .sort()
    .at(-1) as string
  const half = Buffer.from('....{"event":{"aggregateId":"a","eventId":"never"')
  half.writeUInt32LE(4_000, 0)
  appendFileSync(join(folder, active), half)
  await reader.until('lost', 1)
  const before = await heldBy(folder)
  expect(reader.said('event')).toEqual(before)

  const next = new Child('writer.ts', folder)
  await next.until('open', 1)
  expect(Number(next.said('open')[0])).toBeGreaterThanOrEqual(half.length)
  await next.append(5)
  await reader.until('event', before.length + 5)
  expect(reader.said('event')).toEqual(await heldBy(folder))
  expect(reader.said('lost')).toHaveLength(1)
})

it('a reader that was killed goes on at its cursor, and holds its name until then', async () => {
  const folder = temporary()
  const log = await orThrow(EventLog.open(folder))
  const append = async (count: number): Promise<void> => {
    for (let done = 0; done < count; done++) {
      await orThrow(log.append({ aggregateId: 'a', eventType: 'Appended', payload: done }))
    }
  }
  await append(20)
  const reader = new Child('reader.ts', folder, 'mailer')
  await reader.until('event', 20)
  const { pid } = reader.process
  expect(await log.reader('mailer')()).toMatchObject({ left: { _tag: 'Locked', pid } })
  expect(await orThrow(log.readers())).toMatchObject([{ name: 'mailer', pid, live: true }])
  await reader.kill()
  await append(5)
  const again = new Child('reader.ts', folder, 'mailer')
  const held = await heldBy(folder)
  await again.until('open', 1)
  // The kill may have come before the commit of the last one, and not before any other.
  const cursor = Number(again.said('open')[0])
  const rest = held.filter((line) => Number(line.split(' ')[0]) >= cursor)
  expect([5, 6]).toContain(rest.length)
  await again.until('event', rest.length)
  expect(again.said('event')).toEqual(rest)
  await orThrow(log.close())
})
