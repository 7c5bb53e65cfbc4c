// Opening: from a folder to the state that a log starts with. Every step leaves a folder that opens to the same
// state, so a crash in the middle, repeated, changes nothing.
//
//   list ─► headers ─► indexes of sealed segments ─► tail of the active one ─► torn bytes aside ─► cut ─► sync
//
// A reader stops before the last three: it cuts nothing, and takes an unreadable end for one that is not written yet.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset } from '../core/brand.ts'
import { BadSegment, NotFound, type DamagedRegion, type DiskError, type OpenError } from '../core/error.ts'
import { headerBytes } from '../core/header.ts'
import { MemoryIndex } from '../indexing/memory-index.ts'
import type { DiskFile } from '../port/disk.ts'
import type { Recovery } from '../port/store.ts'
import { Catalog, type CatalogOptions } from './catalog.ts'
import { readMark } from './marker.ts'
import { checkNeighbours, commonLogId, createSegment, inspectSegment, listSegments, segmentName } from './segment.ts'
import type { Segment, SegmentFile } from './segment.ts'
import { scanTail } from './tail-scan.ts'
import { keepTorn, setAside } from './torn.ts'
import type { Mark } from '../core/mark.ts'

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
  /** The active segment's file, open for writing; a reader has it open for reading. */
  readonly file: DiskFile
}

export async function openLog(context: OpenContext): Promise<Either<OpenError, OpenedLog>> {
  const files = await findSegments(context)
  if (files._tag === 'Left') return files
  if (files.right.length === 0) return createLog(context)
  const logId = commonLogId(files.right)
  if (logId._tag === 'Left') return logId
  const catalog = new Catalog({ ...context, logId: logId.right })
  const opened = await openSegments(context, catalog, files.right)
  if (opened._tag === 'Left') catalog.close()
  return opened
}

/** The folder's segments in order, each with a good header; the remains of one that was never finished are set aside. */
async function findSegments(context: OpenContext): Promise<Either<OpenError, readonly SegmentFile[]>> {
  const { disk, folder } = context
  const bases = listSegments(disk, folder)
  if (bases._tag === 'Left')
    return bases.left._tag === 'DiskFailed' && bases.left.errno === 'ENOENT' ? left(new NotFound(folder)) : bases
  const files: SegmentFile[] = []
  for (const base of bases.right) {
    const path = `${folder}/${segmentName(base)}`
    const file = inspectSegment(disk, path, base)
    if (file._tag === 'Left') return file
    if (file.right !== undefined) files.push(file.right)
    else if (base !== bases.right.at(-1)) return left(new BadSegment(path, 'its header is missing'))
    else {
      const aside = await dropUnfinished(context, base, files[0]?.header.logId)
      if (aside._tag === 'Left') return aside
    }
  }
  return right(files)
}

/** The last segment has no header: its creation was cut off, unless the mark says that it held something. */
async function dropUnfinished(
  context: OpenContext,
  base: number,
  logId: number | undefined
): Promise<Either<OpenError, void>> {
  const { disk, folder, readOnly } = context
  const mark = readMark(disk, folder, logId)
  if (mark._tag === 'Left') return mark
  if (mark.right.durable > base) {
    return left(
      new BadSegment(`${folder}/${segmentName(base)}`, `its header is gone; the log reached ${mark.right.durable}`)
    )
  }
  if (readOnly) return right(undefined)
  const moved = await setAside(disk, folder, segmentName(base))
  return moved._tag === 'Left' ? moved : right(undefined)
}

async function createLog(context: OpenContext): Promise<Either<OpenError, OpenedLog>> {
  const { disk, folder, readOnly, create } = context
  if (readOnly || !create) return left(new NotFound(folder))
  const mark = readMark(disk, folder, undefined)
  if (mark._tag === 'Left') return mark
  if (mark.right.durable > 0) {
    const reason = `the log reached ${mark.right.durable} and no segment of it is left; restore them, or remove MARK`
    return left(new BadSegment(`${folder}/${segmentName(0)}`, reason))
  }
  const logId = context.newLogId()
  const created = await createSegment(disk, folder, { createdAt: context.nowMs(), baseOffset: 0, logId })
  if (created._tag === 'Left') return left(created.left.error)
  const catalog = new Catalog({ ...context, logId })
  const file = created.right
  catalog.activate({ base: 0, path: file.path, end: 0, index: new MemoryIndex({ logId, base: 0 }), damage: [] })
  const recovery: Recovery = {
    clean: true,
    lock: context.lock,
    scannedBytes: 0,
    torn: undefined,
    damage: [],
    reindexed: []
  }
  return right({ catalog, mark: { sequence: 0, durable: 0, clean: false, logId }, recovery, file })
}

async function openSegments(
  context: OpenContext,
  catalog: Catalog,
  files: readonly SegmentFile[]
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
}

