// A log on this computer's disk, opened to be read: it takes no lock, so every thread opens it for itself, beside the
// writer in this process or another.

import { randomBytes, randomUUID } from 'node:crypto'
import type { Either } from 'fp-ts/lib/Either.js'
import type { OpenError } from '../core/error.ts'
import { checkpointBytesDefault, pendingBytesDefault, segmentBytesDefault } from '../core/limit.ts'
import { makeNodeDisk } from '../disk/node.ts'
import { makeSlot } from '../disk/slot.ts'
import { LocalStore } from '../log/store.ts'
import type { Store } from '../port/store.ts'

export function openReading(folder: string): Promise<Either<OpenError, Store>> {
  const nowMs = (): number => Date.now()
  const disk = makeNodeDisk({ nowMs })
  return LocalStore.open(folder, {
    disk,
    slot: makeSlot(disk),
    clock: { nowMs, every: () => () => {} },
    entropy: { u32: () => randomBytes(4).readUInt32LE(0), eventId: randomUUID },
    readOnly: true,
    create: false,
    segmentBytes: segmentBytesDefault,
    pendingBytes: pendingBytesDefault,
    checkpointBytes: checkpointBytesDefault,
    syncEveryMs: undefined
  })
}
