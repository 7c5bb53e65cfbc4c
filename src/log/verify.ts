// Verifies a log, every frame and every index of it, without a lock and without changing a byte. It works on folders
// that opening refuses. Each verdict is the one that opening, reading or indexing would come to, by the same code: the
// header's, the tail's, the frames' and the index's.
//
//   folder ─► headers ─► each segment: frames, then its index ─► the end ─► mark ─► leftovers
//
// A live writer is no fault: the mark and the indexes are read before what they vouch for, and whatever could be its
// work under way counts only if it still looks the same at the end.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { NotFound, type DiskError } from '../core/error.ts'
import type { Aborted } from '../core/read-error.ts'
import { headerBytes } from '../core/header.ts'
import { chunkBytes } from '../core/limit.ts'
import { markName } from '../core/mark.ts'
import { MemoryIndex } from '../indexing/memory-index.ts'
import type { Disk, DiskFile } from '../port/disk.ts'
import { extendIndex, IndexVisitor } from './index-scan.ts'
import { SegmentScan } from './scan.ts'
import { indexName, inspectSegment, segmentName } from './segment.ts'
import { scanTail } from './tail-scan.ts'
import { readTrailer, type NamedEntry } from './verify-evidence.ts'
import { Findings, type VerifyReport } from './verify-finding.ts'
import { FrameCheck } from './verify-frames.ts'
import { judgeIndex, type IndexFault } from './verify-index.ts'
import { reportOthers } from './verify-leftover.ts'
import { reportMark } from './verify-mark.ts'
import { reportNotAFile, surveyFolder, type Survey, type SurveyedSegment } from './verify-survey.ts'
import { newestFirst, reportBefore, reportTrim } from './verify-trim.ts'
import { asAborted, countUp, watchDisk } from './verify-watch.ts'

export interface VerifyOptions {
  readonly signal?: AbortSignal | undefined
  /** Told after each piece that was read: bytes done and bytes in all. */
  readonly onProgress?: ((doneBytes: number, totalBytes: number) => void) | undefined
}

/**
 * Reads and checks everything in the log's folder.
 * Errors: NotFound when no file in it is a log's, Aborted, DiskFull, DiskFailed; never for what the files hold.
 */
export async function verifyLog(
  disk: Disk,
  folder: string,
  { signal, onProgress }: VerifyOptions = {}
): Promise<Either<DiskError | NotFound | Aborted, VerifyReport>> {
  for (let attempt = 1; ; attempt++) {
    const first = newestFirst(disk, folder)
    const verified = await verifyOnce(disk, folder, { signal, onProgress })
    // A writer at work has trimmed what was being read.
    if (attempt === attemptsMax || newestFirst(disk, folder) === first) return verified
  }
}

/** How often a log is verified that is trimmed meanwhile. */
const attemptsMax = 4

async function verifyOnce(
  disk: Disk,
  folder: string,
  { signal, onProgress }: VerifyOptions
): Promise<Either<DiskError | NotFound | Aborted, VerifyReport>> {
  let total = 0
  const onBytes = countUp(() => total, onProgress)
  const watched = watchDisk(disk, { signal, onBytes })
  const findings = new Findings()
  const survey = await surveyFolder(watched, folder, findings)
  if (survey._tag === 'Left') {
    const gone = survey.left._tag === 'DiskFailed' && survey.left.errno === 'ENOENT' && survey.left.path === folder
    return gone ? left(new NotFound(folder)) : asAborted(survey, signal)
  }
  const { entries, mark, trailers, segments, trim } = survey.right
  total = bytesToRead(segments)
  const isLog = entries.segments.length > 0 || mark.durable > 0 || trailers.size > 0
  const done: Either<DiskError | NotFound, VerifyReport> = isLog
    ? await new Verification(watched, folder, { survey: survey.right, findings }).run()
    : left(new NotFound(folder))
  trim.close()
  return asAborted(done, signal)
}

/** The active segment is read twice: where it ends must be known before what it says is checked. */
function bytesToRead(segments: readonly SurveyedSegment[]): number {
  const bytes = segments.map(
    ({ base, fileEnd }, place) => Math.min(fileEnd, segments[place + 1]?.base ?? fileEnd) - base
  )
  return bytes.reduce((sum, length) => sum + length, bytes.at(-1) ?? 0)
}

/** What the scan of the active segment's end came to. */
interface ActiveTail {
  readonly segment: SurveyedSegment
  /** Where the log ends, before its file does. */
  readonly end: number
  /** What is intact before the first bad byte: a second scan goes on behind it. */
  readonly index: MemoryIndex
}

