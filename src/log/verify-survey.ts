// The first look at a log's folder: which log it is, and which of its files can be read as segments. It works on
// folders that opening refuses, and answers as if what is refused were repaired: a header that can be written again
// counts as good, and what stands in a segment's place without being one as absent.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { DiskError } from '../core/error.ts'
import type { DamagedRegion } from '../core/read-error.ts'
import { decodeRecord } from '../core/event.ts'
import { decodeHeader, formatVersion, headerBytes, type HeaderFault, type SegmentHeader } from '../core/header.ts'
import { decodeMark, markName, type Mark } from '../core/mark.ts'
import type { IndexTrailer } from '../indexing/format.ts'
import type { Disk, DiskEntry } from '../port/disk.ts'
import { readMark } from './marker.ts'
import { SegmentScan, type FrameVisitor } from './scan.ts'
import { inspectSegment } from './segment.ts'
import { markRecords, readTrailers, sortEntries, type FolderEntries, type NamedEntry } from './verify-evidence.ts'
import type { FindingCode, Findings } from './verify-finding.ts'
import { isBefore, surveyTrim, type SurveyedTrim } from './verify-trim.ts'

/** A file that can be read as a segment of the log, at once or when its header is repaired. */
export interface SurveyedSegment {
  readonly base: number
  readonly name: string
  readonly path: string
  /** The offset behind the file's last byte. */
  readonly fileEnd: number
}

export interface Survey {
  readonly entries: FolderEntries
  /** Files that a trim was to remove; they are not among the entries. */
  readonly before: readonly DiskEntry[]
  readonly trim: SurveyedTrim
  /** The mark's bytes; undefined when there is no such file. */
  readonly markBytes: Buffer | undefined
  readonly logId: number | undefined
  /** The mark of this log, which says nothing when there is none. */
  readonly mark: Mark
  /** What the index files say of themselves, by base. */
  readonly trailers: ReadonlyMap<number, IndexTrailer>
  /** In the order of base. */
  readonly segments: readonly SurveyedSegment[]
  /** Where segments begin that nobody but their owner can put right: of a later version, misnamed or overlong. */
  readonly refused: readonly number[]
  /** A last segment without a header; a live writer may be about to write it. */
  readonly unfinished: NamedEntry | undefined
}

interface Inspected extends NamedEntry {
  readonly path: string
  readonly fileEnd: number
  readonly header: SegmentHeader | undefined
  /** What is wrong with the header; 'unfinished' when a crash may have cut off its creation. */
  readonly fault: HeaderFault | { readonly kind: 'unfinished' | 'misnamed' | 'overlong' } | undefined
}

/** Looks at the folder and reports what is wrong with its segments as files. */
export async function surveyFolder(disk: Disk, folder: string, findings: Findings): Promise<Either<DiskError, Survey>> {
  const seen = listFolder(disk, folder)
  if (seen._tag === 'Left') return seen
  const { entries, markBytes, before, trim } = seen.right
  const trailers = readTrailers(disk, folder, entries.indexes)
  if (trailers._tag === 'Left') return trailers
  const inspected: Inspected[] = []
  for (const entry of entries.segments) {
    if (entry.kind !== 'file') reportNotAFile(findings, entry)
    else {
      const one = inspect(disk, `${folder}/${entry.name}`, entry)
      if (one._tag === 'Left') return one
      inspected.push(one.right)
    }
  }
  const { indexes } = entries
  const context = { disk, indexes, markBytes: markBytes ?? Buffer.alloc(0), trailers: trailers.right, inspected }
  const logId = await findLogId(context)
  if (logId._tag === 'Left') return logId
  const mark = decodeMark(context.markBytes, logId.right)
  const sorted = await new Sorter({ ...context, logId: logId.right, mark }, findings).sort()
  if (sorted._tag === 'Left') return sorted
  return right({
    entries,
    before,
    trim,
    markBytes,
    logId: logId.right,
    mark,
    trailers: trailers.right,
    ...sorted.right
  })
}

