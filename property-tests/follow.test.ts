// Following a log: whatever is appended, whenever it is, and however reads, appends and the disk get in each other's way,
// the follower hands out the log's events, each once, in order, and says that it has caught up where it has.

import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import { orThrow, type Event, type EventLog, type Offset, type Query, type ReplayElement } from '../src/index.ts'
import { deposit, eventsOf, openOn, plain } from '../test/log-lab.ts'

/** Turns of the event loop that whoever is asked waits, in a row that fast-check makes up. */
type Pauses = () => Promise<void>

function pausesOf(turns: readonly number[]): Pauses {
  let at = 0
  return async () => {
    const turn = turns[at++ % turns.length] ?? 0
    for (let spent = 0; spent < turn; spent++) await new Promise((resolve) => setImmediate(resolve))
  }
}

const turns = fc.array(fc.nat({ max: 3 }), { minLength: 1, maxLength: 12 })
const batches = fc.array(fc.array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 }), {
  minLength: 1,
  maxLength: 8
})

interface Race {
  readonly batches: readonly (readonly string[])[]
  readonly before: number
  readonly query: Query | undefined
  readonly elsewhere: boolean
  readonly pauses: { readonly disk: Pauses; readonly writer: Pauses; readonly reader: Pauses }
}

const races = fc
  .record({
    batches,
    before: fc.nat({ max: 4 }),
    query: fc.constantFrom(undefined, { aggregateId: 'a' }, [{ types: ['Deposited'] }]),
    elsewhere: fc.boolean(),
    disk: turns,
    writer: turns,
    reader: turns
  })
  .map(({ disk, writer, reader, ...race }): Race => {
    return { ...race, pauses: { disk: pausesOf(disk), writer: pausesOf(writer), reader: pausesOf(reader) } }
  })

const batchOf = (ids: readonly string[]): ReturnType<typeof deposit>[] => ids.map((id) => deposit(id))

/** Follows in the background until `endAt`; what was handed out, and where the follower said that it had caught up. */
class Follower {
  readonly elements: ReplayElement<Event>[] = []
  readonly marks: number[] = []
  private readonly stop = new AbortController()
  private end: number | undefined
  private readonly running: Promise<void>

  constructor(log: EventLog, race: Race) {
    this.running = this.run(log, race)
  }

  /** Resolves when the follower has caught up at `end`. */
  async endAt(end: number): Promise<void> {
    this.end = end
    this.stopAtEnd()
    await this.running
  }

  private async run(log: EventLog, { query, pauses }: Race): Promise<void> {
    const onCaughtUp = (at: Offset): void => {
      this.marks.push(at)
      this.stopAtEnd()
    }
    const options = { onCaughtUp, signal: this.stop.signal, ...(query !== undefined && { query }) }
    for await (const element of log.follow(undefined, options)) {
      if (element._tag === 'Left' && element.left._tag === 'Aborted') return
      // What was said to be all there is was all there was.
      const caughtUp = this.marks.at(-1) ?? 0
      if (element._tag === 'Right') expect(element.right.offset).toBeGreaterThanOrEqual(caughtUp)
      this.elements.push(element)
      await pauses.reader()
    }
  }

  private stopAtEnd(): void {
    if (this.marks.at(-1) === this.end) this.stop.abort()
  }
}

it('a follower hands out every event once and in order, under any interleaving with the appends', async () => {
  await fc.assert(
    fc.asyncProperty(races, async (race) => {
      const disk = new MemoryDisk({ gate: race.pauses.disk })
      const log = await openOn(disk, { segmentBytes: 700 })
      for (const ids of race.batches.slice(0, race.before)) await orThrow(log.append(batchOf(ids)))
      const reading = race.elsewhere ? await openOn(disk, { readOnly: true }) : log
      const follower = new Follower(reading, race)
      for (const ids of race.batches.slice(race.before)) {
        await race.pauses.writer()
        await orThrow(log.append(batchOf(ids)))
      }
      await follower.endAt(log.end)
      const query = race.query === undefined ? {} : { query: race.query }
      expect(follower.elements.map(plain)).toEqual(await eventsOf(log.replay(undefined, query)))
      expect(follower.marks).toEqual([...new Set(follower.marks)].sort((a, b) => a - b))
      await orThrow(reading.close())
      await orThrow(log.close())
    }),
    { numRuns: 3_000 }
  )
})
