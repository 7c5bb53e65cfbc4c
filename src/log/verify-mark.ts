// The mark, held to what it is: two records, each intact or never written, of this log, and never ahead of it.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { markName } from '../core/mark.ts'
import type { Disk } from '../port/disk.ts'
import { readMark } from './marker.ts'
import { markRecords } from './verify-evidence.ts'
import type { Findings } from './verify-finding.ts'
import { reportNotAFile, type Survey } from './verify-survey.ts'

export interface MarkedLog {
  readonly survey: Survey
  readonly findings: Findings
  /** The offset behind the last byte of the last segment. */
  readonly fileEnd: number
}

/** Reports what is wrong with the mark. */
export function reportMark(disk: Disk, folder: string, log: MarkedLog): Either<DiskError, void> {
  const { survey, findings, fileEnd } = log
  const { markBytes, mark, logId, entries } = survey
  const entry = entries.others.find(({ name }) => name === markName)
  if (entry !== undefined && entry.kind !== 'file') {
    reportNotAFile(findings, entry)
    return right(undefined)
  }
  const records = markRecords(markBytes ?? Buffer.alloc(0))
  if (records.every((record) => record === 'unwritten')) {
    const message = 'after a crash, opening cannot tell a torn tail from damage as well as it should'
    findings.add('mark-missing', { path: markName, message })
  }
  if (records.includes('damaged')) {
    const still = isStillDamaged(disk, folder)
    if (still._tag === 'Left') return still
    const message = 'one of its two records does not verify; what it said of the end of the log is not known'
    if (still.right) findings.add('mark-damaged', { path: markName, message })
  }
  const foreign = records.find((record) => typeof record !== 'string' && record.logId !== logId)
  if (typeof foreign === 'object') {
    const message = `it belongs to log ${foreign.logId}, the folder to log ${logId}`
    findings.add('mark-foreign', { path: markName, message })
  }
  if (mark.durable > fileEnd) {
    const message = `the log was on disk up to ${mark.durable}, and its files end at ${fileEnd}; the rest is lost`
    findings.add('mark-ahead', { path: markName, offset: fileEnd, nextOffset: mark.durable, message })
  }
  return right(undefined)
}

/** A live writer may have been writing the record when it was read. */
function isStillDamaged(disk: Disk, folder: string): Either<DiskError, boolean> {
  const bytes = readMark(disk, folder)
  return bytes._tag === 'Left' ? bytes : right(markRecords(bytes.right).includes('damaged'))
}
