// The command line, as its users see it: transcripts of everything that verify can find and repair can do, exit codes,
// and the forms of JSON.

import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { exitCode } from '../src/cli/exit-code.ts'
import { planRepair } from '../src/log/repair-plan.ts'
import { findingsMax, severities, type FindingCode, type VerifyReport } from '../src/log/verify-finding.ts'
import { verifyLog } from '../src/log/verify.ts'
import { orThrow } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { cli, closedLog, craftLog, craftSegment, folder, transcriptOf, withFiles } from './cli-lab.ts'
import { stories } from './cli-stories.ts'
import { diskOf, filesOf } from './log-lab.ts'
import { tables } from './tidy/markdown.ts'

const transcripts = join(import.meta.dirname, 'cli')

describe('the transcripts', () => {
  it.each(stories)('$name: $about', async ({ name, about, disk: make, applies = true }) => {
    let text = `# ${about}\n\n`
    const disk = await make()
    const commands = [['verify'], ['repair'], ...(applies ? [['repair', '--apply'], ['verify']] : [])]
    for (const argv of commands) {
      text += `${await transcriptOf(disk, [argv[0] as string, folder, ...argv.slice(1)])}\n`
    }
    await expect(text).toMatchFileSnapshot(join(transcripts, `${name}.txt`))
  })

  it('are those of the stories, and show every code there is', () => {
    const names = readdirSync(transcripts).filter((name) => !name.startsWith('json-'))
    expect(names.sort()).toEqual(stories.map(({ name }) => `${name}.txt`).sort())
    const text = names.map((name) => readFileSync(join(transcripts, name), 'utf8')).join('\n')
    for (const [code, severity] of Object.entries(severities))
      expect(text).toMatch(new RegExp(`^${severity} +${code} `, 'm'))
  })
})

describe('JSON', () => {
  const broken = withFiles(craftLog([{}]), {
    '00000000000000000000.log': craftSegment(0, [{}, { version: 2 }]).subarray(0, -7)
  })
  const commands: readonly (readonly [string, readonly string[]])[] = [
    ['json-verify', ['verify', folder, '--json']],
    ['json-repair', ['repair', folder, '--json']],
    ['json-repair-apply', ['repair', folder, '--apply', '--json']]
  ]
  it.each(commands)('has the form of %s.txt', async (name, argv) => {
    await expect(await transcriptOf(await diskOf(broken), argv)).toMatchFileSnapshot(join(transcripts, `${name}.txt`))
  })

  it('of a failure says why, and has the exit code too', async () => {
    const text = await transcriptOf(new MemoryDisk(), ['verify', '/nowhere', '--json'])
    await expect(text).toMatchFileSnapshot(join(transcripts, 'json-failed.txt'))
  })

  it.each(stories)(
    'is one document, with the findings and the exit code that people see: $name',
    async ({ disk: make }) => {
      const { code, output } = await cli(await make(), ['verify', folder, '--json'])
      const text = await cli(await make(), ['verify', folder])
      const document = JSON.parse(output) as { exitCode: number; findings?: { code: string; severity: string }[] }
      expect([document.exitCode, code]).toEqual([text.code, text.code])
      for (const finding of document.findings ?? []) {
        expect(text.output).toMatch(new RegExp(`^${finding.severity} +${finding.code} `, 'm'))
      }
    }
  )

  it('of the report in the folder of a repair has what it found before, its steps, and what it found after', async () => {
    const disk = await diskOf(broken)
    const { output } = await cli(disk, ['repair', folder, '--apply', '--json'])
    const { before, steps, after, kept } = JSON.parse(output) as Record<string, unknown>
    const report =
      filesOf(disk, `${folder}/${String(kept)}`)
        .get('report.json')
        ?.toString() ?? ''
    expect(JSON.parse(report)).toEqual({ before, steps, after })
  })
})

