// What the log tells of its work by diagnostics_channel: to the byte what it did, nothing to nobody, and nothing that a
// subscriber does in return harms it.

import { execFileSync } from 'node:child_process'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { channels, Offset, orThrow, type AppendMessage, type RecoverMessage } from '../src/index.ts'
import type { RollMessage, SyncMessage, TrimMessage } from '../src/index.ts'
import { MemoryDisk } from '../src/disk/memory.ts'
import { makeSlot } from '../src/disk/slot.ts'
import { LocalStore } from '../src/log/store.ts'
import { deposit, diskOf, eventsOf, filesOf, folder, lab, LabClock, labEntropy, namesOf, openOn } from './log-lab.ts'

const subscribed: (() => void)[] = []
afterEach(() => {
  for (const stop of subscribed.splice(0)) stop()
})

/** Everything that a channel says from now on; `answer` is called inside the act. */
function heard<M>(name: string, answer: (message: M) => void = () => undefined): M[] {
  const messages: M[] = []
  const listen = (message: unknown): void => {
    messages.push(message as M)
    answer(message as M)
  }
  subscribe(name, listen)
  subscribed.push(() => unsubscribe(name, listen))
  return messages
}

/** A clock on which a millisecond passes with each look. */
class TickingClock extends LabClock {
  looks = 0
  override readonly nowMs = (): number => ++this.looks
}

async function storeOn(disk: MemoryDisk): Promise<LocalStore> {
  const opened = await LocalStore.open(folder, {
    disk,
    slot: makeSlot(disk),
    clock: new TickingClock(),
    entropy: labEntropy(),
    readOnly: false,
    create: false,
    segmentBytes: 600,
    pendingBytes: 1 << 20,
    checkpointBytes: 1 << 20,
    syncEveryMs: undefined
  })
  if (opened._tag === 'Left') throw opened.left
  return opened.right
}

describe('the channels', () => {
  it('tell of each batch what its receipt says', async () => {
    const { log } = await lab()
    const messages = heard<AppendMessage>(channels.append)
    const receipts = await Promise.all(
      [[deposit('a')], [deposit('a'), deposit('b')], [deposit('c')]].map((batch) => orThrow(log.append(batch)))
    )
    expect(messages).toEqual(
      receipts.map(({ offset, nextOffset, versions }) => ({
        folder,
        offset,
        nextOffset,
        events: versions.length,
        bytes: nextOffset - offset
      }))
    )
    await orThrow(log.close())
  })

  it('tell nothing of a batch that was refused', async () => {
    const { log } = await lab()
    const messages = heard<AppendMessage>(channels.append)
    const refused = await log.append(deposit('a'), { conditions: [{ aggregateId: 'a', version: 7 }] })()
    expect(refused._tag).toBe('Left')
    expect(messages).toEqual([])
    await orThrow(log.close())
  })

  it('tell of syncs that follow on each other and reach to what was acknowledged', async () => {
    const clock = new TickingClock()
    const { log } = await lab({ clock })
    const messages = heard<SyncMessage>(channels.sync)
    for (let place = 0; place < 5; place++) {
      const { nextOffset } = await orThrow(log.appendSync(deposit('a', place)))
      expect(messages.at(-1)?.nextOffset).toBe(nextOffset)
    }
    let end = 0
    for (const message of messages) {
      const { offset, nextOffset } = message
      expect(message).toEqual({ folder, offset: end, nextOffset, bytes: nextOffset - offset, durationMs: 1 })
      end = nextOffset
    }
    expect(messages).toHaveLength(5)
    await orThrow(log.close())
  })

  it('tell of rolls which segment ended and which began', async () => {
    const { disk, log } = await lab({ segmentBytes: 600 })
    const messages = heard<RollMessage>(channels.roll)
    for (let place = 0; place < 20; place++) await orThrow(log.append(deposit('a', place)))
    const bases = namesOf(disk, 'log').map((name) => Number.parseInt(name, 10))
    expect(bases.length).toBeGreaterThan(3)
    expect(messages.map(({ offset, nextOffset, bytes }) => [offset, nextOffset, bytes])).toEqual(
      bases.slice(1).map((base, place) => [bases[place], base, base - (bases[place] as number)])
    )
    for (const message of messages) expect(message).toMatchObject({ folder, durationMs: 0 })
    await orThrow(log.close())
  })

  it('tell of trims what went', async () => {
    const disk = new MemoryDisk()
    const log = await openOn(disk, { segmentBytes: 600 })
    for (let place = 0; place < 20; place++) await orThrow(log.append(deposit('a', place)))
    await orThrow(log.close())
    const bases = namesOf(disk, 'log').map((name) => Number.parseInt(name, 10))
    const store = await storeOn(disk)
    const messages = heard<TrimMessage>(channels.trim)
    for (const kept of [0, 2, 2, 3]) expect((await store.trim(Offset(bases[kept] as number)))._tag).toBe('Right')
    const [, , second = 0, third = 0] = bases
    const told = { folder, durationMs: 1 }
    expect(messages).toEqual([
      { ...told, offset: 0, nextOffset: second, segments: 2, bytes: second },
      { ...told, offset: second, nextOffset: third, segments: 1, bytes: third - second }
    ])
    await store.close()
  })

  it('tell of an opening what recovery found', async () => {
    const { disk, log } = await lab()
    await orThrow(log.append([deposit('a'), deposit('b')]))
    const [, last] = await eventsOf(log.replay())
    const { end } = log
    const messages = heard<RecoverMessage>(channels.recover)
    const files = filesOf(disk)
    await orThrow(log.close())
    const segment = files.get('00000000000000000000.log') as Buffer
    files.set('00000000000000000000.log', segment.subarray(0, segment.length - 1))
    const torn = await openOn(await diskOf(files), { clock: new TickingClock() })
    await orThrow(torn.close())
    const clean = await openOn(disk, { readOnly: true })
    await orThrow(clean.close())
    const { scannedBytes } = torn.recovery
    expect(last?.nextOffset).toBe(end)
    expect(messages).toEqual([
      // A batch goes as a whole.
      {
        folder,
        readOnly: false,
        clean: false,
        nextOffset: 0,
        scannedBytes,
        tornBytes: end - 1,
        damaged: 0,
        durationMs: expect.any(Number) as number
      },
      { folder, readOnly: true, clean: true, nextOffset: end, scannedBytes: 0, tornBytes: 0, damaged: 0, durationMs: 0 }
    ])
    expect(messages[0]?.durationMs).toBeGreaterThan(0)
  })

  it('cost no look at the clock while nobody listens', async () => {
    const looks = async (listen: boolean): Promise<number> => {
      const clock = new TickingClock()
      if (listen) for (const name of [channels.sync, channels.roll, channels.recover]) heard(name)
      const log = await openOn(new MemoryDisk(), { clock, segmentBytes: 256 })
      for (let place = 0; place < 4; place++) await orThrow(log.appendSync(deposit('a', place)))
      await orThrow(log.close())
      return clock.looks
    }
    const quiet = await looks(false)
    // Two for each of four syncs, three rolls, one opening.
    expect((await looks(true)) - quiet).toBe(2 * (4 + 3 + 1))
  })
})

