// What a reader makes of frames and damage: the elements that it answers with.

import { left, right } from 'fp-ts/lib/Either.js'
import type { Offset, Version } from '../core/brand.ts'
import { Corrupt, InvalidStored, type DamagedRegion } from '../core/read-error.ts'
import { decodeRecord, type StoredEvent } from '../core/event.ts'
import { frameBytes } from '../core/frame.ts'
import type { ReadBatch } from '../port/store.ts'
import type { FrameVisitor } from './scan.ts'

export type Element = ReadBatch[number]

/** Decodes the frame whose payload is at `bytes[at + 4, …)`. */
export function readFrame(bytes: Buffer, at: number, payloadBytes: number, offset: number): Element {
  return storedElement(decodeRecord(bytes, at + 4, at + 4 + payloadBytes), offset, payloadBytes)
}

/** The record, or what is wrong with it, as an element: of the frame at `offset`. */
export function storedElement(record: ReturnType<typeof decodeRecord>, offset: number, payloadBytes: number): Element {
  const nextOffset = (offset + frameBytes(payloadBytes)) as Offset
  if (record._tag === 'Left') {
    const { path, reason } = record.left
    return left(new InvalidStored({ offset: offset as Offset, nextOffset, path, reason }))
  }
  const { event, version, writeTimestampMs } = record.right
  const stored: StoredEvent = {
    offset: offset as Offset,
    nextOffset,
    version: version as Version,
    writeTimestampMs,
    event
  }
  return right(stored)
}

/** Collects what a scan visits. */
export class Collector implements FrameVisitor {
  elements: Element[] = []

  frame(bytes: Buffer, at: number, payloadBytes: number, offset: number): boolean {
    this.elements.push(readFrame(bytes, at, payloadBytes, offset))
    return true
  }

  damage(region: DamagedRegion): void {
    this.elements.push(left(new Corrupt(region)))
  }

  take(): Element[] {
    const { elements } = this
    this.elements = []
    return elements
  }
}
