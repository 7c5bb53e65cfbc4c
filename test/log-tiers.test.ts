// Tiers on a log of many small segments: they are there, they save lookups, and nothing is different without them.

import { describe, expect, it } from 'vitest'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { orThrow, type EventLog } from '../src/index.ts'
import { eventsOf, filesOf, folder, lab, openOn } from './log-lab.ts'

const segmentBytes = 256

/** Some hundred segments; each aggregate is in a few of them. */
async function manySegments(): Promise<{ disk: MemoryDisk; log: EventLog }> {
  const { disk, log } = await lab({ segmentBytes, checkpointBytes: 200 })
  for (let count = 0; count < 300; count++) {
    const aggregateId = `a-${count % 40}`
    await orThrow(log.append({ aggregateId, eventType: `T${count % 7}`, payload: count, tags: [`g-${count % 11}`] }))
  }
  await orThrow(log.close())
  return { disk, log: await openOn(disk, { segmentBytes }) }
}

function tiersOf(disk: MemoryDisk): string[] {
  return [...filesOf(disk).keys()].filter((name) => name.endsWith('.tier')).sort()
}

/** Everything the index is asked for. */
async function answersOf(log: EventLog): Promise<unknown> {
  const answers: unknown[] = []
  for await (const summary of orThrow(log.aggregates())) answers.push(summary)
  for (const aggregateId of ['a-0', 'a-17', 'a-39', 'unknown']) {
    answers.push(await orThrow(log.version(aggregateId)), await orThrow(log.loadAggregate(aggregateId)))
    answers.push(await eventsOf(log.replayAggregate(aggregateId, { fromVersion: 5 })))
  }
  for (const query of [
    { tags: ['g-3'] },
    { types: ['T2'], tags: ['g-9'] },
    [{ aggregateId: 'a-5' }, { types: ['T6'] }]
  ]) {
    answers.push(await eventsOf(log.replay(undefined, { query })))
    answers.push(await eventsOf(log.replay(undefined, { query, backwards: true, limit: 3 })))
  }
  return answers
}

describe('tiers', () => {
  it('are merged as segments are sealed, and the small ones go', async () => {
    const { disk, log } = await manySegments()
    const segments = [...filesOf(disk).keys()].filter((name) => name.endsWith('.log')).length
    expect(segments).toBeGreaterThan(100)
    expect(tiersOf(disk).length).toBeGreaterThan(0)
    expect(tiersOf(disk).length).toBeLessThan(30)
    await orThrow(log.close())
  })

  it('are asked instead of the files of their segments', async () => {
    const { disk, log } = await manySegments()
    const readsOf = async (asked: EventLog): Promise<number> => {
      const before = disk.counts.get('read') ?? 0
      await orThrow(asked.version('unknown'))
      return (disk.counts.get('read') ?? 0) - before
    }
    const reads = await readsOf(log)
    expect(await readsOf(log), 'filters know').toBeLessThan(5)
    await orThrow(log.close())
    for (const name of tiersOf(disk)) disk.remove(`${folder}/${name}`)
    const without = await openOn(disk, { segmentBytes })
    const readsWithout = await readsOf(without)
    expect(await readsOf(without), 'filters know').toBeLessThan(5)
    await orThrow(without.close())
    expect(readsWithout).toBeGreaterThan(100)
    expect(reads).toBeLessThan(readsWithout / 3)
  })

  it('change no answer: whole, gone, damaged, or of a log that was put together from two', async () => {
    const { disk, log } = await manySegments()
    const answers = await answersOf(log)
    await orThrow(log.close())
    const names = tiersOf(disk)
    for (const name of names) {
      const bytes = filesOf(disk).get(name) as Buffer
      for (const position of [0, Math.floor(bytes.length / 2), bytes.length - 60, bytes.length - 5]) {
        const harmed = disk.clone()
        harmed.corrupt(`${folder}/${name}`, position, 0x41)
        const opened = await openOn(harmed, { segmentBytes })
        expect(await answersOf(opened)).toEqual(answers)
        await orThrow(opened.close())
      }
    }
    const gone = disk.clone()
    for (const name of names) gone.remove(`${folder}/${name}`)
    const opened = await openOn(gone, { segmentBytes })
    expect(await answersOf(opened)).toEqual(answers)
    await orThrow(opened.rebuildIndex())
    expect(await answersOf(opened)).toEqual(answers)
    await orThrow(opened.close())
    // Built from nothing they are what they were when they grew.
    expect(tiersOf(gone)).toEqual(names)
    for (const name of names) expect(filesOf(gone).get(name)).toEqual(filesOf(disk).get(name))
  })
})
