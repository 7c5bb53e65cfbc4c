// What the benchmarks say is worked out rightly, and docs/benchmarks.md says what the recorded run says.

import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { fallen } from '../bench/check/fallen.ts'
import { topByBytes, topByTime } from '../bench/profile/top.ts'
import { generatedParts, withParts } from '../bench/report/document.ts'
import { plots, svgOf } from '../bench/report/plot.ts'
import { ratioIn, spreadOf, valueIn } from '../bench/report/statistic.ts'
import { verdictsOn } from '../bench/report/target.ts'
import type { Results, Sample } from '../bench/sample.ts'
import { doesWork, stepsOf, turnsOf } from '../bench/step.ts'
import { systems } from '../bench/systems.ts'

const root = join(import.meta.dirname, '..')

function read(...path: readonly string[]): string {
  return readFileSync(join(root, ...path), 'utf8')
}

const recorded = JSON.parse(read('bench', 'results', 'recorded.json')) as Results

function sample(system: string, work: string, rest: Partial<Sample>): Sample {
  const zero = { operations: 1000, events: 1000, wallMs: 1000, cpuMs: 1000, rssBytes: 0, load: 0, round: 1 }
  return { system, work, ...zero, ...rest }
}

describe('the numbers of a run', () => {
  it('are medians with their spread', () => {
    expect(spreadOf([])).toBeUndefined()
    expect(spreadOf([3, 1, 2])).toEqual({ median: 2, least: 1, most: 3 })
    expect(spreadOf([4, 1, 2, 3])).toEqual({ median: 2.5, least: 1, most: 4 })
    const samples = [sample('a', 'append', { wallMs: 500 }), sample('a', 'append', { wallMs: 2000, round: 2 })]
    expect(valueIn(samples, { system: 'a', work: 'append', metric: 'rate' })?.most).toBe(2000)
    expect(valueIn(samples, { system: 'b', work: 'append', metric: 'rate' })).toBeUndefined()
  })

  it('tell a load for 100 events, however many an aggregate has', () => {
    const loads = [sample('a', 'load', { events: 3000 }), sample('b', 'load', { events: 600 })]
    const us = (system: string): number | undefined =>
      valueIn(loads, { system, work: 'load', metric: 'operationUs' })?.median
    expect([us('a'), us('b')]).toEqual([1000, 5000])
  })

  it('are compared within a round, not between rounds', () => {
    const of = (system: string): { readonly system: string; readonly work: string; readonly metric: 'rate' } => ({
      system,
      work: 'append',
      metric: 'rate'
    })
    const samples = [
      sample('a', 'append', { wallMs: 100 }),
      sample('b', 'append', { wallMs: 200 }),
      sample('a', 'append', { wallMs: 1000, round: 2 }),
      sample('b', 'append', { wallMs: 2000, round: 2 }),
      sample('a', 'append', { wallMs: 1, round: 3 })
    ]
    expect(ratioIn(samples, of('a'), of('b'))).toEqual({ median: 2, least: 2, most: 2 })
  })

  it('are judged by the clock and by processor time, with the distance from the target', () => {
    const samples = [
      sample('floor', 'append-batch', { wallMs: 100, cpuMs: 100 }),
      sample('chronicle', 'append', { wallMs: 400, cpuMs: 200 }),
      sample('chronicle', 'open', { wallMs: 250 }),
      sample('chronicle', 'replay', { rssBytes: 99e6 })
    ]
    const told = verdictsOn(samples).map(({ title, verdict, cpu }) => [title, verdict, cpu?.verdict])
    expect(told).toEqual([
      ['append one by one ÷ write floor', 'missed by 50 %', 'met'],
      ['open, clean, ms', 'missed, 2.5 times', undefined],
      ['peak memory of a replay, MB', 'met', undefined]
    ])
  })
})

