// Writes a run: bench/results/<name>.json, <name>.md with every table, and a plot each.

import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Results } from '../sample.ts'
import { documentOn } from './document.ts'
import { plots, svgOf } from './plot.ts'

export const resultsFolder: string = join(import.meta.dirname, '..', 'results')

/** Returns the paths of what it wrote. */
export function writeResults(results: Results): readonly string[] {
  mkdirSync(resultsFolder, { recursive: true })
  const base = join(resultsFolder, results.name)
  const written = new Map([
    [`${base}.json`, `${JSON.stringify(results, undefined, 1)}\n`],
    [`${base}.md`, documentOn(results)],
    ...plots.map((plot) => [`${base}-${plot.file}`, svgOf(plot, results)] as const)
  ])
  for (const [path, text] of written) writeFileSync(path, text)
  return [...written.keys()]
}