/** The mark is read before the folder is listed: read later, a live writer's could vouch for more than was seen. */
function listFolder(
  disk: Disk,
  folder: string
): Either<DiskError, Pick<Survey, 'entries' | 'before' | 'trim' | 'markBytes'>> {
  const bytes = readMark(disk, folder)
  const listed = disk.list(folder)
  if (listed._tag === 'Left') return listed
  const entry = listed.right.find(({ name }) => name === markName)
  if (bytes._tag === 'Left' && (entry === undefined || entry.kind === 'file')) return bytes
  const markBytes = bytes._tag === 'Right' && (entry !== undefined || bytes.right.length > 0) ? bytes.right : undefined
  // Behind the listing: what it misses was trimmed since, and the trim says so.
  const trim = surveyTrim(disk, folder)
  if (trim._tag === 'Left') return trim
  const before = listed.right.filter(({ name, kind }) => kind === 'file' && isBefore(name, trim.right.first))
  const entries = sortEntries(listed.right.filter((one) => !before.includes(one)))
  return right({ entries, before, trim: trim.right, markBytes })
}

export function reportNotAFile(
  findings: Findings,
  { name, kind }: { readonly name: string; readonly kind: string }
): void {
  const what = kind === 'folder' ? 'a folder' : 'a link or a device'
  findings.add('not-a-file', { path: name, message: `${what} stands where the log keeps a file` })
}

/** The verdict is that of opening; the header is read once more to tell the kinds of fault apart. */
function inspect(disk: Disk, path: string, entry: NamedEntry): Either<DiskError, Inspected> {
  const verdict = inspectSegment(disk, path, entry.base)
  if (verdict._tag === 'Right' && verdict.right !== undefined) {
    const { header, frameBytes } = verdict.right
    return right({ ...entry, path, fileEnd: entry.base + frameBytes, header, fault: undefined })
  }
  if (verdict._tag === 'Left' && isDiskError(verdict.left)) return left(verdict.left)
  const head = readHead(disk, path)
  if (head._tag === 'Left') return head
  const { bytes, size } = head.right
  const fileEnd = entry.base + Math.max(0, size - headerBytes)
  const decoded = decodeHeader(bytes)
  if (verdict._tag === 'Right') {
    return right({ ...entry, path, fileEnd, header: undefined, fault: { kind: 'unfinished' } })
  }
  const header = decoded._tag === 'Right' ? decoded.right : undefined
  if (decoded._tag === 'Left') {
    return right({ ...entry, path, fileEnd, header, fault: versionFault(decoded.left, bytes, entry.base) })
  }
  // Nothing else is refused under a good header.
  const kind = decoded.right.baseOffset === entry.base ? 'overlong' : 'misnamed'
  return right({ ...entry, path, fileEnd, header, fault: { kind } })
}

function isDiskError(error: { readonly _tag: string }): error is DiskError {
  return error._tag === 'DiskFailed' || error._tag === 'DiskFull'
}

/** A flipped bit makes a version "newer" as well. All else being right, down to the checksum, it was this version. */
function versionFault(fault: HeaderFault, head: Buffer, base: number): HeaderFault {
  if (fault.kind !== 'version') return fault
  const assumed = Buffer.from(head)
  assumed.writeUInt16LE(formatVersion, 4)
  const header = decodeHeader(assumed)
  return header._tag === 'Right' && header.right.baseOffset === base ? { kind: 'checksum' } : fault
}

/** The first bytes of a file, at most a header's, and its size. */
function readHead(disk: Disk, path: string): Either<DiskError, { readonly bytes: Buffer; readonly size: number }> {
  const opened = disk.open(path, 'read')
  if (opened._tag === 'Left') return opened
  const file = opened.right
  const size = file.size()
  const bytes = Buffer.alloc(headerBytes)
  const got = file.readSync(bytes, 0)
  file.close()
  if (size._tag === 'Left') return size
  return got._tag === 'Left' ? got : right({ bytes: bytes.subarray(0, got.right), size: size.right })
}