/** An index that is missing or behind, and may be about to come. */
interface DoubtfulIndex extends IndexFault {
  readonly base: number
  /** Where it should end. */
  readonly end: number
}

class Verification {
  private readonly disk: Disk
  private readonly folder: string
  private readonly survey: Survey
  private readonly findings: Findings
  private readonly check: FrameCheck
  private readonly doubtful: DoubtfulIndex[] = []

  constructor(disk: Disk, folder: string, seen: { readonly survey: Survey; readonly findings: Findings }) {
    this.disk = disk
    this.folder = folder
    this.survey = seen.survey
    this.findings = seen.findings
    const { trim } = seen.survey
    this.check = new FrameCheck(seen.findings, trim.isReadable ? trim.versionAt : () => undefined)
  }

  async run(): Promise<Either<DiskError, VerifyReport>> {
    const { disk, folder, survey, findings, check } = this
    this.reportLost()
    const trimmed = this.reportTrims()
    if (trimmed._tag === 'Left') return trimmed
    const end = await this.checkSegments()
    if (end._tag === 'Left') return end
    const marked = reportMark(disk, folder, { survey, findings })
    if (marked._tag === 'Left') return marked
    const unfinished = this.reportUnfinished()
    if (unfinished._tag === 'Left') return unfinished
    const doubtful = this.reportDoubtful()
    if (doubtful._tag === 'Left') return doubtful
    const orphans = this.reportOrphans()
    if (orphans._tag === 'Left') return orphans
    const others = reportOthers(disk, folder, { before: survey.entries.others, findings, logId: survey.logId ?? 0 })
    if (others._tag === 'Left') return others
    const { list, totals, omitted } = findings
    const counts = check.counts(survey.segments.length)
    const durable = this.evidence(survey.segments.at(-1)?.base ?? 0)
    return right({ logId: survey.logId, end: end.right, durable, counts, totals, findings: list, omitted })
  }

  /** What no segment is left of: the beginning, or everything. */
  private reportLost(): void {
    const { segments } = this.survey
    const first = segments[0]
    if (this.survey.refused.some((base) => first === undefined || base < first.base)) return
    const until = first === undefined ? this.evidence(0) : first.base
    const { first: from, bad } = this.survey.trim
    if (until <= from) return
    this.check.missing(until)
    // Trimmed, by a record that cannot be read.
    if (bad?.first === until) return
    const message = first === undefined ? 'no segment can be read' : 'no segment holds what was before this one'
    this.findings.add('frames-missing', { path: first?.name ?? '.', offset: from, nextOffset: until, message })
  }

  private reportTrims(): Either<DiskError, void> {
    const { disk, folder, findings, survey } = this
    const { trim, before, segments } = survey
    const isWhole = segments[0]?.base === trim.first
    const recorded = reportTrim(disk, folder, { trim, isWhole, findings })
    return recorded._tag === 'Left'
      ? recorded
      : reportBefore({ disk, folder, logId: this.logId() }, { before, trim, findings })
  }

  /** How far the log is known to have been on disk, from what stands beside its segments. */
  private evidence(activeBase: number): number {
    const { mark, logId, trailers } = this.survey
    let evidence = Math.max(mark.durable, activeBase)
    // An index that has outlived its segment vouches as well.
    for (const trailer of trailers.values()) {
      if (trailer.logId === logId && trailer.base >= activeBase) evidence = Math.max(evidence, trailer.end)
    }
    return evidence
  }

  /** Checks all segments; answers where the log ends. */
  private async checkSegments(): Promise<Either<DiskError, number>> {
    const { segments } = this.survey
    let end = this.evidence(0)
    for (const segment of segments) {
      const next = this.nextBase(segment)
      if (next === undefined) return this.checkActive(segment)
      end = next
      this.reportOverlap(segment, end)
      const index = new MemoryIndex({ logId: this.logId(), base: segment.base })
      const checked = await this.checkFrames(segment, { end, index })
      if (checked._tag === 'Left') return checked
      const judged = this.checkIndex(segment, index)
      if (judged._tag === 'Left') return judged
    }
    return right(end)
  }

  /** Where the next segment begins, be it one that cannot be read by this release or under its name. */
  private nextBase({ base }: SurveyedSegment): number | undefined {
    const { segments, refused } = this.survey
    const behind = [...segments.map((segment) => segment.base), ...refused].filter((other) => other > base)
    const next = behind.length === 0 ? undefined : Math.min(...behind)
    // What a refused segment holds is not read, and explains what is missing behind it.
    if (next !== undefined && refused.includes(next)) this.check.missing(next)
    return next
  }

