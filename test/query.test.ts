// Queries against a naive reading of their rules, and the rules themselves by example.

import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { EventKeys } from '../src/core/query.ts'
import { copyOfQuery, matches, queryFault, queryItems, type Query, type QueryItem } from '../src/core/query.ts'

const event: EventKeys = { aggregateId: 'a', eventType: 'T', namespace: 'n', tags: ['x', 'y'] }

function asked(query: Query | undefined, keys: EventKeys = event): boolean {
  return matches(queryItems(query), keys)
}

describe('a query', () => {
  it('without items, or with an item that says nothing, matches everything', () => {
    for (const query of [undefined, [], {}, { types: [], tags: [] }, [{ types: ['other'] }, {}]]) {
      expect(asked(query)).toBe(true)
    }
    expect(queryItems([{ types: ['other'] }, {}])).toEqual([])
  })

  it('needs one of the types and all of the tags', () => {
    expect(asked({ types: ['S', 'T'] })).toBe(true)
    expect(asked({ types: ['S'] })).toBe(false)
    expect(asked({ tags: ['x', 'y'] })).toBe(true)
    expect(asked({ tags: ['x', 'z'] })).toBe(false)
  })

  it('needs every term of an item, and one of the items', () => {
    expect(asked({ types: ['T'], tags: ['x'], aggregateId: 'a', namespace: 'n' })).toBe(true)
    expect(asked({ types: ['T'], aggregateId: 'b' })).toBe(false)
    expect(asked([{ types: ['T'], aggregateId: 'b' }, { tags: ['y'] }])).toBe(true)
    expect(asked([{ types: ['S'] }, { tags: ['z'] }])).toBe(false)
  })

  it('asks for the beginning of a type or of an aggregate, of which an empty one says nothing', () => {
    const keys = { ...event, aggregateId: 'account-1', eventType: 'Money/Deposited' }
    expect(asked({ aggregatePrefix: 'account-' }, keys)).toBe(true)
    expect(asked({ aggregatePrefix: 'account-1' }, keys)).toBe(true)
    expect(asked({ aggregatePrefix: 'account-10' }, keys)).toBe(false)
    expect(asked({ typePrefix: 'Money/', aggregatePrefix: 'account-' }, keys)).toBe(true)
    expect(asked({ typePrefix: 'Deposited' }, keys)).toBe(false)
    expect(queryItems({ typePrefix: '', aggregatePrefix: '' })).toEqual([])
    expect(queryFault({ typePrefix: 5 })).toContain('typePrefix')
  })

  it('does not take a missing namespace for any namespace', () => {
    expect(asked({ namespace: 'n' }, { ...event, namespace: undefined })).toBe(false)
    expect(asked({ aggregateId: 'a' }, { ...event, namespace: undefined })).toBe(true)
  })

  it('is told from what is none', () => {
    for (const query of [{}, [], [{}], { types: ['T'], tags: [], aggregateId: 'a', namespace: undefined }]) {
      expect(queryFault(query)).toBeUndefined()
    }
    const hole = Object.assign([], { length: 1 })
    const odd = [undefined, null, 5, 'T', [null], [[]], { types: 'T' }, { types: 5 }, { tags: ['x', 5] }]
    for (const query of [...odd, { tags: hole }, { aggregateId: 5 }, { namespace: null }, hole]) {
      expect(queryFault(query)).toContain('is no query')
    }
  })

  it('stays as it was copied', () => {
    const prefixes = { typePrefix: 'T', aggregatePrefix: 'a' }
    const item = { types: ['T'], tags: ['x'], aggregateId: 'a', namespace: 'n', ...prefixes }
    const copies = [copyOfQuery(item), copyOfQuery([item])]
    item.types.push('S')
    item.tags.pop()
    item.aggregateId = 'b'
    item.typePrefix = 'S'
    const was = { types: ['T'], tags: ['x'], aggregateId: 'a', namespace: 'n', ...prefixes }
    expect(copies).toEqual([was, [was]])
  })

  it('agrees with the rules read word by word', () => {
    const word = fc.constantFrom('a', 'b', 'c', 'ab', 'abc')
    const prefix = fc.constantFrom('', 'a', 'ab', 'c')
    const words = fc.array(word, { maxLength: 2 })
    const item: fc.Arbitrary<QueryItem> = fc.record(
      { types: words, tags: words, aggregateId: word, typePrefix: prefix, aggregatePrefix: prefix, namespace: word },
      { requiredKeys: [] }
    )
    const keys = fc.record({
      aggregateId: word,
      eventType: word,
      namespace: fc.option(word, { nil: undefined }),
      tags: words
    })
    fc.assert(
      fc.property(fc.oneof(item, fc.array(item, { maxLength: 3 })), keys, (query, drawn) => {
        const items: readonly QueryItem[] = Array.isArray(query) ? query : [query]
        expect(asked(query, drawn)).toBe(items.length === 0 || items.some((one) => holds(one, drawn)))
      }),
      { numRuns: 2_000 }
    )
  })
})

/** Every term that is given holds; an empty list gives none. */
function holds(item: QueryItem, keys: EventKeys): boolean {
  const { types = [], tags = [], aggregateId, typePrefix = '', aggregatePrefix = '', namespace } = item
  const terms = [
    types.length === 0 || new Set(types).has(keys.eventType),
    tags.filter((tag) => !keys.tags.includes(tag)).length === 0,
    aggregateId === undefined || aggregateId === keys.aggregateId,
    keys.eventType.slice(0, typePrefix.length) === typePrefix,
    keys.aggregateId.slice(0, aggregatePrefix.length) === aggregatePrefix,
    namespace === undefined || namespace === keys.namespace
  ]
  return !terms.includes(false)
}
