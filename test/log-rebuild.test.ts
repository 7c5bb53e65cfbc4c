// Rebuilding the index of an open log: it goes on while events are appended, can be stopped, and changes no answer.

import { describe, expect, it } from 'vitest'
import { Offset, orThrow } from '../src/index.ts'
import { deposit, eventsOf, filesOf, lab, namesOf, openOn, turn } from './log-lab.ts'

describe('rebuildIndex', () => {
  it('refuses what is no offset of the log', async () => {
    const { log } = await lab()
    const { nextOffset } = await orThrow(log.append(deposit('a')))
    for (const from of [-1, 0.5, Number.NaN] as Offset[]) {
      expect(await log.rebuildIndex({ from })()).toMatchObject({ left: { _tag: 'InvalidArgument', argument: 'from' } })
    }
    expect(await log.rebuildIndex({ from: Offset(nextOffset + 1) })()).toMatchObject({
      left: { _tag: 'InvalidOffset' }
    })
    await orThrow(log.rebuildIndex({ from: nextOffset }))
    await orThrow(log.close())
  })

  it('stops when it is aborted, and between segments says how far it is', async () => {
    const { log } = await lab({ segmentBytes: 256 })
    for (let place = 0; place < 6; place++) await orThrow(log.append(deposit('a', place)))
    const abort = new AbortController()
    const steps: (readonly [number, number])[] = []
    const onProgress = (done: number, total: number): void => {
      steps.push([done, total])
      if (steps.length === 2) abort.abort()
    }
    expect(await log.rebuildIndex({ signal: abort.signal, onProgress })()).toMatchObject({ left: { _tag: 'Aborted' } })
    expect(steps.length).toBe(2)
    expect((await eventsOf(log.replayAggregate('a'))).length).toBe(6)
    await orThrow(log.close())
  })

  it.each([1_000_000, 700])(
    'catches up with what is appended while it reads (segments of %i)',
    async (segmentBytes) => {
      const { disk, log } = await lab({ segmentBytes })
      for (let place = 0; place < 3; place++) await orThrow(log.append(deposit('a', place)))
      let letGo = (): void => undefined
      const held = new Promise<void>((resolve) => (letGo = resolve))
      disk.arm({ gate: ({ operation }) => (operation === 'read' ? held : Promise.resolve()) })
      const rebuilding = orThrow(log.rebuildIndex())
      await turn()
      for (let place = 0; place < 4; place++) await orThrow(log.append(deposit('a', place)))
      letGo()
      await rebuilding
      expect(await orThrow(log.version('a'))).toBe(7)
      expect((await orThrow(log.loadAggregate('a'))).length).toBe(7)
      expect((await orThrow(log.append(deposit('a')))).versions).toEqual([8])
      await orThrow(log.close())
    }
  )

  it('while events are appended and segments roll loses none of them', async () => {
    const { disk, log } = await lab({ segmentBytes: 1_000 })
    for (let place = 0; place < 20; place++) await orThrow(log.append(deposit(`a${place % 3}`, place)))
    const work: Promise<unknown>[] = []
    for (let round = 0; round < 10; round++) {
      work.push(orThrow(log.rebuildIndex()))
      for (let place = 0; place < 5; place++) work.push(orThrow(log.append(deposit(`a${place % 3}`, place))))
      await Promise.resolve()
    }
    await Promise.all(work)
    const all = await eventsOf(log.replay())
    expect(all.length).toBe(70)
    for (const id of ['a0', 'a1', 'a2']) {
      const own = all.filter((one) => one.event.aggregateId === id)
      expect(await orThrow(log.loadAggregate(id))).toEqual(own)
    }
    await orThrow(log.close())
    const grown = filesOf(disk)
    for (const name of namesOf(disk, 'idx')) disk.remove(`/log/${name}`)
    const again = await openOn(disk)
    await orThrow(again.close())
    for (const [name, bytes] of filesOf(disk)) if (name.endsWith('.idx')) expect(grown.get(name)).toEqual(bytes)
  })
})
