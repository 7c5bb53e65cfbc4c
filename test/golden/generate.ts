// Writes the golden logs of format version 1, and what reading them answers: `npm run golden`. The committed files are
// what a released version has written; they are made anew only when a log is added, never to make a test pass. Time
// and chance are fixed, so that the same program writes the same bytes.

import { appendFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EventLog, orThrow, type Clock, type Entropy } from '../../src/index.ts'

/** A log, by the folder's name under test/golden/v1. */
export interface GoldenLog {
  readonly name: string
  /** Writes the log into an empty folder. */
  readonly write: (folder: string) => Promise<void>
}

type Body = Parameters<EventLog['append']>[0]

const bodies: readonly Body[] = [
  { aggregateId: 'account-1', eventType: 'Opened', payload: { owner: 'Ada' } },
  {
    aggregateId: 'account-1',
    eventId: '5f0c3b1e-0000-4000-8000-000000000001',
    eventType: 'Deposited',
    metadata: { user: 'ada', correlation: { id: 7 } },
    namespace: 'bank',
    payload: { cents: 1250, memo: 'quote " backslash \\ newline \n tab \t null \u0000 slash /' },
    schemaId: 'deposited',
    schemaVersion: 2,
    tags: ['branch:lyon', 'large']
  },
  {
    aggregateId: 'Ω-2',
    eventType: 'Añadido',
    namespace: '日本',
    payload: 'snow ☃, a pair 😀, a half \ud800',
    tags: []
  },
  { aggregateId: 'numbers', eventType: 'Counted', payload: [0, -0, 1.5, -1e-7, 1e21, 5e-324, 2 ** 53, -1] },
  { aggregateId: 'plain', eventType: 'Null', payload: null },
  { aggregateId: 'plain', eventType: 'True', payload: true },
  { aggregateId: 'plain', eventType: 'Empty', payload: { list: [], object: {}, text: '' } },
  {
    aggregateId: '__proto__',
    eventType: 'constructor',
    payload: JSON.parse('{"__proto__":{"x":1},"toString":2}') as unknown
  },
  { aggregateId: 'deep', eventType: 'Nested', payload: { a: [{ b: [[{ c: { d: [1, [2, [3]]] } }]] }] } }
]

const batch: Body = [
  { aggregateId: 'account-1', eventType: 'Withdrawn', payload: { cents: 250 } },
  { aggregateId: 'account-2', eventType: 'Deposited', payload: { cents: 250 } },
  { aggregateId: 'account-1', eventType: 'Closed', payload: {}, tags: ['last'] }
]

function deposits(count: number): readonly Body[] {
  return Array.from({ length: count }, (_, place) => ({
    aggregateId: `account-${place % 3}`,
    eventType: place % 4 === 0 ? 'Withdrawn' : 'Deposited',
    payload: { cents: (place + 1) * 100 },
    tags: [`day:${place % 2}`]
  }))
}

/** Every append a second after the one before; the fifth reading falls, as clocks do. */
function fixedClock(): Clock {
  let readings = 0
  return {
    nowMs: () => {
      readings++
      return 1_767_225_600_000 + readings * 1_000 - (readings === 5 ? 5_000 : 0)
    },
    every: () => () => undefined
  }
}

function fixedEntropy(): Entropy {
  let ids = 0
  return {
    u32: () => 0x1a2b3c4d,
    eventId: () => `00000000-0000-4000-8000-${String(++ids).padStart(12, '0')}`
  }
}

/** Appends the batches one after the other, each synced or not in turn, and closes the log. */
async function writeLog(folder: string, batches: readonly Body[], segmentBytes?: number): Promise<void> {
  const options = segmentBytes === undefined ? {} : { segmentBytes }
  const log = await orThrow(EventLog.open(folder, { ...options, clock: fixedClock(), entropy: fixedEntropy() }))
  for (const [place, events] of batches.entries()) {
    await orThrow(place % 2 === 0 ? log.append(events) : log.appendSync(events))
  }
  await orThrow(log.close())
}

const firstSegment = '00000000000000000000.log'
const headerBytes = 32

