// Installs the peers into bench/node_modules, once for each lock file: a compiled module takes its minutes.

import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

const bench = import.meta.dirname
const stamp = join(bench, 'node_modules', '.installed')

/** Throws when npm ci fails; what it said has been shown. */
export function installPeers(): void {
  const lock = readFileSync(join(bench, 'package-lock.json'))
  const wanted = `${createHash('sha256').update(lock).digest('hex')} ${process.version}`
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === wanted) return
  console.log('installing the peers into bench/node_modules; some are compiled, which takes minutes')
  const { status } = spawnSync('npm', ['ci'], { cwd: bench, stdio: 'inherit', shell: process.platform === 'win32' })
  if (status !== 0) throw new Error('the peers could not be installed; --systems floor,chronicle needs none of them')
  writeFileSync(stamp, wanted)
}

/** `name version` of an installed package. */
export function packageVersion(name: string): string {
  const manifest = readFileSync(join(bench, 'node_modules', name, 'package.json'), 'utf8')
  return `${name} ${(JSON.parse(manifest) as { readonly version: string }).version}`
}
