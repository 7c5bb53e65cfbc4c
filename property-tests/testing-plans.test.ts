// The laws of what the testing entry draws: commands lose no event, harms stay behind the headers, crashes keep what
// was synced, and under any planned fault a log keeps what it acknowledged and nothing that it refused.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { headerBytes } from '../src/core/header.ts'
import { EventLog, orThrow, type NewEvent } from '../src/index.ts'
import {
  crashDisk,
  damageLog,
  faultPlan,
  logCommands,
  logCrash,
  logDamage,
  MemoryDisk,
  newEvent,
  plannedFaults,
  runLogCommands
} from '../src/testing.ts'
import { eventsOf, filesOf, folder } from '../test/log-lab.ts'

const event: fc.Arbitrary<NewEvent> = fc.record({
  aggregateId: fc.constantFrom('a', 'b'),
  eventType: fc.constant('Happened'),
  payload: fc.nat()
})
const events = fc.array(event, { maxLength: 20 })

function open(disk: MemoryDisk, segmentBytes = 400): ReturnType<typeof EventLog.open> {
  return EventLog.open(folder, { disk, segmentBytes })
}

async function payloads(disk: MemoryDisk): Promise<readonly unknown[]> {
  const log = await orThrow(open(disk))
  const all = (await eventsOf(log.replay())).map((one) => one.event.payload)
  await orThrow(log.close())
  return all
}

it('commands append every event, in order, whatever else they do; and any log takes them', () =>
  fc.assert(
    fc.asyncProperty(
      events.chain((drawn) => fc.record({ drawn: fc.constant(drawn), commands: logCommands(fc.constant(drawn)) })),
      async ({ drawn, commands }) => {
        const appended = commands.flatMap((command) => (command.type === 'append' ? command.events : []))
        expect(appended).toEqual(drawn)
        const disk = new MemoryDisk()
        const run = await runLogCommands(commands, { open: open(disk) })
        if (run._tag === 'Left') throw run.left
        expect(run.right.outcomes).toHaveLength(commands.length)
        expect(run.right.outcomes.every(({ result }) => result._tag === 'Right')).toBe(true)
        await orThrow(run.right.log.close())
        expect(await payloads(disk)).toEqual(drawn.map(({ payload }) => payload))
      }
    )
  ))

it('commands of any events are plain data that a log takes, but for conditions that do not hold', () =>
  fc.assert(
    fc.asyncProperty(logCommands(fc.array(newEvent(), { maxLength: 4 }), { conditions: true }), async (commands) => {
      const run = await runLogCommands(commands, { open: open(new MemoryDisk()) })
      if (run._tag === 'Left') throw run.left
      for (const { result, command } of run.right.outcomes) {
        if (result._tag === 'Right') continue
        // Ids are drawn too, and one may come twice.
        expect(['ConditionFailed', 'EventIdConflict']).toContain(result.left._tag)
        expect(command).toMatchObject({ conditions: [{}] })
      }
      await orThrow(run.right.log.close())
    })
  ))

it('conditions are drawn when they are asked for, some that hold and some that do not', async () => {
  const seen = new Set<string>()
  const property = fc.asyncProperty(logCommands(events, { conditions: true }), async (commands) => {
    const run = await runLogCommands(commands, { open: open(new MemoryDisk()) })
    if (run._tag === 'Left') throw run.left
    for (const { command, result } of run.right.outcomes) {
      if (command.type === 'append' && command.conditions.length > 0) seen.add(result._tag)
    }
  })
  await fc.assert(property, { seed: 1 })
  expect([...seen].sort()).toEqual(['Left', 'Right'])
})

it('damage says what it has done, spares headers and all other files, and is durable', () =>
  fc.assert(
    fc.asyncProperty(events, logDamage(), async (drawn, harms) => {
      const disk = new MemoryDisk()
      const log = await orThrow(open(disk))
      for (const one of drawn) await orThrow(log.append(one))
      await orThrow(log.close())
      const before = filesOf(disk)
      const done = await damageLog(disk, folder, harms)
      const after = filesOf(disk)
      expect(done.length > 0 || drawn.length === 0 || harms.length === 0).toBe(true)
      for (const [name, bytes] of before) {
        const now = after.get(name)
        if (now === undefined) expect(done).toContain(`${name} is removed`)
        else if (name.endsWith('.log')) expect(now.subarray(0, headerBytes)).toEqual(bytes.subarray(0, headerBytes))
        else expect(now).toEqual(bytes)
        if (now?.equals(bytes) === false) expect(done.some((text) => text.startsWith(name))).toBe(true)
      }
      // Durable: the power may go now.
      const cut = disk.crash(() => 0)
      expect(filesOf(cut)).toEqual(after)
      const opened = await open(disk)()
      // A segment that is gone, or reaches over its neighbour, is no damage that a log could step over.
      if (opened._tag === 'Left') expect(opened.left._tag).toBe('BadSegment')
    })
  ))

it('a crash keeps what was synced, and a kill everything, as a prefix of the history', () =>
  fc.assert(
    fc.asyncProperty(events, fc.nat(), logCrash(), async (drawn, pick, crash) => {
      const disk = new MemoryDisk()
      const log = await orThrow(open(disk))
      const synced = pick % (drawn.length + 1)
      for (const [place, one] of drawn.entries()) {
        await orThrow(log.append(one))
        if (place + 1 === synced) await orThrow(log.sync())
      }
      const settled = crash.kind === 'kill' ? { ...crash, tornBytes: undefined } : crash
      const left = await payloads(crashDisk(disk, settled))
      const all = drawn.map(({ payload }) => payload)
      expect(left).toEqual(all.slice(0, left.length))
      expect(left.length).toBeGreaterThanOrEqual(crash.kind === 'kill' ? all.length : synced)
    })
  ))

it('under any planned faults a log keeps what it acknowledged, and nothing that it refused', () =>
  fc.assert(
    fc.asyncProperty(logCommands(events), fc.array(faultPlan(), { maxLength: 3 }), async (commands, plans) => {
      const disk = new MemoryDisk()
      await orThrow((await orThrow(open(disk))).close())
      disk.arm({ fault: plannedFaults(...plans) })
      const written: NewEvent[] = []
      const unknown = new Set<NewEvent>()
      await runLogCommands(commands, {
        open: open(disk),
        onOutcome: ({ command, result }) => {
          if (command.type !== 'append') return
          if (result._tag === 'Right') written.push(...command.events)
          else if (result.left._tag === 'Poisoned') for (const one of command.events) unknown.add(one)
        }
      })
      const kept = await payloads(disk.processCrash())
      const certain = written.map(({ payload }) => payload)
      const possible = [...unknown].map(({ payload }) => payload)
      for (const payload of certain) expect(kept).toContain(payload)
      for (const payload of kept) expect([...certain, ...possible]).toContain(payload)
    })
  ))
