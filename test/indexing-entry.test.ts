// Entries of a key block: what they say of bytes that are not theirs is not believed.

import { expect, test } from 'vitest'
import { ByteWriter, encodeKey } from '../src/indexing/bytes.ts'
import { keyKind } from '../src/indexing/format.ts'
import { findEntry, readEntries, writeEntry, type KeyBlock } from '../src/indexing/section.ts'

test('an entry whose postings reach out of its group', () => {
  const target = new ByteWriter()
  const from = new ByteWriter()
  from.raw({ bytes: Buffer.alloc(40, 1), start: 0, end: 40 })
  const entry = { kind: keyKind.aggregate, key: 'a', events: 40, version: 1 }
  writeEntry(target, entry, { from, start: 0, seed: 0 })
  const taken = target.take()
  const block = (postingsBytes: number): KeyBlock => ({ entries: taken, entriesEnd: taken.length, postingsBytes })
  expect(findEntry(block(40), entry.kind, encodeKey('a'))._tag).toBe('Right')
  expect(findEntry(block(39), entry.kind, encodeKey('a'))._tag).toBe('Left')
  expect(readEntries(block(40))._tag).toBe('Right')
  expect(readEntries(block(41))._tag).toBe('Left')
})

test('an entry whose own postings reach out of its block', () => {
  const target = new ByteWriter()
  const from = new ByteWriter()
  from.varint(7)
  writeEntry(target, { kind: keyKind.aggregate, key: 'a', events: 1, version: 1 }, { from, start: 0, seed: 0 })
  expect(from.length).toBe(0)
  const taken = target.take()
  const block = (entriesEnd: number): KeyBlock => ({ entries: taken, entriesEnd, postingsBytes: 0 })
  expect(findEntry(block(taken.length), keyKind.aggregate, encodeKey('a'))._tag).toBe('Right')
  expect(findEntry(block(taken.length - 1), keyKind.aggregate, encodeKey('a'))._tag).toBe('Left')
  expect(readEntries(block(taken.length - 1))._tag).toBe('Left')
})
