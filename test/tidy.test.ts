// The house rules hold everywhere in the repository, and every rule bites: each is shown a bad file and a good one
// first, since a rule that never complains holds nothing.

import { readdirSync, readFileSync } from 'node:fs'
import { join, relative, sep } from 'node:path'
import { describe, expect, it } from 'vitest'
import {
  coreIsPure,
  entries,
  fileLinesMax,
  filesAreShort,
  filesOpenWithAComment,
  functionLinesMax,
  functionsAreShort,
  importsGoDown,
  importsOf,
  layers,
  lockNamesNoRegistry,
  namesSaySomething,
  noBarrel,
  noDefaultExport,
  noMachineIsNamed,
  relativeImportsNameTheFile,
  type Rule,
  type SourceFile
} from './tidy/rule.ts'

const root = join(import.meta.dirname, '..')
const outside = new Set(['node_modules', 'dist', 'coverage', '.git', '.chronicle'])

function read(folder: string): readonly SourceFile[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    if (outside.has(entry.name)) return []
    if (entry.isDirectory()) return read(path)
    return [{ path: relative(root, path).split(sep).join('/'), text: readFileSync(path, 'utf8') }]
  })
}

const all = read(root)
const sources = all.filter(({ path }) => path.startsWith('src/') && path.endsWith('.ts'))
const code = all.filter(({ path }) => path.endsWith('.ts'))
const isLock = (path: string): boolean => /(?:^|\/)package-lock\.json$/.test(path)
const lock = all.filter(({ path }) => isLock(path))
const textual = all.filter(
  ({ path }) => /\.(?:ts|js|mjs|cjs|md|json|ya?ml|sh)$|^\.(?:ci\/|npmrc|git)/.test(path) && !isLock(path)
)

function file(path: string, ...lines: readonly string[]): SourceFile {
  return { path, text: `${lines.join('\n')}\n` }
}

interface Case {
  readonly law: string
  readonly rule: Rule
  readonly files: readonly SourceFile[]
  readonly bad: readonly SourceFile[]
  readonly good: readonly SourceFile[]
}

const body = (lines: number): readonly string[] => Array.from({ length: lines }, () => '  work()')

