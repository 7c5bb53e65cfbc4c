// Laws of the demo's parser.

import fc from 'fast-check'
import { expect, test } from 'vitest'
import { textOf, type Commit } from '../examples/git-history/commit.ts'
import { makeParser } from '../examples/git-history/parser.ts'

/** Bytes of a field: whatever git can write, which is everything but NUL; often near to what steers the parser. */
const fieldBytes = fc.oneof(
  fc.uint8Array({ max: 255, maxLength: 12 }).map((bytes) => Buffer.from(bytes.map((byte) => byte || 0x09))),
  fc.constantFrom('\n', 'commit ', '1\t1\ta', '-\t-\t', 'é\ufffd', '').map((text) => Buffer.from(text))
)

const pathBytes = fieldBytes.map((bytes) => (bytes.length === 0 ? Buffer.from('p') : bytes))

const lineCount = fc.option(fc.nat(1_000_000), { nil: null })

const commits = fc.array(
  fc.record({
    hash: fc.stringMatching(/^[0-9a-f]{40}$/),
    email: fieldBytes,
    name: fieldBytes,
    authored: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    committed: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    subject: fieldBytes,
    changes: fc.array(fc.record({ path: pathBytes, added: lineCount, deleted: lineCount }), { maxLength: 5 })
  }),
  { maxLength: 6 }
)

type Described = typeof commits extends fc.Arbitrary<infer A> ? A : never

function written(described: Described): Buffer {
  const parts: Buffer[] = []
  const field = (bytes: Buffer | string): unknown => parts.push(Buffer.from(bytes as string), Buffer.of(0))
  for (const { hash, email, name, authored, committed, subject, changes } of described) {
    for (const header of [`commit ${hash}`, email, name, `${authored}`, `${committed}`, subject]) field(header)
    for (const [index, { path, added, deleted }] of changes.entries()) {
      field(Buffer.concat([Buffer.from(`${index === 0 ? '\n' : ''}${added ?? '-'}\t${deleted ?? '-'}\t`), path]))
    }
  }
  return Buffer.concat(parts)
}

function expected(described: Described): readonly Commit[] {
  return described.map(({ hash, email, name, authored, committed, subject, changes }) => ({
    hash,
    authorEmail: textOf(email),
    authorName: textOf(name),
    authorDateMs: authored * 1000,
    commitDateMs: committed * 1000,
    subject: textOf(subject),
    changes: changes.map(({ path, added, deleted }) => ({ path: textOf(path), added, deleted }))
  }))
}

function parsed(chunks: readonly Buffer[]): readonly Commit[] {
  const parser = makeParser()
  const answers = [...chunks.map((chunk) => parser.push(chunk)), parser.end()]
  return answers.flatMap((answer) => {
    if (answer._tag === 'Left') throw answer.left
    return answer.right
  })
}

test('wherever the bytes are cut, the commits come out as they were written', () => {
  fc.assert(
    fc.property(commits, fc.array(fc.nat()), (described, cuts) => {
      const bytes = written(described)
      const places = [...cuts.map((cut) => cut % (bytes.length + 1)), 0, bytes.length].sort((a, b) => a - b)
      const chunks = places.slice(1).map((end, index) => bytes.subarray(places[index], end))
      expect(parsed(chunks)).toEqual(expected(described))
    })
  )
})

test('byte by byte, the commits are the same', () => {
  fc.assert(
    fc.property(commits, (described) => {
      const bytes = written(described)
      const chunks = Array.from(bytes, (byte) => Buffer.of(byte))
      expect(parsed(chunks)).toEqual(expected(described))
    }),
    { numRuns: 30 }
  )
})

/** The bytes that `textOf` made the text from. */
function bytesOf(text: string): Buffer {
  const pieces = text.match(/\ufffd\ufffd|\ufffd[0-9a-f]{2}|[^\ufffd]/gu) ?? []
  return Buffer.concat(
    pieces.map((piece) => {
      if (piece === '\ufffd\ufffd') return Buffer.from('\ufffd')
      return piece.startsWith('\ufffd') ? Buffer.from(piece.slice(1), 'hex') : Buffer.from(piece)
    })
  )
}

test('the text of any bytes leads back to them, so two paths never share a name', () => {
  const anyBytes = fc.array(fc.oneof(fc.uint8Array({ maxLength: 4 }), fc.string({ unit: 'binary' }).map(encoded)))
  fc.assert(
    fc.property(anyBytes, (pieces) => {
      const bytes = Buffer.concat(pieces)
      expect(textOf(bytes).isWellFormed()).toBe(true)
      expect(bytesOf(textOf(bytes))).toEqual(bytes)
    })
  )
})

function encoded(text: string): Uint8Array {
  return Buffer.from(`${text}\ufffd`)
}
