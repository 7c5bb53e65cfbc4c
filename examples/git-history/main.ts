// `npm start`: the demo on this process. The first interruption closes the log and ends; a second one ends at once,
// which the log survives as well.

import { fileURLToPath } from 'node:url'
import { run } from './demo.ts'

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => interruption.abort())

// Whoever reads the report may stop reading, as in `npm start | head`; the ingest goes on all the same.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

process.exitCode = await run(process.argv.slice(2), {
  checkout: fileURLToPath(new URL('../..', import.meta.url)),
  home: process.cwd(),
  output: process.stdout,
  errors: process.stderr,
  signal: interruption.signal
})
