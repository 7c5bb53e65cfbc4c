// A power cut loses only what was not synced, and invents nothing. Every crash test believes in the memory disk, so
// each property compares it with a tiny account of what may be there.

import fc from 'fast-check'
import { expect, it } from 'vitest'
import { MemoryDisk } from '../src/disk/memory.ts'
import type { Disk, DiskFile } from '../src/port/disk.ts'
import { contentAt, good, tree } from './memory-disk/look.ts'

function bytesOf(disk: Disk): Uint8Array {
  return Buffer.from(contentAt(disk, '/file') ?? '', 'latin1')
}

// ---- content

type Change =
  | { readonly change: 'write'; readonly position: number; readonly bytes: Uint8Array }
  | { readonly change: 'truncate'; readonly length: number }
  | { readonly change: 'sync' | 'failing sync' | 'crash' }

const change: fc.Arbitrary<Change> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      change: fc.constant('write' as const),
      position: fc.nat(1_600),
      bytes: fc.uint8Array({ minLength: 1, maxLength: 700 })
    })
  },
  fc.record({ change: fc.constant('truncate' as const), length: fc.nat(1_600) }),
  { weight: 2, arbitrary: fc.record({ change: fc.constant('sync' as const) }) },
  fc.record({ change: fc.constantFrom('failing sync' as const, 'crash' as const) })
)

/** All that a file may hold after a power cut: for each place the possible bytes, and the range of its length. */
class Possible {
  /** By place; where nothing is listed, only zero is possible. */
  readonly #bytes = new Map<number, Set<number>>()
  #shortest = 0
  #longest = 0
  /** After a failed sync the old possibilities stay for ever. */
  #doubtful = false

  write(position: number, bytes: Uint8Array): void {
    bytes.forEach((byte, index) => this.#at(position + index).add(byte))
    this.#longest = Math.max(this.#longest, position + bytes.length)
  }

  truncate(length: number): void {
    this.#longest = Math.max(this.#longest, length)
    this.#shortest = Math.min(this.#shortest, length)
    for (const [place, bytes] of this.#bytes) if (place >= length) bytes.add(0)
  }

  synced(live: Uint8Array): void {
    if (this.#doubtful) return
    this.#bytes.clear()
    live.forEach((byte, place) => this.#bytes.set(place, new Set([byte])))
    this.#shortest = live.length
    this.#longest = live.length
  }

  syncFailed(): void {
    this.#doubtful = true
  }

  crashed(found: Uint8Array): void {
    this.#doubtful = false
    this.synced(found)
  }

  check(found: Uint8Array): void {
    expect(found.length).toBeGreaterThanOrEqual(this.#shortest)
    expect(found.length).toBeLessThanOrEqual(this.#longest)
    found.forEach((byte, place) => {
      if (!this.#at(place).has(byte)) throw new Error(`byte ${byte} at ${place} was never there`)
    })
  }

  #at(place: number): Set<number> {
    const known = this.#bytes.get(place)
    if (known !== undefined) return known
    const fresh = new Set([0]) // behind everything durable: the file may have grown without its data
    this.#bytes.set(place, fresh)
    return fresh
  }
}

/** Choices out of a list of numbers; what comes after its end is 0, so fewer numbers keep less. */
function chooseFrom(numbers: readonly number[]): (count: number) => number {
  let next = 0
  return (count) => (numbers[next++] ?? 0) % count
}

const choices = fc.array(fc.nat(1_000), { maxLength: 40 })

async function diskWithFile(): Promise<{ disk: MemoryDisk; opened: DiskFile }> {
  const disk = new MemoryDisk()
  const opened = good(disk.open('/file', 'create'))
  good(await disk.syncFolder('/'))
  return { disk, opened }
}

it('a power cut never loses what was synced and never invents a byte', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 14 }), fc.array(choices, { minLength: 4 }), async (steps, picks) => {
      let { disk, opened } = await diskWithFile()
      const possible = new Possible()
      for (const [index, step] of steps.entries()) {
        if (step.change === 'write') {
          good(opened.writeSync(step.bytes, step.position))
          possible.write(step.position, step.bytes)
        } else if (step.change === 'truncate') {
          good(opened.truncate(step.length))
          possible.truncate(step.length)
        } else if (step.change === 'sync') {
          good(await opened.sync())
          possible.synced(bytesOf(disk))
        } else if (step.change === 'failing sync') {
          disk.arm({ fault: () => 'EIO' })
          expect((await opened.sync())._tag).toBe('Left')
          disk.arm({})
          possible.syncFailed()
        } else {
          disk = disk.crash(chooseFrom(picks[index % picks.length] ?? []))
          opened = good(disk.open('/file', 'write'))
          possible.check(bytesOf(disk))
          possible.crashed(bytesOf(disk))
        }
        for (const pick of picks) possible.check(bytesOf(disk.crash(chooseFrom(pick))))
      }
    }),
    { numRuns: 200 }
  )
})

it('choosing 0 always keeps what was synced and no more, choosing the last keeps everything', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 14 }), async (steps) => {
      const { disk, opened } = await diskWithFile()
      let synced: string | undefined = ''
      for (const step of steps) {
        if (step.change === 'write') good(opened.writeSync(step.bytes, step.position))
        if (step.change === 'truncate') good(opened.truncate(step.length))
        if (step.change === 'sync') {
          good(await opened.sync())
          synced = contentAt(disk, '/file')
        }
        const live = contentAt(disk, '/file')
        expect(
          contentAt(
            disk.crash(() => 0),
            '/file'
          )
        ).toEqual(synced)
        expect(
          contentAt(
            disk.crash((count) => count - 1),
            '/file'
          )
        ).toEqual(live)
        expect(contentAt(disk.processCrash(), '/file')).toBe(live)
      }
    }),
    { numRuns: 200 }
  )
})

