// Group commit: one sync of the active file at a time. It vouches for what was written before it began, never for
// more, and whoever comes meanwhile waits for the next one. After a failed sync there is none any more.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError, Poisoned } from '../core/error.ts'
import type { DiskFile } from '../port/disk.ts'
import type { Waiter } from './group.ts'

export interface GroupSyncOptions {
  /** The active segment's file. */
  readonly file: () => DiskFile
  /** Where the log ends. */
  readonly end: () => number
  /** Called when a sync begins; what it returns is told, last of all, from where to where it has vouched. */
  readonly begun: () => ((from: number, until: number) => void) | undefined
  /** Everything before this offset is on disk. */
  readonly vouched: (until: number) => void
  /** A sync has failed: nothing is known about the disk any more. */
  readonly failed: (error: DiskError) => void
}

export class GroupSync {
  private readonly options: GroupSyncOptions
  /** Everything before this offset is on disk. Only grows. */
  private synced: number
  /** Who waits until a batch, which is written, is on disk; its end lies behind `synced`. */
  private waiters: Waiter[] = []
  private syncing: Promise<void> | undefined
  private poison: Poisoned | undefined

  constructor(options: GroupSyncOptions, durable: number) {
    this.options = options
    this.synced = durable
  }

  /** Everything before this offset is on disk. */
  get durable(): number {
    return this.synced
  }

  /** Resolves when everything before `end`, which is written, is on disk. */
  to(end: number): Promise<Either<Poisoned, void>> {
    if (this.poison !== undefined) return Promise.resolve(left(this.poison))
    if (end <= this.synced) return Promise.resolve(right(undefined))
    return new Promise((settle) => {
      this.wait({ end, settle })
      this.start()
    })
  }

  /** Adds one who waits; whoever has added the last one starts a sync. */
  wait(waiter: Waiter): void {
    this.waiters.push(waiter)
  }

  /** Starts a sync for those who wait, if there are any. */
  startForWaiters(): void {
    if (this.waiters.length > 0) this.start()
  }

  /** Starts a sync if none is under way. */
  start(): void {
    if (this.syncing !== undefined || this.poison !== undefined) return
    this.syncing = this.once().finally(() => {
      this.syncing = undefined
      this.startForWaiters()
    })
  }

  /** Resolves when the sync that is under way has ended. */
  async ended(): Promise<void> {
    await this.syncing
  }

  /** Tells everybody who waits, and starts no sync any more. */
  stop(poison: Poisoned): void {
    this.poison = poison
    const { waiters } = this
    this.waiters = []
    for (const waiter of waiters) waiter.settle(left(poison))
  }

  private async once(): Promise<void> {
    const from = this.synced
    const end = this.options.end()
    const tell = this.options.begun()
    const synced = await this.options.file().sync()
    if (synced._tag === 'Left') return this.options.failed(synced.left)
    this.synced = end
    this.options.vouched(end)
    const served = this.waiters.filter((waiter) => waiter.end <= end)
    this.waiters = this.waiters.filter((waiter) => waiter.end > end)
    for (const waiter of served) waiter.settle(right(undefined))
    tell?.(from, end)
  }
}
