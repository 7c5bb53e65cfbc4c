// Broken logs, at least one for each thing that verifying can find. What the command line says about each of them is
// in test/cli/<name>.txt.

import { right } from 'fp-ts/lib/Either.js'
import { orThrow } from '../src/index.ts'
import { crc32 } from '../src/core/crc.ts'
import { encodeHeader } from '../src/core/header.ts'
import type { MemoryDisk } from '../src/disk/memory.ts'
import { MemoryIndex } from '../src/indexing/memory-index.ts'
import { closedLog, craftLog, craftMark, craftSegment, flip, folder, logId, withFiles } from './cli-lab.ts'
import { diskOf, filesOf, openOn, type Files } from './log-lab.ts'

export interface Story {
  /** The transcript's file name. */
  readonly name: string
  /** What has happened to the log, in one line. */
  readonly about: string
  readonly disk: () => Promise<MemoryDisk>
  /** A memory disk does not rename folders, so some repairs are shown elsewhere. */
  readonly applies?: false
}

const first = '00000000000000000000'
const second = '00000000000000000660'
const third = '00000000000000001341'
const far = '00000000000000009999'

/** The closed log of three segments, changed. */
function changed(name: string, about: string, change: (files: Files) => Files): Story {
  return { name, about, disk: async () => diskOf(change(await closedLog())) }
}

/** A log of crafted files. */
function crafted(name: string, about: string, files: Files): Story {
  return { name, about, disk: () => diskOf(files) }
}

function segment(files: Files, name: string): Buffer {
  return files.get(`${name}.log`) ?? Buffer.alloc(0)
}

/** A segment whose header says a version, with a checksum that holds. */
function ofVersion(bytes: Buffer, version: number): Buffer {
  const newer = Buffer.from(bytes)
  newer.writeUInt16LE(version, 4)
  newer.writeUInt32LE(crc32(newer.subarray(0, 28), 0), 28)
  return newer
}

/** The index of a segment, with events of other keys. */
function wrongIndex(files: Files, base: number, end: number): Buffer {
  const index = new MemoryIndex({ logId, base })
  const keys = { aggregateId: 'nobody', eventType: 'Nothing', namespace: undefined, tags: [] }
  const crc = segment(files, String(base).padStart(20, '0')).readUInt32LE(end - base + 32 - 4)
  index.add({ offset: base, nextOffset: end, crc, version: 1, writeTimestampMs: 1_000 }, keys)
  return Buffer.concat([...index.parts()])
}

async function withFolders(disk: MemoryDisk, ...names: readonly string[]): Promise<MemoryDisk> {
  for (const name of names) await disk.makeFolder(`${folder}/${name}`)
  return disk
}

/** The file of the last segment seems to have so many bytes: no memory holds a real one. */
async function overlong(bytes: number): Promise<MemoryDisk> {
  const disk = await diskOf(await closedLog())
  const open = disk.open.bind(disk)
  disk.open = (path, mode) => {
    const opened = open(path, mode)
    if (opened._tag === 'Right' && path.endsWith(`${third}.log`)) opened.right.size = () => right(bytes)
    return opened
  }
  return disk
}

/** A writer that goes on whenever the end of the log has been read. */
async function growing(): Promise<MemoryDisk> {
  const path = `${folder}/${first}.log`
  const disk = await diskOf(craftLog([{}, { version: 2 }]))
  const appended = craftSegment(0, [{}, { version: 2 }, { version: 3 }])
  let reads = 0
  const file = disk.open(path, 'write')
  if (file._tag === 'Left') throw file.left
  const torn = appended.subarray(0, -10)
  file.right.writeSync(torn, 0)
  disk.arm({
    calls: ({ operation, path: read }) => {
      if (operation === 'read' && read === path && ++reads === 3) file.right.writeSync(appended, 0)
    }
  })
  return disk
}

