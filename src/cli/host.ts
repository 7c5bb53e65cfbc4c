// What a command needs of the process it runs in, so that tests run commands without one.

import type { Disk } from '../port/disk.ts'
import type { Slot } from '../port/slot.ts'

export interface CliStream {
  readonly write: (text: string) => unknown
  readonly isTTY?: boolean | undefined
}

export interface CliHost {
  /** For results, which may be piped away. */
  readonly output: CliStream
  /** For progress and complaints. */
  readonly errors: CliStream & NodeJS.WritableStream
  readonly disk: Disk
  readonly slot: Slot
  readonly nowMs: () => number
  /** Fires when the user interrupts. */
  readonly signal: AbortSignal
  readonly version: string
}
