// The closed union of errors: what a program may rely on, for every class.

import { describe, expect, it } from 'vitest'
import { Offset, Version } from '../src/core/brand.ts'
import * as writing from '../src/core/error.ts'
import type { StorageError } from '../src/core/read-error.ts'
import * as reading from '../src/core/read-error.ts'

const { ChronicleError: _, ...writingErrors } = writing
const errors = { ...writingErrors, ...reading }
const cause = new Error('the cause')
const disk = { operation: 'write', path: '/log/file', errno: 'EIO', cause }
const region = { offset: Offset(11), nextOffset: Offset(222), reason: 'checksum' } as const

/** One of each, the fields that its message must name, and whether it was given a cause. */
const samples: {
  readonly [Tag in StorageError['_tag']]: readonly [Extract<StorageError, { _tag: Tag }>, readonly string[], boolean]
} = {
  InvalidEvent: [
    new errors.InvalidEvent({ path: '$.payload.x', reason: 'is odd', index: 7 }),
    ['$.payload.x', 'is odd', '7'],
    false
  ],
  InvalidArgument: [new errors.InvalidArgument('limit', 'is negative'), ['limit', 'is negative'], false],
  ConditionFailed: [
    new errors.ConditionFailed({ aggregateId: 'account-42', version: 5 }, { actual: Version(9), offset: Offset(77) }),
    ['account-42', '5', '9', '77'],
    false
  ],
  EventIdConflict: [new errors.EventIdConflict('e-1', Offset(77)), ['e-1', '77'], false],
  NotFound: [new errors.NotFound('/log'), ['/log'], false],
  BadTrim: [new errors.BadTrim('/log/8.trim', 'checksum'), ['/log/8.trim', 'checksum', 'repair'], false],
  BadSegment: [new errors.BadSegment('/log/0', 'has no magic'), ['/log/0', 'has no magic'], false],
  UnsupportedVersion: [
    new errors.UnsupportedVersion({ path: '/log/0', version: 9, supported: 1 }),
    ['/log/0', '9', '1'],
    false
  ],
  ForeignSegment: [
    new errors.ForeignSegment({ path: '/log/0', logId: 77, expectedLogId: 88 }),
    ['/log/0', '77', '88'],
    false
  ],
  BadCursor: [new errors.BadCursor('/log/readers/a/CURSOR', 'is odd'), ['readers/a/CURSOR', 'is odd'], false],
  Locked: [
    new errors.Locked({ path: '/log', pid: 4711, sinceMs: 0 }),
    ['/log', '4711', '1970-01-01T00:00:00.000Z'],
    false
  ],
  Closed: [new errors.Closed(), ['closed'], false],
  ReadOnly: [new errors.ReadOnly(), ['readOnly'], false],
  Poisoned: [new errors.Poisoned(cause), ['sync'], true],
  Overloaded: [new errors.Overloaded(1_234, 1_000), ['1234', '1000'], false],
  DiskFull: [new errors.DiskFull({ ...disk, errno: 'ENOSPC' }), ['write', '/log/file', 'ENOSPC'], true],
  DiskFailed: [new errors.DiskFailed(disk), ['write', '/log/file', 'EIO'], true],
  Corrupt: [new errors.Corrupt(region), ['11', '222', 'checksum'], false],
  InvalidStored: [
    new errors.InvalidStored({ offset: Offset(11), nextOffset: Offset(222), path: '$.payload', reason: 'is odd' }),
    ['11', '$.payload', 'is odd'],
    false
  ],
  InvalidOffset: [new errors.InvalidOffset(13, 'lies beyond the end'), ['13', 'lies beyond the end'], false],
  Trimmed: [new errors.Trimmed(Offset(11), Offset(222)), ['11', '222'], false],
  LogFull: [new errors.LogFull(1_234, 1_000), ['1234', '1000', 'logBytes'], false],
  WriterLost: [new errors.WriterLost({ offset: Offset(11), bytes: 7, idleMs: 5_000 }), ['11', '7', '5000'], false],
  FoldFailed: [
    new errors.FoldFailed({ module: 'file:///totals.js', step: 'evolve', offset: Offset(77) }, cause),
    ['file:///totals.js', 'evolve', '77', 'the cause'],
    true
  ],
  Aborted: [new errors.Aborted(cause), ['abort'], true]
}

const classes = new Map<string, unknown>(Object.entries(errors))
const rows = Object.entries(samples).map(([tag, [error, named, hasCause]]) => ({ tag, error, named, hasCause }))

describe.each(rows)('$tag', ({ tag, error, named, hasCause }) => {
  it('is an Error under its own name, tag and code', () => {
    expect(error).toBeInstanceOf(Error)
    expect(error).toBeInstanceOf(classes.get(tag))
    expect([error.name, error._tag]).toEqual([tag, tag])
    expect(error.code).toBe(`CHRONICLE_${tag.replace(/(?<=[a-z])(?=[A-Z])/g, '_').toUpperCase()}`)
    expect(error.stack).toContain(tag)
  })

  it('says what happened, and to what', () => {
    for (const part of named) expect(error.message).toContain(part)
  })

  it('keeps its cause, and has none when there was none', () => {
    expect(error.cause).toBe(hasCause ? cause : undefined)
    expect('cause' in error).toBe(hasCause)
  })
})

describe('the union', () => {
  it('is every class there is, each with a code of its own', () => {
    expect([...classes.keys()].toSorted()).toEqual(Object.keys(samples).toSorted())
    expect(new Set(rows.map(({ error }) => error.code)).size).toBe(rows.length)
  })

  it('can be matched to the end, which the compiler checks', () => {
    // A class that is added to the union without a case here does not compile.
    const advice = (error: StorageError): string => {
      switch (error._tag) {
        case 'InvalidEvent':
        case 'InvalidArgument':
        case 'InvalidOffset':
        case 'EventIdConflict':
        case 'FoldFailed':
        case 'NotFound':
          return 'change the call'
        case 'ConditionFailed':
          return 'aggregateId' in error.condition
            ? `load ${error.condition.aggregateId} at ${error.actual}`
            : `read from ${error.condition.after} on`
        case 'LogFull':
        case 'WriterLost':
        case 'Overloaded':
        case 'DiskFull':
        case 'Locked':
          return 'wait'
        case 'BadSegment':
        case 'BadTrim':
        case 'ForeignSegment':
        case 'BadCursor':
        case 'Corrupt':
        case 'InvalidStored':
          return 'restore'
        case 'Trimmed':
          return `read from ${error.first}`
        case 'UnsupportedVersion':
          return `upgrade to ${error.version}`
        case 'Closed':
        case 'ReadOnly':
        case 'Poisoned':
        case 'Aborted':
        case 'DiskFailed':
          return 'open again'
        default:
          return error satisfies never
      }
    }
    expect(rows.map(({ error }) => advice(error)).filter((sentence) => typeof sentence !== 'string')).toEqual([])
    expect(advice(samples.ConditionFailed[0])).toBe('load account-42 at 9')
  })

  it('lets a program act on its fields', () => {
    expect(samples.ConditionFailed[0]).toMatchObject({ expected: 5, actual: 9 })
    expect(samples.Corrupt[0]).toMatchObject(region)
    expect(samples.Overloaded[0]).toMatchObject({ pendingBytes: 1_234, limitBytes: 1_000 })
    expect(new errors.Locked({ path: '/log' })).toMatchObject({ pid: undefined, sinceMs: undefined })
    expect(new errors.Locked({ path: '/log' }).message).toContain('somebody else')
  })
})
