// Opening: from a folder to the state that a log starts with. Every step leaves a folder that opens to the same
// state, so a crash in the middle, repeated, changes nothing.
//
//   list ─► headers ─► indexes of sealed segments ─► tail of the active one ─► torn bytes aside ─► cut ─► sync
//
// A reader stops before the last three: it cuts nothing, and takes an unreadable end for one that is not written yet.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { BadSegment, BadTrim, NotFound, type DiskError, type OpenError } from '../core/error.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import { headerBytes } from '../core/header.ts'
import { segmentFileBytesMax } from '../core/limit.ts'
import { decodeMark, type Mark } from '../core/mark.ts'
import { LayeredIndex } from '../indexing/layered-index.ts'
import { MemoryIndex, type ActiveIndex } from '../indexing/memory-index.ts'
import type { DiskFile } from '../port/disk.ts'
import type { Recovery } from '../port/store.ts'
import { Catalog, type CatalogOptions } from './catalog.ts'
import { extendIndex, lastFrameStands } from './index-scan.ts'
import { damageOf } from './lookup.ts'
import { readMark } from './marker.ts'
import { renewAbsence, renewTail, type DoubtfulTail } from './renew.ts'
import {
  checkNeighbours,
  commonLogId,
  createSegment,
  indexName,
  inspectSegment,
  listSegments,
  segmentName
} from './segment.ts'
import type { Segment, SegmentFile } from './segment.ts'
import { scanTail } from './tail-scan.ts'
import { keepTorn, setAside } from './torn.ts'
import type { FoundTrim } from './trim-find.ts'

export interface OpenContext extends Omit<CatalogOptions, 'logId'> {
  /** A log is made where there is none. */
  readonly create: boolean
  readonly nowMs: () => number
  /** The id of a log that is made. */
  readonly newLogId: () => number
  readonly lock: Recovery['lock']
}

/** What a log starts with. */
export interface OpenedLog {
  readonly catalog: Catalog
  readonly mark: Mark
  readonly recovery: Recovery
  /** Whether closing would write what is there already: the clean mark, and the active segment's index. */
  readonly settled: boolean
  /** The active segment's file, open for writing; a reader has it open for reading. */
  readonly file: DiskFile
}

/** Opens the log from where the trim in force says that it begins. */
export async function recoverLog(context: OpenContext, trim: FoundTrim): Promise<Either<OpenError, OpenedLog>> {
  // Before the folder is listed: beside a writer at work, a mark read later could vouch for more than was seen.
  const mark = readMark(context.disk, context.folder)
  if (mark._tag === 'Left') return mark
  const files = findSegments(context, mark.right, trim.first)
  if (files._tag === 'Left') return files
  const { segments, unfinished } = files.right
  const usable = checkTrim(trim, { first: segments[0]?.base, readOnly: context.readOnly })
  if (usable._tag === 'Left') return usable
  if (segments.length === 0) {
    const aside = await dropUnfinished(context, unfinished)
    return aside._tag === 'Left' ? aside : createLog(context, mark.right)
  }
  const logId = commonLogId(segments)
  if (logId._tag === 'Left') return logId
  const catalog = new Catalog({ ...context, logId: logId.right })
  if (trim.file !== undefined) catalog.trimmed.replace(trim.file)
  const known = { mark: decodeMark(mark.right, logId.right), unfinished: unfinished ?? 0 }
  const opened = await openSegments(catalog, segments, { ...context, ...known })
  // Not before the tail is settled: until then it is evidence.
  const aside = opened._tag === 'Left' ? opened : await dropUnfinished(context, unfinished)
  if (aside._tag === 'Right') return opened
  if (opened._tag === 'Right') opened.right.file.close()
  catalog.close()
  return aside
}

/** Whether the log can do with what it knows of trimmed events; `first` is where its first segment begins. */
function checkTrim(
  trim: FoundTrim,
  { first, readOnly }: { readonly first: number | undefined; readonly readOnly: boolean }
): Either<BadTrim, void> {
  const { file, bad } = trim
  const path = bad?.path ?? file?.path
  if (first === undefined && path !== undefined) return left(new BadTrim(path, 'no segment behind it is left'))
  // While the segments are there, the trim did not take place: they are removed after it is on disk.
  if (readOnly || bad === undefined || first === trim.first) return right(undefined)
  return left(new BadTrim(bad.path, bad.reason))
}

