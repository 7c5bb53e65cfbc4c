// What is measured, in which order and on which store. Another system begins each round, and the systems take turns
// within each work, so that whatever else the machine does falls on all of them alike.

import type { Settings } from './arguments.ts'
import type { System } from './system.ts'

/** Which store a work runs on: a new one, the filled and closed one, or the one whose writer was killed. */
export type Stage = 'new' | 'filled' | 'killed'

export interface Step {
  readonly work: string
  readonly stage: Stage
  readonly count: number
  /** Whether the store's pages are sent out of the page cache before it. */
  readonly cold?: true
}

export interface Turn extends Step {
  readonly system: System
  readonly round: number
}

const syncs = 4_000
const loads = 5_000
const follows = 1_000

/** The works that a run makes: those that are asked for by the beginnings of their names, or all. */
export function stepsOf({ appends, events, only }: Pick<Settings, 'appends' | 'events' | 'only'>): readonly Step[] {
  const step = (work: string, stage: Stage, count: number): Step => ({ work, stage, count })
  const all: readonly Step[] = [
    step('append', 'new', appends),
    step('append-64', 'new', appends),
    step('append-batch', 'new', appends),
    step('append-if', 'new', appends),
    step('append-sync', 'new', syncs),
    step('append-sync-64', 'new', syncs * 4),
    step('replay', 'filled', events),
    step('replay-batches', 'filled', events),
    step('select-aggregate', 'filled', events),
    step('select-type', 'filled', events),
    step('select-tag', 'filled', events),
    step('load', 'filled', loads),
    { ...step('load-cold', 'filled', 0), cold: true },
    step('follow', 'new', follows),
    step('follow-across', 'new', follows),
    step('open', 'filled', 1),
    step('open-killed', 'killed', 1)
  ]
  return all.filter(({ work }) => only.length === 0 || only.some((name) => work.startsWith(name)))
}

export function doesWork({ only, without }: System, work: string): boolean {
  return (only === undefined || only.includes(work)) && without?.[work] === undefined
}

/** Everything to measure, in order. */
export function turnsOf(systems: readonly System[], steps: readonly Step[], rounds: number): readonly Turn[] {
  return Array.from({ length: rounds }, (_, place) => place + 1).flatMap((round) => {
    const first = round % systems.length
    const order = [...systems.slice(first), ...systems.slice(0, first)]
    return steps.flatMap((step) =>
      order.filter((system) => doesWork(system, step.work)).map((system) => ({ ...step, system, round }))
    )
  })
}
