// Queries in the manner of dcb.events: a query is an OR of items; within an item the types are ORed, the tags ANDed,
// and every term that is given must hold. An item without terms, and a query without items, match every event.

/** What an event is found by. */
export interface EventKeys {
  readonly aggregateId: string
  readonly eventType: string
  readonly namespace: string | undefined
  readonly tags: readonly string[]
}

/** What an event must have to match: every term that is given. */
export interface QueryItem {
  /** The event has one of these types. An empty list says nothing. */
  readonly types?: readonly string[]
  /** The event has all of these tags. */
  readonly tags?: readonly string[]
  readonly aggregateId?: string
  /** The event's type begins so. An empty one says nothing. */
  readonly typePrefix?: string
  /** The aggregate's id begins so: `account-` is the category of `account-1`. An empty one says nothing. */
  readonly aggregatePrefix?: string
  readonly namespace?: string
}

/** One item, or several of which one must match. */
export type Query = QueryItem | readonly QueryItem[]

/** What is wrong with a query that comes from where types do not reach; undefined when nothing is. */
export function queryFault(query: unknown): string | undefined {
  const items: readonly unknown[] = Array.isArray(query) ? query : [query]
  const isQuery = [...items].every((item) => isItem(item))
  return isQuery
    ? undefined
    : 'is no query: an item { types, tags, aggregateId, typePrefix, aggregatePrefix, namespace } of strings, or a list of such'
}

type Terms = Readonly<Record<keyof QueryItem, unknown>>

function isItem(item: unknown): item is QueryItem {
  if (typeof item !== 'object' || item === null || Array.isArray(item)) return false
  const { types, tags, aggregateId, typePrefix, aggregatePrefix, namespace, ...unknown } = item as Terms
  // A misspelt term would match everything.
  if (Object.keys(unknown).length > 0) return false
  return (
    isListOfNames(types) && isListOfNames(tags) && [aggregateId, typePrefix, aggregatePrefix, namespace].every(isName)
  )
}

function isName(name: unknown): boolean {
  return name === undefined || typeof name === 'string'
}

// Spread, since `every` leaves out the holes of an array.
function isListOfNames(names: unknown): boolean {
  return (
    names === undefined || (Array.isArray(names) && [...(names as unknown[])].every((name) => typeof name === 'string'))
  )
}

/** A copy that stays as it is, whatever its owner does to the query. */
export function copyOfQuery(query: Query): Query {
  const items = Array.isArray(query) ? (query as readonly QueryItem[]) : [query as QueryItem]
  const copies = items.map(copyOfItem)
  return Array.isArray(query) ? copies : (copies[0] as QueryItem)
}

function copyOfItem({ types, tags, aggregateId, typePrefix, aggregatePrefix, namespace }: QueryItem): QueryItem {
  return {
    ...(types !== undefined && { types: [...types] }),
    ...(tags !== undefined && { tags: [...tags] }),
    ...(aggregateId !== undefined && { aggregateId }),
    ...(typePrefix !== undefined && { typePrefix }),
    ...(aggregatePrefix !== undefined && { aggregatePrefix }),
    ...(namespace !== undefined && { namespace })
  }
}

/** The query's items; empty when it matches everything. */
export function queryItems(query: Query | undefined): readonly QueryItem[] {
  if (query === undefined) return []
  const items = Array.isArray(query) ? (query as readonly QueryItem[]) : [query as QueryItem]
  return items.some(isOpen) ? [] : items
}

/** Whether an event with these keys matches one of the items, or there are none. */
export function matches(items: readonly QueryItem[], keys: EventKeys): boolean {
  return items.length === 0 || items.some((item) => itemMatches(item, keys))
}

function isOpen(item: QueryItem): boolean {
  return (
    (item.types ?? []).length === 0 &&
    (item.tags ?? []).length === 0 &&
    item.aggregateId === undefined &&
    (item.typePrefix ?? '') === '' &&
    (item.aggregatePrefix ?? '') === '' &&
    item.namespace === undefined
  )
}

function itemMatches(item: QueryItem, keys: EventKeys): boolean {
  if (item.aggregateId !== undefined && item.aggregateId !== keys.aggregateId) return false
  if (item.namespace !== undefined && item.namespace !== keys.namespace) return false
  if (item.typePrefix !== undefined && !keys.eventType.startsWith(item.typePrefix)) return false
  if (item.aggregatePrefix !== undefined && !keys.aggregateId.startsWith(item.aggregatePrefix)) return false
  const types = item.types ?? []
  if (types.length > 0 && !types.includes(keys.eventType)) return false
  return (item.tags ?? []).every((tag) => keys.tags.includes(tag))
}