interface Context {
  readonly disk: Disk
  readonly indexes: readonly NamedEntry[]
  readonly markBytes: Buffer
  readonly trailers: ReadonlyMap<number, IndexTrailer>
  readonly inspected: readonly Inspected[]
}

/**
 * The id that most good headers have; of two with equally many the mark's, or else the first segment's. Without a
 * good header, the one under which frames verify, or else the one that the mark or the indexes name.
 */
async function findLogId(context: Context): Promise<Either<DiskError, number | undefined>> {
  const { disk, inspected, markBytes, trailers } = context
  const votes = new Map<number, number>()
  const good = inspected.filter(({ fault }) => fault === undefined)
  for (const { header } of good) if (header !== undefined) votes.set(header.logId, (votes.get(header.logId) ?? 0) + 1)
  const named = markRecords(markBytes).flatMap((record) => (typeof record === 'string' ? [] : [record.logId]))
  const most = Math.max(0, ...votes.values())
  const leading = [...votes].filter(([, count]) => count === most).map(([logId]) => logId)
  if (leading.length > 0) return right(named.find((logId) => leading.includes(logId)) ?? leading[0])
  const candidates = [...new Set([...named, ...[...trailers.values()].map(({ logId }) => logId)])]
  for (const logId of candidates) {
    for (const { path, base } of inspected) {
      const frame = await firstFrame(disk, { path, base, logId })
      if (frame._tag === 'Left') return frame
      if (frame.right !== undefined) return right(logId)
    }
  }
  return right(candidates[0])
}

interface FirstFrame {
  readonly offset: number
  /** Undefined when the frame holds no event. */
  readonly writeTimestampMs: number | undefined
}

/** The first frame of a segment that verifies as one of this log; undefined when none does. */
export async function firstFrame(
  disk: Disk,
  segment: { readonly path: string; readonly base: number; readonly logId: number }
): Promise<Either<DiskError, FirstFrame | undefined>> {
  const { path, base, logId } = segment
  const opened = disk.open(path, 'read')
  if (opened._tag === 'Left') return opened
  const file = opened.right
  try {
    const size = file.size()
    if (size._tag === 'Left') return size
    const end = base + Math.max(0, size.right - headerBytes)
    const probe = new FrameProbe()
    const scanned = await new SegmentScan({ file, logId, base, from: base, end }).drain(probe)
    return scanned._tag === 'Left' ? scanned : right(probe.found)
  } finally {
    file.close()
  }
}

class FrameProbe implements FrameVisitor {
  found: FirstFrame | undefined

  frame(bytes: Buffer, at: number, payloadBytes: number, offset: number): boolean {
    const record = decodeRecord(bytes, at + 4, at + 4 + payloadBytes)
    this.found = { offset, writeTimestampMs: record._tag === 'Right' ? record.right.writeTimestampMs : undefined }
    return false
  }

  damage(_region: DamagedRegion): void {}
}

interface SortContext extends Context {
  readonly logId: number | undefined
  readonly mark: Mark
}

/** Parts the files that are segments of the log from those that are not. */
class Sorter {
  private readonly context: SortContext
  private readonly findings: Findings
  private readonly segments: SurveyedSegment[] = []
  private readonly refused: number[] = []
  private unfinished: NamedEntry | undefined

  constructor(context: SortContext, findings: Findings) {
    this.context = context
    this.findings = findings
  }

  async sort(): Promise<Either<DiskError, Pick<Survey, 'segments' | 'refused' | 'unfinished'>>> {
    for (const file of this.context.inspected) {
      const sorted = file.fault === undefined ? this.sortGood(file) : await this.sortBad(file, file.fault)
      if (sorted._tag === 'Left') return sorted
    }
    const { segments, refused, unfinished } = this
    return right({ segments, refused, unfinished })
  }

