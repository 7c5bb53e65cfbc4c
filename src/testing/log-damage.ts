// Damage to a whole log in a folder: which segment, and what was done to it. Drawn without knowing the files, so that
// a counterexample keeps its damage while its events shrink; positions are fitted to the file when the harm is done.
//
// Only what stands behind the segments' headers is harmed. A log with a damaged header does not open, and one whose
// MARK and index are gone too has no evidence of what it lost; neither says anything about who reads the log.

import * as fc from 'fast-check'
import { headerBytes } from '../core/header.ts'
import type { Disk } from '../port/disk.ts'
import { applyDamage, damage, type Damage } from './damage.ts'
import { good } from './disk-probe.ts'

/** One harm done to a log. */
export interface LogHarm {
  /** Counts the segments, around and around. */
  readonly segment: number
  /** What happens to the frames of the segment; 'remove' takes the file away. */
  readonly harm: Damage | { readonly kind: 'remove' }
}

/** The size of the image that harms are drawn for: about that of a segment of some tens of events. */
const drawnBytes = 4_096

/** One to three harms. */
export function logDamage(): fc.Arbitrary<readonly LogHarm[]> {
  const harm: fc.Arbitrary<LogHarm['harm']> = fc.oneof(
    { weight: 12, arbitrary: damage(drawnBytes) },
    { weight: 1, arbitrary: fc.constant({ kind: 'remove' as const }) }
  )
  return fc.array(fc.record({ segment: fc.nat({ max: 7 }), harm }), { minLength: 1, maxLength: 3 })
}

/**
 * Does the harms to the log in `folder`, durably. The log must be closed, or be of another process.
 * @returns a sentence for each harm that had something to act on
 */
export async function damageLog(disk: Disk, folder: string, harms: readonly LogHarm[]): Promise<readonly string[]> {
  const done: string[] = []
  for (const { segment, harm } of harms) {
    const names = segmentNames(disk, folder)
    const name = names[segment % Math.max(names.length, 1)]
    if (name === undefined) continue
    const path = `${folder}/${name}`
    if (harm.kind === 'remove') {
      good(disk.remove(path))
      done.push(`${name} is removed`)
      continue
    }
    const bytes = bytesAt(disk, path)
    const frames = bytes.subarray(headerBytes)
    if (frames.length < 2) continue
    const fitted = fitDamage(harm, frames.length)
    await replaceFile(disk, path, Buffer.concat([bytes.subarray(0, headerBytes), applyDamage(frames, fitted)]))
    done.push(`${name}: ${damageText(fitted, Number(name.slice(0, 20)))}`)
  }
  good(await disk.syncFolder(folder))
  return done
}

/** The same harm inside an image of so many bytes, at least 2. */
function fitDamage(harm: Damage, bytesLength: number): Damage {
  switch (harm.kind) {
    case 'flip':
    case 'tear':
      return { ...harm, at: harm.at % bytesLength }
    case 'truncate':
      return { ...harm, length: harm.length % bytesLength }
    case 'zero':
    case 'duplicate': {
      const at = harm.at % bytesLength
      return { ...harm, at, length: 1 + ((harm.length - 1) % (bytesLength - at)) }
    }
    case 'swap': {
      const length = 1 + ((harm.length - 1) % Math.floor(bytesLength / 2))
      const at = harm.at % (bytesLength - 2 * length + 1)
      const other = at + length + (harm.other % (bytesLength - at - 2 * length + 1))
      return { ...harm, at, other, length }
    }
  }
}

function damageText(harm: Damage, base: number): string {
  const range = (at: number, length: number): string => `offsets ${base + at} to ${base + at + length}`
  switch (harm.kind) {
    case 'flip':
      return `the byte at offset ${base + harm.at} is flipped by 0x${harm.mask.toString(16).padStart(2, '0')}`
    case 'truncate':
      return `the file is cut off at offset ${base + harm.length}`
    case 'zero':
      return `${range(harm.at, harm.length)} are zeros`
    case 'duplicate':
      return `${range(harm.at, harm.length)} stand there twice`
    case 'swap':
      return `${range(harm.at, harm.length)} have changed places with those at ${base + harm.other}`
    case 'tear':
      return `the file breaks off at offset ${base + harm.at}, with ${harm.stale.length} stale bytes behind it`
  }
}

/** The names of the segments in a folder, in order. */
export function segmentNames(disk: Disk, folder: string): readonly string[] {
  const files = good(disk.list(folder)).filter(({ kind }) => kind === 'file')
  return files
    .map(({ name }) => name)
    .filter((name) => /^\d{20}\.log$/.test(name))
    .sort()
}

function bytesAt(disk: Disk, path: string): Buffer {
  const file = good(disk.open(path, 'read'))
  const bytes = Buffer.alloc(good(file.size()))
  good(file.readSync(bytes, 0))
  file.close()
  return bytes
}

async function replaceFile(disk: Disk, path: string, bytes: Uint8Array): Promise<void> {
  const file = good(disk.open(path, 'write'))
  good(file.truncate(0))
  good(file.writeSync(bytes, 0))
  good(await file.sync())
  file.close()
}
