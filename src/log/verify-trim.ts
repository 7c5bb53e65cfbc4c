// The record of what was trimmed, held to its checksums and counts; and what an interrupted trim has left in the folder.

import { right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { firstOfName, trimName } from '../indexing/trim-format.ts'
import { tierOfName } from '../indexing/tier-plan.ts'
import { TrimFile } from '../indexing/trim-file.ts'
import type { Disk, DiskEntry } from '../port/disk.ts'
import { baseOfName, indexBaseOfName } from './segment.ts'
import { findTrim, newestTrim } from './trim-find.ts'
import { superfluous, type SweptLog } from './trim-sweep.ts'
import type { Findings } from './verify-finding.ts'

/** Where a log begins, and what is known of it. */
export interface SurveyedTrim {
  readonly first: number
  /** Whether the versions of what was trimmed can be told. */
  readonly isReadable: boolean
  /** The aggregate's version at `first`; undefined when that cannot be read. */
  readonly versionAt: (aggregateId: string) => number | undefined
  /** A later one that cannot be read, by name. */
  readonly bad: { readonly name: string; readonly first: number; readonly reason: string } | undefined
  readonly close: () => void
}

/** The trim in force. */
export function surveyTrim(disk: Disk, folder: string): Either<DiskError, SurveyedTrim> {
  const found = findTrim(disk, folder)
  if (found._tag === 'Left') return found
  const { file, first, bad } = found.right
  return right({
    first,
    isReadable: bad === undefined,
    versionAt: (aggregateId) => {
      const version = file === undefined ? right(0) : file.version(aggregateId)
      return version._tag === 'Left' ? undefined : version.right
    },
    bad: bad && { name: trimName(bad.first), first: bad.first, reason: bad.reason },
    close: () => file?.close()
  })
}

/** Where the log begins, by its files' names. */
export function newestFirst(disk: Disk, folder: string): number {
  const listed = disk.list(folder)
  return listed._tag === 'Left' ? 0 : newestTrim(listed.right.map(({ name }) => name))
}

/** The name's file lies before the log's first offset, and was to be removed. */
export function isBefore(name: string, first: number): boolean {
  const base = baseOfName(name) ?? indexBaseOfName(name) ?? tierOfName(name)?.base ?? firstOfName(name)
  return base !== undefined && base < first
}

/**
 * Reports what is wrong with the record; `isWhole` says that no segment behind the trim in force is missing, and so that
 * a later one has not taken place.
 */
export function reportTrim(
  disk: Disk,
  folder: string,
  report: { readonly trim: SurveyedTrim; readonly isWhole: boolean; readonly findings: Findings }
): Either<DiskError, void> {
  const { trim, isWhole, findings } = report
  const { bad, first } = trim
  if (bad !== undefined && isWhole) {
    const message = `it cannot be read (${bad.reason}); the segments before it are there, so nothing depends on it`
    findings.add('trim-void', { path: bad.name, message })
  } else if (bad !== undefined) findings.add('trim-damaged', { path: bad.name, message: lostText(bad.reason) })
  if (first === 0) return right(undefined)
  const opened = TrimFile.open(disk, `${folder}/${trimName(first)}`, first)
  const verified = opened._tag === 'Left' ? opened : opened.right.verify()
  if (opened._tag === 'Right') opened.right.close()
  if (verified._tag === 'Right') return verified
  const error = verified.left
  // A writer at work has trimmed further.
  if (error._tag !== 'IndexDamaged') return error.errno === 'ENOENT' ? right(undefined) : { _tag: 'Left', left: error }
  findings.add('trim-damaged', { path: trimName(first), message: lostText(error.reason) })
  return right(undefined)
}

function lostText(reason: string): string {
  return `it cannot be read (${reason}); versions of aggregates whose events were all trimmed are lost with it`
}

/** Reports the files that a trim was to remove, of those that were there in the beginning and still are. */
export function reportBefore(
  log: SweptLog,
  {
    before,
    trim,
    findings
  }: { readonly before: readonly DiskEntry[]; readonly trim: SurveyedTrim; readonly findings: Findings }
): Either<DiskError, void> {
  const listed = log.disk.list(log.folder)
  if (listed._tag === 'Left') return listed
  const own = superfluous(log, trim.first)
  if (own._tag === 'Left') return own
  const names = new Set(listed.right.map(({ name }) => name))
  for (const { name } of before) {
    if (!names.has(name)) continue
    const where = 'it lies before the log’s first event'
    if (!own.right.includes(name))
      findings.add('unknown-file', { path: name, message: `${where}, and is no file of this log` })
    else findings.add('trim-unfinished', { path: name, message: `${where}: a trim was interrupted; opening ends it` })
  }
  return right(undefined)
}