describe('the command line', () => {
  it.each([
    [[], 64],
    [['prove', folder], 64],
    [['verify'], 64],
    [['verify', folder, '--quick'], 64],
    [['verify', folder, 'more'], 64],
    [['verify', ''], 64],
    [['--help'], 0],
    [['repair', '--help'], 0],
    [['--version'], 0]
  ])('%j ends with %i, and nothing is read', async (argv, expected) => {
    const disk = new MemoryDisk()
    const { code, output, errors } = await cli(disk, argv)
    expect(code).toBe(expected)
    expect(expected === 0 ? output : errors).not.toBe('')
    expect(expected === 0 ? errors : output).toBe('')
    expect([...disk.counts.keys()]).toEqual([])
  })

  it('ends with 3 when the disk fails, and says which file', async () => {
    const disk = await diskOf(await closedLog())
    disk.arm({ fault: ({ operation, path }) => (operation === 'read' && path.endsWith('.log') ? 'EIO' : undefined) })
    const { code, errors } = await cli(disk, ['verify', folder])
    expect([code, errors]).toEqual([3, 'chronicle verify: could not read /log/00000000000000000000.log (EIO)\n'])
  })

  it('ends with 130 when it is interrupted, before and while it reads, and what was there is as it was', async () => {
    const files = withFiles(await closedLog(), { MARK: undefined })
    for (const reads of [0, 1, 5, 8, 11]) {
      const disk = await diskOf(files)
      const interruption = new AbortController()
      let done = 0
      disk.arm({ calls: ({ operation }) => operation === 'read' && done++ === reads && interruption.abort() })
      if (reads === 0) interruption.abort()
      for (const argv of [
        ['verify', folder],
        ['repair', folder, '--apply']
      ]) {
        const { code, output, errors } = await cli(disk, argv, interruption.signal)
        expect([code, output, errors]).toEqual([130, '', `chronicle ${argv[0]}: interrupted\n`])
      }
      expect(filesOf(disk)).toEqual(files)
    }
  })
})

describe('verifyLog', () => {
  it('counts the findings about single frames that it leaves out', async () => {
    const frames = Array.from({ length: findingsMax + 7 }, (_, place) => ({
      version: place + 1,
      timestampMs: 9_999 - place
    }))
    const report = await orThrow(async () => verifyLog(await diskOf(craftLog(frames)), folder))
    expect(report.findings.map(({ code }) => code)).toEqual(Array.from({ length: findingsMax }, () => 'time-falls'))
    expect([report.totals.warning, report.omitted]).toEqual([findingsMax + 6, 6])
  })

  it('tells its progress, which grows up to the whole', async () => {
    const told: (readonly [number, number])[] = []
    const disk = await diskOf(await closedLog())
    await orThrow(() => verifyLog(disk, folder, { onProgress: (...progress) => told.push(progress) }))
    // The last segment is read twice.
    const total = 1_683 + (1_683 - 1_341)
    expect(told.map(([, all]) => all)).toEqual(told.map(() => total))
    expect(told.map(([done]) => done)).toEqual(told.map(([done]) => done).sort((a, b) => a - b))
    expect(told.at(-1)).toEqual([total, total])
  })
})

describe('docs/cli.md', () => {
  const documented = tables(readFileSync(join(import.meta.dirname, '..', 'docs', 'cli.md'), 'utf8'))

  it('has every code with its severity, and no other', () => {
    const rows = documented.get('findings') ?? []
    expect(Object.fromEntries(rows.map(({ code, severity }) => [code?.replaceAll('`', ''), severity]))).toEqual(
      severities
    )
    expect(rows).toHaveLength(Object.keys(severities).length)
  })

  it('says of which codes repair does something about', () => {
    for (const { code = '', 'what repair does': deed = '' } of documented.get('findings') ?? []) {
      const steps = planRepair(reportOf(code.replaceAll('`', '') as FindingCode)).steps
      expect(steps.length > 0, code).toBe(!deed.startsWith('Nothing'))
    }
  })

  it('has every exit code', () => {
    const rows = documented.get('exit') ?? []
    expect(Object.fromEntries(rows.map(({ code, name }) => [name, Number(code)]))).toEqual(exitCode)
  })
})

/** A report with one finding, of a log that opens otherwise. */
function reportOf(code: FindingCode): VerifyReport {
  const counts = { segments: 1, frames: 1, batches: 1, aggregates: 1, bytes: 1 }
  const finding = { severity: severities[code], code, path: '00000000000000000000.log', offset: 0, message: 'm' }
  const totals = { note: 0, warning: 0, error: 0, [finding.severity]: 1 }
  return { logId: 1, end: 1, durable: 1, counts, totals, findings: [finding], omitted: 0 }
}
