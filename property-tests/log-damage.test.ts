// Damage to a small log, bit by bit and by every other harm that disks do to bytes. Whatever is damaged, a log answers
// with what was written, or says what it cannot read: never another event, never a state that lacks one.

import { deepStrictEqual, ok, strictEqual } from 'node:assert'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventLog, orThrow, type NewEvent, type StoredEvent } from '../src/index.ts'
import { headerBytes } from '../src/core/header.ts'
import { markFileBytes, markName, markPositions, markRecordBytes } from '../src/core/mark.ts'
import { applyDamage, damage } from '../src/testing/damage.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { all, diskOf, filesOf, folder, lab, LabClock, labEntropy, plain, type Files } from '../test/log-lab.ts'

const events: readonly (readonly NewEvent[])[] = [
  [{ aggregateId: 'a', eventType: 'T', payload: 1, tags: ['t'] }],
  [
    { aggregateId: 'b', eventType: 'T', payload: 2 },
    { aggregateId: 'a', eventType: 'U', payload: 3, tags: ['t'] }
  ],
  [{ aggregateId: 'a', eventType: 'T', payload: 4, namespace: 'n' }],
  [{ aggregateId: 'b', eventType: 'U', payload: 5, tags: ['t'] }]
]
const segmentBytes = 400

interface Answers {
  readonly replayed: readonly unknown[]
  readonly backwards: readonly unknown[]
  readonly tagged: readonly unknown[]
  readonly taggedBackwards: readonly unknown[]
  readonly loads: readonly unknown[]
  readonly aggregates: readonly unknown[]
  readonly times: readonly unknown[]
}

/** Everything a log answers; undefined when it does not open. */
async function ask(files: Files, readOnly: boolean): Promise<Answers | string> {
  return askOn(await diskOf(files), readOnly)
}

async function askOn(disk: MemoryDisk, readOnly: boolean): Promise<Answers | string> {
  const clock = new LabClock()
  const opened = await EventLog.open(folder, { disk, clock, entropy: labEntropy(), segmentBytes, readOnly })()
  if (opened._tag === 'Left') return opened.left._tag
  const log = opened.right
  const loads: unknown[] = []
  for (const id of ['a', 'b', 'c']) {
    const loaded = await log.load(id, { initial: '', evolve: (sum, event) => `${sum} ${String(event.payload)}` })()
    loads.push(loaded._tag === 'Right' ? loaded.right : 'Left')
  }
  const times: unknown[] = []
  for (let time = 999; time < 1_006; time++) {
    const offset = await log.offsetAt(time)()
    times.push(offset._tag === 'Right' ? offset.right : 'Left')
  }
  const answers = {
    tagged: (await all(log.replay(undefined, { query: { tags: ['t'] } }))).map(plain),
    taggedBackwards: (await all(log.replay(undefined, { query: { tags: ['t'] }, backwards: true }))).map(plain),
    replayed: (await all(log.replay())).map(plain),
    backwards: (await all(log.replay(undefined, { backwards: true }))).map(plain),
    loads,
    aggregates: (await all(log.aggregates())).map((one) => (one._tag === 'Right' ? one.right : 'Left')),
    times
  }
  await orThrow(log.close())
  return answers
}

async function closedLog(): Promise<Files> {
  const { disk, log } = await lab({ segmentBytes, clock: new LabClock([1_000, 1_001, 1_002, 1_003, 1_004]) })
  for (const batch of events) await orThrow(log.append(batch))
  await orThrow(log.close())
  return filesOf(disk)
}

interface Region {
  readonly _tag: string
  readonly offset: number
  readonly nextOffset: number
}

function isEvent(element: unknown): element is StoredEvent {
  return !('_tag' in (element as object))
}

function intact(elements: readonly unknown[]): StoredEvent[] {
  return elements.filter(isEvent)
}

function regions(elements: readonly unknown[]): Region[] {
  return elements.filter((one) => !isEvent(one)) as Region[]
}

/** The regions in order, those side by side made one. */
function merged(lost: readonly Region[]): { from: number; until: number }[] {
  const runs: { from: number; until: number }[] = []
  for (const { offset, nextOffset } of [...lost].sort((a, b) => a.offset - b.offset)) {
    const last = runs.at(-1)
    if (last?.until === offset) last.until = nextOffset
    else runs.push({ from: offset, until: nextOffset })
  }
  return runs
}

/** Whether each event that was there is there, or lies in a region that is reported. */
function checkCovers(found: readonly unknown[], wanted: readonly unknown[]): void {
  const places = new Map(intact(found).map((event) => [event.offset, event]))
  const lost = merged(regions(found))
  for (const event of intact(wanted)) {
    const same = places.get(event.offset)
    if (same !== undefined) deepStrictEqual(same, event)
    else ok(lost.some((run) => run.from <= event.offset && event.nextOffset <= run.until))
    places.delete(event.offset)
  }
  strictEqual(places.size, 0, 'another event')
}

/** No byte of the log is answered for twice, and the order is that of the log. */
function checkOrder(elements: readonly unknown[]): void {
  let end = 0
  for (const { offset, nextOffset } of elements as readonly Region[]) {
    ok(offset >= end, 'an element overlaps the one before')
    ok(nextOffset > offset, 'an element without bytes')
    end = nextOffset
  }
}

