// Keeps the index on disk while the log grows: checkpoints of the active segment's, the files of sealed ones, and the
// tiers over them. All of it is a cache, made beside the appends; whatever fails is made good by the next opening.

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

export class IndexUpkeep {
  private readonly options: UpkeepOptions
  /** Saves under way, one after the other. */
  private saving: Promise<void> = Promise.resolve()
  /** Merges under way, one after the other; nobody waits for them but the close. */
  private merging: Promise<void> = Promise.resolve()
  /** Where the log ended when a checkpoint was asked for last. */
  private checkpointed: number

  constructor(options: UpkeepOptions, end: number) {
    this.options = options
    this.checkpointed = end
  }

  /** The log has grown to `end`: bounds the index's memory, and what is left to scan when the process is killed. */
  grown(end: number): void {
    const { catalog, checkpointBytes, synced, isClosing } = this.options
    if (end - this.checkpointed < checkpointBytes) return
    const segment = catalog.active()
    this.checkpointed = end
    this.save(async () => {
      // A segment that was sealed meanwhile is saved as such.
      if (segment === catalog.active() && !isClosing()) await catalog.checkpoint(synced)
    })
  }

  /** A segment was sealed, and the next one begins at its end. */
  sealed(segment: Segment): void {
    const { catalog, isClosing } = this.options
    this.checkpointed = segment.end
    this.save(async () => {
      await catalog.saveSealed(segment)
    })
    this.merging = Promise.all([this.saving, this.merging]).then(async () => {
      await catalog.mergeTiers(isClosing)
    })
  }

  /** Resolves when nothing waits to be saved any more: bounds the indexes in memory. */
  async saved(): Promise<void> {
    await this.saving
  }

  /** Resolves when nothing is under way any more. */
  async finished(): Promise<void> {
    await this.saving
    await this.merging
  }

  private save(work: () => Promise<void>): void {
    this.saving = this.saving.then(work)
  }
}
