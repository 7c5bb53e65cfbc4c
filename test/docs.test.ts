// What the documents say is true: every program in them compiles and runs, every command exists, every link leads
// somewhere, and the continuous integration runs the README's own test command.
//
// A block `ts` begins a program, a block `ts more` goes on with the one before it, and `ts no-run` is only compiled. A
// block `ts file name.ts` is a file that stands beside the programs. A block `text output` behind a program is exactly
// what it prints. Programs run in a folder of their own.

import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join, relative } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { anchors, codeBlocks, filesOf, linksOf, programs, type Program } from './tidy/markdown.ts'

interface Manifest {
  readonly name: string
  readonly version: string
  readonly bin?: Readonly<Record<string, string>>
  readonly scripts: Readonly<Record<string, string>>
  readonly peerDependencies: Readonly<Record<string, string>>
}

interface Document {
  readonly path: string
  readonly text: string
}

const root = join(import.meta.dirname, '..')
const manifest = JSON.parse(read('package.json')) as Manifest

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8')
}

const documents: readonly Document[] = [
  'README.md',
  'CHANGELOG.md',
  ...readdirSync(join(root, 'docs'), { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name.replaceAll('\\', '/')}`)
].map((path) => ({ path, text: read(path) }))

const named = documents.flatMap(({ path, text }) =>
  programs(text).map((program) => ({
    name: `${path}:${program.line}`,
    file: `${slug(path)}-${program.line}.ts`,
    program
  }))
)

function slug(path: string): string {
  return path.replace(/\.md$/, '').replace(/\W+/g, '-').toLowerCase()
}

// Inside the repository, because that is where the programs find io-ts and fp-ts; git ignores the folder.
const sources = join(root, '.chronicle', `docs-${process.pid}`)
const sandbox = mkdtempSync(join(tmpdir(), 'chronicle-docs-'))

beforeAll(() => {
  mkdirSync(sources, { recursive: true })
  for (const { file, program } of named) writeFileSync(join(sources, file), `${program.text}\nexport {}\n`)
  for (const { name, text } of documents.flatMap((one) => filesOf(one.text))) writeFileSync(join(sources, name), text)
  const compilerOptions = {
    // A program in a document declares things to show them.
    noUnusedLocals: false,
    noUnusedParameters: false,
    paths: {
      [manifest.name]: ['../../src/index.ts'],
      [`${manifest.name}/parallel`]: ['../../src/parallel.ts'],
      [`${manifest.name}/testing`]: ['../../src/testing.ts']
    }
  }
  writeFileSync(
    join(sources, 'tsconfig.json'),
    JSON.stringify({ extends: '../../tsconfig.json', compilerOptions, include: ['*.ts'] })
  )
})

afterAll(() => {
  rmSync(sources, { recursive: true, force: true })
  rmSync(sandbox, { recursive: true, force: true })
})

function tool(...path: readonly string[]): string {
  return join(root, 'node_modules', ...path)
}

describe('the programs in the documents', () => {
  it('compile', () => {
    const compiler = tool('typescript', 'bin', 'tsc')
    const { stdout } = spawnSync(process.execPath, [compiler, '-p', sources], { cwd: sources, encoding: 'utf8' })
    expect(stdout).toBe('')
  })

  const runnable = named.filter(({ program }) => program.runs)
  it.each(runnable)('$name runs', ({ file, program }) => {
    const printed = runProgram(file)
    if (program.output !== undefined) expect(printed).toBe(program.output)
  })

  it('are there: the README shows at least one that prints what it says', () => {
    expect(runnable.some(({ name, program }) => name.startsWith('README.md') && program.output !== undefined)).toBe(
      true
    )
  })
})

/** Runs a program from source in a folder of its own, and returns what it printed; throws what it said when it fails. */
function runProgram(file: string): string {
  const cwd = mkdtempSync(join(sandbox, 'run-'))
  const args = [tool('tsx', 'dist', 'cli.mjs'), '--tsconfig', join(sources, 'tsconfig.json'), join(sources, file)]
  return execFileSync(process.execPath, args, {
    cwd,
    encoding: 'utf8',
    timeout: 60_000,
    stdio: ['ignore', 'pipe', 'pipe']
  })
}

/** The commands of a document's sh blocks: one a line, and those joined by && one by one. */
function commandsOf(text: string): readonly string[] {
  return codeBlocks(text)
    .filter(({ info }) => /^(?:sh|bash|shell)\b/.test(info))
    .flatMap((block) => block.text.replaceAll('\\\n', ' ').split(/\n|&&/))
    .map((command) =>
      command
        .replace(/(?:^|\s)#.*$/, '')
        .replace(/^\$ /, '')
        .trim()
    )
    .filter((command) => command !== '')
}

/** Why a command in a document would not work, or undefined. */
function commandFault(command: string, cwd: string): string | undefined {
  const script = /^npm (?:run (?:--silent )?)?([\w:-]+)/.exec(command)?.[1]
  if (/^npm (?:ci|run|test|start)\b/.test(command)) {
    return script === 'ci' || Object.hasOwn(manifest.scripts, script ?? '') ? undefined : `there is no script ${script}`
  }
  if (/^npm (?:install|i) /.test(command)) return installFault(command)
  if (command.startsWith('npx tsx '))
    return existsSync(join(root, command.split(/\s+/)[2] ?? '')) ? undefined : 'no such file'
  if (/^(?:git clone|cd) \S/.test(command)) return undefined
  const face = /^(?:npx )?([\w-]+)(.*)$/s.exec(command)
  const bin = manifest.bin?.[face?.[1] ?? '']
  return bin === undefined ? 'nobody has shown that this command works' : runCommand(bin, face?.[2] ?? '', cwd)
}

function installFault(command: string): string | undefined {
  const known = [manifest.name, ...Object.keys(manifest.peerDependencies)]
  const packages = command
    .split(/\s+/)
    .slice(2)
    .filter((word) => !word.startsWith('-'))
  const odd = packages.filter((name) => !known.includes(name.replace(/(?<=.)@.*$/, '')))
  return odd.length === 0 ? undefined : `${odd.join(' and ')} are not needed`
}

/** Runs the command line from source, through the shell, so that quotes and pipes mean what the reader thinks. */
function runCommand(bin: string, args: string, cwd: string): string | undefined {
  const source = join(root, bin.replace(/^(?:\.\/)?dist\//, 'src/').replace(/\.js$/, '.ts'))
  const line = `"${process.execPath}" "${tool('tsx', 'dist', 'cli.mjs')}" "${source}" ${args}`
  const { status, stderr } = spawnSync(line, { cwd, shell: true, encoding: 'utf8', timeout: 60_000 })
  return status === 0 ? undefined : `exit code ${status}: ${stderr}`
}

describe('the commands in the documents', () => {
  it.each(documents)('$path names commands that work', ({ path, text }) => {
    const cwd = join(sandbox, `sh-${slug(path)}`)
    mkdirSync(cwd)
    for (const command of commandsOf(text)) expect(commandFault(command, cwd), command).toBeUndefined()
  })

  it('are refused when they would not work', () => {
    expect(commandFault('npm run nothing', sandbox)).toContain('no script nothing')
    expect(commandFault('npm install left-pad', sandbox)).toContain('left-pad')
    expect(commandFault('npx tsx examples/none.ts', sandbox)).toBe('no such file')
    expect(commandFault('rm -rf bank', sandbox)).toContain('nobody')
    expect(commandsOf('```sh\nnpm ci && npm test # all\n\n```\n')).toEqual(['npm ci', 'npm test'])
  })

  it('are scripts of the package wherever a text names them', () => {
    for (const { path, text } of documents) {
      for (const [, name] of text.matchAll(/\bnpm run ([\w:-]+)/g))
        expect(Object.keys(manifest.scripts), path).toContain(name)
    }
  })

  it('of the README are what the continuous integration runs', () => {
    const readme = documents.find(({ path }) => path === 'README.md') as Document
    const lines = codeBlocks(readme.text).flatMap((block) => block.text.split('\n'))
    const tests = lines.map((line) => line.replace(/\s*#.*$/, '').trim()).filter((line) => /\bnpm test$/.test(line))
    expect(tests).toEqual(['npm ci && npm test'])
    expect(
      read('.ci/run')
        .split('\n')
        .some((line) => !line.startsWith('#') && line.includes(tests[0] as string))
    ).toBe(true)
    expect(lines.some((line) => /\bnpm start\b/.test(line))).toBe(true)
    expect(Object.keys(manifest.scripts)).toEqual(expect.arrayContaining(['start', 'test']))
  })
})

