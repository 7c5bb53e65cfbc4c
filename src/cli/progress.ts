// A progress bar on the error stream, and only where somebody looks at it: a file or a pipe gets none.

import { SingleBar } from 'cli-progress'
import type { CliHost } from './host.ts'

export interface Progress {
  readonly update: (done: number, total: number) => void
  /** Idempotent. */
  readonly stop: () => void
}

export function startProgress(label: string, stream: CliHost['errors']): Progress {
  if (stream.isTTY !== true) return { update: () => {}, stop: () => {} }
  let bar: SingleBar | undefined
  return {
    update(done, total) {
      if (bar === undefined) {
        const format = `${label} [{bar}] {percentage}% | {value}/{total} bytes | {eta_formatted} left`
        // Interruption is main's business.
        bar = new SingleBar({ format, stream, hideCursor: true, clearOnComplete: true, gracefulExit: false })
        bar.start(total, done)
      }
      // It may repair and then verify once more, and the log may have changed its length.
      bar.setTotal(total)
      bar.update(done)
    },
    stop() {
      bar?.stop()
      bar = undefined
    }
  }
}
