// Progress on the terminal's error stream, so that the report can be piped away: a bar where someone looks at it,
// a line now and then where a file does.

import { SingleBar } from 'cli-progress'

export interface Progress {
  readonly update: (done: number, total: number) => void
  /** Idempotent. */
  readonly stop: () => void
}

/** The output that progress goes to: `process.stderr`. */
export type ProgressOutput = NodeJS.WritableStream & { readonly isTTY?: boolean | undefined }

export function startProgress(label: string, output: ProgressOutput): Progress {
  return output.isTTY === true ? startBar(label, output) : startLines(label, output)
}

function startBar(label: string, stream: ProgressOutput): Progress {
  let bar: SingleBar | undefined
  return {
    update(done, total) {
      if (bar === undefined) {
        const format = `${label} [{bar}] {percentage}% | {value}/{total} | {eta_formatted} left`
        // Interruption is main's business: it must close the log before the process ends.
        bar = new SingleBar({ format, stream, hideCursor: true, gracefulExit: false, etaBuffer: 1000 })
        bar.start(total, done)
      }
      bar.update(done)
    },
    stop() {
      bar?.stop()
      bar = undefined
    }
  }
}

const lineEveryMs = 2_000

function startLines(label: string, output: ProgressOutput): Progress {
  let shownMs = performance.now()
  let shown = 0
  let latest: readonly [done: number, total: number] | undefined
  const show = (): void => {
    if (latest === undefined || latest[0] === shown) return
    const [done, total] = latest
    output.write(`${label} ${Math.floor((done / total) * 100)}% ${done}/${total}\n`)
    shown = done
  }
  return {
    update(done, total) {
      latest = [done, total]
      const nowMs = performance.now()
      if (nowMs - shownMs < lineEveryMs) return
      shownMs = nowMs
      show()
    },
    stop() {
      show()
      latest = undefined
    }
  }
}
