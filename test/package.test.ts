// The package as its users get it: built, packed, installed into a folder of its own, and used by import, by require,
// and by a compiler. What the repository can resolve by accident, a consumer cannot.

import { execFileSync, spawnSync } from 'node:child_process'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

interface Manifest {
  readonly name: string
  readonly exports: Readonly<Record<string, string | { readonly types: string; readonly default: string }>>
  readonly bin?: Readonly<Record<string, string>>
  readonly dependencies: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

const root = join(import.meta.dirname, '..')
const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const consumer = mkdtempSync(join(tmpdir(), 'chronicle-consumer-'))
const installed = join(consumer, 'node_modules', manifest.name)

interface Installed {
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
}

/** These packages of the repository's node_modules and all that they need. */
function withDependencies(names: readonly string[], found: ReadonlySet<string> = new Set()): ReadonlySet<string> {
  let all = found
  for (const name of names.filter((one) => !all.has(one))) {
    const { dependencies, peerDependencies } = JSON.parse(
      readFileSync(join(root, 'node_modules', name, 'package.json'), 'utf8')
    ) as Installed
    const needed = Object.keys({ ...dependencies, ...peerDependencies })
    all = withDependencies(needed, new Set([...all, name]))
  }
  return all
}

/** Packs the folder `source` into `target` and returns the tarball. */
function pack(source: string, target: string): string {
  const packed = npm(['pack', source, '--json', '--ignore-scripts', '--pack-destination', target], target)
  const [{ filename }] = JSON.parse(packed) as readonly [{ readonly filename: string }]
  return join(target, filename)
}

function npm(args: readonly string[], cwd: string): string {
  return execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Runs Node in the consumer's folder: neither vitest's nor tsx's loader is there. */
function node(...args: readonly string[]): string {
  const { NODE_OPTIONS: _, ...env } = process.env
  return execFileSync(process.execPath, args, { cwd: consumer, encoding: 'utf8', env })
}

const compiler = join(root, 'node_modules', 'typescript', 'bin', 'tsc')

beforeAll(() => {
  // Built and packed beside the repository, so that a dist which somebody uses at this time stays as it is.
  const source = mkdtempSync(join(tmpdir(), 'chronicle-package-'))
  try {
    for (const name of ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md', 'docs']) {
      cpSync(join(root, name), join(source, name), { recursive: true })
    }
    node(compiler, '-p', join(root, 'tsconfig.build.json'), '--outDir', join(source, 'dist'))
    const needed = withDependencies([
      ...Object.keys(manifest.dependencies),
      ...Object.keys(manifest.peerDependencies),
      '@types/node'
    ])
    const folders = [source, ...[...needed].map((name) => join(root, 'node_modules', name))]
    const tarballs = folders.map((folder) => pack(folder, source))
    writeFileSync(join(consumer, 'package.json'), JSON.stringify({ name: 'consumer', private: true, type: 'module' }))
    npm(['install', '--offline', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs], consumer)
  } finally {
    rmSync(source, { recursive: true, force: true })
  }
}, 240_000)

afterAll(() => {
  rmSync(consumer, { recursive: true, force: true })
})

const subpaths = Object.keys(manifest.exports)
  .filter((key) => key !== './package.json')
  .map((key) => manifest.name + key.slice(1))

describe('the packed package', () => {
  it('holds the files that its manifest names, and no source or test', () => {
    const files = readdirSync(installed, { recursive: true, encoding: 'utf8' }).map((file) =>
      file.replaceAll('\\', '/')
    )
    for (const target of JSON.stringify([manifest.exports, manifest.bin ?? {}]).matchAll(/"\.\/([^"]+\.[\w.]+)"/g)) {
      expect(files).toContain(target[1])
    }
    expect(files).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'CHANGELOG.md', 'docs/format.md']))
    expect(
      files.filter((file) => /(?<!\.d)\.ts$|(?:^|\/)(?:test|property-tests|examples|bench|src)\//.test(file))
    ).toEqual([])
  })

  it('writes and reads a log when it is imported', () => {
    writeFileSync(
      join(consumer, 'import.mjs'),
      `import { EventLog, orThrow } from '${manifest.name}'\n${appendAndReplay}`
    )
    expect(node('import.mjs', join(consumer, 'by-import'))).toBe('0 Deposited {"cents":1250}\n')
  })

  it('writes and reads a log when it is required', () => {
    const source = `const { EventLog, orThrow } = require('${manifest.name}')\n${appendAndReplay}`
    writeFileSync(join(consumer, 'require.cjs'), source)
    expect(node('--no-warnings', 'require.cjs', join(consumer, 'by-require'))).toBe('0 Deposited {"cents":1250}\n')
  })

  it('folds a log in threads when it is imported, and a profile of each is written', () => {
    const line = `import { EventLog, orThrow } from '${manifest.name}'\nimport { foldInParallel } from '${manifest.name}/parallel'`
    writeFileSync(join(consumer, 'totals.mjs'), totals)
    writeFileSync(join(consumer, 'parallel.mjs'), `${line}\n${foldTogether}`)
    const profiles = join(consumer, 'profiles')
    const printed = node('--cpu-prof', `--cpu-prof-dir=${profiles}`, 'parallel.mjs', join(consumer, 'in-parallel'))
    expect(printed).toBe('4000 7998000 threads: 2\n')
    expect(readdirSync(profiles)).toHaveLength(2)
  })