interface FoundSegments {
  readonly segments: readonly SegmentFile[]
  /**
   * The base of a last segment whose creation was cut off. Its name was made when everything before it was on disk, so
   * it vouches for that.
   */
  readonly unfinished: number | undefined
}

/** Sets aside what is left of a segment that never was. */
async function dropUnfinished(context: OpenContext, base: number | undefined): Promise<Either<DiskError, void>> {
  if (base === undefined || context.readOnly) return right(undefined)
  const moved = await setAside(context.disk, context.folder, segmentName(base))
  return moved._tag === 'Left' ? moved : right(undefined)
}

/** The folder's segments in order, each with a good header, but for the last one, which may be unfinished. */
function findSegments(context: OpenContext, markBytes: Buffer, first: number): Either<OpenError, FoundSegments> {
  const { disk, folder } = context
  const listed = listSegments(disk, folder)
  if (listed._tag === 'Left')
    return listed.left._tag === 'DiskFailed' && listed.left.errno === 'ENOENT' ? left(new NotFound(folder)) : listed
  const bases = listed.right.filter((base) => base >= first)
  const files: SegmentFile[] = []
  for (const base of bases) {
    const path = `${folder}/${segmentName(base)}`
    const file = inspectSegment(disk, path, base)
    if (file._tag === 'Left') return file
    if (file.right !== undefined) files.push(file.right)
    else if (base !== bases.at(-1)) return left(new BadSegment(path, 'its header is missing'))
    else {
      const finished = judgeUnfinished(context, base, decodeMark(markBytes, files[0]?.header.logId))
      if (finished._tag === 'Left') return finished
      if (finished.right === undefined) return right({ segments: files, unfinished: base })
      files.push(finished.right)
    }
  }
  return right({ segments: files, unfinished: undefined })
}

/**
 * The last segment has no header: its creation was cut off, unless there is evidence that it held something. For a
 * reader it may be finished just now.
 */
function judgeUnfinished(context: OpenContext, base: number, mark: Mark): Either<OpenError, SegmentFile | undefined> {
  const { disk, folder, readOnly } = context
  const path = `${folder}/${segmentName(base)}`
  const evidence = unfinishedEvidence(context, base, mark)
  if (evidence._tag === 'Left') return evidence
  if (readOnly) {
    const now = inspectSegment(disk, path, base)
    if (now._tag === 'Left' || now.right !== undefined) return now
  }
  return evidence.right === undefined
    ? right(undefined)
    : left(new BadSegment(path, `its header is gone; ${evidence.right}`))
}

/** What says that the segment at `base` had a header once; an index is written long after it. */
function unfinishedEvidence(context: OpenContext, base: number, mark: Mark): Either<DiskError, string | undefined> {
  if (mark.durable > base) return right(`the log reached ${mark.durable}`)
  const index = context.disk.open(`${context.folder}/${indexName(base)}`, 'read')
  if (index._tag === 'Left') return index.left.errno === 'ENOENT' ? right(undefined) : index
  index.right.close()
  return right(`${indexName(base)} was written after it`)
}

async function createLog(context: OpenContext, markBytes: Buffer): Promise<Either<OpenError, OpenedLog>> {
  const { disk, folder, readOnly, create } = context
  const { durable } = decodeMark(markBytes, undefined)
  if (durable > 0) {
    const reason = `the log reached ${durable} and no segment of it is left; restore them, or remove MARK`
    return left(new BadSegment(`${folder}/${segmentName(0)}`, reason))
  }
  if (readOnly || !create) return left(new NotFound(folder))
  const logId = context.newLogId()
  const created = await createSegment(disk, folder, { createdAt: context.nowMs(), baseOffset: 0, logId })
  if (created._tag === 'Left') return left(created.left.error)
  const catalog = new Catalog({ ...context, logId })
  const file = created.right
  catalog.begin(0, file.path)
  const recovery: Recovery = {
    clean: true,
    lock: context.lock,
    scannedBytes: 0,
    torn: undefined,
    damage: [],
    reindexed: []
  }
  return right({ catalog, mark: { sequence: 0, durable: 0, clean: false, logId }, recovery, settled: false, file })
}

interface MarkedContext extends OpenContext {
  readonly mark: Mark
  /** What an unfinished segment vouches for; 0 where there is none. */
  readonly unfinished: number
}

