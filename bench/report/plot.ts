// Plots as SVG, written by hand: small panels of horizontal bars, the longest first, with the number at its end and a
// line for the spread. Colours hold on light and on dark.

import type { Results } from '../sample.ts'
import { digits, valueIn, type Metric, type Spread } from './statistic.ts'

interface Panel {
  readonly title: string
  readonly work: string
  readonly metric: Metric
}

export interface Plot {
  readonly file: string
  readonly title: string
  readonly panels: readonly Panel[]
}

interface Bar {
  readonly label: string
  readonly kind: 'own' | 'floor' | 'peer'
  readonly value: Spread
}

export const plots: readonly Plot[] = [
  {
    file: 'headline.svg',
    title: 'A second, more is better',
    panels: [
      { title: 'appended one by one, events', work: 'append', metric: 'rate' },
      { title: 'appended in batches of 100, events', work: 'append-batch', metric: 'rate' },
      { title: 'synced to disk for 64 callers, events', work: 'append-sync-64', metric: 'rate' },
      { title: 'replayed and parsed, events', work: 'replay', metric: 'rate' },
      { title: 'found by type, 1 in 100, events', work: 'select-type', metric: 'rate' },
      { title: 'loaded, aggregates of 100 events', work: 'load', metric: 'rate' }
    ]
  },
  {
    file: 'appends.svg',
    title: 'Appends that survive a crash of the process, events a second',
    panels: [
      { title: 'one by one', work: 'append', metric: 'rate' },
      { title: '64 in flight', work: 'append-64', metric: 'rate' },
      { title: 'batches of 100', work: 'append-batch', metric: 'rate' },
      { title: 'conditional', work: 'append-if', metric: 'rate' }
    ]
  },
  {
    file: 'synced.svg',
    title: 'Appends that survive a power cut, events a second',
    panels: [
      { title: 'one by one', work: 'append-sync', metric: 'rate' },
      { title: '64 callers', work: 'append-sync-64', metric: 'rate' }
    ]
  },
  {
    file: 'reads.svg',
    title: 'Reads, a second',
    panels: [
      { title: 'replay, events', work: 'replay', metric: 'rate' },
      { title: '1 in 100 by aggregate, events found', work: 'select-aggregate', metric: 'rate' },
      { title: '1 in 100 by type, events found', work: 'select-type', metric: 'rate' },
      { title: '1 in 100 by tag, events found', work: 'select-tag', metric: 'rate' },
      { title: 'load of 100 events, warm, aggregates', work: 'load', metric: 'rate' },
      { title: 'load of 100 events, cold, aggregates', work: 'load-cold', metric: 'rate' }
    ]
  }
]

const panelWidth = 430
const gap = 24
const barHeight = 18
const labelWidth = 196
const numberWidth = 64
const titleHeight = 28
const margin = 12

const style = `
  text { font: 12px system-ui, sans-serif; fill: #1f2328 }
  .title { font-weight: 600; font-size: 13px }
  .number { font-variant-numeric: tabular-nums }
  .own { fill: #d9480f } .peer { fill: #5b8db8 } .floor { fill: #8b949e }
  .spread { stroke: #1f2328; stroke-width: 1 }
  @media (prefers-color-scheme: dark) {
    text { fill: #e6edf3 } .own { fill: #ff7b3d } .peer { fill: #5b9bd5 } .spread { stroke: #e6edf3 }
  }`

/** The plot as an SVG document, two panels beside each other. */
export function svgOf(plot: Plot, results: Results): string {
  const panels = plot.panels
    .map((panel) => ({ panel, bars: barsOf(panel, results) }))
    .filter(({ bars }) => bars.length > 0)
  const width = 2 * panelWidth + gap + 2 * margin
  const parts: string[] = []
  let top = margin + titleHeight
  for (let at = 0; at < panels.length; at += 2) {
    const row = panels.slice(at, at + 2)
    row.forEach(({ panel, bars }, column) => {
      parts.push(panelOf(panel.title, bars, { left: margin + column * (panelWidth + gap), top }))
    })
    top += titleHeight + Math.max(...row.map(({ bars }) => bars.length)) * barHeight + gap
  }
  const size = `width="${width}" height="${top}" viewBox="0 0 ${width} ${top}"`
  const title = `<text class="title" x="${margin}" y="${margin + 12}">${escaped(plot.title)}</text>`
  const described = `<title>${escaped(plot.title)}</title>`
  return `<svg xmlns="http://www.w3.org/2000/svg" ${size} role="img">\n${described}\n<style>${style}\n</style>\n${title}\n${parts.join('\n')}\n</svg>\n`
}

function barsOf({ work, metric }: Panel, { samples, systems }: Results): readonly Bar[] {
  const bars = systems.flatMap(({ name, title }): readonly Bar[] => {
    const value = name === 'chronicle-rolling' ? undefined : valueIn(samples, { system: name, work, metric })
    if (value === undefined) return []
    return [{ label: title, kind: name === 'chronicle' ? 'own' : name === 'floor' ? 'floor' : 'peer', value }]
  })
  return bars.sort((a, b) => b.value.median - a.value.median)
}

function panelOf(
  title: string,
  bars: readonly Bar[],
  { left, top }: { readonly left: number; readonly top: number }
): string {
  const longest = Math.max(...bars.map(({ value }) => value.most))
  const room = panelWidth - labelWidth - numberWidth
  const scale = (value: number): number => Math.round((value / longest) * room * 10) / 10
  const lines = bars.map(({ label, kind, value }, place) => {
    const y = top + titleHeight - 8 + place * barHeight
    const start = left + labelWidth
    const middle = y + barHeight / 2 - 1
    const end = start + Math.max(1, scale(value.median))
    const text = `y="${middle + 4}"`
    return [
      `<text x="${start - 8}" ${text} text-anchor="end">${escaped(label)}</text>`,
      `<rect class="${kind}" x="${start}" y="${y + 2}" width="${Math.max(1, scale(value.median))}" height="${barHeight - 6}"/>`,
      `<line class="spread" x1="${start + scale(value.least)}" x2="${start + scale(value.most)}" y1="${middle}" y2="${middle}"/>`,
      `<text class="number" x="${Math.max(end, start + scale(value.most)) + 6}" ${text}>${digits(value.median)}</text>`
    ].join('')
  })
  return `<text class="title" x="${left}" y="${top + 8}">${escaped(title)}</text>\n${lines.join('\n')}`
}

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;')
}
