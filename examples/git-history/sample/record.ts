// Records sample.txt: `npx tsx examples/git-history/sample/record.ts`. A test holds that the file is what this prints.

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { listArguments, readArguments } from '../git.ts'
import { samplePath, sampleText } from '../sample.ts'
import { makeRepository, plainGit } from './fast-import.ts'
import { inventedCommits } from './invented.ts'

/** The text of the sample: what git says of the invented history. */
export function recordSample(): string {
  const folder = mkdtempSync(join(tmpdir(), 'chronicle-sample-'))
  try {
    makeRepository(folder, inventedCommits())
    const hashes = plainGit(folder, [...listArguments, 'HEAD'])
    return sampleText(plainGit(folder, readArguments, hashes))
  } finally {
    rmSync(folder, { recursive: true })
  }
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(samplePath, recordSample())
