// What a run's numbers depend on besides the code.

import { cpus, loadavg, totalmem } from 'node:os'
import { packageVersion } from './install.ts'
import type { Machine, Omission, SystemFacts } from './sample.ts'
import { findProgram, programVersion } from './server.ts'
import { stepsOf } from './step.ts'
import type { System } from './system.ts'

export function machineFacts(date: string, loadBefore: readonly number[]): Machine {
  return {
    date,
    node: process.version,
    platform: `${process.platform} ${process.arch}`,
    cpus: cpus().map((cpu) => cpu.model),
    memoryGb: Math.round(totalmem() / 1e9),
    loadBefore,
    loadAfter: loadavg()
  }
}

export function systemFacts({ name, title, settings, packages, program }: System): SystemFacts {
  const versions = packages.map(packageVersion)
  return { name, title, settings, versions: program === undefined ? versions : [...versions, programVersion(program)] }
}

/** Why a system cannot be measured here at all, or undefined. */
export function missing({ program }: System): string | undefined {
  return program === undefined || findProgram(program) !== undefined ? undefined : `${program} is not on the PATH`
}

/** What the systems say that they cannot do; what another entry measures is none. */
export function omissionsOf(systems: readonly System[]): readonly Omission[] {
  const works = new Set(stepsOf({ appends: 1, events: 1, only: [] }).map(({ work }) => work))
  return systems.flatMap(({ name, only, without = {} }) =>
    Object.entries(without)
      .filter(([work]) => works.has(work) && (only === undefined || only.includes(work)))
      .map(([work, reason]) => ({ system: name, work, reason }))
  )
}