  it('folds a log in threads when it is required', () => {
    const line = `const { EventLog, orThrow } = require('${manifest.name}')\nconst { foldInParallel } = require('${manifest.name}/parallel')`
    writeFileSync(join(consumer, 'totals.mjs'), totals)
    writeFileSync(join(consumer, 'parallel.cjs'), `${line}\n${foldTogether}`)
    const printed = node('--no-warnings', 'parallel.cjs', join(consumer, 'in-parallel-by-require'))
    expect(printed).toBe('4000 7998000 threads: 2\n')
  })

  it('answers the same names to import and to require, at every entry', () => {
    const show =
      'const show = (all) => console.log(Object.keys(all).filter((key) => !/^(default|module.exports|__esModule)$/.test(key)).sort().join())'
    for (const name of subpaths) {
      const byImport = node('--input-type=module', '-e', `${show}\nshow(await import('${name}'))`)
      const byRequire = node('--no-warnings', '--input-type=commonjs', '-e', `${show}\nshow(require('${name}'))`)
      expect(byRequire).toBe(byImport)
      expect(byImport.trim()).not.toBe('')
    }
  })

  it('gives its types to a consumer who compiles with nodenext, declarations checked', () => {
    expect(compile(typed)).toBe('')
  })

  it('gives types that refuse: a payload of the wrong type does not compile', () => {
    const line = typed.split('\n').findIndex((one) => one.includes('cents: 1250')) + 1
    const complaint = compile(typed.replace('cents: 1250', "cents: 'many'"))
    expect(complaint.split('\n').filter((one) => one.startsWith('typed.ts('))).toHaveLength(1)
    expect(complaint).toContain(`typed.ts(${line},`)
  })
})

/** Runs as a module and as a script: what it needs is imported or required by the line before. */
const appendAndReplay = `
async function main(folder) {
  const log = await orThrow(EventLog.open(folder))
  await orThrow(log.appendSync({ aggregateId: 'account-42', eventType: 'Deposited', payload: { cents: 1250 } }))
  for await (const { offset, event } of orThrow(log.replay())) {
    console.log(offset, event.eventType, JSON.stringify(event.payload))
  }
  await orThrow(log.close())
}
main(process.argv[2]).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
`

/** Runs as a module and as a script, as appendAndReplay does. */
const foldTogether = `
async function main(folder) {
  const log = await orThrow(EventLog.open(folder))
  for (let from = 0; from < 4000; from += 100) {
    const payloads = Array.from({ length: 100 }, (_, place) => ({ cents: from + place }))
    await orThrow(log.append(payloads.map((payload) => ({ aggregateId: 'a', eventType: 'Deposited', payload }))))
  }
  const url = new URL('file://' + process.cwd() + '/totals.mjs')
  const { state } = await orThrow(foldInParallel(folder, url, { workers: 2, pieceBytes: 4096 }))
  console.log(state.events, state.cents, 'threads:', state.threads.size)
  await orThrow(log.close())
}
main(process.argv[2]).catch((error) => {
  console.error(error)
  process.exitCode = 1
})
`

const totals = `
import { threadId } from 'node:worker_threads'
import { defineFold } from '${manifest.name}/parallel'

export const fold = defineFold({
  initial: () => ({ events: 0, cents: 0, threads: new Set() }),
  evolve: ({ events, cents, threads }, { event }) => ({
    events: events + 1,
    cents: cents + event.payload.cents,
    threads: threads.add(threadId)
  }),
  merge: (earlier, later) => ({
    events: earlier.events + later.events,
    cents: earlier.cents + later.cents,
    threads: new Set([...earlier.threads, ...later.threads])
  })
})
`

const typed = `
import * as t from 'io-ts'
import { EventLog, orThrow } from '${manifest.name}'
import { defineFold, foldInParallel } from '${manifest.name}/parallel'
${subpaths.map((name, place) => `import * as entry${place} from '${name}'`).join('\n')}

const BankEvent = t.type({ eventType: t.literal('Deposited'), payload: t.type({ cents: t.number }) })

export async function total(folder: string): Promise<number> {
  await using log = await orThrow(EventLog.open(folder, { codec: BankEvent }))
  await orThrow(log.append({ aggregateId: 'account-42', eventType: 'Deposited', payload: { cents: 1250 } }))
  let cents = 0
  for await (const { event } of orThrow(log.replay())) cents += event.payload.cents
  return cents
}

export const fold = defineFold({
  codec: BankEvent,
  initial: () => 0,
  evolve: (sum, { event }) => sum + event.payload.cents,
  merge: (earlier, later) => earlier + later
})

export async function totalTogether(folder: string): Promise<number> {
  const { state } = await orThrow(foldInParallel<typeof fold>(folder, new URL('./totals.js', import.meta.url)))
  return state
}

export const entries: readonly object[] = [${subpaths.map((_, place) => `entry${place}`).join()}]
`

/** Compiles `source` as a consumer would, and returns what the compiler complains about. */
function compile(source: string): string {
  const compilerOptions = {
    module: 'nodenext',
    target: 'es2023',
    lib: ['es2023', 'esnext.disposable'],
    types: ['node'],
    strict: true,
    noEmit: true,
    skipLibCheck: false
  }
  writeFileSync(join(consumer, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['typed.ts'] }))
  writeFileSync(join(consumer, 'typed.ts'), source)
  return spawnSync(process.execPath, [compiler, '-p', consumer], { cwd: consumer, encoding: 'utf8' }).stdout
}
