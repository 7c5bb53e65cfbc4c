// One writer and two readers, each a process of its own, and somebody who kills any of them at any time and starts it
// again. In the end each reader has handled every tick, in order, at least once.
//
//   npx tsx examples/three-processes/main.ts --kills 12

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { EventLog, orThrow } from '../../src/index.ts' // yours: from 'chronicle-log'
import { check } from './handled.ts'

const { values } = parseArgs({ options: { kills: { type: 'string', default: '12' } } })
const root = mkdtempSync(join(tmpdir(), 'three-processes-'))
const folder = join(root, 'log')

/** How to start each process; a reader's last argument is the file of what it has handled. */
const commands: Readonly<Record<string, readonly string[]>> = {
  writer: ['writer.ts', folder],
  fast: ['reader.ts', folder, 'fast', '0', join(root, 'fast')],
  slow: ['reader.ts', folder, 'slow', '1', join(root, 'slow')]
}
const readers = ['fast', 'slow'] as const
/** How often each was killed. */
const killed = new Map<string, number>()
const failures: string[] = []
const running = new Map<string, ChildProcess>()

function start(role: string): void {
  const [script = '', ...args] = commands[role] ?? []
  const argv = [...process.execArgv, join(import.meta.dirname, script), ...args]
  const child = spawn(process.execPath, argv, { stdio: ['ignore', 'inherit', 'inherit'] })
  running.set(role, child)
  child.once('exit', (code) => {
    if (running.get(role) === child && code !== 0) failures.push(`the ${role} has ended by itself with ${code}`)
  })
}

async function stop(role: string, signal: NodeJS.Signals): Promise<void> {
  const child = running.get(role)
  running.delete(role)
  if (child === undefined || child.exitCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** Resolves when every reader has committed everything. */
async function drained(log: EventLog): Promise<void> {
  for (;;) {
    const listed = await orThrow(log.readers())
    const behind = listed.filter((one) => one.error !== undefined || one.lag.events > 0)
    if (listed.length === readers.length && behind.length === 0) return
    if (failures.length > 0) throw new Error(failures.join(', '))
    await sleep(20)
  }
}

function handledBy(name: string): readonly number[] {
  return readFileSync(join(root, name), 'utf8').trimEnd().split('\n').map(Number)
}

/** Resolves when the writer, killed often enough, has appended for a while in peace. */
async function grown(): Promise<void> {
  for (let before: number | undefined; failures.length === 0; await sleep(20)) {
    const opened = await EventLog.open(folder, { readOnly: true })()
    if (opened._tag === 'Left') continue
    const ticks = await orThrow(opened.right.version('clock'))
    await orThrow(opened.right.close())
    before ??= ticks
    if (ticks > before + 100) return
  }
}

async function killSome(kills: number): Promise<void> {
  const roles = Object.keys(commands)
  for (let count = 0; count < kills; count++) {
    await sleep(200 + Math.random() * 1_000)
    const role = roles[Math.floor(Math.random() * roles.length)] as string
    await stop(role, 'SIGKILL')
    killed.set(role, (killed.get(role) ?? 0) + 1)
    start(role)
  }
}

async function finish(): Promise<void> {
  await stop('writer', 'SIGKILL')
  await using log = await orThrow(EventLog.open(folder))
  const ticks = await orThrow(log.version('clock'))
  await drained(log)
  // Ended in peace, a reader says so in its place.
  for (const name of readers) await stop(name, 'SIGTERM')
  for (const name of readers) {
    const { again, fault } = check(handledBy(name), ticks)
    const times = killed.get(name) ?? 0
    if (fault !== undefined) failures.push(`${name}: ${fault}`)
    else
      console.log(`${name}: handled ${ticks} of ${ticks} ticks in order, ${again} of them again, killed ${times} times`)
  }
  console.log(`the writer was killed ${killed.get('writer') ?? 0} times; its log holds ${ticks} ticks`)
}

try {
  for (const role of Object.keys(commands)) start(role)
  await killSome(Number(values.kills))
  await grown()
  await finish()
} finally {
  for (const role of running.keys()) await stop(role, 'SIGKILL')
  rmSync(root, { recursive: true })
}
if (failures.length > 0) throw new Error(failures.join('\n'))