const folders: readonly Story[] = [
  { name: 'healthy', about: 'nothing', disk: async () => diskOf(await closedLog()) },
  { name: 'nothing-there', about: 'the folder holds no log', disk: () => diskOf(new Map()) },
  {
    name: 'not-a-file',
    about: 'a folder stands in the place of a segment',
    disk: async () => withFolders(await diskOf(await closedLog()), `${far}.log`),
    applies: false
  },
  changed('leftover-temporary', 'the writing of an index was interrupted', (files) =>
    withFiles(files, { [`${first}.idx.tmp`]: 'half an index' })
  ),
  changed('tier-damaged', 'a merge of indexes cannot be read', (files) =>
    withFiles(files, { [`${first}-${third}.tier`]: 'half a tier' })
  ),
  changed('unknown-file', 'somebody has put a file with an odd name there', (files) =>
    withFiles(files, { 'notes\u001b[31m.txt': 'mine' })
  ),
  {
    name: 'kept-aside',
    about: 'an earlier recovery and an earlier repair have kept something',
    disk: async () => withFolders(await diskOf(await closedLog()), 'torn/x', 'repair-20200101T000000.000Z')
  }
]

const segments: readonly Story[] = [
  changed('segment-newer', 'a later release has written the last segment', (files) =>
    withFiles(files, { [`${third}.log`]: ofVersion(segment(files, third), 2), [`${first}.idx`]: undefined })
  ),
  changed('segment-version-flipped', 'a bit of the version of a segment is flipped', (files) =>
    withFiles(files, { [`${third}.log`]: flip(segment(files, third), 5) })
  ),
  changed('segment-not-ours', 'a text file has the name of a segment', (files) =>
    withFiles(files, { [`${far}.log`]: 'These are some notes about what to do next with the log.' })
  ),
  changed('segment-unreadable', 'a file begins like a segment and goes on like none', (files) =>
    withFiles(files, { [`${far}.log`]: `CHRN\u0001\u0000\u0000\u0000${'x'.repeat(100)}` })
  ),
  {
    name: 'segment-overlong',
    about: 'another program has written gigabytes to the last segment',
    disk: () => overlong(2 ** 31),
    applies: false
  },
  changed('segment-misnamed', 'a segment was renamed', (files) =>
    withFiles(files, { [`${third}.log`]: undefined, '00000000000000001342.log': segment(files, third) })
  ),
  changed('segment-foreign', 'a segment of another log was copied over the second one', (files) =>
    withFiles(files, { [`${second}.log`]: craftSegment(660, [{}], 7) })
  ),
  changed('segment-overlap', 'something was appended to a segment that is complete', (files) =>
    withFiles(files, { [`${first}.log`]: Buffer.concat([segment(files, first), Buffer.from('more')]) })
  ),
  changed('segment-unfinished', 'a crash has cut off the creation of a segment', (files) =>
    withFiles(files, {
      '00000000000000001683.log': encodeHeader({ createdAt: 9, baseOffset: 1683, logId }).subarray(0, 9)
    })
  ),
  changed('header-damaged', 'the headers of two segments are damaged', (files) =>
    withFiles(files, {
      [`${first}.log`]: flip(segment(files, first), 0),
      [`${second}.log`]: flip(segment(files, second), 29)
    })
  ),
  crafted(
    'header-gone',
    'only the mark is left of what a log of one segment held',
    withFiles(craftLog([{}]), { [`${first}.log`]: '' })
  ),
  crafted('all-gone', 'only the mark is left of a log', new Map([['MARK', craftMark(500)]]))
]

const frames: readonly Story[] = [
  changed('frames-missing', 'the first and the second segment were deleted', (files) =>
    withFiles(files, { [`${first}.log`]: undefined, [`${first}.idx`]: undefined, [`${second}.log`]: undefined })
  ),
  changed('frames-cut', 'a complete segment was cut', (files) =>
    withFiles(files, { [`${first}.log`]: segment(files, first).subarray(0, 300) })
  ),
  changed('frames-damaged', 'a byte in the last frame of the first segment has rotted', (files) =>
    withFiles(files, { [`${first}.log`]: flip(segment(files, first), -20) })
  ),
  crafted('record-invalid', 'another program has written a frame', craftLog([{ payload: '{"event":1}' }, {}])),
  crafted(
    'batch-unfinished',
    'the end of a batch that was on disk is gone',
    craftLog([{}, { version: 2, continued: true }])
  ),
  crafted(
    'version-wrong',
    'a version was left out, and one was given twice',
    craftLog([{}, { version: 3 }, { version: 3 }])
  ),
  crafted('time-falls', 'a time is before the one before', craftLog([{}, { version: 2, timestampMs: 999 }])),
  crafted(
    'durability-claim',
    'frames claim what they cannot know',
    craftLog([{ durableBefore: 1 }, { version: 2, durableBefore: 50 }, { version: 3, durableBefore: 40 }])
  ),
  crafted(
    'not-canonical',
    'another program has written spaces, and a field that no event has',
    craftLog([
      {
        payload:
          '{"event": {"aggregateId":"a","eventId":"e","eventType":"T","payload":1},"version":1,"writeTimestampMs":1}'
      },
      {
        payload:
          '{"event":{"aggregateId":"a","eventId":"e","eventType":"T","more":1,"payload":1},"version":2,"writeTimestampMs":1}'
      }
    ])
  )
]