  private logId(): number {
    return this.survey.logId ?? 0
  }

  private reportOverlap({ name, fileEnd }: SurveyedSegment, next: number): void {
    if (fileEnd <= next) return
    const message = `it runs ${fileEnd - next} bytes into ${segmentName(next)}`
    this.findings.add('segment-overlap', { path: name, offset: next, nextOffset: fileEnd, message })
  }

  /** Checks what the frames before `end` say; with an index, builds that on the way, which makes the segment sealed. */
  private async checkFrames(
    { name, path, base, fileEnd }: SurveyedSegment,
    { end, index }: { readonly end: number; readonly index: MemoryIndex | undefined }
  ): Promise<Either<DiskError, void>> {
    const { check } = this
    const visitor = index === undefined ? undefined : new IndexVisitor(index)
    check.begin({ name, end, fileEnd, sealed: index !== undefined, index: visitor })
    const scanned = await this.withFile(path, (file) =>
      new SegmentScan({ file, logId: this.logId(), base, from: base, end }).drain(check)
    )
    if (scanned._tag === 'Right') check.finish()
    return scanned
  }

  private async withFile<T>(
    path: string,
    work: (file: DiskFile) => Promise<Either<DiskError, T>>
  ): Promise<Either<DiskError, T>> {
    const opened = this.disk.open(path, 'read')
    if (opened._tag === 'Left') return opened
    try {
      return await work(opened.right)
    } finally {
      opened.right.close()
    }
  }

  /** Compares the index file of a segment with a rebuild. */
  private checkIndex(segment: SurveyedSegment, rebuilt: MemoryIndex): Either<DiskError, void> {
    const name = indexName(segment.base)
    const entry = this.survey.entries.indexes.find(({ base }) => base === segment.base)
    if (entry !== undefined && entry.kind !== 'file') {
      reportNotAFile(this.findings, entry)
      return right(undefined)
    }
    const expected = { path: `${this.folder}/${name}`, logId: this.logId(), end: rebuilt.end }
    const fault = judgeIndex(this.disk, expected, rebuilt)
    if (fault._tag === 'Left') return fault
    if (fault.right === undefined) return right(undefined)
    const { code, message } = fault.right
    if (code === 'index-missing' || code === 'index-stale')
      this.doubtful.push({ base: segment.base, end: rebuilt.end, code, message })
    else this.findings.add(code, { path: name, message })
    return right(undefined)
  }

  /** Indexes that were not there yet: a writer that has just sealed a segment may have written them meanwhile. */
  private reportDoubtful(): Either<DiskError, void> {
    for (const { base, end, code, message } of this.doubtful) {
      const now = readTrailer(this.disk, `${this.folder}/${indexName(base)}`)
      if (now._tag === 'Left') return now
      if (now.right?.end !== end) this.findings.add(code, { path: indexName(base), message })
    }
    return right(undefined)
  }

  private async checkActive(segment: SurveyedSegment): Promise<Either<DiskError, number>> {
    const { base, path, fileEnd } = segment
    const evidence = this.evidence(base)
    const index = new MemoryIndex({ logId: this.logId(), base })
    const verdict = await this.withFile(path, (file) =>
      scanTail(index, { file, logId: this.logId(), base, end: fileEnd }, evidence)
    )
    if (verdict._tag === 'Left') return verdict
    const { end } = verdict.right
    const checked = await this.checkFrames(segment, { end, index: undefined })
    if (checked._tag === 'Left') return checked
    const judged = await this.checkCheckpoint(segment, end)
    if (judged._tag === 'Left') return judged
    if (evidence > fileEnd) this.reportEndMissing(segment, evidence)
    if (end >= fileEnd) return right(end)
    const tail = await this.reportTail({ segment, end, index })
    return tail._tag === 'Left' ? tail : right(end)
  }

  private reportEndMissing({ name, fileEnd }: SurveyedSegment, evidence: number): void {
    const who = this.survey.mark.durable === evidence ? 'the mark' : 'an index'
    const message = `${who} says that the log was on disk up to ${evidence}, and the file ends at ${fileEnd}`
    this.findings.add('end-missing', { path: name, offset: fileEnd, nextOffset: evidence, message })
  }

