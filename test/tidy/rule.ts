// The house rules as pure functions: a file in, complaints out. tidy.test.ts runs them over the repository and shows
// each of them a bad file first. TypeScript 7 has no stable API, so sources are read by lines and patterns; that is
// enough, because the formatter leaves one way to lay out a statement.

/** A file of the repository: its path from the root, with `/`, and its text. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

export type Rule = (file: SourceFile) => readonly string[]

const below = (...names: readonly string[]): readonly string[] => names

/** Who may import whom, from the ground up. A folder of src that is not in this table may not exist. */
export const layers: ReadonlyMap<string, readonly string[]> = new Map([
  ['core', below()],
  ['port', below('core')],
  ['disk', below('core', 'port')],
  ['indexing', below('core', 'port')],
  ['log', below('core', 'port', 'indexing')],
  ['replay', below('core', 'port')],
  ['domain', below('core', 'port', 'replay')],
  ['topic', below('core', 'port', 'replay', 'domain')],
  ['queue', below('core', 'port', 'replay', 'domain')],
  ['kv', below('core', 'port', 'replay', 'domain')],
  ['schema', below('core', 'port', 'replay', 'domain')],
  ['filter', below('core', 'port', 'replay', 'domain')],
  ['nats', below('core', 'port')],
  ['testing', below('core', 'port', 'disk')]
])

/** The faces may import everything above, and nobody imports them. */
const faces: readonly string[] = ['server', 'dashboard', 'parallel', 'cli']

/** Where concrete parts meet. Nobody imports these files, except tests, examples and benchmarks. */
export const entries: readonly string[] = [
  'src/index.ts',
  'src/parallel.ts',
  'src/testing.ts',
  'src/cli/main.ts',
  'src/parallel/thread.ts'
]

/** All that the core may import from outside: the four packages it is built on, and what of Node is pure. */
const corePackages =
  /^(?:fp-ts\/lib\/\w+\.js|io-ts|crc-32|fast-json-stable-stringify|node:buffer|node:util\/types|node:zlib)$/

/** Node's modules that touch the world. Below the entries only the disk may import them. */
const worldly = /^node:(?:fs|fs\/promises|child_process|net|http|https|os|cluster|worker_threads|readline)$/

const worldlyFolders: readonly string[] = ['disk', 'nats', ...faces]

/** The text without comments, line for line. It takes line comments at a line's start or behind a space. */
function withoutComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, (comment) => comment.replace(/[^\n]/g, '')).replace(/(^|\s)\/\/.*$/gm, '$1')
}