  private sortGood(file: Inspected): Either<never, void> {
    const { logId } = this.context
    if (file.header?.logId === logId) this.keep(file)
    else this.report('segment-foreign', file, `it belongs to log ${file.header?.logId}, the folder to log ${logId}`)
    return right(undefined)
  }

  private async sortBad(file: Inspected, fault: NonNullable<Inspected['fault']>): Promise<Either<DiskError, void>> {
    if (fault.kind === 'version') {
      this.refused.push(file.base)
      const text = `it has format version ${fault.version}; this release reads ${formatVersion}: upgrade chronicle-log`
      this.report('segment-newer', file, text)
    } else if (fault.kind === 'misnamed') {
      this.refused.push(file.header?.baseOffset ?? file.base)
      const text = `its header says that it begins at ${file.header?.baseOffset}; give it that name, in 20 digits`
      this.report('segment-misnamed', file, text)
    } else if (fault.kind === 'overlong') {
      this.refused.push(file.base)
      const text = `it has ${file.fileEnd - file.base} bytes of frames, more than a segment can have`
      this.report('segment-overlong', file, `${text}; another program has written to it: restore it from a copy`)
    } else if (fault.kind === 'unfinished' && this.isLast(file) && !this.heldSomething(file)) {
      this.unfinished = file
    } else return this.sortHeaderless(file, fault)
    return right(undefined)
  }

  /** The header cannot be read. The frames tell whether it was a segment of this log, and else what vouches for it. */
  private async sortHeaderless(
    file: Inspected,
    fault: NonNullable<Inspected['fault']>
  ): Promise<Either<DiskError, void>> {
    const { disk, logId } = this.context
    const frame = logId === undefined ? right(undefined) : await firstFrame(disk, { ...file, logId })
    if (frame._tag === 'Left') return frame
    const text = headerText(fault)
    if (frame.right !== undefined) {
      this.keep(file)
      this.report('header-damaged', file, `${text}; the frame at ${frame.right.offset} verifies as one of this log`)
    } else if (logId !== undefined && this.isVouched(file)) {
      this.keep(file)
      this.report('header-damaged', file, `${text}; no frame verifies, but there was a segment of this log`)
    } else if (fault.kind === 'magic') {
      this.report('segment-not-ours', file, 'it does not begin with CHRN, and no frame in it is one of this log')
    } else this.report('segment-unreadable', file, `${text}, and no frame in it is one of this log`)
    return right(undefined)
  }

  /** Whether the index or the mark says that a segment of this log stood here and had frames. */
  private isVouched({ base }: Inspected): boolean {
    const { logId, mark, trailers } = this.context
    const trailer = trailers.get(base)
    if (trailer !== undefined && trailer.logId === logId) return true
    return mark.durable > base && (this.segments.at(-1)?.fileEnd ?? 0) <= base
  }

  /** Whether there is any evidence against a creation that was cut off; opening asks the same. */
  private heldSomething({ base }: Inspected): boolean {
    const { mark, indexes } = this.context
    return mark.durable > base || indexes.some((index) => index.base === base)
  }

  private isLast({ base }: Inspected): boolean {
    return this.context.inspected.at(-1)?.base === base
  }

  private keep({ base, name, path, fileEnd }: Inspected): void {
    this.segments.push({ base, name, path, fileEnd })
  }

  private report(code: FindingCode, { name }: Inspected, message: string): void {
    this.findings.add(code, { path: name, message })
  }
}

function headerText(fault: NonNullable<Inspected['fault']>): string {
  switch (fault.kind) {
    case 'magic':
      return 'its header does not begin with CHRN'
    case 'content':
      return `its header does not make sense: ${fault.reason}`
    case 'unfinished':
      return 'its header is gone'
    default:
      return 'the checksum of its header does not hold'
  }
}