describe('the links in the documents', () => {
  it.each(documents)('of $path lead somewhere', ({ path, text }) => {
    for (const link of linksOf(text)) {
      const [file, anchor] = link.split('#')
      const target = file === '' || file === undefined ? path : relative(root, join(root, dirname(path), file))
      expect(existsSync(join(root, target)), `${path} → ${link}`).toBe(true)
      if (anchor !== undefined) expect(anchors(read(target)), `${path} → ${link}`).toContain(anchor)
    }
  })
})

describe('the changelog', () => {
  it('has a section for the version of the package, which says what a user gets', () => {
    const section = read('CHANGELOG.md')
      .split(/^## /m)
      .find((part) => part.startsWith(manifest.version))
    expect(section).toMatch(/^\d+\.\d+\.\d+(?: \(unreleased\)| \(\d{4}-\d\d-\d\d\))\n/)
    expect(section?.match(/^- /gm)?.length).toBeGreaterThan(0)
  })
})

describe('the reading of the documents', () => {
  const text = [
    '# A b',
    '```ts',
    'a',
    '```',
    '',
    '```ts more',
    'b',
    '```',
    '```text output',
    '1',
    '```',
    '## `C` d!',
    ''
  ].join('\n')

  it('joins what belongs together', () => {
    const expected: Program = { line: 2, text: 'a\n\nb\n', runs: true, output: '1\n' }
    expect(programs(text)).toEqual([expected])
    expect(programs('```ts no-run\na\n```\n```js\nb\n```\n').map(({ runs }) => runs)).toEqual([false, true])
    const withFile = '```ts file a-b.ts\na\n```\n```ts\nb\n```\n'
    expect(filesOf(withFile)).toEqual([{ name: 'a-b.ts', text: 'a\n' }])
    expect(programs(withFile).map((one) => one.text)).toEqual(['b\n'])
  })

  it('finds headings and links, and none in code', () => {
    expect(anchors(text)).toEqual(['a-b', 'c-d'])
    expect(linksOf('[a](b.md#c) ![d](e.png) [f](https://g.org) `[h](i)`\n```\n[j](k)\n```\n')).toEqual([
      'b.md#c',
      'e.png'
    ])
  })
})
