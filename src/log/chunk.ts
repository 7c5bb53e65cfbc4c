// Collects the frames of a scan as Collector does, and parses many with one JSON.parse, since a call for each costs a
// sixth of all the work. Between the payloads of frames that follow each other stand eight bytes, a CRC and a length
// word. When the frames are proven these have served, and are overwritten by what makes the payloads one array:
//
//   length {…} CRC length {…} CRC length {…} CRC
//        [ {…} ,          {…} ,          {…} ]
//
// A run that does not come out as UTF-8, as JSON, or as one value a frame is decoded frame by frame, which tells what
// is wrong with which. Only a writer who means to can spread values over frames of his own so that the count comes
// out; what he gets are his own events, checked like all others.

import type { DamagedRegion } from '../core/read-error.ts'
import { checkRecord } from '../core/event.ts'
import { frameBytes } from '../core/frame.ts'
import { depthMax } from '../core/limit.ts'
import { Collector, readFrame, storedElement, type Element } from './collect.ts'

/** How many frames are parsed at once; more gain nothing. */
const runFramesMax = 64

/** A longer payload is parsed alone. One that is not cannot nest too deep, since every level takes a character. */
const runPayloadBytesMax = depthMax

const openingBracket = 0x5b
const closingBracket = 0x5d
const commaAndSpaces = 0x2020_202c
const spaces = 0x2020_2020

/** Its caller takes what was collected before the scan moves its bytes, that is after each step. */
export class ChunkCollector extends Collector {
  private bytes: Buffer = Buffer.alloc(0)
  /** Where the run's first frame stands in `bytes`, and its offset. */
  private first = 0
  private firstOffset = 0
  /** Where the run ends in `bytes`. */
  private end = 0
  /** The lengths of the run's payloads. */
  private lengths: number[] = []

  override frame(bytes: Buffer, at: number, payloadBytes: number, offset: number): boolean {
    if (payloadBytes > runPayloadBytesMax) {
      this.flush()
      return super.frame(bytes, at, payloadBytes, offset)
    }
    if (this.lengths.length === runFramesMax || at !== this.end) this.flush()
    if (this.lengths.length === 0) {
      this.bytes = bytes
      this.first = at
      this.firstOffset = offset
    }
    this.lengths.push(payloadBytes)
    this.end = at + frameBytes(payloadBytes)
    return true
  }

  override damage(region: DamagedRegion): void {
    this.flush()
    super.damage(region)
  }

  override take(): Element[] {
    this.flush()
    return super.take()
  }

  private flush(): void {
    const { bytes, first, lengths, end, elements } = this
    if (lengths.length === 0) return
    const values = parseRun(bytes, first, end, lengths)
    let offset = this.firstOffset
    let at = first
    for (let place = 0; place < lengths.length; place++) {
      const length = lengths[place] as number
      const element =
        values === undefined
          ? readFrame(bytes, at, length, offset)
          : storedElement(checkRecord(values[place]), offset, length)
      elements.push(element)
      at += frameBytes(length)
      offset += frameBytes(length)
    }
    this.lengths = []
  }
}

/** The values of the payloads of the frames in `bytes[first, end)`, or undefined when they are not one each. */
function parseRun(
  bytes: Buffer,
  first: number,
  end: number,
  lengths: readonly number[]
): readonly unknown[] | undefined {
  let at = first
  bytes[first + 3] = openingBracket
  for (const length of lengths) {
    at += frameBytes(length)
    if (at === end) break
    bytes.writeUInt32LE(commaAndSpaces, at - 4)
    bytes.writeUInt32LE(spaces, at)
  }
  bytes[end - 4] = closingBracket
  const text = bytes.toString('utf8', first + 3, end - 3)
  if (text.includes('\ufffd')) return undefined
  try {
    const values = JSON.parse(text) as readonly unknown[]
    return values.length === lengths.length ? values : undefined
  } catch {
    return undefined
  }
}