  /** The index of the active segment covers what it says; only a clean close promises that this is everything. */
  private async checkCheckpoint(segment: SurveyedSegment, end: number): Promise<Either<DiskError, void>> {
    const { mark, entries, trailers } = this.survey
    const { base, path } = segment
    const name = indexName(base)
    const seen = trailers.get(base)
    const now = readTrailer(this.disk, `${this.folder}/${name}`)
    if (now._tag === 'Left') return this.checkIndex(segment, new MemoryIndex({ logId: this.logId(), base }))
    // A writer has closed the log meanwhile.
    if (now.right?.end !== seen?.end) return right(undefined)
    const cleanlyClosed = mark.clean && mark.durable === end && end > base
    const there = entries.indexes.some((entry) => entry.base === base)
    if (!there && !cleanlyClosed) return right(undefined)
    const claimed = seen?.logId === this.logId() ? seen.end : base
    const covers = cleanlyClosed ? end : claimed
    const rebuilt = new MemoryIndex({ logId: this.logId(), base })
    const built = await this.withFile(path, (file) =>
      extendIndex(rebuilt, { file, logId: this.logId(), base, from: base, end: covers })
    )
    return built._tag === 'Left' ? built : this.checkIndex(segment, rebuilt)
  }

  /** What stands behind the log's end; unless it changes, which is a writer at work. */
  private async reportTail({ segment, end, index }: ActiveTail): Promise<Either<DiskError, void>> {
    const { name, path, base, fileEnd } = segment
    return this.withFile(path, async (file) => {
      const size = file.size()
      if (size._tag === 'Left') return size
      const region = { path: name, offset: end, nextOffset: fileEnd }
      const range = { file, logId: this.logId(), base, end: base + Math.max(0, size.right - headerBytes) }
      const again = range.end < index.end ? right(undefined) : await scanTail(index, range, end)
      if (again._tag === 'Left') return again
      if (range.end !== fileEnd || again.right?.end !== end) {
        this.findings.add('tail-growing', {
          ...region,
          message: 'a writer is at work; what it writes is not judged yet'
        })
        return right(undefined)
      }
      const zeros = hasOnlyZeros(file, end - base + headerBytes)
      if (zeros._tag === 'Left') return zeros
      if (zeros.right) this.findings.add('tail-unwritten', { ...region, message: 'zeros that nobody wrote' })
      else this.findings.add('torn-tail', { ...region, message: tornText })
      return right(undefined)
    })
  }

  /** A last segment that never got its header, unless a writer was just making it. */
  private reportUnfinished(): Either<DiskError, void> {
    const { unfinished } = this.survey
    if (unfinished === undefined) return right(undefined)
    const now = inspectSegment(this.disk, `${this.folder}/${unfinished.name}`, unfinished.base)
    if (now._tag === 'Right' && now.right === undefined) {
      const message = 'a crash has interrupted its creation, and it never held anything; opening moves it to torn/'
      this.findings.add('segment-unfinished', { path: unfinished.name, message })
    }
    return right(undefined)
  }

  /** Indexes without a segment: rolling to that offset again would take them for evidence. */
  private reportOrphans(): Either<DiskError, void> {
    const { segments, refused, entries } = this.survey
    const bases = new Set([...segments.map(({ base }) => base), ...refused])
    for (const entry of entries.indexes) {
      if (bases.has(entry.base)) continue
      this.findings.add('index-orphan', { path: entry.name, message: 'there is no segment that it belongs to' })
      this.reportMarkBehind(entry)
    }
    return right(undefined)
  }

  /** What an index vouches for would be forgotten with it, if the mark did not say it too. */
  private reportMarkBehind({ name, base }: NamedEntry): void {
    const { trailers, logId, mark } = this.survey
    const trailer = trailers.get(base)
    if (trailer === undefined || trailer.logId !== logId || trailer.end <= mark.durable) return
    const message = `${name} says that the log was on disk up to ${trailer.end}, the mark only ${mark.durable}`
    this.findings.add('mark-behind', { path: markName, message })
  }
}

const tornText =
  'the end of the last write, cut off by a crash; nobody was promised it. Opening copies it to torn/ and cuts it'

/** Whether nothing but zeros stands from a position to the end of the file. */
function hasOnlyZeros(file: DiskFile, from: number): Either<DiskError, boolean> {
  const chunk = Buffer.alloc(chunkBytes)
  for (let position = from; ; position += chunk.length) {
    const got = file.readSync(chunk, position)
    if (got._tag === 'Left') return got
    if (!chunk.subarray(0, got.right).every((byte) => byte === 0)) return right(false)
    if (got.right < chunk.length) return right(true)
  }
}
