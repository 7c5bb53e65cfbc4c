// From events to state: the fold that a caller gives, and what the log answers with it.

import type { Version } from '../core/brand.ts'
import type { QueryCondition, VersionCondition } from '../core/error.ts'

/** How an aggregate's state comes from its events. */
export interface Reducer<S, E> {
  readonly initial: S
  readonly evolve: (state: S, event: E) => S
}

/** An aggregate's state. */
export interface Loaded<S> {
  readonly state: S
  readonly version: Version
  /** Holds as long as nothing is appended to the aggregate: for the append that rests on this state. */
  readonly condition: VersionCondition
}

/** What was decided on: the state that a query's events make. */
export interface DecisionModel<S> {
  readonly state: S
  /** Holds as long as no event is appended that the query would have read: for the append that rests on this state. */
  readonly condition: QueryCondition
}