async function openSegments(
  catalog: Catalog,
  files: readonly SegmentFile[],
  context: MarkedContext
): Promise<Either<OpenError, OpenedLog>> {
  const sealed = await openSealed(catalog, files)
  if (sealed._tag === 'Left') return sealed
  const last = files.at(-1) as SegmentFile
  const file = context.disk.open(last.path, context.readOnly ? 'read' : 'write')
  if (file._tag === 'Left') return file
  const opened = await openActive(context, catalog, { file: file.right, last, sealed: sealed.right })
  if (opened._tag === 'Left') file.right.close()
  return opened
}

interface SealedReport {
  readonly damage: readonly DamagedRegion[]
  readonly reindexed: readonly Offset[]
  readonly scannedBytes: number
  /** What is missing before the active segment, when it is the only one. */
  readonly before: readonly DamagedRegion[]
}

/** Opens the index of every segment but the last, and builds those that are missing, damaged or stale. */
async function openSealed(catalog: Catalog, files: readonly SegmentFile[]): Promise<Either<OpenError, SealedReport>> {
  const damage: DamagedRegion[] = []
  const reindexed: Offset[] = []
  let scannedBytes = 0
  const first = (files[0] as SegmentFile).base
  const kept = catalog.first as Offset
  const before: DamagedRegion[] =
    first === kept ? [] : [{ offset: kept, nextOffset: first as Offset, reason: 'missing' }]
  for (let place = 0; place < files.length - 1; place++) {
    const file = files[place] as SegmentFile
    const next = files[place + 1] as SegmentFile
    const gap = checkNeighbours(file, next)
    if (gap._tag === 'Left') return gap
    const known = place === 0 ? [...before, ...gap.right] : gap.right
    const index = catalog.openIndex(file.base, next.base)
    if (index._tag === 'Left' && index.left._tag !== 'IndexDamaged' && index.left.errno !== 'ENOENT')
      return left(index.left)
    const usable = index._tag === 'Right' && index.right.end === next.base
    const { options } = catalog
    const segment: Segment = {
      base: file.base,
      path: file.path,
      end: next.base,
      index: usable ? index.right : new MemoryIndex({ logId: options.logId, base: file.base }),
      damage: known
    }
    catalog.activate(segment)
    if (!usable) {
      if (index._tag === 'Right') index.right.close()
      const rebuilt = await catalog.rebuild(segment)
      if (rebuilt._tag === 'Left') return rebuilt
      // To the catalog it is the last segment so far, and might still grow.
      if (!options.readOnly) await catalog.saveSealed(segment)
      reindexed.push(file.base as Offset)
      scannedBytes += next.base - file.base
    }
    const seen = await damageOf(catalog, segment)
    if (seen._tag === 'Left') return seen
    damage.push(...seen.right)
  }
  return right({ damage, reindexed, scannedBytes, before: files.length === 1 ? before : [] })
}

interface ActiveSegment {
  readonly file: DiskFile
  readonly last: SegmentFile
  readonly sealed: SealedReport
}

async function openActive(
  context: MarkedContext,
  catalog: Catalog,
  active: ActiveSegment
): Promise<Either<OpenError, OpenedLog>> {
  const checkpoint = loadCheckpoint(catalog, active.file, active.last.base)
  if (checkpoint._tag === 'Left') return checkpoint
  const opened = await openOnCheckpoint(context, catalog, { ...active, checkpoint: checkpoint.right })
  const { index } = checkpoint.right
  if (opened._tag === 'Left' && index instanceof LayeredIndex) index.file.close()
  return opened
}

