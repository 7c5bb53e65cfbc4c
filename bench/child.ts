// Asks a process of its own for one measurement.

import { execFileSync, fork } from 'node:child_process'
import { join } from 'node:path'
import type { Answer, Order } from './child/main.ts'

const bench = import.meta.dirname
const root = join(bench, '..')

/** Where builds, stores and profiles are put. */
export const scratch: string = join(root, '.chronicle', 'bench')

/** Compiles the library and the benchmarks with the compiler alone: a loader's helpers would be measured too. */
export function buildChild(): string {
  const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')
  execFileSync(process.execPath, [compiler, '-p', bench], { stdio: 'inherit' })
  return join(scratch, 'build', 'bench', 'child', 'main.js')
}

export function ask(child: string, order: Order): Promise<Answer> {
  // Silent, because a peer may print; what it prints is shown when it fails.
  const process = fork(child, [JSON.stringify(order)], { execArgv: [], cwd: bench, silent: true })
  const said: string[] = []
  process.stderr?.on('data', (text: Buffer) => said.push(text.toString()))
  process.stdout?.resume()
  return new Promise((resolve, reject) => {
    process.on('message', (answer) => resolve(answer as Answer))
    process.on('error', reject)
    // Behind an answer this says nothing new: a promise is settled once.
    process.on('close', (code) =>
      reject(new Error(`${order.system} ${order.work} ended with ${code} and no answer: ${said.join('').slice(-2000)}`))
    )
  })
}
