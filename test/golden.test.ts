// What version 1 has written stays readable, and today's code writes the same bytes: the golden logs, their answers,
// and their generator. A failure here means that the format has changed under users' data.

import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { answers, generate, goldenFiles, goldenLogs } from './golden/generate.ts'

const golden = join(import.meta.dirname, 'golden', 'v1')
let scratch = '' // a folder for each test, made before it and removed behind it

beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), 'chronicle-golden-'))
})

afterEach(() => {
  rmSync(scratch, { recursive: true, force: true })
})

function expected(name: string): unknown {
  return JSON.parse(readFileSync(join(golden, `${name}.json`), 'utf8'))
}

/** Opening writes into a folder, so the golden files are opened as copies. */
function copyOf(name: string): string {
  const folder = join(scratch, name)
  cpSync(join(golden, name), folder, { recursive: true })
  return folder
}

describe('the golden logs of version 1', () => {
  const names = goldenLogs.map(({ name }) => name)

  it('are all there, and no other', () => {
    const folders = readdirSync(golden).filter((name) => !name.endsWith('.json'))
    expect(folders.sort()).toEqual([...names].sort())
  })

  it('are what the code writes today, byte for byte', async () => {
    await generate(scratch)
    for (const name of names) {
      expect(goldenFiles(join(scratch, name)), name).toEqual(readdirSync(join(golden, name)).sort())
      for (const file of goldenFiles(join(golden, name))) {
        const now = readFileSync(join(scratch, name, file)).toString('hex')
        expect(now, `${name}/${file}`).toBe(readFileSync(join(golden, name, file)).toString('hex'))
      }
    }
  })

  it.each(names)('%s answers what it answered when it was written', async (name) => {
    expect(await answers(copyOf(name), false)).toEqual(expected(name))
  })

  it.each(names)('%s answers the same the second time, but for what recovery has cut', async (name) => {
    const folder = copyOf(name)
    await answers(folder, false)
    expect(await answers(folder, false)).toEqual({ ...(expected(name) as object), torn: null })
  })

  it.each(names)('%s answers a reader the same, who cuts nothing', async (name) => {
    const folder = copyOf(name)
    // The writer has put zeros where the end of `lost` was, and so finds bytes that do not verify; a reader, no bytes.
    const told = JSON.stringify({ ...(expected(name) as object), torn: null })
    const seen = name === 'lost' ? told.replaceAll('"checksum"', '"missing"') : told
    expect(await answers(folder, true)).toEqual(JSON.parse(seen))
    for (const file of goldenFiles(join(golden, name))) {
      expect(readFileSync(join(folder, file)).equals(readFileSync(join(golden, name, file))), file).toBe(true)
    }
  })

  // But for those of which something stands outside of their segments: see below, and versions that were trimmed.
  const alone = names.filter((name) => name !== 'lost' && name !== 'trimmed')
  it.each(alone)('%s answers the same from its segments alone, and knows their damage at once', async (name) => {
    const folder = copyOf(name)
    for (const file of goldenFiles(folder)) if (!file.endsWith('.log')) rmSync(join(folder, file))
    const expectation = expected(name) as { readonly replayed: readonly { readonly _tag?: string }[] }
    const damage = expectation.replayed.filter((one) => one._tag === 'Corrupt').map(({ _tag, ...region }) => region)
    expect(await answers(folder, false)).toEqual({ ...expectation, damage })
  })

  it('lost ends where its last intact frame ends when nothing says that more was on disk', async () => {
    const folder = copyOf('lost')
    const { replayed } = expected('lost') as { readonly replayed: readonly { readonly offset: number }[] }
    const lost = replayed.at(-1) as { readonly offset: number }
    for (const file of goldenFiles(folder)) if (!file.endsWith('.log')) rmSync(join(folder, file))
    const answer = await answers(folder, false)
    expect(answer).toMatchObject({ end: lost.offset, torn: { offset: lost.offset }, damage: [] })
    expect((answer as { readonly replayed: unknown }).replayed).toEqual(replayed.slice(0, -1))
  })

  it('hold what they were made for', () => {
    const holds = (name: string): string => JSON.stringify(expected(name))
    expect(readdirSync(join(golden, 'rolled')).filter((file) => file.endsWith('.log')).length).toBeGreaterThan(1)
    expect(expected('torn')).toMatchObject({ torn: { bytes: 40 } })
    expect(holds('damaged').match(/"_tag":"Corrupt"/g)).toHaveLength(1)
    expect(holds('damaged')).toContain('"reason":"checksum"')
    expect(readdirSync(join(golden, 'trimmed')).filter((file) => file.endsWith('.trim'))).toHaveLength(1)
    expect(holds('trimmed')).toContain('{"aggregateId":"early","version":2}')
    expect(holds('diverse')).toContain('"namespace":"日本"')
  })
})