it('disks taken from one another share nothing that changes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 14 }), fc.nat(13), async (steps, after) => {
      const { disk, opened } = await diskWithFile()
      let kept: readonly { readonly disk: MemoryDisk; readonly content: string | undefined }[] = []
      for (const [index, step] of steps.entries()) {
        if (step.change === 'write') good(opened.writeSync(step.bytes, step.position))
        if (step.change === 'truncate') good(opened.truncate(step.length))
        if (step.change === 'sync') good(await opened.sync())
        if (index !== after % steps.length) continue
        const taken = [disk.clone(), disk.processCrash(), disk.crash(() => 0), disk.crash((count) => count - 1)]
        kept = taken.map((one) => ({ disk: one, content: contentAt(one, '/file') }))
        const scribbled = good(disk.clone().open('/file', 'write'))
        good(scribbled.writeSync(Buffer.alloc(2_000, 0xee), 0))
      }
      for (const { disk: one, content } of kept) expect(contentAt(one, '/file')).toBe(content)
    }),
    { numRuns: 200 }
  )
})

// ---- names

type NameStep =
  | { readonly step: 'create' | 'remove'; readonly name: string }
  | { readonly step: 'rename'; readonly name: string; readonly target: string }
  | { readonly step: 'sync folder' }

const shortName = fc.constantFrom('a', 'b', 'c', 'd')
const nameStep: fc.Arbitrary<NameStep> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ step: fc.constant('create' as const), name: shortName }) },
  fc.record({ step: fc.constant('remove' as const), name: shortName }),
  { weight: 2, arbitrary: fc.record({ step: fc.constant('rename' as const), name: shortName, target: shortName }) },
  fc.record({ step: fc.constant('sync folder' as const) })
)

it('a power cut keeps each name as it was synced, or as one of the changes since left it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(nameStep, { maxLength: 14 }),
      fc.array(choices, { minLength: 2 }),
      async (steps, picks) => {
        const disk = new MemoryDisk()
        /** What each name may lead to after a cut: the file's mark, or undefined for no file. */
        let possible = new Map<string, Set<string | undefined>>()
        const look = (from: Disk, at: string): string | undefined => contentAt(from, `/${at}`)
        const note = (at: string): void => {
          const known = possible.get(at) ?? new Set<string | undefined>([undefined])
          possible.set(at, known.add(look(disk, at)))
        }
        for (const [index, step] of steps.entries()) {
          if (step.step === 'create') {
            const created = disk.open(`/${step.name}`, 'create')
            if (created._tag === 'Left') continue
            good(created.right.writeSync(Buffer.from(`file ${index}`), 0))
            good(await created.right.sync())
            note(step.name)
          } else if (step.step === 'sync folder') {
            good(await disk.syncFolder('/'))
            possible = new Map(['a', 'b', 'c', 'd'].map((at) => [at, new Set([look(disk, at)])]))
          } else if (step.step === 'rename') {
            disk.rename(`/${step.name}`, `/${step.target}`)
            note(step.name)
            note(step.target)
          } else {
            good(disk.remove(`/${step.name}`))
            note(step.name)
          }
          for (const pick of picks) {
            const after = disk.crash(chooseFrom(pick))
            for (const entry of good(after.list('/'))) expect(possible.has(entry.name)).toBe(true)
            for (const [at, marks] of possible) expect([...marks]).toContain(look(after, at))
          }
          expect(
            tree(
              disk.crash((count) => count - 1),
              '/'
            )
          ).toEqual(tree(disk, '/'))
        }
      }
    ),
    { numRuns: 300 }
  )
})
