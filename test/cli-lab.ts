// What the tests of the command line share: it runs on a memory disk with a collector for a terminal, and logs are
// made of frames whose every byte a test chooses.

import { expect } from 'vitest'
import { orThrow, type NewEvent } from '../src/index.ts'
import { run } from '../src/cli/program.ts'
import { recordJson } from '../src/core/event.ts'
import { frameBytes, frameSeed, sealFrame } from '../src/core/frame.ts'
import { encodeHeader, headerBytes } from '../src/core/header.ts'
import { encodeMark, markFileBytes, markPosition } from '../src/core/mark.ts'
import { makeSlot } from '../src/disk/slot.ts'
import type { Disk } from '../src/port/disk.ts'
import { filesOf, folder, lab, LabClock, type Files } from './log-lab.ts'

export const logId = 0x51ed_1e55

/** When repairs are done. */
const repairMs = 1_700_000_000_000

/** A stream that keeps what is written to it. */
class Collected {
  text = ''
  readonly isTTY = false

  readonly write = (text: string): boolean => {
    this.text += text
    return true
  }
}

export interface Ran {
  readonly code: number
  readonly output: string
  readonly errors: string
}

/** Runs one command line on the disk. */
export async function cli(
  disk: Disk,
  argv: readonly string[],
  signal: AbortSignal = new AbortController().signal
): Promise<Ran> {
  const output = new Collected()
  const errors = new Collected()
  const code = await run(argv, {
    output,
    errors: errors as unknown as Collected & NodeJS.WritableStream,
    disk,
    slot: makeSlot(disk),
    nowMs: () => repairMs,
    signal,
    version: '0.0.0'
  })
  return { code, output: output.text, errors: errors.text }
}

/** A command line with everything that it says, as a transcript shows it. */
export async function transcriptOf(disk: Disk, argv: readonly string[]): Promise<string> {
  const { code, output, errors } = await cli(disk, argv)
  const complaints = errors === '' ? '' : `stderr: ${errors}`
  return `$ chronicle ${argv.join(' ')}\n${output}${complaints}[exit ${code}]\n`
}

function deposits(count: number, cents: number): NewEvent[] {
  return Array.from({ length: count }, (_, place) => ({
    aggregateId: `account-${(cents + place) % 3}`,
    eventType: 'Deposited',
    payload: { cents },
    tags: ['bank']
  }))
}

/** A closed log of three segments, two aggregates' batches in each. */
export async function closedLog(): Promise<Files> {
  const { disk, log } = await lab({ segmentBytes: 700, clock: new LabClock([1_000, 1_001, 1_002]) })
  for (let round = 0; round < 5; round++) await orThrow(log.appendSync(deposits(2, round)))
  await orThrow(log.close())
  const files = filesOf(disk)
  const bases = [...files.keys()].filter((name) => name.endsWith('.log')).map((name) => Number(name.slice(0, 20)))
  expect(bases).toEqual([0, 660, 1_341])
  return files
}

/** A frame to be: its payload, or a record with defaults. */
export interface CraftedFrame {
  readonly payload?: string
  readonly aggregateId?: string
  readonly version?: number
  readonly timestampMs?: number
  readonly durableBefore?: number
  readonly continued?: boolean
}

function payloadOf(frame: CraftedFrame): string {
  if (frame.payload !== undefined) return frame.payload
  const { aggregateId = 'a', version = 1, timestampMs = 1_000, durableBefore } = frame
  const event = `{"aggregateId":"${aggregateId}","eventId":"e","eventType":"T","payload":1}`
  return recordJson(event, { durableBefore, version, writeTimestampMs: timestampMs })
}

/** A segment with these frames, each with a checksum that holds. */
export function craftSegment(base: number, frames: readonly CraftedFrame[], id = logId): Buffer {
  const parts = [encodeHeader({ createdAt: 1_000, baseOffset: base, logId: id })]
  let offset = base
  for (const frame of frames) {
    const payload = Buffer.from(payloadOf(frame), 'utf8')
    const bytes = Buffer.alloc(frameBytes(payload.length))
    payload.copy(bytes, 4)
    const continued = frame.continued === true
    sealFrame(bytes, 0, { payloadBytes: payload.length, continued, seed: frameSeed(id, offset) })
    parts.push(bytes)
    offset += bytes.length
  }
  return Buffer.concat(parts)
}

/** Where the frames of a segment end. */
function endOf(base: number, segment: Buffer): number {
  return base + segment.length - headerBytes
}

/** The file of a mark whose log is on disk up to `durable`. */
export function craftMark(durable: number, { id = logId, clean = false } = {}): Buffer {
  const mark = { sequence: 2, durable, clean, logId: id }
  const bytes = Buffer.alloc(markFileBytes)
  encodeMark(mark).copy(bytes, markPosition(mark))
  return bytes
}

/** A log of one segment with these frames, all of them known to be on disk. */
export function craftLog(frames: readonly CraftedFrame[]): Files {
  const segment = craftSegment(0, frames)
  return new Map([
    ['00000000000000000000.log', segment],
    ['MARK', craftMark(endOf(0, segment))]
  ])
}

/** The files, with these in their place; undefined removes one. */
export function withFiles(files: Files, changes: Readonly<Record<string, Uint8Array | string | undefined>>): Files {
  const changed = new Map(files)
  for (const [name, bytes] of Object.entries(changes)) {
    if (bytes === undefined) changed.delete(name)
    else changed.set(name, Buffer.from(bytes))
  }
  return changed
}

/** The bytes with one of them flipped; a negative place counts from the end. */
export function flip(bytes: Buffer | undefined, at: number): Buffer {
  const changed = Buffer.from(bytes ?? Buffer.alloc(0))
  const place = at < 0 ? changed.length + at : at
  changed[place] = (changed[place] ?? 0) ^ 0xff
  return changed
}

export { folder }