/** Every module that the text imports, re-exports, or loads. */
export function importsOf(text: string): readonly string[] {
  const code = withoutComments(text)
  const statements = code.matchAll(/^(?:import|export)\b[^'"]*?\bfrom\s*['"]([^'"]+)['"]/gm)
  const effects = code.matchAll(/^import\s*['"]([^'"]+)['"]/gm)
  const calls = code.matchAll(/\bimport\s*\(\s*['"]([^'"]+)['"]/g)
  return [...statements, ...effects, ...calls].map((match) => match[1] as string)
}

/** `src/log/scan.ts` and `../core/frame.ts` make `src/core/frame.ts`. */
function resolve(path: string, specifier: string): string {
  const parts = path.split('/').slice(0, -1)
  for (const part of specifier.split('/')) {
    if (part === '..') parts.pop()
    else if (part !== '.') parts.push(part)
  }
  return parts.join('/')
}

function layerOf(path: string): string | undefined {
  return /^src\/([^/]+)\//.exec(path)?.[1]
}

/** Imports go down the table only. */
export const importsGoDown: Rule = (file) => {
  if (entries.includes(file.path) || !file.path.startsWith('src/')) return []
  const layer = layerOf(file.path)
  if (layer === undefined) return [`${file.path} is in no layer`]
  const allowed = faces.includes(layer) ? [...layers.keys()] : layers.get(layer)
  if (allowed === undefined) return [`${file.path}: the folder ${layer} is in no row of the layer table`]
  return importsOf(file.text).flatMap((specifier) => importFault(file.path, specifier, [layer, ...allowed]))
}

function importFault(path: string, specifier: string, allowed: readonly string[]): readonly string[] {
  const layer = allowed[0] as string
  if (!specifier.startsWith('.')) return packageFault(path, specifier, layer)
  const target = resolve(path, specifier)
  if (entries.includes(target)) return [`${path} imports the entry file ${target}`]
  const other = layerOf(target)
  return other !== undefined && allowed.includes(other)
    ? []
    : [`${path} imports ${target}, which is not below ${layer}`]
}

function packageFault(path: string, specifier: string, layer: string): readonly string[] {
  if (layer === 'core' && !corePackages.test(specifier)) return [`${path} imports ${specifier}; the core is pure`]
  if (worldly.test(specifier) && !worldlyFolders.includes(layer))
    return [`${path} imports ${specifier} past the disk port`]
  if (specifier === 'vitest') return [`${path} imports a test runner`]
  return []
}

/** Node runs the sources as they are, so a relative import names the file. */
export const relativeImportsNameTheFile: Rule = (file) =>
  importsOf(file.text)
    .filter((specifier) => specifier.startsWith('.') && !/\.(?:ts|json)$/.test(specifier))
    .map((specifier) => `${file.path} imports ${specifier} without .ts`)

export const noDefaultExport: Rule = (file) =>
  /^export default\b|^export \{[^}]*\bas default\b/m.test(withoutComments(file.text))
    ? [`${file.path} has a default export`]
    : []

/** Re-exports stand in the entry files, by name. */
export const noBarrel: Rule = (file) => {
  const code = withoutComments(file.text)
  if (/^export (?:type )?\*/m.test(code)) return [`${file.path} exports everything of another file; name what is meant`]
  if (entries.includes(file.path) || !file.path.startsWith('src/')) return []
  return /^export (?:type )?\{[^}]*\} from/m.test(code) ? [`${file.path} re-exports another file's names`] : []
}

const impure: readonly (readonly [RegExp, string])[] = [
  [/\bDate\.now\b|\bnew Date\(\)/, 'reads the clock'],
  [/\bperformance\.now\b|\bprocess\./, 'reads the process'],
  [/\bMath\.random\b|\brandomUUID\b|\brandomBytes\b/, 'draws a random number'],
  [/\bset(?:Timeout|Interval|Immediate)\b|\bqueueMicrotask\b/, 'starts a timer'],
  [/\bPromise\b|\basync\b|\bawait\b/, 'waits']
]

/** The core's answers depend on its arguments alone. */
export const coreIsPure: Rule = (file) => {
  if (layerOf(file.path) !== 'core') return []
  const code = withoutTexts(withoutComments(file.text))
  return impure
    .filter(([pattern]) => pattern.test(code))
    .map(([, act]) => `${file.path} ${act}; that comes in as an argument`)
}

/** The code without what its strings say; what a template computes stays. */
function withoutTexts(code: string): string {
  return code
    .replace(/'[^'\n]*'/g, "''")
    .replace(/`[^`]*`/g, (template) => [...template.matchAll(/\$\{([^}]*)\}/g)].map((match) => match[1]).join(' '))
}

/** A name says what a thing is; these say nothing. */
const emptyNames = /^(?:utils?|helpers?|common|managers?|base|types?|misc|shared)$/i

export const namesSaySomething: Rule = (file) =>
  file.path
    .split(/[/.\-_]/)
    .filter((word) => emptyNames.test(word))
    .map((word) => `${file.path}: the name "${word}" says nothing`)

export const fileLinesMax = 400
export const functionLinesMax = 60

export const filesAreShort: Rule = (file) => {
  const lines = file.text.trimEnd().split('\n').length
  return lines < fileLinesMax ? [] : [`${file.path} has ${lines} lines`]
}

/** Functions at the top level and methods of classes, measured from their first line to the closing brace. */
export const functionsAreShort: Rule = (file) => {
  const lines = file.text.split('\n')
  return lines.flatMap((line, index) => {
    const indent = /^(?:| {2})(?=\S)/.exec(line)?.[0]
    if (indent === undefined || !opensFunction(line.trim())) return []
    const length = lines.slice(index).findIndex((other) => closes(other, indent)) + 1
    return length < functionLinesMax ? [] : [`${file.path}:${index + 1} is a function of ${length} lines`]
  })
}

function opensFunction(line: string): boolean {
  if (/^(?:if|for|while|switch|do|try|else|return|throw|class|interface|type|describe|it|test)\b/.test(line))
    return false
  if (!/[{(]$/.test(line)) return false
  return /\bfunction\b|=> \{$|= (?:async )?\($|^(?:(?:static|async|get|set|private|protected|override|readonly) )*[*#[\]\w.]+(?:<.*>)?\(/.test(
    line
  )
}

/** A destructured parameter list ends in a line that starts with a brace too, and opens the body. */
function closes(line: string, indent: string): boolean {
  return line.startsWith(`${indent}}`) && !line.endsWith('{')
}

/** The first lines say what the file is. */
export const filesOpenWithAComment: Rule = (file) => {
  const lines = file.text.split('\n')
  const first = lines[0]?.startsWith('#!') === true ? lines[1] : lines[0]
  return /^(?:\/\/ \S|\/\*\*)/.test(first ?? '') ? [] : [`${file.path} does not open with a comment`]
}

const machinePath = /(?<![\w.~])\/(?:work|home|root|tmp|Users|mnt|workspace)\/[\w.-]/
const registryHost = /https?:\/\/[\w.-]*(?:registry|artifactory|nexus|verdaccio|npmmirror)/i

/** The repository works on every machine, and with whatever registry npm is set to. */
export const noMachineIsNamed: Rule = (file) =>
  file.text.split('\n').flatMap((line, index) => {
    if (machinePath.test(line)) return [`${file.path}:${index + 1} names a path of one machine`]
    return registryHost.test(line) ? [`${file.path}:${index + 1} names a package registry`] : []
  })

/** npm ci asks the registry that is set up, not the one that the lock file was made with. */
export const lockNamesNoRegistry: Rule = (file) =>
  /"resolved"\s*:/.test(file.text) ? [`${file.path} says where packages were resolved`] : noMachineIsNamed(file)