describe('a subscriber', () => {
  it('may append inside the act that it hears of', async () => {
    const { log } = await lab({ segmentBytes: 600 })
    const inside: Promise<unknown>[] = []
    // The second batch is large enough to be written at once, while the first is still being told.
    const echo = (payload: unknown) => () => {
      if (inside.length < 6) inside.push(orThrow(log.append(deposit('echo', payload))))
    }
    heard(channels.append, echo('x'.repeat(2 ** 20)))
    heard(channels.sync, echo('sync'))
    heard(channels.roll, echo('roll'))
    await orThrow(log.appendSync(deposit('a')))
    for (let place = 0; place < 10; place++) await orThrow(log.append(deposit('a', place)))
    await Promise.all(inside)
    const events = await eventsOf(log.replay())
    expect(events.filter(({ event }) => event.aggregateId === 'a')).toHaveLength(11)
    expect(events.filter(({ event }) => event.aggregateId === 'echo')).toHaveLength(6)
    await orThrow(log.close())
  })

  it('that throws is an uncaught exception, and neither the log nor the next subscriber notices', () => {
    const root = join(import.meta.dirname, '..')
    const program = `
      import { subscribe } from 'node:diagnostics_channel'
      import { channels, EventLog, orThrow } from './src/index.ts'
      import { MemoryDisk } from './src/disk/memory.ts'
      const uncaught = []
      process.on('uncaughtException', (error) => uncaught.push(error.message))
      let heard = 0
      for (const name of Object.values(channels)) {
        subscribe(name, () => { throw new Error(name) })
        subscribe(name, () => { heard++ })
      }
      const log = await orThrow(EventLog.open('/log', { disk: new MemoryDisk(), segmentBytes: 256 }))
      for (let cents = 0; cents < 3; cents++) {
        await orThrow(log.appendSync({ aggregateId: 'a', eventType: 'Deposited', payload: { cents } }))
      }
      await orThrow(log.close())
      console.log(JSON.stringify({ version: log.end > 0, heard, uncaught: [...new Set(uncaught)].sort() }))
    `
    const args = ['--import', 'tsx', '--input-type=module', '--eval', program]
    const printed = execFileSync(process.execPath, args, { cwd: root, encoding: 'utf8' })
    const { recover, append, sync, roll } = channels
    expect(JSON.parse(printed)).toEqual({ version: true, heard: 9, uncaught: [append, recover, roll, sync] })
  })
})
