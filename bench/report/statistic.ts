// Numbers from samples: one a measurement, then the median and the spread over the rounds. Ratios are taken within a
// round, where the machine's mood is one.

import { loadedAggregates, loadedEvents } from '../expected.ts'
import type { Sample } from '../sample.ts'
import type { Latency } from '../work/measure.ts'

/** A rate is operations a second by the clock; cpuRate the same by processor time; the others' units stand last. */
export type Metric =
  | 'rate'
  | 'cpuRate'
  | 'operationUs'
  | 'cpuUs'
  | 'wallMs'
  | 'bytesPerEvent'
  | 'rssMb'
  | 'events'
  | keyof Latency

export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

export interface Reference {
  readonly system: string
  readonly work: string
  readonly metric: Metric
}

export function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
  return { median, least: sorted[0] as number, most: sorted.at(-1) as number }
}

/** Undefined where the sample has no such number. */
export function valueOf(sample: Sample, metric: Metric): number | undefined {
  const { wallMs, cpuMs, latency, bytes, events, rssBytes } = sample
  const operations = operationsIn(sample)
  switch (metric) {
    case 'rate':
      return operations / (wallMs / 1000)
    case 'cpuRate':
      return operations / (cpuMs / 1000)
    case 'operationUs':
      return (wallMs * 1000) / operations
    case 'cpuUs':
      return (cpuMs * 1000) / operations
    case 'wallMs':
      return wallMs
    case 'bytesPerEvent':
      return bytes === undefined ? undefined : bytes / events
    case 'rssMb':
      return rssBytes / 1_000_000
    case 'events':
      return events
    default:
      return latency?.[metric]
  }
}

/** A load counts for the share of 100 events that it has: small stores have no 30 aggregates of that size. */
function operationsIn({ work, operations, events }: Sample): number {
  const isLoad = work === 'load' || work === 'load-cold'
  return isLoad ? (operations * events) / loadedAggregates / loadedEvents : operations
}

export function valueIn(samples: readonly Sample[], { system, work, metric }: Reference): Spread | undefined {
  const own = samples.filter((sample) => sample.system === system && sample.work === work)
  return spreadOf(own.map((sample) => valueOf(sample, metric)).filter((value) => value !== undefined))
}

/** One number over another, in each round that has both. */
export function ratioIn(samples: readonly Sample[], over: Reference, under: Reference): Spread | undefined {
  const found = (reference: Reference, round: number): number | undefined => {
    const { system, work, metric } = reference
    const sample = samples.find((one) => one.system === system && one.work === work && one.round === round)
    return sample && valueOf(sample, metric)
  }
  const rounds = [...new Set(samples.map(({ round }) => round))]
  const ratios = rounds.map((round) => {
    const upper = found(over, round)
    const lower = found(under, round)
    return upper === undefined || lower === undefined ? undefined : upper / lower
  })
  return spreadOf(ratios.filter((ratio) => ratio !== undefined))
}

/** Three significant digits, and no exponent. */
export function digits(value: number): string {
  return value >= 1000 ? Math.round(value).toLocaleString('en') : String(Number(value.toPrecision(3)))
}
