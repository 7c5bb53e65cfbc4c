// What the log tells of itself while it works, through node:diagnostics_channel: one channel for each kind of act.
//
// Invariant: a message is made and published only while somebody subscribes, and only when the log's own state is
// whole again, since subscribers run inside the act that they hear of. They had better be quick. One that throws does
// not break the log: Node catches what it throws, goes on with the next subscriber, and raises it in the next tick as
// an uncaughtException, which ends the process unless there is a handler for it.

import { channel } from 'node:diagnostics_channel'
import type { Offset } from '../core/brand.ts'
import type { Clock } from './clock.ts'

/**
 * The names of the channels.
 * @example
 * import { subscribe } from 'node:diagnostics_channel'
 * subscribe(channels.sync, (message) => histogram.record((message as SyncMessage).durationMs))
 */
export const channels = {
  append: 'chronicle:append',
  sync: 'chronicle:sync',
  roll: 'chronicle:roll',
  recover: 'chronicle:recover',
  trim: 'chronicle:trim',
  follow: 'chronicle:follow'
} as const

/** A batch was written: it survives a crash of the process. Durations are not told, since a write takes microseconds. */
export interface AppendMessage {
  readonly folder: string
  /** Where the batch's first event stands. */
  readonly offset: Offset
  /** Where the next batch begins. */
  readonly nextOffset: Offset
  /** How many events the batch has. */
  readonly events: number
  /** The batch's frames. */
  readonly bytes: number
}

/** A sync has made everything before `nextOffset` survive a power cut. */
export interface SyncMessage {
  readonly folder: string
  /** What was on disk already ended here. */
  readonly offset: Offset
  readonly nextOffset: Offset
  /** The frames that were not on disk before. */
  readonly bytes: number
  readonly durationMs: number
}

/** The active segment was sealed and the next one begun. Nothing is written meanwhile. */
export interface RollMessage {
  readonly folder: string
  /** Where the sealed segment begins, which is its name. */
  readonly offset: Offset
  /** Where the new segment begins. */
  readonly nextOffset: Offset
  /** The sealed segment's frames. */
  readonly bytes: number
  readonly durationMs: number
}

/** A log was opened. The details are in `log.recovery`. */
export interface RecoverMessage {
  readonly folder: string
  readonly readOnly: boolean
  /** Whether the last writer had closed the log. */
  readonly clean: boolean
  /** Where the log ends. */
  readonly nextOffset: Offset
  /** The frames that were scanned. */
  readonly scannedBytes: number
  /** The unacknowledged tail that was cut. */
  readonly tornBytes: number
  /** How many damaged regions are known. */
  readonly damaged: number
  readonly durationMs: number
}

/** Segments were removed from the log's beginning. */
export interface TrimMessage {
  readonly folder: string
  /** Where the log began. */
  readonly offset: Offset
  /** Where it begins now. */
  readonly nextOffset: Offset
  /** How many segments went. */
  readonly segments: number
  /** Their frames. */
  readonly bytes: number
  readonly durationMs: number
}

/** A follower has reached the log's end, or has fallen behind it. */
export interface FollowMessage {
  readonly folder: string
  readonly state: 'caughtUp' | 'behind'
  /** The next event it will read begins here or further on. */
  readonly offset: Offset
}

/** A channel as its publisher sees it: ask `hasSubscribers` first, so that an unheard message is never made. */
interface Probe<M> {
  readonly hasSubscribers: boolean
  readonly publish: (message: M) => void
}

interface Probes {
  readonly append: Probe<AppendMessage>
  readonly sync: Probe<SyncMessage>
  readonly roll: Probe<RollMessage>
  readonly recover: Probe<RecoverMessage>
  readonly trim: Probe<TrimMessage>
  readonly follow: Probe<FollowMessage>
}

/** The publisher's side. Held here for good: Node forgets a channel that nobody holds, with its subscribers. */
export const probes: Probes = {
  append: channel(channels.append),
  sync: channel(channels.sync),
  roll: channel(channels.roll),
  recover: channel(channels.recover),
  trim: channel(channels.trim),
  follow: channel(channels.follow)
}

/**
 * Takes the time when an act begins, if somebody listens; what it returns tells them that the act has ended. Undefined
 * when nobody listens: whoever subscribes during an act does not hear of it.
 */
export function timed<M extends { readonly folder: string; readonly durationMs: number }>(
  probe: Probe<M>,
  clock: Pick<Clock, 'nowMs'>,
  folder: string
): ((rest: Omit<M, 'folder' | 'durationMs'>) => void) | undefined {
  if (!probe.hasSubscribers) return undefined
  const startedMs = clock.nowMs()
  // The wall clock may go back.
  return (rest) => probe.publish({ ...rest, folder, durationMs: Math.max(0, clock.nowMs() - startedMs) } as M)
}
