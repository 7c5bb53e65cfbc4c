// What is reported: each row takes one number from the measurements, holds it against a floor (or another row's), and
// knows the target that the library has set itself. Ratios are taken within a round, where the machine's mood is one.

/** One measurement as it is kept. */
export interface Sample {
  readonly system: string
  readonly work: string
  readonly round: number
  readonly operations: number
  readonly wallMs: number
  readonly cpuMs: number
  readonly p99Ms: number | undefined
  /** The store's size on disk, where the work writes one. */
  readonly bytes: number | undefined
  readonly rssBytes: number
}

export type Metric = 'rate' | 'wallMs' | 'p99Ms' | 'bytesPerEvent' | 'rssMb'

export interface Reference {
  /** The row's own system when left out. */
  readonly system?: string
  readonly work: string
  readonly metric: Metric
}

export interface Row {
  readonly title: string
  readonly work: string
  readonly metric: Metric
  readonly against?: Reference
  /** How the row's number stands to the reference's: 'times' as much, or the reference 'faster' as a time. */
  readonly target?: { readonly least?: number; readonly below?: number; readonly of: 'ratio' | 'value' }
}

const writeFloor: Reference = { system: 'floor', work: 'append-batch', metric: 'rate' }
const readFloor: Reference = { system: 'floor', work: 'replay', metric: 'rate' }
const syncFloor: Reference = { system: 'floor', work: 'append-sync', metric: 'rate' }
const fullReplay: Reference = { work: 'replay-batches', metric: 'wallMs' }
const quarter = { below: 1 / 4, of: 'ratio' } as const

export const rows: readonly Row[] = [
  {
    title: 'append, awaited one by one',
    work: 'append',
    metric: 'rate',
    against: writeFloor,
    target: { least: 0.5, of: 'ratio' }
  },
  {
    title: '  against one write an event',
    work: 'append',
    metric: 'rate',
    against: { ...writeFloor, work: 'append' }
  },
  { title: 'append, 64 in flight', work: 'append-64', metric: 'rate', against: writeFloor },
  {
    title: 'append, batches of 100',
    work: 'append-batch',
    metric: 'rate',
    against: writeFloor,
    target: { least: 0.8, of: 'ratio' }
  },
  { title: 'appendSync, one by one', work: 'append-sync', metric: 'rate', against: syncFloor },
  {
    title: 'appendSync, 64 callers',
    work: 'append-sync-64',
    metric: 'rate',
    against: syncFloor,
    target: { least: 20, of: 'ratio' }
  },
  {
    title: '  p99 against one write and fdatasync',
    work: 'append-sync-64',
    metric: 'p99Ms',
    against: { ...syncFloor, metric: 'wallMs' },
    target: { below: 4, of: 'ratio' }
  },
  {
    title: 'replay, for await',
    work: 'replay',
    metric: 'rate',
    against: readFloor,
    target: { least: 0.9, of: 'ratio' }
  },
  {
    title: 'replay, readBatches',
    work: 'replay-batches',
    metric: 'rate',
    against: readFloor,
    target: { least: 0.9, of: 'ratio' }
  },
  {
    title: 'replay by aggregate, 1 in 100, against all',
    work: 'select-aggregate',
    metric: 'wallMs',
    against: fullReplay,
    target: quarter
  },
  {
    title: 'replay by type, 1 in 100, against all',
    work: 'select-type',
    metric: 'wallMs',
    against: fullReplay,
    target: quarter
  },
  {
    title: 'replay by tag, 1 in 100, against all',
    work: 'select-tag',
    metric: 'wallMs',
    against: fullReplay,
    target: quarter
  },
  { title: 'load an aggregate of 100 events, warm', work: 'load', metric: 'wallMs' },
  { title: 'open, clean', work: 'open', metric: 'wallMs', target: { below: 100, of: 'value' } },
  { title: 'open after kill -9', work: 'open-killed', metric: 'wallMs' },
  {
    title: 'bytes an event, on disk',
    work: 'fill',
    metric: 'bytesPerEvent',
    against: { system: 'floor', work: 'fill', metric: 'bytesPerEvent' }
  },
  { title: 'peak memory while replaying', work: 'replay', metric: 'rssMb', target: { below: 100, of: 'value' } }
]

