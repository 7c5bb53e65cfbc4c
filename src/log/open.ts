// Opening a log that may have been trimmed, or is being trimmed just now: which trim is in force comes first, since what
// stands before it is none of the log's any more; a trim that was interrupted is ended last.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { BadTrim, type OpenError } from '../core/error.ts'
import { recoverLog, type OpenContext, type OpenedLog } from './recover.ts'
import { findTrim, type FoundTrim } from './trim-find.ts'
import { endTrim } from './trim-sweep.ts'

const nothingTrimmed: FoundTrim = { file: undefined, first: 0, bad: undefined }

/** What the log in the folder is, after whatever has happened to it. */
export async function openLog(context: OpenContext): Promise<Either<OpenError, OpenedLog>> {
  for (;;) {
    const trim = trimOf(context)
    if (trim._tag === 'Left') return trim
    const opened = await openAt(context, trim.right)
    if (!(context.readOnly && isOdd(opened))) return opened
    // Beside a writer at work what is odd may come of a trim in the middle of it all.
    const now = trimOf(context)
    if (now._tag === 'Right') now.right.file?.close()
    if (now._tag === 'Left' || now.right.first <= trim.right.first) return opened
    if (opened._tag === 'Right') release(opened.right)
  }
}

function trimOf(context: OpenContext): Either<OpenError, FoundTrim> {
  const found = findTrim(context.disk, context.folder)
  if (found._tag === 'Right') return found
  // Where there is no folder there is no log: that is found out behind this.
  return found.left.errno === 'ENOENT' && found.left.operation === 'list' ? right(nothingTrimmed) : found
}

async function openAt(context: OpenContext, trim: FoundTrim): Promise<Either<OpenError, OpenedLog>> {
  const { file } = trim
  const opened = await recoverLog(context, trim)
  if (opened._tag === 'Left') {
    file?.close()
    return opened
  }
  if (file === undefined) return opened
  const { logId } = opened.right.catalog.options
  if (file.trailer.logId !== logId) {
    release(opened.right)
    return left(new BadTrim(file.path, `it belongs to log ${file.trailer.logId}`))
  }
  const ended = context.readOnly ? right(undefined) : await endTrim({ ...context, logId }, file)
  if (ended._tag === 'Right') return opened
  release(opened.right)
  return ended
}

function isOdd(opened: Either<OpenError, OpenedLog>): boolean {
  return opened._tag === 'Left' || opened.right.recovery.damage.length > 0
}

function release({ catalog, file }: OpenedLog): void {
  file.close()
  catalog.close()
}
