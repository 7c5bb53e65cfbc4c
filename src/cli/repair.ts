// `chronicle repair <dir>`: says what it would do, and with --apply does it.

import { resolve } from 'node:path'
import type { Command } from 'commander'
import { repairLog, type RepairReport } from '../log/repair.ts'
import { exitCode, verdictOf } from './exit-code.ts'
import { reportFailure } from './failure.ts'
import { withFolder } from './folder.ts'
import type { CliHost } from './host.ts'
import { startProgress } from './progress.ts'
import { reportJson, stepsText } from './report.ts'
import { count, printable } from './text.ts'
import { adviceText } from './verify.ts'

interface RepairFlags {
  readonly apply?: true
  readonly json?: true
}

export function addRepair(program: Command, host: CliHost, finish: (code: number) => void): void {
  withFolder(program.command('repair'))
    .description('show what can be repaired in the log in a folder, or repair it')
    .option('--apply', 'do it; everything that is removed or overwritten is kept in a folder repair-<time>')
    .option('--json', 'print one JSON document instead of text')
    .action(async (folder: string, flags: RepairFlags) => finish(await repair(host, folder, flags)))
}

async function repair(host: CliHost, folder: string, flags: RepairFlags): Promise<number> {
  const json = flags.json === true
  const { disk, slot, nowMs, signal } = host
  const progress = startProgress('verifying', host.errors)
  const options = { disk, slot, nowMs, signal, dryRun: flags.apply !== true, onProgress: progress.update }
  const repaired = await repairLog(resolve(folder), options)
  progress.stop()
  if (repaired._tag === 'Left') return reportFailure(host, { command: 'repair', folder, json, error: repaired.left })
  const report = repaired.right
  const verdict = verdictOf(report.after ?? report.before)
  const code = exitCode[verdict]
  if (json) {
    const { before, after, steps, refusal, kept } = report
    const states = { before: reportJson(before), after: after === undefined ? null : reportJson(after) }
    const head = { command: 'repair', folder, applied: after !== undefined, verdict, exitCode: code }
    const document = { ...head, steps, refusal: refusal ?? null, kept: kept ?? null, ...states }
    host.output.write(`${JSON.stringify(document, undefined, 2)}\n`)
  } else host.output.write(repairText(folder, report))
  return code
}

function repairText(folder: string, { steps, refusal, before, after, kept }: RepairReport): string {
  if (refusal !== undefined) return `nothing was done: ${printable(refusal)}\n`
  if (steps.length === 0) return `nothing to repair\n${damageText(before.findings)}${adviceText(folder, before)}\n`
  if (after === undefined) {
    const next = `nothing was changed; to do it: chronicle repair ${printable(folder)} --apply`
    return `would do ${count(steps.length, 'step')}\n${stepsText(steps)}${damageText(before.findings)}\n${next}\n`
  }
  const torn = steps.some(({ action }) => action === 'settle-tail') ? ', and what opening cuts in torn' : ''
  const where = `what was removed or overwritten is in ${printable(kept ?? '')}${torn}`
  const done = `did ${count(steps.length, 'step')}\n${stepsText(steps)}${damageText(after.findings)}`
  return `${done}\n${where}\n${adviceText(folder, after)}\n`
}

/** Says of damaged frames that they stay. */
function damageText(findings: RepairReport['before']['findings']): string {
  const damaged = findings.filter(({ code }) => code === 'frames-damaged' || code === 'frames-missing')
  if (damaged.length === 0) return ''
  const stay = damaged.length === 1 ? 'stays as it is' : 'stay as they are'
  return `${count(damaged.length, 'damaged region')} ${stay}: only a copy of the files brings back what was there\n`
}