const cases: readonly Case[] = [
  {
    law: 'imports go down the layers only, types included',
    rule: importsGoDown,
    files: sources,
    bad: [
      file('src/core/frame.ts', "import { open } from '../disk/node.ts'"),
      file('src/core/frame.ts', "import type { Disk } from '../port/disk.ts'"),
      file('src/replay/follow.ts', 'import {', '  scan,', '  tail', "} from '../log/scan.ts'"),
      file('src/log/log.ts', "export { NodeDisk } from '../disk/node.ts'"),
      file('src/log/log.ts', "type Disk = import('../disk/node.ts').NodeDisk"),
      file('src/log/log.ts', "import '../disk/node.ts'"),
      file('src/domain/handle.ts', "import { EventLog } from '../index.ts'"),
      file('src/disk/node.ts', "import { main } from '../cli/main.ts'"),
      file('src/replay/fold.ts', "import { Crew } from '../parallel/crew.ts'"),
      file('src/core/frame.ts', "import { readFileSync } from 'node:fs'"),
      file('src/core/frame.ts', "import { v4 } from 'uuid'"),
      file('src/log/scan.ts', "import { readSync } from 'node:fs'"),
      file('src/testing/contract.ts', "import { it } from 'vitest'"),
      file('src/magic/wand.ts', "import { left } from 'fp-ts/lib/Either.js'"),
      file('src/stray.ts', 'export const stray = 1')
    ],
    good: [
      file('src/core/frame.ts', "import { crc32 } from './crc.ts'", "import { isUtf8 } from 'node:buffer'"),
      file(
        'src/log/log.ts',
        "import type { Disk } from '../port/disk.ts'",
        "import { postings } from '../indexing/postings.ts'"
      ),
      file('src/disk/node.ts', "import { openSync } from 'node:fs'"),
      file('src/cli/read.ts', "import { open } from '../log/log.ts'", "import { NodeDisk } from '../disk/node.ts'"),
      file('src/index.ts', "import { NodeDisk } from './disk/node.ts'"),
      file(
        'src/core/frame.ts',
        "// import { open } from '../disk/node.ts'",
        '/**',
        " * import { a } from '../disk/node.ts'",
        ' */'
      )
    ]
  },
  {
    law: 'a relative import names the file',
    rule: relativeImportsNameTheFile,
    files: code,
    bad: [
      file('src/log/log.ts', "import { scan } from './scan'"),
      file('src/log/log.ts', "import { scan } from './scan.js'")
    ],
    good: [file('src/log/log.ts', "import { scan } from './scan.ts'", "import { left } from 'fp-ts/lib/Either.js'")]
  },
  {
    law: 'nothing is exported as the default',
    rule: noDefaultExport,
    files: code.filter(({ path }) => path !== 'vitest.config.ts'),
    bad: [file('src/log/log.ts', 'export default class Log {}'), file('src/log/log.ts', 'export { log as default }')],
    good: [file('src/log/log.ts', 'export class Log {}', '// export default nothing')]
  },
  {
    law: 'only entry files re-export, and by name',
    rule: noBarrel,
    files: code,
    bad: [
      file('src/index.ts', "export * from './log/log.ts'"),
      file('src/log/all.ts', "export { scan } from './scan.ts'"),
      file('src/log/all.ts', 'export type {', '  Scan', "} from './scan.ts'")
    ],
    good: [file('src/index.ts', "export { scan } from './log/scan.ts'"), file('src/log/scan.ts', 'export { scan }')]
  },
  {
    law: 'the core has neither clock, chance, timers nor promises',
    rule: coreIsPure,
    files: sources,
    bad: [
      file('src/core/now.ts', 'const now = Date.now()'),
      file('src/core/now.ts', 'const now = new Date()'),
      file('src/core/id.ts', 'const id = Math.random()'),
      file('src/core/wait.ts', 'setTimeout(next, 1)'),
      file('src/core/wait.ts', 'const later: Promise<void> = wait()'),
      file('src/core/wait.ts', 'const text = `${Date.now()} ms`')
    ],
    good: [
      file('src/core/time.ts', '// Not Date.now().', 'new Date(ms)', "'a Promise'", '`process ${id} waits`'),
      file('src/log/now.ts', 'Date.now()')
    ]
  },
  {
    law: 'names say something',
    rule: namesSaySomething,
    files: all.filter(({ path }) => /^(?:src|test|property-tests|examples|bench)\//.test(path)),
    bad: [
      file('src/core/utils.ts'),
      file('src/helpers/bytes.ts'),
      file('test/log-helper.ts'),
      file('src/log/types.ts')
    ],
    good: [file('src/core/frame.ts'), file('src/log/database.ts')]
  },
  {
    law: `files are shorter than ${fileLinesMax} lines`,
    rule: filesAreShort,
    files: code,
    bad: [file('src/log/log.ts', ...body(fileLinesMax))],
    good: [file('src/log/log.ts', ...body(fileLinesMax - 1))]
  },
  {
    law: `functions are shorter than ${functionLinesMax} lines`,
    rule: functionsAreShort,
    files: sources,
    bad: [
      file('src/log/log.ts', 'export function long(): void {', ...body(functionLinesMax), '}'),
      file(
        'src/log/log.ts',
        'async function long(',
        '  a: string',
        '): Promise<void> {',
        ...body(functionLinesMax),
        '}'
      ),
      file('src/log/log.ts', 'function long({', '  a', '}: Options): void {', ...body(functionLinesMax), '}'),
      file('src/log/log.ts', 'const long = (): void => {', ...body(functionLinesMax), '}'),
      file('src/log/log.ts', 'class Log {', '  async long(): Promise<void> {', ...body(functionLinesMax), '  }', '}'),
      file('src/log/log.ts', 'class Log {', '  async *[Symbol.asyncIterator](', ...body(functionLinesMax), '  }', '}')
    ],
    good: [
      file('src/log/log.ts', 'export function short(): void {', ...body(functionLinesMax - 3), '}'),
      file('src/log/log.ts', 'export class Log {', ...body(functionLinesMax), '}'),
      file('src/log/log.ts', 'export interface Log {', ...body(functionLinesMax), '}')
    ]
  },
  {
    law: 'a file opens by saying what it is',
    rule: filesOpenWithAComment,
    files: code,
    bad: [
      file('src/log/log.ts', "import { left } from 'fp-ts/lib/Either.js'"),
      file('src/log/log.ts', '//', 'const a = 1')
    ],
    good: [
      file('src/log/log.ts', '// The log.'),
      file('src/cli/main.ts', '#!/usr/bin/env node', '// The command line.')
    ]
  },
  {
    law: 'no path of a machine and no package registry is named',
    rule: noMachineIsNamed,
    files: textual,
    bad: [
      file('README.md', `cd ${'/'}work/main`),
      file('bench/main.ts', `const folder = '${'/'}tmp/bench'`),
      file('.npmrc', `registry=https:${'//'}registry.example.org`)
    ],
    good: [file('README.md', './bank', 'the homework', 'src/network/home.ts', 'https://github.com')]
  },
  {
    law: 'the lock file leaves the registry open',
    rule: lockNamesNoRegistry,
    files: lock,
    bad: [file('package-lock.json', `"resolved": "https:${'//'}example.org/a.tgz"`)],
    good: [file('package-lock.json', '"integrity": "sha512-abc"')]
  }
]

describe('the house rules', () => {
  for (const { law, rule, files, bad, good } of cases) {
    it(law, () => {
      for (const one of bad) expect(rule(one), one.text).not.toEqual([])
      for (const one of good) expect(rule(one), one.text).toEqual([])
      expect(files.length).toBeGreaterThan(0)
      expect(files.flatMap(rule)).toEqual([])
    })
  }

  it('the layer table has no cycle: every row names rows above it', () => {
    const names = [...layers.keys()]
    for (const [name, allowed] of layers) {
      for (const other of allowed) expect(names.indexOf(other)).toBeLessThan(names.indexOf(name))
      expect(allowed.every((other) => layers.has(other))).toBe(true)
    }
  })

  it('imports are found in every form, and not in comments', () => {
    const text = [
      "import a from 'a'",
      "import type { B } from 'b'",
      'import {',
      '  c,',
      '  type D',
      "} from 'c'",
      "import 'd'",
      "export { e } from 'e'",
      "const f = await import('f')",
      "// import g from 'g'",
      "/* import h from 'h' */"
    ].join('\n')
    expect([...importsOf(text)].sort()).toEqual(['a', 'b', 'c', 'd', 'e', 'f'])
  })

  it('the entry files that exist are the ones that the package and the tests name', () => {
    const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as {
      readonly exports: Readonly<Record<string, unknown>>
      readonly bin?: Readonly<Record<string, string>>
    }
    const targets = [JSON.stringify(manifest.exports), JSON.stringify(manifest.bin ?? {})].join()
    const named = [...targets.matchAll(/dist\/([\w/]+)\.js/g)].map((match) => `src/${match[1]}.ts`)
    expect(entries).toEqual(expect.arrayContaining(named))
  })
})