async function openOnCheckpoint(
  context: MarkedContext,
  catalog: Catalog,
  active: ActiveSegment & { readonly checkpoint: Checkpoint }
): Promise<Either<OpenError, OpenedLog>> {
  const { mark, readOnly, unfinished } = context
  const { file, last, sealed, checkpoint } = active
  const { base, path } = last
  const { logId } = catalog.options
  // After all evidence was read, for the reason given in openLog.
  const size = file.size()
  if (size._tag === 'Left') return size
  const fileEnd = base + size.right - headerBytes
  const { index, vouched, found, saved } = checkpoint
  const indexed = index.end
  const range = { file, logId, base }
  const verdict = await scanTail(index, { ...range, end: fileEnd }, Math.max(mark.durable, vouched, unfinished))
  if (verdict._tag === 'Left') return verdict
  const { end, evidence } = verdict.right
  if (end - base + headerBytes > segmentFileBytesMax) {
    const reason = `the log reached ${evidence}, and no segment can hold all that is missing here; restore the newer ones`
    return left(new BadSegment(path, reason))
  }
  // The index is saved at closing, before the mark: without it the mark is of a segment before, and that is sealed.
  const clean = mark.clean && mark.durable === end && end === fileEnd && indexed === end && saved
  const tail = { end, fileEnd, evidence, named: found }
  const torn = readOnly || clean ? right(undefined) : await settleTail(context, active, tail)
  if (torn._tag === 'Left') return torn
  // Only now, since damage at the end shows in the file as it is left.
  const extended = await extendIndex(index, { ...range, from: index.end, end })
  if (extended._tag === 'Left') return extended
  const segment: Segment = { base, path, end, index, damage: sealed.before }
  catalog.activate(segment)
  catalog.loadTiers()
  const damage = await damageOf(catalog, segment)
  if (damage._tag === 'Left') return damage
  const recovery: Recovery = {
    clean,
    lock: context.lock,
    scannedBytes: sealed.scannedBytes + fileEnd - indexed,
    torn: torn.right,
    damage: [...sealed.damage, ...damage.right],
    reindexed: indexed === base && end > base ? [...sealed.reindexed, base as Offset] : sealed.reindexed
  }
  return right({ catalog, mark, recovery, settled: clean, file })
}

interface Checkpoint {
  readonly index: ActiveIndex
  /** It is written after its frames were synced: everything before this offset was on disk, as with the mark. */
  readonly vouched: number
  /** Whether the index is as it was saved. */
  readonly saved: boolean
  /** Whether its file is there at all. */
  readonly found: boolean
}

/**
 * The active segment's index as it was saved, when it fits the bytes: the CRC of its last frame stands where it says.
 * Otherwise an empty one, and the whole segment is scanned.
 */
function loadCheckpoint(catalog: Catalog, file: DiskFile, base: number): Either<DiskError, Checkpoint> {
  const empty = new MemoryIndex({ logId: catalog.options.logId, base })
  const opened = catalog.openIndex(base, Number.POSITIVE_INFINITY)
  if (opened._tag === 'Left') {
    const { left: error } = opened
    const missing = error._tag !== 'IndexDamaged' && error.errno === 'ENOENT'
    const gone = missing || error._tag === 'IndexDamaged'
    return gone ? right({ index: empty, vouched: base, saved: false, found: !missing }) : left(error)
  }
  const vouched = opened.right.end
  const saved = opened.right
  const fits = saved.events === 0 ? right(false) : lastFrameStands(saved, file)
  if (fits._tag === 'Right' && fits.right) {
    return right({ index: LayeredIndex.on(saved), vouched, saved: true, found: true })
  }
  saved.close()
  if (fits._tag === 'Left') return fits
  return right({ index: empty, vouched, saved: saved.events === 0 && vouched === base, found: true })
}

/** Keeps what is torn, brings the file to the log's end, and makes everything durable before anybody sees it. */
async function settleTail(
  context: OpenContext,
  active: ActiveSegment,
  tail: Omit<DoubtfulTail, 'base'> & { readonly fileEnd: number }
): Promise<Either<DiskError, Recovery['torn']>> {
  const { disk, slot, folder } = context
  const { file, last } = active
  const { end, fileEnd } = tail
  let torn: Recovery['torn']
  if (end < fileEnd) {
    const kept = await keepTorn(disk, slot, { folder, file, base: last.base, from: end, fileEnd })
    if (kept._tag === 'Left') return kept
    if (kept.right !== undefined) torn = { offset: end as Offset, bytes: fileEnd - end, path: kept.right }
  }
  if (end !== fileEnd) {
    const cut = file.truncate(end - last.base + headerBytes)
    if (cut._tag === 'Left') return cut
  }
  const renewed = renewTail(disk, file, { ...tail, base: last.base })
  if (renewed._tag === 'Left') return renewed
  const synced = await file.sync()
  if (synced._tag === 'Left') return synced
  const absent = end > last.base ? renewAbsence(disk, file.path, end) : synced
  if (absent._tag === 'Left') return absent
  const named = await disk.syncFolder(folder)
  return named._tag === 'Left' ? named : right(torn)
}
