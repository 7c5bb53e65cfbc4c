// Top lists from the inspector's profiles: what each function took itself, the calls it made not counted. What the
// benchmark does around the library, making events and digests, is one line.

export interface CallFrame {
  readonly functionName: string
  readonly url: string
  readonly lineNumber: number
}

export interface CpuProfile {
  readonly nodes: readonly { readonly id: number; readonly callFrame: CallFrame }[]
  readonly samples: readonly number[]
  readonly timeDeltas: readonly number[]
}

interface HeapNode {
  readonly callFrame: CallFrame
  readonly selfSize: number
  readonly children: readonly HeapNode[]
}

export interface HeapProfile {
  readonly head: HeapNode
}

/** Not what takes the processor. */
const waiting: ReadonlySet<string> = new Set(['(idle)'])

/** One line a function, the costliest first: share, ms, name and place. */
export function topByTime({ nodes, samples, timeDeltas }: CpuProfile): readonly string[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const times = new Map<string, number>()
  samples.forEach((id, place) => {
    const name = names.get(id) ?? '(unknown)'
    times.set(name, (times.get(name) ?? 0) + (timeDeltas[place] ?? 0))
  })
  for (const name of waiting) times.delete(name)
  return ranked(times, (us) => `${(us / 1000).toFixed(0)} ms`)
}

/** One line a function, the costliest first: share, MB allocated, name and place. */
export function topByBytes({ head }: HeapProfile): readonly string[] {
  const sizes = new Map<string, number>()
  const open: HeapNode[] = [head]
  for (let node = open.pop(); node !== undefined; node = open.pop()) {
    const name = nameOf(node.callFrame)
    sizes.set(name, (sizes.get(name) ?? 0) + node.selfSize)
    open.push(...node.children)
  }
  return ranked(sizes, (bytes) => `${(bytes / 1e6).toFixed(1)} MB`)
}

function ranked(costs: ReadonlyMap<string, number>, text: (cost: number) => string): readonly string[] {
  const total = [...costs.values()].reduce((sum, cost) => sum + cost, 0)
  const sorted = [...costs].filter(([, cost]) => cost > 0).sort(([, a], [, b]) => b - a)
  return sorted.map(
    ([name, cost]) => `${((cost / total) * 100).toFixed(1).padStart(6)} %  ${text(cost).padStart(10)}  ${name}`
  )
}

function nameOf({ functionName, url, lineNumber }: CallFrame): string {
  if (url.includes('/bench/') && !url.includes('/src/')) return '(the benchmark itself)'
  const place = url.replace(/^.*\/(src|node_modules)\//, '$1/')
  const name = functionName === '' ? '(anonymous)' : functionName
  return place === '' ? name : `${name}  ${place}:${lineNumber + 1}`
}
