// A log whose active segment ends too early, at every byte, beside marks and indexes that are there, gone, or older.
// What evidence vouches for is never cut, and reported where it is missing; everything else goes as whole batches.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import { describe, it } from 'vitest'
import { orThrow, type NewEvent, type Recovery, type StoredEvent } from '../src/index.ts'
import { decodeRecord } from '../src/core/event.ts'
import { headerBytes } from '../src/core/header.ts'
import { decodeMark, markName } from '../src/core/mark.ts'
import { decodeTrailer, trailerBytes } from '../src/indexing/format.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { all, bytesAt, diskOf, eventsOf, filesOf, lab, openOn, plain } from '../test/log-lab.ts'

const segment = '00000000000000000000.log'
const index = '00000000000000000000.idx'

interface Story {
  readonly segment: Buffer
  readonly events: readonly StoredEvent[]
  /** Where batches begin, and the end. */
  readonly boundaries: readonly number[]
  readonly marks: readonly (Buffer | undefined)[]
  readonly indexes: readonly (Buffer | undefined)[]
}

function batch(count: number): NewEvent[] {
  return Array.from({ length: count }, (_, place) => ({ aggregateId: `a${place}`, eventType: 'T', payload: count }))
}

/** Two events and a clean close; then a batch that is synced and one that is not, and a kill; then a clean close again. */
async function story(): Promise<Story> {
  const first = await lab()
  const boundaries: number[] = []
  for (const count of [1, 1]) boundaries.push((await orThrow(first.log.append(batch(count)))).offset)
  await orThrow(first.log.close())
  const closed = filesOf(first.disk)
  const second = await openOn(first.disk)
  boundaries.push((await orThrow(second.appendSync(batch(2)))).offset)
  boundaries.push((await orThrow(second.append(batch(2)))).offset)
  const disk = first.disk.processCrash()
  const killed = filesOf(disk)
  const third = await openOn(disk)
  const events = await eventsOf(third.replay())
  boundaries.push(third.end)
  await orThrow(third.close())
  const end = filesOf(disk)
  return {
    segment: end.get(segment) as Buffer,
    events,
    boundaries,
    marks: [undefined, closed.get(markName), killed.get(markName), end.get(markName)],
    indexes: [undefined, closed.get(index), end.get(index)]
  }
}

interface Cut {
  readonly story: Story
  /** How many bytes of frames are left. */
  readonly end: number
  readonly mark: Buffer | undefined
  readonly index: Buffer | undefined
}

/** What must be known to have been on disk, by every kind of evidence there is. */
function evidenceOf({ story: told, end, mark, index: indexed }: Cut): number {
  const marked = mark === undefined ? 0 : decodeMark(mark, undefined).durable
  const trailer = indexed === undefined ? undefined : decodeTrailer(indexed.subarray(-trailerBytes), indexed.length)
  const checkpoint = trailer?._tag === 'Right' ? trailer.right.end : 0
  const stated = told.events
    .filter(({ nextOffset }) => nextOffset <= end)
    .map(({ offset, nextOffset }) => {
      const record = decodeRecord(told.segment, headerBytes + offset + 4, headerBytes + nextOffset - 4)
      return record._tag === 'Right' ? (record.right.durableBefore ?? 0) : 0
    })
  return Math.max(marked, checkpoint, ...stated)
}

interface Expectation {
  readonly events: readonly StoredEvent[]
  readonly end: number
  /** Where the missing part begins, if any. */
  readonly lostFrom: number | undefined
  readonly lostUntil: number
}

function expectationOf(cut: Cut): Expectation {
  const { story: told, end } = cut
  const evidence = evidenceOf(cut)
  const whole = Math.max(...told.boundaries.filter((boundary) => boundary <= end))
  const kept = evidence > end ? end : whole
  const events = told.events.filter(({ nextOffset }) => nextOffset <= kept)
  return evidence > end
    ? { events, end: evidence, lostFrom: events.at(-1)?.nextOffset ?? 0, lostUntil: evidence }
    : { events, end: whole, lostFrom: undefined, lostUntil: whole }
}