const tails: readonly Story[] = [
  crafted(
    'torn-tail',
    'a crash has cut off the last write',
    withFiles(craftLog([{}]), { [`${first}.log`]: craftSegment(0, [{}, { version: 2 }]).subarray(0, -7) })
  ),
  crafted(
    'tail-unwritten',
    'a crash has left zeros behind the last frame',
    withFiles(craftLog([{}]), { [`${first}.log`]: Buffer.concat([craftSegment(0, [{}]), Buffer.alloc(100)]) })
  ),
  changed('end-missing', 'the last segment was cut', (files) =>
    withFiles(files, { [`${third}.log`]: segment(files, third).subarray(0, 100) })
  ),
  { name: 'tail-growing', about: 'a writer is at work', disk: growing }
]

const indexes: readonly Story[] = [
  changed('index-missing', 'the index of a complete segment was deleted', (files) =>
    withFiles(files, { [`${second}.idx`]: undefined })
  ),
  changed('index-damaged', 'a byte in two indexes has rotted, in a trailer and elsewhere', (files) =>
    withFiles(files, {
      [`${first}.idx`]: flip(files.get(`${first}.idx`), 10),
      [`${third}.idx`]: flip(files.get(`${third}.idx`), -1)
    })
  ),
  changed('index-stale', 'an index ends before its segment', (files) =>
    withFiles(files, { [`${first}.idx`]: wrongIndex(files, 0, 330) })
  ),
  changed('index-orphan', 'the last segment was deleted, and its index was not', (files) =>
    withFiles(files, { [`${third}.log`]: undefined, MARK: undefined })
  ),
  changed('index-differs', 'an index says something else than its segment', (files) =>
    withFiles(files, { [`${first}.idx`]: wrongIndex(files, 0, 660) })
  )
]

const marks: readonly Story[] = [
  changed('mark-missing', 'the mark was deleted', (files) => withFiles(files, { MARK: undefined })),
  changed('mark-damaged', 'a record of the mark is damaged', (files) =>
    withFiles(files, { MARK: flip(files.get('MARK'), 20) })
  ),
  changed('mark-foreign', 'the mark of another log was copied there', (files) =>
    withFiles(files, { MARK: craftMark(5_000, { id: 7 }) })
  )
]

/** The closed log of three segments, of which the first two were trimmed. */
async function trimmedLog(): Promise<Files> {
  const disk = await diskOf(await closedLog())
  const log = await openOn(disk)
  await orThrow(log.trim(log.end))
  await orThrow(log.close())
  return filesOf(disk)
}

/** The trimmed log, changed; `before` are its files before it was trimmed. */
function trimmed(name: string, about: string, change: (files: Files, before: Files) => Files): Story {
  return { name, about, disk: async () => diskOf(change(await trimmedLog(), await closedLog())) }
}

const trims: readonly Story[] = [
  trimmed('trimmed', 'nothing, but that its oldest segments were trimmed', (files) => files),
  trimmed('trim-damaged', 'the record of what was trimmed is damaged', (files) =>
    withFiles(files, { [`${third}.trim`]: flip(files.get(`${third}.trim`), -1) })
  ),
  trimmed('trim-block-damaged', 'a byte in the record of what was trimmed has rotted', (files) =>
    withFiles(files, { [`${third}.trim`]: flip(files.get(`${third}.trim`), 2) })
  ),
  trimmed('trim-unfinished', 'a trim was interrupted before it had removed a segment and its index', (files, before) =>
    withFiles(files, { [`${second}.log`]: segment(before, second), [`${second}.idx`]: before.get(`${second}.idx`) })
  ),
  changed('trim-void', 'somebody has put a file there that looks like the record of a trim', (files) =>
    withFiles(files, { [`${third}.trim`]: 'half a record' })
  )
]

export const stories: readonly Story[] = [...folders, ...segments, ...frames, ...tails, ...indexes, ...trims, ...marks]
