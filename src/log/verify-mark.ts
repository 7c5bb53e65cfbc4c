// The mark, held to what it is: two records, each intact or never written, of this log.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { markName } from '../core/mark.ts'
import type { Disk } from '../port/disk.ts'
import { readMark } from './marker.ts'
import { markRecords } from './verify-evidence.ts'
import type { Findings } from './verify-finding.ts'
import { reportNotAFile, type Survey } from './verify-survey.ts'

/** Reports what is wrong with the mark. Whether it is ahead of the log is for the log's end to tell. */
export function reportMark(
  disk: Disk,
  folder: string,
  { survey, findings }: { readonly survey: Survey; readonly findings: Findings }
): Either<DiskError, void> {
  const { markBytes, logId, entries } = survey
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
  return right(undefined)
}

/** A live writer may have been writing the record when it was read. */
function isStillDamaged(disk: Disk, folder: string): Either<DiskError, boolean> {
  const bytes = readMark(disk, folder)
  return bytes._tag === 'Left' ? bytes : right(markRecords(bytes.right).includes('damaged'))
}