interface Region {
  readonly offset: number
  readonly nextOffset: number
}

/** Whether the regions lie side by side and cover [from, until). */
function checkTiled(regions: readonly Region[], from: number | undefined, until: number): void {
  let at = from ?? until
  for (const { offset, nextOffset } of regions) {
    strictEqual(offset, at)
    ok(nextOffset > offset)
    at = nextOffset
  }
  strictEqual(at, until)
}

/** Opens the log and asks it everything; what it says was lost must be what replay does not find. */
async function checkAnswers(disk: MemoryDisk, expected: Expectation, readOnly: boolean): Promise<void> {
  const log = await openOn(disk, { readOnly })
  const elements = await all(log.replay())
  deepStrictEqual(elements.filter((one) => one._tag === 'Right').map(plain), expected.events)
  const lefts = elements.filter((one) => one._tag === 'Left').map(plain)
  checkTiled(lefts as Region[], expected.lostFrom, expected.lostUntil)
  deepStrictEqual(
    log.recovery.damage.map((region) => ({ _tag: 'Corrupt', ...region })),
    lefts
  )
  strictEqual(log.recovery.torn, undefined)
  strictEqual(log.end, expected.end)
  await orThrow(log.close())
}

/** What was cut is kept; zeros at its end are not, since nobody wrote them. */
function checkTorn(disk: MemoryDisk, torn: Recovery['torn'], cutOff: Buffer, offset: number): void {
  if (cutOff.every((byte) => byte === 0)) return strictEqual(torn, undefined)
  deepStrictEqual([torn?.offset, torn?.bytes], [offset, cutOff.length])
  const kept = bytesAt(disk, torn?.path ?? '')
  ok(Buffer.concat([kept, Buffer.alloc(cutOff.length - kept.length)]).equals(cutOff))
}

async function checkCut(cut: Cut): Promise<void> {
  const expected = expectationOf(cut)
  const files = new Map([[segment, cut.story.segment.subarray(0, headerBytes + cut.end)]])
  if (cut.mark !== undefined) files.set(markName, cut.mark)
  if (cut.index !== undefined) files.set(index, cut.index)
  const disk = await diskOf(files)

  await checkAnswers(disk, expected, true)
  for (const [name, bytes] of filesOf(disk)) ok(files.get(name)?.equals(bytes), `a reader changed ${name}`)

  const log = await openOn(disk)
  const cutOff = cut.story.segment.subarray(headerBytes + expected.end, headerBytes + Math.max(cut.end, expected.end))
  checkTorn(disk, log.recovery.torn, cutOff, expected.end)
  const added = await orThrow(log.append({ aggregateId: 'later', eventType: 'T', payload: 0 }))
  strictEqual(added.offset, expected.end)
  const [later] = await eventsOf(log.replay(added.offset))
  const crashed = disk.processCrash()
  await orThrow(log.close())

  const after = { ...expected, events: [...expected.events, later as StoredEvent], end: log.end }
  await checkAnswers(disk, after, false)
  await checkAnswers(crashed, after, true)
}

describe('a log that ends too early', () => {
  const marks = ['no mark', 'an older mark', 'the last mark', 'a clean mark'] as const
  const indexes = ['no index', 'an older index', 'the last index'] as const
  for (const [markPlace, markText] of marks.entries()) {
    it.each(indexes.map((text, place) => [text, place] as const))(
      `with ${markText} and %s keeps what is known to be safe, and whole batches of the rest`,
      async (_, indexPlace) => {
        const told = await story()
        for (let end = 0; end <= told.segment.length - headerBytes; end++) {
          const cut = { story: told, end, mark: told.marks[markPlace], index: told.indexes[indexPlace] }
          await checkCut(cut).catch((cause: unknown) => {
            throw new Error(`cut at ${end}; batches begin at ${told.boundaries.join(', ')}`, { cause })
          })
        }
      }
    )
  }
})
