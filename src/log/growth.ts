// Waiting for the log to grow. In the writer's process the append itself rings; elsewhere the folder is watched, and a
// slow poll stands behind that, since notice of changes can be lost.

import { left, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import type { Closed, DiskError } from '../core/error.ts'
import { Aborted, WriterLost } from '../core/read-error.ts'
import { probes, type FollowMessage } from '../port/channel.ts'
import type { Clock } from '../port/clock.ts'
import type { Disk, DiskWatch } from '../port/disk.ts'
import type { WaitOptions } from '../port/store.ts'
import { Bell } from './bell.ts'

/** How often whoever waits looks, without notice of a change, in ms. */
const pollMs = 1_000

/** Part of a batch that stands behind the log's end. */
export interface UnfinishedTail {
  readonly offset: Offset
  readonly bytes: number
  /** Since when it has stood there unchanged, in ms since the epoch. */
  readonly sinceMs: number
}

export interface GrowthHost {
  readonly clock: Clock
  readonly isClosed: () => boolean
  /** Where the log ends now. */
  readonly refresh: () => Promise<Either<DiskError | Closed, Offset>>
  readonly unfinished: () => UnfinishedTail | undefined
  readonly folder: string
  /** The disk to watch: undefined in the writer's process, which rings by itself. */
  readonly watched: Disk | undefined
}

export class Growth {
  private readonly host: GrowthHost
  private readonly bell = new Bell()
  /** Set while the folder is watched: from the first wait to the close. */
  private watch: DiskWatch | undefined
  private stopPolling: () => void = () => {}
  /** How many wait; while some do, the watch keeps the process alive. */
  private waiting = 0

  constructor(host: GrowthHost) {
    this.host = host
  }

  /** The log may have grown, or was closed. */
  ring(): void {
    this.bell.ring()
  }

  /** See `grown` in port/store.ts. */
  async beyond(
    after: Offset,
    options: WaitOptions
  ): Promise<Either<DiskError | Closed | Aborted | WriterLost, Offset>> {
    this.begin()
    try {
      for (let isFirst = true; ; isFirst = false) {
        const heard = this.bell.strokes
        const { signal } = options
        if (signal?.aborted === true) return left(new Aborted(signal.reason))
        const end = await this.host.refresh()
        if (end._tag === 'Right' && end.right > after && !isFirst) this.tell('behind', after)
        if (end._tag === 'Left' || end.right > after) return end
        if (isFirst) this.tell('caughtUp', after)
        const lost = this.lost(options.writerLostMs)
        if (lost !== undefined) return left(lost)
        await this.bell.beyond(heard, signal)
      }
    } finally {
      this.waiting--
      if (this.waiting === 0) this.watch?.unref()
    }
  }

  close(): void {
    this.watch?.close()
    this.stopPolling()
    this.ring()
  }

  private tell(state: FollowMessage['state'], offset: Offset): void {
    const { folder } = this.host
    if (probes.follow.hasSubscribers) probes.follow.publish({ folder, state, offset })
  }

  private begin(): void {
    const { watched, folder, clock, isClosed } = this.host
    this.waiting++
    if (watched === undefined || isClosed()) return
    if (this.watch === undefined) {
      const ring = (): void => this.ring()
      this.watch = watched.watch(folder, ring)
      this.stopPolling = clock.every(pollMs, ring)
    }
    this.watch.ref()
  }

  private lost(writerLostMs: number | undefined): WriterLost | undefined {
    const tail = this.host.unfinished()
    if (tail === undefined || writerLostMs === undefined) return undefined
    const idleMs = this.host.clock.nowMs() - tail.sinceMs
    return idleMs < writerLostMs ? undefined : new WriterLost({ offset: tail.offset, bytes: tail.bytes, idleMs })
  }
}