describe('a check against recorded ratios', () => {
  it('fails a ratio that has lost more than a third, or was not measured, and no other', () => {
    const before = { append: 0.9, replay: 0.6, load: 0.3 }
    expect(fallen({ append: 0.61, replay: 0.9, load: 0.3 }, before)).toEqual([])
    expect(fallen({ append: 0.59, replay: 0.6 }, before).map(({ work }) => work)).toEqual(['append', 'load'])
  })
})

describe('a run', () => {
  const all = systems(undefined)
  const steps = stepsOf({ appends: 1, events: 1, only: [] })

  it('does each work of each system once a round, or says why not', () => {
    const turns = turnsOf(all, steps, 3)
    for (const system of all) {
      for (const { work } of steps) {
        const count = turns.filter((turn) => turn.system === system && turn.work === work).length
        expect(count).toBe(doesWork(system, work) ? 3 : 0)
      }
    }
    expect(new Set([1, 2, 3].map((round) => turns.find((turn) => turn.round === round)?.system.name)).size).toBe(3)
  })

  it('takes the works whose names begin as asked', () => {
    const works = stepsOf({ appends: 1, events: 1, only: ['append-sync', 'load'] }).map(({ work }) => work)
    expect(works).toEqual(['append-sync', 'append-sync-64', 'load', 'load-cold'])
  })

  it('names systems and their works once, and leaves out only works that there are', () => {
    const names = steps.map(({ work }) => work)
    expect(new Set(all.map(({ name }) => name)).size).toBe(all.length)
    for (const { without = {}, only = [] } of all) {
      expect(names).toEqual(expect.arrayContaining(Object.keys(without)))
      expect([...names, 'fill']).toEqual(expect.arrayContaining([...only]))
    }
  })
})

describe('a profile', () => {
  const frame = (functionName: string, url: string): { functionName: string; url: string; lineNumber: number } => ({
    functionName,
    url,
    lineNumber: 9
  })

  it('is told by function, the costliest first, the benchmark as one', () => {
    const nodes = [
      { id: 1, callFrame: frame('plan', 'file:///x/build/src/log/plan.js') },
      { id: 2, callFrame: frame('next', 'file:///x/build/bench/workload.js') },
      { id: 3, callFrame: frame('visit', 'file:///x/build/bench/work/append.js') },
      { id: 4, callFrame: frame('(idle)', '') }
    ]
    const lines = topByTime({ nodes, samples: [1, 2, 3, 4], timeDeltas: [6000, 1000, 3000, 90_000] })
    expect(lines.map((line) => line.trim().split(/ {2,}/))).toEqual([
      ['60.0 %', '6 ms', 'plan', 'src/log/plan.js:10'],
      ['40.0 %', '4 ms', '(the benchmark itself)']
    ])
  })

  it('of memory counts every node of the tree', () => {
    const leaf = { callFrame: frame('plan', 'file:///x/build/src/log/plan.js'), selfSize: 1e6, children: [] }
    const head = { callFrame: frame('(root)', ''), selfSize: 0, children: [leaf, { ...leaf, children: [leaf] }] }
    expect(topByBytes({ head }).map((line) => line.trim())).toEqual(['100.0 %      3.0 MB  plan  src/log/plan.js:10'])
  })
})

describe('docs/benchmarks.md', () => {
  /** The formatter pads tables; what is said is what counts. */
  const squeezed = (text: string): string => text.replaceAll(/[ -]+/g, ' ').replaceAll(/\n+/g, '\n')

  it('says what the recorded run says', () => {
    const page = read('docs', 'benchmarks.md')
    expect(squeezed(page)).toBe(squeezed(withParts(page, generatedParts(recorded))))
  })

  it('shows the plots of the recorded run', () => {
    for (const plot of plots) expect(read('docs', 'benchmarks', plot.file)).toBe(svgOf(plot, recorded))
  })

  it('has a mark for every part', () => {
    expect(() => withParts('no marks', new Map([['targets', '']]))).toThrow('targets')
  })
})
