// The recorded sample: for a copy of this project that is no clone, and for a look without git. It is what git said
// of an invented repository, so it goes through the same parser; for the sake of readers and of diffs every NUL of
// it stands as U+2400 and a line feed.

import { readFile } from 'node:fs/promises'
import { fileURLToPath } from 'node:url'
import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Commit } from './commit.ts'
import type { History } from './history.ts'
import { BadHistory, makeParser } from './parser.ts'

export const samplePath: string = fileURLToPath(new URL('sample/sample.txt', import.meta.url))

const nulText = '\u2400\n'

/** What git says, as text that can be read. */
export function sampleText(bytes: Buffer): string {
  return bytes.toString('utf8').replaceAll('\0', nulText)
}

export function sampleHistory(): History {
  return {
    name: 'sample',
    place: samplePath,
    remarks: ['This is the recorded sample, an invented history; name a clone to see its own.'],
    async list() {
      const commits = await readSample()
      return commits._tag === 'Left' ? commits : right(commits.right.map((commit) => commit.hash))
    },
    async *read(hashes) {
      const commits = await readSample()
      if (commits._tag === 'Left') {
        yield commits
        return
      }
      const byHash = new Map(commits.right.map((commit) => [commit.hash, commit]))
      for (const hash of hashes) {
        const commit = byHash.get(hash)
        yield commit === undefined ? left(new BadHistory(`the sample has no commit ${hash}`)) : right(commit)
      }
    }
  }
}

async function readSample(): Promise<Either<BadHistory, readonly Commit[]>> {
  const text = await readFile(samplePath, 'utf8')
  const parser = makeParser()
  // A checkout may have turned line feeds into CR LF.
  const commits = parser.push(Buffer.from(text.replaceAll('\r\n', '\n').replaceAll(nulText, '\0')))
  if (commits._tag === 'Left') return commits
  const last = parser.end()
  return last._tag === 'Left' ? last : right([...commits.right, ...last.right])
}
