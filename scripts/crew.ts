// Child processes of the soak scripts: a script starts itself again in a role, and the two talk in lines. A child is
// started ahead of its time and waits for its orders, so that a round costs no start of a process.

import { spawn, type ChildProcess } from 'node:child_process'
import { writeSync } from 'node:fs'
import { createInterface } from 'node:readline'

export interface Hand {
  readonly process: ChildProcess
  /** The lines it has written so far. */
  readonly lines: string[]
  /** Resolves when it has ended and all its lines are there. */
  readonly ended: Promise<{ readonly code: number | null; readonly signal: NodeJS.Signals | null }>
  /** Sends one line. */
  tell(line: string): void
  /** Is called for every line from now on. */
  listen(onLine: (line: string) => void): void
}

/** Starts this script again in a role. What it says on stderr is shown. */
export function startHand(script: string, role: string): Hand {
  const child = spawn(process.execPath, [...process.execArgv, script, role], { stdio: ['pipe', 'pipe', 'inherit'] })
  const lines: string[] = []
  const listeners: ((line: string) => void)[] = []
  const reader = createInterface({ input: child.stdout })
  reader.on('line', (line) => {
    lines.push(line)
    for (const listener of listeners) listener(line)
  })
  const read = new Promise<void>((resolve) => reader.once('close', resolve))
  const ended = new Promise<Awaited<Hand['ended']>>((resolve) => {
    child.once('exit', (code, signal) => {
      void read.then(() => resolve({ code, signal }))
    })
  })
  // A hand that is killed does not take its last order.
  child.stdin.on('error', () => {})
  return {
    process: child,
    lines,
    ended,
    tell: (line) => void child.stdin.write(`${line}\n`),
    listen: (onLine) => void listeners.push(onLine)
  }
}

/** In a child: its orders, one line at a time. It ends with whoever gives them. */
export function orders(): AsyncIterable<string> {
  process.stdin.once('end', () => process.exit(0))
  return createInterface({ input: process.stdin })
}

/** In a child: says a line, which is in the pipe when this returns. */
export function say(line: string): void {
  writeSync(1, `${line}\n`)
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** What a soak has come to, on one line. */
export function report(title: string, figures: Readonly<Record<string, number | string>>): void {
  const parts = Object.entries(figures).map(([name, value]) => `${name} ${value}`)
  process.stdout.write(`${title}: ${parts.join(', ')}\n`)
}
