// `chronicle verify <dir>`: reads everything, changes nothing, and says what it found.

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { planRepair } from '../log/repair-plan.ts'
import type { VerifyReport } from '../log/verify-finding.ts'
import { verifyLog } from '../log/verify.ts'
import { exitCode, verdictOf } from './exit-code.ts'
import { reportFailure } from './failure.ts'
import { withFolder } from './folder.ts'
import type { CliHost } from './host.ts'
import { startProgress } from './progress.ts'
import { findingsText, reportJson, summaryText, totalsText } from './report.ts'
import { printable } from './text.ts'

interface VerifyFlags {
  readonly json?: true
}

export function addVerify(program: Command, host: CliHost, finish: (code: number) => void): void {
  withFolder(program.command('verify'))
    .description('check every frame and every index of the log in a folder, without changing anything')
    .option('--json', 'print one JSON document instead of text')
    .action(async (folder: string, flags: VerifyFlags) => finish(await verify(host, folder, flags.json === true)))
}

async function verify(host: CliHost, folder: string, json: boolean): Promise<number> {
  const progress = startProgress('verifying', host.errors)
  const verified = await verifyLog(host.disk, resolve(folder), { signal: host.signal, onProgress: progress.update })
  progress.stop()
  if (verified._tag === 'Left') return reportFailure(host, { command: 'verify', folder, json, error: verified.left })
  const report = verified.right
  const verdict = verdictOf(report)
  const code = exitCode[verdict]
  if (json) {
    const document = { command: 'verify', folder, verdict, exitCode: code, ...reportJson(report) }
    host.output.write(`${JSON.stringify(document, undefined, 2)}\n`)
  } else host.output.write(verifyText(folder, report))
  return code
}

function verifyText(folder: string, report: VerifyReport): string {
  const findings = report.findings.length === 0 ? '' : `\n${findingsText(report)}`
  return `${summaryText(folder, report)}${findings}\n${adviceText(folder, report)}\n`
}

/** The verdict in one line, and what to do next. */
export function adviceText(folder: string, report: VerifyReport): string {
  const verdict = verdictOf(report)
  const totals = totalsText(report)
  if (verdict === 'healthy') return totals === '' ? 'healthy' : `healthy (${totals})`
  const plan = planRepair(report)
  const repair = plan.steps.length > 0 ? `chronicle repair ${printable(folder)} shows what can be done` : undefined
  if (verdict === 'warnings') return `${totals}: every event can be read; ${repair ?? 'nothing needs to be done'}`
  const rest = repair ?? plan.refusal ?? 'reading steps over the damage, and nothing else can be repaired'
  return `${totals}: restore the files from a copy if there is one; ${printable(rest)}`
}
