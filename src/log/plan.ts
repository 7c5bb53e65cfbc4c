// The plan of a batch: what its frames say and where the log ends behind them. Pure but for the buffer it fills; both
// durability levels run the same plan and differ only in what they wait for.
//
//   tail, batch, versions ──► frames, next tail, receipt     or     why the batch is refused, and no frame

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import type { Offset, Version } from '../core/brand.ts'
import { InvalidEvent, type ConditionFailed, type DiskError } from '../core/error.ts'
import type { InvalidArgument, LogFull, Trimmed } from '../core/error.ts'
import { recordJson, type EncodedEvent } from '../core/event.ts'
import { frameOverheadBytes, frameSeed, sealFrame } from '../core/frame.ts'
import { batchBytesMax, payloadBytesMax } from '../core/limit.ts'
import type { AppendRequest, Receipt } from '../port/store.ts'
import { checkConditions, type ConditionContext } from './condition.ts'

/** Where the log ends. */
export interface Tail {
  /** Where the next frame will stand. */
  readonly end: number
  /** The last event's timestamp; the next one's is not less. */
  readonly timestampMs: number
  /** The `durableBefore` that was stated last. */
  readonly stated: number
}

export interface PlanContext extends ConditionContext {
  readonly logId: number
  readonly nowMs: number
  /** Everything before this offset is known to be on disk. */
  readonly durable: number
  /** Why the log may not grow from `tail` to `end`. */
  overBudget(tail: number, end: number): LogFull | undefined
  readonly buffer: FrameBuffer
}

/** A frame as it was planned, with what the index needs of it. */
export interface PlannedFrame {
  readonly offset: number
  readonly nextOffset: number
  readonly crc: number
  readonly version: number
  readonly writeTimestampMs: number
  readonly event: EncodedEvent
}

export interface Plan {
  /** In order: the last one of an aggregate has the aggregate's new version. */
  readonly frames: readonly PlannedFrame[]
  readonly tail: Tail
  readonly receipt: Receipt
}

/** Frames on their way to the disk: one buffer, used again for every group. */
export class FrameBuffer {
  private buffer = Buffer.allocUnsafe(64 * 1024)
  /** How many bytes of it are frames; set back to drop the frames behind. */
  length = 0

  /** The frames. */
  bytes(): Buffer {
    return this.buffer.subarray(0, this.length)
  }

  /** Appends a frame around `json`; returns its CRC, or the payload's length when that is over the limit. */
  push(json: string, continued: boolean, seed: number): Either<number, number> {
    const start = this.length
    if (json.length > payloadBytesMax) return left(json.length)
    // UTF-8 needs at most three bytes for each UTF-16 unit.
    this.reserve(start + json.length * 3 + frameOverheadBytes)
    const payloadBytes = this.buffer.write(json, start + 4, 'utf8')
    if (payloadBytes > payloadBytesMax) return left(payloadBytes)
    this.length = sealFrame(this.buffer, start, { payloadBytes, continued, seed })
    return right(this.buffer.readUInt32LE(this.length - 4))
  }

  private reserve(bytes: number): void {
    if (bytes <= this.buffer.length) return
    const larger = Buffer.allocUnsafe(Math.max(bytes, this.buffer.length * 2))
    this.buffer.copy(larger, 0, 0, this.length)
    this.buffer = larger
  }
}

/** Plans one batch behind `tail` and writes its frames to `buffer`; on Left the buffer is as before. */
export function planBatch(
  request: AppendRequest,
  tail: Tail,
  context: PlanContext
): Either<ConditionFailed | InvalidArgument | InvalidEvent | LogFull | Trimmed | DiskError, Plan> {
  const start = context.buffer.length
  const met = checkConditions(request.conditions, tail.end, context)
  if (met._tag === 'Left') return met
  const plan = planFrames(request, tail, context)
  const full = plan._tag === 'Left' ? undefined : context.overBudget(tail.end, plan.right.tail.end)
  if (plan._tag === 'Left' || full !== undefined) context.buffer.length = start
  return full === undefined ? plan : left(full)
}

function planFrames(request: AppendRequest, tail: Tail, context: PlanContext): Either<InvalidEvent | DiskError, Plan> {
  const { events, durability } = request
  const writeTimestampMs = Math.max(tail.timestampMs, context.nowMs)
  const versions = new VersionCount(context, events.length)
  const frames: PlannedFrame[] = []
  let offset = tail.end
  for (let index = 0; index < events.length; index++) {
    const event = events[index] as EncodedEvent
    const counted = versions.next(event.aggregateId)
    if (counted._tag === 'Left') return counted
    const version = counted.right
    // Events are numbered from 1 by ones, so this is somebody else's doing; it could be written and not be read again.
    if (!Number.isSafeInteger(version)) return left(noVersion(index))
    const durableBefore = index === 0 && context.durable > tail.stated ? context.durable : undefined
    const json = recordJson(event.json, { durableBefore, version, writeTimestampMs })
    const length = context.buffer.length
    const pushed = context.buffer.push(json, index < events.length - 1, frameSeed(context.logId, offset))
    if (pushed._tag === 'Left') return left(tooLarge(index, pushed.left))
    const nextOffset = offset + context.buffer.length - length
    frames.push({ offset, nextOffset, crc: pushed.right, version, writeTimestampMs, event })
    offset = nextOffset
    if (offset - tail.end > batchBytesMax) return left(batchTooLarge(index))
  }
  const receipt: Receipt = {
    offset: tail.end as Offset,
    nextOffset: offset as Offset,
    versions: frames.map((frame) => frame.version as Version),
    durability,
    duplicate: false
  }
  const stated = Math.max(tail.stated, context.durable)
  return right({ frames, tail: { end: offset, timestampMs: writeTimestampMs, stated }, receipt })
}

/** Counts the versions within a batch; a batch of one event has nothing to remember. */
class VersionCount {
  private readonly context: PlanContext
  private readonly planned: Map<string, number> | undefined

  constructor(context: PlanContext, events: number) {
    this.context = context
    this.planned = events > 1 ? new Map<string, number>() : undefined
  }

  next(aggregateId: string): Either<DiskError, number> {
    const planned = this.planned?.get(aggregateId)
    const before = planned === undefined ? this.context.versionOf(aggregateId) : right(planned)
    if (before._tag === 'Left') return before
    const version = before.right + 1
    this.planned?.set(aggregateId, version)
    return right(version)
  }
}

function tooLarge(index: number, bytes: number): InvalidEvent {
  return new InvalidEvent({ path: '$', reason: `takes ${bytes} bytes, the limit is ${payloadBytesMax}`, index })
}

function noVersion(index: number): InvalidEvent {
  const reason = `its last event has version ${Number.MAX_SAFE_INTEGER}, and none is greater`
  return new InvalidEvent({ path: '$.aggregateId', reason, index })
}

function batchTooLarge(index: number): InvalidEvent {
  const reason = `the batch takes more than ${batchBytesMax} bytes up to here; append it in smaller batches`
  return new InvalidEvent({ path: '$', reason, index })
}