/** Answers of a damaged log are the true ones, or less and said to be less. */
function checkAnswers(answers: Answers, truth: Answers): void {
  checkOrder(answers.replayed)
  checkOrder([...answers.backwards].reverse())
  checkOrder(answers.tagged)
  checkOrder([...answers.taggedBackwards].reverse())
  checkCovers(answers.replayed, truth.replayed)
  checkCovers(answers.taggedBackwards, truth.tagged)
  checkCovers(answers.backwards, truth.backwards)
  checkCovers(answers.tagged, truth.tagged)
  deepStrictEqual(
    intact(answers.backwards).reverse(),
    intact(answers.replayed),
    'forwards and backwards read the same events'
  )
  answers.loads.forEach((load, place) => load === 'Left' || deepStrictEqual(load, truth.loads[place]))
  answers.times.forEach((time, place) => time === 'Left' || strictEqual(time, truth.times[place]))
}

/** Where in a segment file the frame stands that holds the byte, as offsets. */
function frameAt(name: string, position: number, truth: Answers): StoredEvent {
  const offset = Number(name.slice(0, 20)) + position - headerBytes
  const frame = intact(truth.replayed).find((event) => event.offset <= offset && offset < event.nextOffset)
  ok(frame !== undefined)
  return frame
}

function checkFlip(name: string, position: number, answers: Answers | string, truth: Answers): void {
  const isSegment = name.endsWith('.log')
  if (isSegment && position < headerBytes) {
    ok(
      answers === 'BadSegment' || answers === 'UnsupportedVersion',
      `a damaged header answers ${JSON.stringify(answers)}`
    )
    return
  }
  ok(typeof answers !== 'string', `does not open: ${JSON.stringify(answers)}`)
  if (!isSegment) return deepStrictEqual(answers, truth)
  checkAnswers(answers, truth)
  const { offset, nextOffset } = frameAt(name, position, truth)
  const lost = regions(answers.replayed).map((one) => [one._tag, one.offset, one.nextOffset])
  deepStrictEqual(lost, [['Corrupt', offset, nextOffset]])
  strictEqual(intact(answers.replayed).length, intact(truth.replayed).length - 1)
}

/** The bytes of MARK between its two records are read by nobody. */
function isRead(name: string, position: number): boolean {
  if (name !== markName) return true
  return markPositions.some((start) => position >= start && position < start + markRecordBytes)
}

/** Every bit that somebody reads. */
function* flipsOf(files: Files): Generator<{ name: string; position: number; bit: number }> {
  for (const [name, bytes] of files) {
    for (let place = 0; place < bytes.length * 8; place++) {
      const position = Math.floor(place / 8)
      if (isRead(name, position)) yield { name, position, bit: place % 8 }
    }
  }
}

describe('a log with one bit flipped', () => {
  it('is the log that these tests mean: two segments, two indexes, a mark', async () => {
    const files = await closedLog()
    expect([...files.keys()].map((name) => name.replace(/^\d{20}/, 'n'))).toEqual([
      ...['n.idx', 'n.log', 'n.idx', 'n.log'],
      markName
    ])
    expect(files.get(markName)?.length).toBe(markFileBytes)
    expect(await ask(files, false)).toEqual(await ask(files, true))
  })

  for (const withIndex of [true, false]) {
    it.each([false, true])(
      `${withIndex ? 'beside' : 'without'} its indexes reports the frame, or reads as before (reader: %s)`,
      async (readOnly) => {
        const whole = await closedLog()
        const files = new Map([...whole].filter(([name]) => withIndex || !name.endsWith('.idx')))
        const truth = await ask(files, readOnly)
        ok(typeof truth !== 'string')
        for (const { name, position, bit } of flipsOf(files)) {
          // Readers take the same way but for the end of the log, so one bit of each byte is enough for them.
          if (readOnly && bit !== position % 8) continue
          const flipped = Buffer.from(files.get(name) as Buffer)
          flipped[position] = (flipped[position] as number) ^ (1 << bit)
          const answers = await ask(new Map(files).set(name, flipped), readOnly)
          try {
            checkFlip(name, position, answers, truth)
          } catch (cause) {
            throw new Error(`bit ${bit} of byte ${position} of ${name}`, { cause })
          }
        }
      }
    )
  }
})

describe('a log with any damage to its segments and indexes', () => {
  it('answers with what was written, or says where it cannot, and the same again when it is opened again', async () => {
    const whole = await closedLog()
    const truth = await ask(whole, false)
    ok(typeof truth !== 'string')
    const names = [...whole.keys()].filter((name) => name !== markName)
    const harm = fc
      .constantFrom(...names)
      .chain((name) => fc.record({ name: fc.constant(name), damage: damage(whole.get(name)?.length ?? 0) }))
    const gone = fc.constantFrom(undefined, ...names)
    const property = fc.asyncProperty(fc.array(harm, { maxLength: 4 }), gone, async (harms, missing) => {
      const files = new Map(whole)
      for (const { name, damage: done } of harms) {
        const bytes = files.get(name) as Buffer
        if (done.kind === 'flip' || bytes.length === whole.get(name)?.length) files.set(name, applyDamage(bytes, done))
      }
      if (missing !== undefined) files.delete(missing)
      const disk = await diskOf(files)
      for (const readOnly of [true, false, false]) {
        const answers = await askOn(disk, readOnly)
        if (typeof answers !== 'string') checkAnswers(answers, truth)
        else ok(['BadSegment', 'UnsupportedVersion'].includes(answers), answers)
      }
    })
    await fc.assert(property, { numRuns: 400 })
  })
})