/** Opens the index of every segment but the last, and builds those that are missing, damaged or stale. */
async function openSealed(catalog: Catalog, files: readonly SegmentFile[]): Promise<Either<OpenError, SealedReport>> {
  const damage: DamagedRegion[] = []
  const reindexed: Offset[] = []
  let scannedBytes = 0
  const first = (files[0] as SegmentFile).base
  const before: DamagedRegion[] =
    first === 0 ? [] : [{ offset: 0 as Offset, nextOffset: first as Offset, reason: 'missing' }]
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
      reindexed.push(file.base as Offset)
      scannedBytes += next.base - file.base
    }
    const seen = await catalog.damageOf(segment)
    if (seen._tag === 'Left') return seen
    damage.push(...seen.right)
  }
  if (files.length === 1) damage.push(...before)
  return right({ damage, reindexed, scannedBytes })
}

interface ActiveSegment {
  readonly file: DiskFile
  readonly last: SegmentFile
  readonly sealed: SealedReport
}

async function openActive(
  context: OpenContext,
  catalog: Catalog,
  active: ActiveSegment
): Promise<Either<OpenError, OpenedLog>> {
  const { disk, folder, readOnly } = context
  const { file, last, sealed } = active
  const { logId } = catalog.options
  const mark = readMark(disk, folder, logId)
  if (mark._tag === 'Left') return mark
  const fileEnd = last.base + last.frameBytes
  const checkpoint = loadCheckpoint(catalog, file, { base: last.base, end: fileEnd })
  if (checkpoint._tag === 'Left') return checkpoint
  const index = checkpoint.right
  const indexed = index.end
  // A checkpoint is written after its frames were synced, so it vouches for them as the mark does.
  const evidence = Math.max(mark.right.durable, indexed)
  const verdict = await scanTail(index, { file, logId, base: last.base, end: fileEnd }, evidence)
  if (verdict._tag === 'Left') return verdict
  const { end } = verdict.right
  const torn = readOnly ? right(undefined) : await settleTail(context, active, { end, fileEnd, mark: mark.right })
  if (torn._tag === 'Left') return torn
  const segmentDamage = index.damage()
  const damage = segmentDamage._tag === 'Right' ? segmentDamage.right : verdict.right.damage
  catalog.activate({ base: last.base, path: last.path, end, index, damage: firstGap(last.base, sealed) })
  const recovery: Recovery = {
    clean: mark.right.clean && mark.right.durable === end && indexed === end && end === fileEnd,
    lock: context.lock,
    scannedBytes: sealed.scannedBytes + fileEnd - indexed,
    torn: torn.right,
    damage: [...sealed.damage, ...damage],
    reindexed: indexed === last.base && end > last.base ? [...sealed.reindexed, last.base as Offset] : sealed.reindexed
  }
  return right({ catalog, mark: mark.right, recovery, file })
}

/** When the only segment is not the first of the log, what came before it is missing. */
function firstGap(base: number, sealed: SealedReport): readonly DamagedRegion[] {
  return sealed.damage.filter(
    (region) => region.nextOffset === base && region.offset === 0 && region.reason === 'missing'
  )
}

/**
 * The active segment's index as it was saved, when it fits the bytes: its last frame's CRC stands where it says.
 * Otherwise an empty one, and the whole segment is scanned.
 */
function loadCheckpoint(
  catalog: Catalog,
  file: DiskFile,
  segment: { readonly base: number; readonly end: number }
): Either<DiskError, MemoryIndex> {
  const empty = new MemoryIndex({ logId: catalog.options.logId, base: segment.base })
  const opened = catalog.openIndex(segment.base, segment.end)
  if (opened._tag === 'Left') {
    const { left: error } = opened
    return error._tag === 'IndexDamaged' || error.errno === 'ENOENT' ? right(empty) : left(error)
  }
  const saved = opened.right
  const loaded = MemoryIndex.from(saved)
  saved.close()
  if (loaded._tag === 'Left') return loaded.left._tag === 'IndexDamaged' ? right(empty) : left(loaded.left)
  if (loaded.right.events === 0) return right(empty)
  const crc = Buffer.alloc(4)
  const got = file.readSync(crc, loaded.right.end - segment.base + headerBytes - 4)
  if (got._tag === 'Left') return got
  return right(got.right === 4 && crc.readUInt32LE(0) === loaded.right.lastFrameCrc ? loaded.right : empty)
}

/** Keeps what is torn, brings the file to the log's end, and makes everything durable before anybody sees it. */
async function settleTail(
  context: OpenContext,
  active: ActiveSegment,
  tail: { readonly end: number; readonly fileEnd: number; readonly mark: Mark }
): Promise<Either<DiskError, Recovery['torn']>> {
  const { disk, slot, folder } = context
  const { file, last } = active
  const { end, fileEnd, mark } = tail
  let torn: Recovery['torn']
  if (end < fileEnd) {
    const kept = await keepTorn(disk, slot, { folder, file, base: last.base, from: end, fileEnd })
    if (kept._tag === 'Left') return kept
    if (kept.right !== undefined) torn = { offset: end as Offset, bytes: fileEnd - end, path: kept.right }
  }
  if (end !== fileEnd) {
    const cut = file.truncate(end - last.base + headerBytes)
    if (cut._tag === 'Left') return cut
  } else if (mark.clean && mark.durable === end) return right(torn)
  const synced = await file.sync()
  if (synced._tag === 'Left') return synced
  const named = await disk.syncFolder(folder)
  return named._tag === 'Left' ? named : right(torn)
}