/** The row's number in one sample; times are of one operation. */
export function valueOf(sample: Sample, metric: Metric): number {
  switch (metric) {
    case 'rate':
      return sample.operations / (sample.wallMs / 1000)
    case 'wallMs':
      return sample.wallMs / (perOperation.has(sample.work) ? sample.operations : 1)
    case 'p99Ms':
      return sample.p99Ms ?? Number.NaN
    case 'bytesPerEvent':
      return (sample.bytes ?? Number.NaN) / sample.operations
    case 'rssMb':
      return sample.rssBytes / 1_000_000
  }
}

/** Works whose time is told for one operation; the others' for the whole. */
const perOperation: ReadonlySet<string> = new Set(['append-sync', 'append-sync-64', 'load'])

export interface Spread {
  readonly median: number
  readonly least: number
  readonly most: number
}

function spreadOf(values: readonly number[]): Spread | undefined {
  if (values.length === 0) return undefined
  const sorted = [...values].sort((a, b) => a - b)
  const middle = sorted.length >> 1
  const upper = sorted[middle] as number
  const median = sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] as number) + upper) / 2
  return { median, least: sorted[0] as number, most: sorted.at(-1) as number }
}

export interface RowResult {
  readonly title: string
  readonly system: string
  readonly metric: Metric
  readonly value: Spread
  readonly ratio: Spread | undefined
  /** The same ratio in processor time instead of the clock's, for rates: what a busy machine blurs least. */
  readonly cpuRatio: Spread | undefined
  readonly target: string
  readonly met: boolean | undefined
}

/** The row for one system, or undefined when it was not measured. */
export function rowResult(row: Row, system: string, samples: readonly Sample[]): RowResult | undefined {
  const own = samples.filter((sample) => sample.system === system && sample.work === row.work)
  const value = spreadOf(own.map((sample) => valueOf(sample, row.metric)))
  if (value === undefined) return undefined
  const pairs = row.against === undefined ? [] : pairsOf(own, samples, row.against, system)
  const metric = row.against?.metric ?? row.metric
  const ratio = spreadOf(pairs.map(([mine, other]) => valueOf(mine, row.metric) / valueOf(other, metric)))
  const timed = row.metric === 'rate' ? pairs : []
  const cpuRatio = spreadOf(
    timed.map(([mine, other]) => other.cpuMs / other.operations / (mine.cpuMs / mine.operations))
  )
  return { title: row.title, system, metric: row.metric, value, ratio, cpuRatio, ...judge(row, value, ratio) }
}

/** Each of the samples with the reference's of its round. */
function pairsOf(
  own: readonly Sample[],
  samples: readonly Sample[],
  against: Reference,
  system: string
): readonly (readonly [Sample, Sample])[] {
  const wanted = against.system ?? system
  return own.flatMap((mine) => {
    const { round } = mine
    const other = samples.find((one) => one.system === wanted && one.work === against.work && one.round === round)
    return other === undefined ? [] : [[mine, other] as const]
  })
}

function judge(row: Row, value: Spread, ratio: Spread | undefined): Pick<RowResult, 'target' | 'met'> {
  const { target } = row
  const judged = target?.of === 'ratio' ? ratio : value
  if (target === undefined) return { target: '', met: undefined }
  const { least, below } = target
  const text = least === undefined ? `< ${below}` : `≥ ${least}`
  if (judged === undefined) return { target: text, met: undefined }
  return { target: text, met: least === undefined ? judged.median < (below as number) : judged.median >= least }
}
