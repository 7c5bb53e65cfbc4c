// Exit codes, the same for every command. They are part of the public face: scripts depend on them.

import type { VerifyReport } from '../log/verify-finding.ts'
import { worstOf } from '../log/verify-finding.ts'

export const exitCode = {
  /** Healthy; notes are allowed. */
  healthy: 0,
  /** Warnings: works, and something should be looked after. */
  warnings: 1,
  /** Errors: data cannot be read, or the log cannot be opened. */
  errors: 2,
  /** The command could not do its work: no log there, an I/O error, locked by a writer. */
  failed: 3,
  /** The command line was not understood (EX_USAGE of sysexits.h). */
  usage: 64,
  /** Interrupted by SIGINT, as shells report it. */
  interrupted: 130
} as const

export type Verdict = 'healthy' | 'warnings' | 'errors'

export function verdictOf(report: VerifyReport): Verdict {
  switch (worstOf(report)) {
    case 'error':
      return 'errors'
    case 'warning':
      return 'warnings'
    default:
      return 'healthy'
  }
}
