// npm run bench: installs the peers, runs every work on every system, prints a table and writes all samples, tables
// and plots to bench/results.

import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { loadavg } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { SingleBar } from 'cli-progress'
import { readSettings, usage, type Settings } from './arguments.ts'
import { buildChild, scratch } from './child.ts'
import { installPeers } from './install.ts'
import { machineFacts, missing, omissionsOf, systemFacts } from './machine.ts'
import { sectionTables, targetTable } from './report/table.ts'
import { writeResults } from './report/write.ts'
import { runBench } from './run.ts'
import type { Omission, Results, Sample } from './sample.ts'
import type { System } from './system.ts'
import { systems } from './systems.ts'

function chosenSystems({ systems: names, before }: Settings): readonly System[] {
  const all = systems(before)
  const unknown = names.find((name) => !all.some((system) => system.name === name))
  if (unknown !== undefined) {
    throw new Error(`there is no system called ${unknown}, but ${all.map(({ name }) => name).join(', ')}`)
  }
  return names.length === 0 ? all : all.filter(({ name }) => names.includes(name))
}

type OnRound = (rounds: number, samples: readonly Sample[], failures: readonly Omission[]) => void

async function measure(settings: Settings, chosen: readonly System[], onRound: OnRound): Promise<void> {
  const child = buildChild()
  const bar = process.stdout.isTTY
    ? new SingleBar({ format: '{bar} {value}/{total} {doing}', clearOnComplete: true, hideCursor: true })
    : undefined
  bar?.start(1, 0, { doing: '' })
  mkdirSync(settings.folder, { recursive: true })
  const folder = mkdtempSync(join(settings.folder, 'stores-'))
  // A server may run as another user, who must get through to its own folder.
  chmodSync(folder, 0o755)
  const onStep = (done: number, of: number, doing: string): void => {
    bar?.setTotal(of)
    bar?.update(done, { doing })
    if (bar === undefined && doing !== '') console.log(`${done + 1}/${of} ${doing}`)
  }
  try {
    await runBench({ settings: { ...settings, folder }, child, systems: chosen, onStep, onRound })
  } finally {
    bar?.stop()
    rmSync(folder, { recursive: true, force: true })
  }
}

async function main(settings: Settings): Promise<void> {
  const all = chosenSystems(settings)
  if (all.some(({ packages }) => packages.length > 0)) installPeers()
  const chosen = all.filter((system) => missing(system) === undefined)
  const absent = all.flatMap((system) => {
    const reason = missing(system)
    return reason === undefined ? [] : [{ system: system.name, reason }]
  })
  const loadBefore = loadavg()
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ')
  const { name, events, appends, timeMs } = settings
  const omissions = [...absent, ...omissionsOf(chosen)]
  const known = { name, events, appends, timeMs, systems: chosen.map(systemFacts) }
  let results: Results | undefined
  // Written after each round, so that a run that is broken off leaves the rounds that were complete.
  await measure(settings, chosen, (rounds, samples, failures) => {
    const machine = machineFacts(date, loadBefore)
    results = { ...known, rounds, machine, omissions: [...failures, ...omissions], samples }
    writeResults(results)
    if (failures.length > 0) process.exitCode = 1
  })
  if (results !== undefined) tell(settings, results)
}

function tell({ before }: Settings, results: Results): void {
  console.log(`\n${[...sectionTables(results), targetTable(results.samples)].join('\n\n')}`)
  if (before !== undefined) console.log(`\nbefore\n\n${targetTable(results.samples, 'before')}`)
  for (const { system, work, reason } of results.omissions) {
    if (work === undefined) console.log(`\n${system} was left out: ${reason}`)
  }
  console.log(`\nwritten:\n${writeResults(results).join('\n')}`)
}

const defaults = {
  folder: join(scratch, 'data'),
  name: new Date().toISOString().slice(0, 19).replaceAll(':', '-')
}
try {
  const settings = readSettings(process.argv.slice(2), defaults)
  if (settings === undefined) console.log(usage)
  else {
    const before = settings.before === undefined ? undefined : pathToFileURL(settings.before).href
    await main({ ...settings, before })
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
