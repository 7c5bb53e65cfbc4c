// A server that a benchmark starts for itself: a child of the measuring process, in a folder of its own, on loopback or
// a socket file, and ended by its own id, whatever happens to the benchmark short of kill -9.

import { execFileSync, spawn, type ChildProcess } from 'node:child_process'
import { accessSync, constants, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { createServer, type AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'

export interface Server {
  /** The processor time of the server and its children, those that have ended too, in ms. */
  cpuMs(): number
  stop(): Promise<void>
}

export interface ServerOptions {
  readonly command: string
  readonly args: readonly string[]
  /** The folder of its socket, which goes when it stops. */
  readonly sockets?: string
  /** Whom it runs as, where it refuses to be root. */
  readonly user?: { readonly uid: number; readonly gid: number } | undefined
  /** Tries to speak to it; it is asked again until it does not reject. */
  readonly ready: () => Promise<unknown>
}

const readyTries = 300
const tryEveryMs = 50

/** Where a program is, or undefined: on the PATH, or in the folder beside the PATH that Debian keeps PostgreSQL's in. */
export function findProgram(name: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', ...debianPostgres()]
  return folders.map((folder) => join(folder, name)).find(isExecutable)
}

function debianPostgres(): readonly string[] {
  const home = '/usr/lib/postgresql'
  try {
    return readdirSync(home).map((version) => join(home, version, 'bin'))
  } catch {
    return []
  }
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

/** The path of a program that is known to be there. */
export function programAt(name: string): string {
  const found = findProgram(name)
  if (found === undefined) throw new Error(`${name} is not on the PATH`)
  return found
}

/** The first line that the program says of its version. */
export function programVersion(name: string): string {
  const [line = ''] = execFileSync(programAt(name), ['--version'], { encoding: 'utf8' }).split('\n')
  return line.trim()
}

/** A folder for a socket file, whose path may not be long, as the path of a store's folder may be. */
export function makeSocketFolder(): string {
  return mkdtempSync(join(tmpdir(), 'bench-socket-'))
}

export async function startServer({ command, args, user, ready, sockets }: ServerOptions): Promise<Server> {
  const child = spawn(command, args, { stdio: ['ignore', 'ignore', 'pipe'], ...user })
  const said: string[] = []
  child.stderr?.on('data', (text: Buffer) => said.push(text.toString()))
  const clear = (): void => {
    if (sockets !== undefined) rmSync(sockets, { recursive: true, force: true })
  }
  const kill = (): void => {
    child.kill('SIGKILL')
    clear()
  }
  process.once('exit', kill)
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  await untilReady(child, ready).catch((error: unknown) => {
    kill()
    throw new Error(`${command} does not answer: ${said.join('').slice(-500)}`, { cause: error })
  })
  return {
    cpuMs: () => cpuMsOf(child.pid as number),
    stop: async () => {
      // SIGINT is a fast shutdown to PostgreSQL and a shutdown to the others.
      child.kill('SIGINT')
      await ended
      clear()
      process.off('exit', kill)
    }
  }
}

async function untilReady(child: ChildProcess, ready: () => Promise<unknown>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    await new Promise((resolve) => setTimeout(resolve, tryEveryMs))
    if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}`)
    try {
      await ready()
      return
    } catch (error) {
      if (attempt === readyTries) throw error
    }
  }
}

/** A port of loopback that nobody listens on now. */
export function freePort(): Promise<number> {
  const server = createServer()
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}

const ticksPerSecond = 100

/** From Linux's /proc: user and system time of a process and its children, in ticks; 0 where there is no /proc. */
function cpuMsOf(pid: number): number {
  const processes = statuses()
  const own = processes.filter((one) => one.pid === pid || one.parent === pid)
  return own.reduce((sum, { ticks }) => sum + (ticks * 1000) / ticksPerSecond, 0)
}

interface Status {
  readonly pid: number
  readonly parent: number
  readonly ticks: number
}

function statuses(): readonly Status[] {
  try {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap(statusOf)
  } catch {
    return []
  }
}

/** What stands behind the name, which may hold anything: state, parent, and from the 12th on the times. */
function statusOf(name: string): readonly Status[] {
  try {
    const text = readFileSync(join('/proc', name, 'stat'), 'utf8')
    const fields = text.slice(text.lastIndexOf(')') + 2).split(' ')
    const times = [11, 12, 13, 14].map((place) => Number(fields[place]))
    return [{ pid: Number(name), parent: Number(fields[1]), ticks: times.reduce((sum, time) => sum + time, 0) }]
  } catch {
    // It has ended meanwhile.
    return []
  }
}
