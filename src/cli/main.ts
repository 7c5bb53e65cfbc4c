#!/usr/bin/env node
// `chronicle`: the command line on this process, its files and its clock. The first interruption ends the command in
// order; a second one ends the process at once, which a log survives as well.

import { readFileSync } from 'node:fs'
import { makeNodeDisk } from '../disk/node.ts'
import { makeSlot } from '../disk/slot.ts'
import { run } from './program.ts'

const interruption = new AbortController()
process.once('SIGINT', () => interruption.abort())

// Whoever reads the output may stop reading, as in `chronicle verify log | head`.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error
})

const manifest = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  readonly version: string
}
const nowMs = (): number => Date.now()
const disk = makeNodeDisk({ nowMs })

// No await at the top level: this is the end of the file, and nothing follows it.
void run(process.argv.slice(2), {
  output: process.stdout,
  errors: process.stderr,
  disk,
  slot: makeSlot(disk),
  nowMs,
  signal: interruption.signal,
  version: manifest.version
}).then((code) => {
  process.exitCode = code
})