export const goldenLogs: readonly GoldenLog[] = [
  {
    name: 'diverse',
    write: (folder) => writeLog(folder, [...bodies, batch])
  },
  {
    name: 'rolled',
    write: (folder) => writeLog(folder, deposits(9), 1_024)
  },
  {
    // The oldest segments were trimmed, and with them all that there was of one aggregate.
    name: 'trimmed',
    write: async (folder) => {
      await writeLog(folder, [{ aggregateId: 'early', eventType: 'Opened', payload: 1 }, ...deposits(9)], 1_024)
      const log = await orThrow(EventLog.open(folder, { clock: fixedClock(), entropy: fixedEntropy() }))
      await orThrow(log.trim(log.end))
      await orThrow(log.append({ aggregateId: 'early', eventType: 'Closed', payload: 2 }))
      await orThrow(log.close())
    }
  },
  {
    // A crash in the middle of a write: two events are there and known to be on disk, of the third only a part.
    name: 'torn',
    write: async (folder) => {
      const three = deposits(3)
      const whole = await written((scratch) => writeLog(scratch, three))
      await writeLog(folder, three.slice(0, 2))
      const path = join(folder, firstSegment)
      const bytes = readFileSync(path).length
      appendFileSync(path, whole.subarray(bytes, bytes + 40))
    }
  },
  {
    // The end of a closed log is gone: the mark says that it was on disk, so it is no torn tail.
    name: 'lost',
    write: async (folder) => {
      await writeLog(folder, deposits(4))
      const path = join(folder, firstSegment)
      writeFileSync(path, readFileSync(path).subarray(0, -30))
    }
  },
  {
    // One bit of the second of five events has flipped.
    name: 'damaged',
    write: async (folder) => {
      await writeLog(folder, deposits(5))
      const path = join(folder, firstSegment)
      const bytes = readFileSync(path)
      const second = headerBytes + (bytes.readUInt32LE(headerBytes) & 0xff_ffff) + 8
      bytes[second + 60] = (bytes[second + 60] as number) ^ 0x04
      writeFileSync(path, bytes)
    }
  }
]

/** The first segment of a log that is written elsewhere and thrown away. */
async function written(write: (folder: string) => Promise<void>): Promise<Buffer> {
  const scratch = mkdtempSync(join(tmpdir(), 'chronicle-golden-'))
  try {
    await write(scratch)
    return readFileSync(join(scratch, firstSegment))
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** The files of a log that are the same whoever writes them: all but the lock. */
export function goldenFiles(folder: string): readonly string[] {
  return readdirSync(folder)
    .filter((name) => /^\d{20}\.(?:log|idx|trim)$|^MARK$/.test(name))
    .sort()
}

/** What a log answers, as JSON. */
export async function answers(folder: string, readOnly: boolean): Promise<unknown> {
  const log = await orThrow(EventLog.open(folder, { readOnly }))
  const replayed: unknown[] = []
  for await (const one of log.replay()) {
    replayed.push(one._tag === 'Right' ? one.right : { ...damageOf(one.left) })
  }
  const aggregates: unknown[] = []
  for await (const one of orThrow(log.aggregates())) aggregates.push(one)
  const { torn } = log.recovery
  const answer = {
    end: log.end,
    torn: torn === undefined ? null : { offset: torn.offset, bytes: torn.bytes },
    damage: log.recovery.damage,
    aggregates,
    replayed
  }
  await orThrow(log.close())
  return JSON.parse(JSON.stringify(answer)) as unknown
}

function damageOf(error: object): object {
  return Object.fromEntries(
    Object.entries(error).filter(([name]) => ['_tag', 'offset', 'nextOffset', 'reason'].includes(name))
  )
}

/** Writes every golden log and its answers into `target`. */
export async function generate(target: string): Promise<void> {
  for (const { name, write } of goldenLogs) {
    const scratch = mkdtempSync(join(tmpdir(), 'chronicle-golden-'))
    try {
      await write(scratch)
      const folder = join(target, name)
      rmSync(folder, { recursive: true, force: true })
      mkdirSync(folder, { recursive: true })
      for (const file of goldenFiles(scratch)) copyFileSync(join(scratch, file), join(folder, file))
      const answer = await answers(scratch, false)
      writeFileSync(join(target, `${name}.json`), `${JSON.stringify(answer, undefined, 2)}\n`)
    } finally {
      rmSync(scratch, { recursive: true, force: true })
    }
  }
}

if (process.argv[1] === import.meta.filename) await generate(join(import.meta.dirname, 'v1'))
