// Crashes as plain data: what the power or a signal has left of a memory disk.

import * as fc from 'fast-check'
import type { MemoryDisk } from '../disk/memory.ts'

/** How the process ended. */
export type LogCrash =
  | {
      readonly kind: 'power cut'
      /** What is left of the changes that were not synced; numbers choose, one for each question, around and around. */
      readonly keeps: 'nothing' | 'everything' | readonly number[]
    }
  | {
      readonly kind: 'kill'
      /**
       * The kill came into the last call, a write, after so many bytes (around its length). That is for a crash that
       * is taken inside of a hook of the disk: between two calls of the log its last write is complete.
       */
      readonly tornBytes: number | undefined
    }

/** Any crash; shrinks to a power cut that keeps nothing of what was not synced. */
export function logCrash(): fc.Arbitrary<LogCrash> {
  const some = fc.array(fc.nat({ max: 2_000 }), { minLength: 1, maxLength: 12 })
  const powerCut = fc.record({
    kind: fc.constant('power cut' as const),
    keeps: fc.oneof(
      { weight: 3, arbitrary: fc.constant('nothing' as const) },
      { weight: 1, arbitrary: fc.constant('everything' as const) },
      { weight: 2, arbitrary: some }
    )
  })
  const kill = fc.record({
    kind: fc.constant('kill' as const),
    tornBytes: fc.option(fc.nat({ max: 2_000 }), { nil: undefined })
  })
  return fc.oneof({ weight: 3, arbitrary: powerCut }, { weight: 1, arbitrary: kill })
}

/** The disk after the crash; the old one stays as it is. */
export function crashDisk(disk: MemoryDisk, crash: LogCrash): MemoryDisk {
  if (crash.kind === 'power cut') return disk.crash(choosing(crash.keeps))
  const { tornBytes } = crash
  return disk.processCrash(tornBytes === undefined ? undefined : (bytes) => tornBytes % (bytes + 1))
}

function choosing(keeps: 'nothing' | 'everything' | readonly number[]): (count: number) => number {
  if (keeps === 'nothing') return () => 0
  if (keeps === 'everything') return (count) => count - 1
  let asked = 0
  return (count) => (keeps[asked++ % keeps.length] ?? 0) % count
}
