// The systems that are measured. Their files load nothing of the peers before a store is opened.

import type { System } from './system.ts'
import { chronicle, libraryAt } from './systems/chronicle.ts'
import { classicLevel } from './systems/classic-level.ts'
import { emmett } from './systems/emmett.ts'
import { eventStorage } from './systems/event-storage.ts'
import { floor } from './systems/floor.ts'
import { hypercore } from './systems/hypercore.ts'
import { lmdb } from './systems/lmdb.ts'
import { nats } from './systems/nats.ts'
import { postgres } from './systems/postgres.ts'
import { redis } from './systems/redis.ts'
import { sqlite } from './systems/sqlite.ts'

/** `before` is the address of another build's index.js, measured beside the one at hand. */
export function systems(before: string | undefined): readonly System[] {
  return [
    floor,
    chronicle({ name: 'chronicle', title: 'Chronicle', library: libraryAt(undefined) }),
    ...(before === undefined ? [] : [chronicle({ name: 'before', title: 'before', library: libraryAt(before) })]),
    chronicle({
      name: 'chronicle-rolling',
      title: 'Chronicle, segments of 1 MiB',
      library: libraryAt(undefined),
      segmentBytes: 2 ** 20
    }),
    sqlite('off'),
    sqlite('off-lean'),
    sqlite('normal'),
    sqlite('full'),
    lmdb,
    classicLevel,
    eventStorage,
    emmett,
    hypercore,
    postgres,
    redis,
    nats
  ]
}

export function systemNamed(name: string, before: string | undefined): System {
  const found = systems(before).find((system) => system.name === name)
  if (found === undefined) throw new Error(`there is no system called ${name}`)
  return found
}
