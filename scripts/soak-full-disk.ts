// Fills a real file system and goes on when there is room again, over and over:
//
//   npm run soak:full-disk -- --rounds 50
//
// The small file system is a tmpfs, or else an ext4 image on a loop device, or else, where mounting is not permitted, a
// limit on the size of files (RLIMIT_FSIZE); the first line says which. An append must answer with a receipt or with
// DiskFull, and the log must hold exactly the batches with a receipt, before and after room is made and after reopening.

import { spawnSync } from 'node:child_process'
import { closeSync, ftruncateSync, mkdirSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { EventLog, orThrow, type NewEvent } from '../src/index.ts'
import { Chance } from '../src/testing/crash-chance.ts'
import { report } from './crew.ts'

const kib = 1024

/** A place that gets full. */
interface Place {
  readonly name: string
  readonly folder: string
  /** The sizes of segments with which it gets full. */
  readonly segmentBytes: readonly number[]
  /** Takes almost all the room, at the beginning of a round. */
  fill(): void
  /** Gives some of it back. */
  free(): void
  end(): void
}

function run(command: string, ...args: readonly string[]): boolean {
  return spawnSync(command, args, { stdio: 'ignore' }).status === 0
}

function mounted(root: string): string | undefined {
  if (run('mount', '-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', root)) return 'a tmpfs of 12 MiB'
  const image = `${root}.img`
  const made = run('truncate', '-s', '24M', image) && run('mkfs.ext4', '-q', '-F', image)
  return made && run('mount', '-o', 'loop', image, root) ? 'ext4 on a loop device of 24 MiB' : undefined
}

function mountPlace(root: string, name: string): Place {
  const path = join(root, 'ballast')
  let ballast = 0
  return {
    name,
    folder: join(root, 'log'),
    segmentBytes: [200 * kib, 600 * kib, 64 * kib * kib],
    fill: () => {
      ballast = fillUp(path)
      resize(path, (ballast -= 2 * kib * kib))
    },
    free: () => resize(path, (ballast = Math.max(0, ballast - 600 * kib))),
    end: () => {
      // Lazily: after a failure the log is still open, and that failure is what counts.
      run('umount', '-l', root)
      rmSync(root, { recursive: true, force: true })
      rmSync(`${root}.img`, { force: true })
    }
  }
}

/** Writes until there is no room at all; answers how much that was. */
function fillUp(path: string): number {
  const file = openSync(path, 'w')
  const block = Buffer.alloc(64 * kib, 1)
  let bytes = 0
  try {
    for (;;) bytes += writeSync(file, block, 0, block.length, bytes)
  } catch {
    return bytes
  } finally {
    closeSync(file)
  }
}

function resize(path: string, bytes: number): void {
  const file = openSync(path, 'r+')
  ftruncateSync(file, bytes)
  closeSync(file)
}

/** This process, under a limit that it moves itself. It was started with SIGXFSZ ignored. */
function limitPlace(root: string): Place {
  let bytes = 0
  const limit = (): void => {
    const set = run('prlimit', '--pid', String(process.pid), `--fsize=${bytes}:unlimited`)
    if (!set) throw new Error('prlimit does not set a limit')
  }
  return {
    name: 'a limit on the size of files (RLIMIT_FSIZE)',
    folder: join(root, 'log'),
    segmentBytes: [64 * kib * kib],
    fill: () => {
      bytes = 700 * kib
      limit()
    },
    free: () => {
      bytes += 300 * kib
      limit()
    },
    end: () => {
      run('prlimit', '--pid', String(process.pid), '--fsize=unlimited:unlimited')
      rmSync(root, { recursive: true })
    }
  }
}

const figures = { rounds: 0, batches: 0, refused: 0, closedFull: 0, openedFull: 0, poisoned: 0, lost: 0 }

/** What has a receipt, as `batch/place`, in order. */
type Account = string[]

function eventsOf(batch: number, chance: Chance): readonly NewEvent[] {
  const fill = 'x'.repeat(chance.happens(10) ? 100 * kib : 2_000 + chance.below(20_000))
  return Array.from({ length: 1 + chance.below(3) }, (_, place) => ({
    aggregateId: `stream-${batch % 5}`,
    eventType: 'Filled',
    payload: { key: `${batch}/${place}`, fill }
  }))
}

/** Appends until some batches were refused; a log that is poisoned ends it at once. */
async function fillLog(log: EventLog, account: Account, chance: Chance): Promise<boolean> {
  for (let refusals = 0; refusals < 5;) {
    const group = Array.from({ length: 1 + chance.below(4) }, () => eventsOf(++figures.batches, chance))
    const synced = chance.happens(30)
    const answers = await Promise.all(group.map((events) => (synced ? log.appendSync(events) : log.append(events))()))
    for (const [place, answer] of answers.entries()) {
      if (answer._tag === 'Right') account.push(...(group[place] ?? []).map(keyOf))
      else if (answer.left._tag === 'DiskFull') refusals++
      else if (answer.left._tag === 'Poisoned') return true
      else throw answer.left
    }
    figures.refused += answers.filter((answer) => answer._tag === 'Left').length
  }
  return false
}

function keyOf({ payload }: NewEvent): string {
  return (payload as { readonly key: string }).key
}

async function check(log: EventLog, account: Account, unknown: boolean): Promise<void> {
  const keys: string[] = []
  for await (const { event } of orThrow(log.replay())) keys.push((event.payload as { readonly key: string }).key)
  // After Poisoned, batches without an answer may be there.
  const wrong = unknown ? account.some((key) => !keys.includes(key)) : keys.join() !== account.join()
  if (wrong) throw new Error(`the log holds ${keys.length} events, ${account.length} have a receipt`)
  account.splice(0, account.length, ...keys)
}

/** Opens the log; with no room left it may answer DiskFull, and then opens when there is some. */
async function open(place: Place, segmentBytes: number): Promise<EventLog> {
  for (let time = 0; time < 60; time++) {
    const opened = await EventLog.open(place.folder, { segmentBytes })()
    if (opened._tag === 'Right') return opened.right
    if (opened.left._tag !== 'DiskFull') throw opened.left
    figures.openedFull++
    place.free()
  }
  throw new Error('the log does not open, whatever room there is')
}

async function soak(place: Place, chance: Chance): Promise<void> {
  mkdirSync(place.folder, { recursive: true })
  place.fill()
  const account: Account = []
  const segmentBytes = chance.pick(place.segmentBytes)
  let log = await open(place, segmentBytes)
  for (let time = 0; time < 5; time++) {
    const poisoned = await fillLog(log, account, chance)
    await check(log, account, poisoned)
    const again = poisoned || chance.happens(50)
    if (!again) place.free()
    else log = await reopen(log, place, { segmentBytes, poisoned, account })
  }
  await log.close()()
  rmSync(place.folder, { recursive: true })
  figures.rounds++
}

async function reopen(
  log: EventLog,
  place: Place,
  now: { readonly segmentBytes: number; readonly poisoned: boolean; readonly account: Account }
): Promise<EventLog> {
  const closed = await log.close()()
  if (now.poisoned) figures.poisoned++
  else if (closed._tag === 'Left') figures.closedFull++
  const next = await open(place, now.segmentBytes)
  if (next.recovery.damage.length > 0) throw new Error(`damage is reported: ${JSON.stringify(next.recovery.damage)}`)
  await check(next, now.account, now.poisoned)
  place.free()
  return next
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: { rounds: { type: 'string' }, seed: { type: 'string' }, limit: { type: 'boolean' } }
  })
  const root = mkdtempSync(join(tmpdir(), 'chronicle-soak-full-'))
  const ignored = process.env['SOAK_LIMITED'] === '1'
  const name = ignored || values.limit === true ? undefined : mounted(root)
  if (name === undefined && !ignored) {
    rmSync(root, { recursive: true, force: true })
    rmSync(`${root}.img`, { force: true })
    return startLimited()
  }
  const place = name === undefined ? limitPlace(root) : mountPlace(root, name)
  report('soak-full-disk on', { place: place.name })
  const seed = Number(values.seed ?? 1)
  try {
    for (let round = 0; round < Number(values.rounds ?? 50); round++) await soak(place, new Chance(seed, round))
  } finally {
    place.end()
  }
  report(`soak-full-disk with seed ${seed}`, figures)
}

/** The system kills a process that passes its limit, unless the signal was ignored from its beginning. */
function startLimited(): void {
  const again = [process.execPath, ...process.execArgv, ...process.argv.slice(1)]
  const ended = spawnSync('sh', ['-c', 'trap "" XFSZ; exec "$@"', 'sh', ...again], {
    stdio: 'inherit',
    env: { ...process.env, SOAK_LIMITED: '1' }
  })
  process.exitCode = ended.status ?? 1
}

await main()
