// The files of a log's folder that are no part of the log: what an interruption left behind, what recovery and repair
// have kept, and what somebody else put there. Nothing of a live writer's may be taken for a leftover, so what was seen
// in the beginning counts only if it is still there at the end.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import { markName } from '../core/mark.ts'
import type { Disk, DiskEntry } from '../port/disk.ts'
import { TierFile } from '../indexing/tier-file.ts'
import { tierOfName, type SegmentSpan } from '../indexing/tier-plan.ts'
import { firstOfName } from '../indexing/trim-format.ts'
import { readersName } from './cursors.ts'
import { indexName } from './segment.ts'
import { spareName } from './spare.ts'
import type { Findings } from './verify-finding.ts'
import { reportNotAFile } from './verify-survey.ts'

/** Where recovery keeps what it cuts. */
const tornName = 'torn'

/** How the folders begin in which repair keeps what it removes or overwrites. */
export const repairPrefix = 'repair-'

/** Whether a name is that of a temporary file of the log's own, left in its folder by an interruption. */
function isTemporary(name: string): boolean {
  const base = Number(name.slice(0, 20))
  if (
    name === spareName ||
    name === `${markName}.tmp` ||
    (Number.isSafeInteger(base) && name === `${indexName(base)}.tmp`)
  )
    return true
  const stem = name.endsWith('.tmp') ? name.slice(0, -4) : ''
  return tierOfName(stem) !== undefined || firstOfName(stem) !== undefined
}

function isLock(name: string): boolean {
  return name === 'LOCK' || name === 'LOCK.pid' || name.startsWith('LOCK.pid.after-')
}

/** Reports the entries that are no part of the log, of those that were there in the beginning. */
export function reportOthers(
  disk: Disk,
  folder: string,
  {
    before,
    findings,
    logId
  }: { readonly before: readonly DiskEntry[]; readonly findings: Findings; readonly logId: number }
): Either<DiskError, void> {
  const listed = disk.list(folder)
  if (listed._tag === 'Left') return listed
  const names = new Set(listed.right.map(({ name }) => name))
  for (const { name, kind } of before) {
    if (!names.has(name) || name === markName || (isLock(name) && kind === 'file')) continue
    // The places of readers, which are no part of the log.
    if (name === readersName && kind === 'folder') continue
    if (firstOfName(name) !== undefined && kind === 'file') continue
    if (firstOfName(name) !== undefined) reportNotAFile(findings, { name, kind })
    else if (isLock(name)) findings.add('not-a-file', { path: name, message: 'it is in the place of a lock' })
    else if (name === tornName && kind === 'folder') {
      const kept = reportTorn(disk, folder, findings)
      if (kept._tag === 'Left') return kept
    } else if (name.startsWith(repairPrefix) && kind === 'folder') {
      findings.add('kept-aside', { path: name, message: 'an earlier repair has kept here what it replaced' })
    } else if (isTemporary(name) && kind === 'file') reportTemporary(findings, name)
    else if (tierOfName(name) !== undefined && kind === 'file') {
      const tier = reportTier(disk, folder, { name, findings, logId })
      if (tier._tag === 'Left') return tier
    } else findings.add('unknown-file', { path: name, message: 'no file of the log has this name; it was left alone' })
  }
  return right(undefined)
}

/** Tiers are caches above the indexes: one that is whole is believed to be of them, as opening does. */
function reportTier(
  disk: Disk,
  folder: string,
  { name, findings, logId }: { readonly name: string; readonly findings: Findings; readonly logId: number }
): Either<DiskError, void> {
  const span = tierOfName(name) as SegmentSpan
  const opened = TierFile.open(disk, `${folder}/${name}`, { logId, base: span.base, end: span.end })
  const verified = opened._tag === 'Left' ? opened : opened.right.verify()
  if (opened._tag === 'Right') opened.right.close()
  if (verified._tag === 'Right') return verified
  const error = verified.left
  // A writer at work has merged it into a larger one.
  if (error._tag !== 'IndexDamaged') return error.errno === 'ENOENT' ? right(undefined) : left(error)
  findings.add('tier-damaged', {
    path: name,
    message: `it cannot be read (${error.reason}); the indexes are asked instead`
  })
  return right(undefined)
}

function reportTemporary(findings: Findings, path: string): void {
  findings.add('leftover-temporary', { path, message: 'a crash has interrupted the writing of this file' })
}

function reportTorn(disk: Disk, folder: string, findings: Findings): Either<DiskError, void> {
  const listed = disk.list(`${folder}/${tornName}`)
  if (listed._tag === 'Left') return listed
  const names = listed.right.map(({ name }) => name).sort()
  const kept = names.filter((name) => !name.endsWith('.bin.tmp'))
  const files = kept.length === 1 ? 'a file' : `${kept.length} files`
  if (kept.length > 0) {
    findings.add('kept-aside', {
      path: tornName,
      message: `${files} of what recovery has cut; delete what nobody needs`
    })
  }
  for (const name of names) if (!kept.includes(name)) reportTemporary(findings, `${tornName}/${name}`)
  return right(undefined)
}
