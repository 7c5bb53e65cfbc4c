// npm run bench:docs -- <name>: puts the tables and plots of a recorded run, bench/results/<name>.json, into
// docs/benchmarks.md and docs/benchmarks/.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Results } from '../sample.ts'
import { generatedParts, withParts } from './document.ts'
import { plots, svgOf } from './plot.ts'
import { resultsFolder, writeResults } from './write.ts'

const docs = join(import.meta.dirname, '..', '..', 'docs')
const name = process.argv[2] ?? 'recorded'
const results = JSON.parse(readFileSync(join(resultsFolder, `${name}.json`), 'utf8')) as Results
const page = join(docs, 'benchmarks.md')
writeFileSync(page, withParts(readFileSync(page, 'utf8'), generatedParts(results)))
mkdirSync(join(docs, 'benchmarks'), { recursive: true })
for (const plot of plots) writeFileSync(join(docs, 'benchmarks', plot.file), svgOf(plot, results))
writeResults(results)
console.log(`docs/benchmarks.md and ${plots.length} plots hold bench/results/${name}.json; run npm run format`)
