// Keeps the index on disk while the log grows: the files of sealed segments, checkpoints of the active one's, and the
// tiers over them. All of it is a cache, made beside the appends in small slices; whatever fails is made good by the
// next opening.
//
//   grown ──► checkpoint of the active segment ─┐ one save at a time, the oldest sealed segment's first;
//   sealed ─► index file of the segment ────────┴──► merges, which mostly stand back while something is saved
//
// Two indexes at most are in memory and not on disk: of the segment that was sealed last, and of the active one. So a
// roll waits until the segment before is saved, which began when that one was sealed, and for nothing else.

import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Catalog } from './catalog.ts'
import type { Segment } from './segment.ts'

export interface UpkeepOptions {
  readonly catalog: Catalog
  /** A checkpoint is saved every so many bytes of frames. */
  readonly checkpointBytes: number
  /** Resolves to true when everything before an offset, which is written, is on disk. */
  readonly synced: (end: number) => Promise<boolean>
  /** From then on only what was sealed is still saved. */
  readonly isClosing: () => boolean
}

/** While something is saved, merges get one turn in so many: none would let small files gather as long as it lasts. */
const mergeTurns = 4

export class IndexUpkeep {
  private readonly options: UpkeepOptions
  /** The save under way. */
  private saving: Promise<void> | undefined
  /** The merge under way; nobody waits for it but the close. */
  private merging: Promise<void> | undefined
  /** Sealed segments whose index is not saved, oldest first; the first one may be being saved. */
  private readonly unsaved: Segment[] = []
  /** Whether a segment was saved since the merge under way began. */
  private mergeAgain = false
  /** Whether appends wait for a save. */
  private isAwaited = false
  /** Where the log ends. */
  private end: number
  /** Where it ended when a checkpoint began last, or a segment. */
  private covered: number

  constructor(options: UpkeepOptions, end: number) {
    this.options = options
    this.end = end
    this.covered = end
  }

  /** Whether there is work that wants its share of the thread. */
  get isBusy(): boolean {
    return this.saving !== undefined || this.merging !== undefined
  }

  /** The log has grown to `end`: bounds the index's memory, and what is left to scan when the process is killed. */
  grown(end: number): void {
    this.end = end
    if (end - this.covered >= this.options.checkpointBytes) this.saveNext()
  }

  /** A segment was sealed, and the next one begins at its end. */
  sealed(segment: Segment): void {
    this.covered = segment.end
    this.unsaved.push(segment)
    this.saveNext()
  }

  /** Resolves when no sealed segment waits to be saved: then the active one may be sealed. */
  async room(): Promise<void> {
    this.isAwaited = true
    while (this.unsaved.length > 0) await this.saving
    this.isAwaited = false
  }

  /** Resolves when nothing is under way any more. */
  async finished(): Promise<void> {
    while (this.isBusy) await (this.saving ?? this.merging)
  }

  private saveNext(): void {
    if (this.saving !== undefined) return
    const [segment] = this.unsaved
    const isDue = this.end - this.covered >= this.options.checkpointBytes && !this.options.isClosing()
    if (segment === undefined && !isDue) return
    this.saving = (segment === undefined ? this.checkpoint() : this.saveSealed(segment)).finally(() => {
      this.saving = undefined
      this.saveNext()
    })
  }

  /** A checkpoint of a segment that is sealed meanwhile is given up: its file is about to be written. */
  private async checkpoint(): Promise<void> {
    const { catalog, synced, isClosing } = this.options
    this.covered = this.end
    const segment = catalog.active()
    await catalog.checkpoint(synced, () => segment !== catalog.active() || isClosing())
  }

  private async saveSealed(segment: Segment): Promise<void> {
    try {
      await this.options.catalog.saveSealed(segment)
    } finally {
      this.unsaved.shift()
    }
    this.mergeNext()
  }

  private mergeNext(): void {
    const { catalog, isClosing } = this.options
    this.mergeAgain = true
    if (this.merging !== undefined || isClosing()) return
    this.mergeAgain = false
    this.merging = catalog.mergeTiers({ isStopped: isClosing, pause: this.standBack }).then(() => {
      this.merging = undefined
      if (this.mergeAgain) this.mergeNext()
    })
  }

  /** Between two slices of a merge. */
  private readonly standBack = async (): Promise<void> => {
    const { isClosing } = this.options
    for (let turn = 1; ; turn++) {
      await nextTurn()
      const hasTurn = this.saving === undefined || (!this.isAwaited && turn >= mergeTurns)
      if (hasTurn || isClosing()) return
    }
  }
}
