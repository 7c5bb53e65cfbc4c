// Who waits at a durable reader, and leaves: what comes then belongs to those who stay, and nothing is held for nobody.

import { describe, expect, it } from 'vitest'
import { merge, orThrow } from '../src/index.ts'
import type { Disk } from '../src/port/disk.ts'
import { bytesAt, deposit, folder, HandleDisk, openOn, turn } from './log-lab.ts'
import { filled, mailer, nextId, overwrite } from './reader-lab.ts'

/** Knows whether a watch keeps the process alive. */
class WatchDisk extends HandleDisk {
  isHeld = false
  override readonly watch: Disk['watch']

  constructor(inner: Disk) {
    super(inner)
    this.watch = (path, changed) => {
      const watch = inner.watch(path, changed)
      return {
        ref: () => void (this.isHeld = true),
        unref: () => void (this.isHeld = false),
        close: () => watch.close()
      }
    }
  }
}

describe('an iteration that is left while it waits', () => {
  it('takes no event any more, one by one or in batches', async () => {
    const { log } = await filled(0)
    const reader = await mailer(log)
    const one = reader[Symbol.asyncIterator]()
    const batches = reader.readBatches()[Symbol.asyncIterator]()
    const waiting = [one.next(), one.next(), batches.next()]
    const staying = nextId(reader)
    await turn()
    await one.return?.()
    await batches.return?.()
    expect(await Promise.all(waiting)).toEqual(waiting.map(() => ({ done: true, value: undefined })))
    for (const id of ['a0', 'a1']) await orThrow(log.append(deposit(id)))
    expect([await staying, await nextId(reader)]).toEqual(['a0', 'a1'])
  })

  it('is that of a merge that ends: its reader goes on with the next event', async () => {
    const { log } = await filled(1)
    const reader = await mailer(log)
    const stop = new AbortController()
    const merged = merge([{ name: 'mailer', events: reader }], { signal: stop.signal })
    expect((await merged.next()).value).toMatchObject({ right: { source: 'mailer' } })
    const waiting = merged.next()
    await turn()
    stop.abort()
    expect(await waiting).toMatchObject({ value: { left: { _tag: 'Aborted' } } })
    const following = nextId(reader)
    for (const id of ['a1', 'a2']) await orThrow(log.append(deposit(id)))
    expect([await following, await nextId(reader)]).toEqual(['a1', 'a2'])
  })
})

describe('one who gives up', () => {
  it('is told at once, though another waits before him, and takes nothing from those behind him', async () => {
    const { log } = await filled(0)
    const reader = await mailer(log)
    const stop = new AbortController()
    const { signal } = stop
    const first = nextId(reader)
    const given = [reader.next({ signal })(), reader.next({ signal })()]
    const last = nextId(reader)
    await turn()
    stop.abort('enough')
    given.push(reader.next({ signal })())
    const aborted = { left: { _tag: 'Aborted', cause: 'enough' } }
    expect(await Promise.all(given)).toMatchObject([aborted, aborted, aborted])
    for (const id of ['a0', 'a1']) await orThrow(log.append(deposit(id)))
    expect([await first, await last]).toEqual(['a0', 'a1'])
  })

  it('lets the process end when he was the last', async () => {
    const { disk, log } = await filled(1)
    const watched = new WatchDisk(disk)
    const reader = await mailer(await openOn(watched, { readOnly: true }), { from: 'end' })
    const stops = [new AbortController(), new AbortController()] as const
    const given = stops.map(({ signal }) => reader.next({ signal })())
    for (const [place, stop] of stops.entries()) {
      await turn()
      expect(watched.isHeld).toBe(true)
      stop.abort()
      expect(await given[place]).toMatchObject({ left: { _tag: 'Aborted' } })
    }
    await turn()
    expect(watched.isHeld).toBe(false)
    // It finds what has come meanwhile; and one who gives up before the end is reached leaves nothing behind either.
    for (const id of ['a1', 'a2']) await orThrow(log.append(deposit(id)))
    expect([await nextId(reader), await nextId(reader)]).toEqual(['a1', 'a2'])
    const early = new AbortController()
    const last = reader.next({ signal: early.signal })()
    early.abort()
    expect(await last).toMatchObject({ left: { _tag: 'Aborted' } })
    await turn()
    expect(watched.isHeld).toBe(false)
  })

  it('is told by the next call that others stand there now, whose writer has taken back what was read', async () => {
    const path = `${folder}/00000000000000000000.log`
    const { disk } = await filled(1)
    const { disk: other, log } = await filled(0)
    for (const id of ['b0', 'b1']) await orThrow(log.append(deposit(id)))
    const reader = await mailer(await openOn(disk, { readOnly: true }), { from: 'end' })
    const stop = new AbortController()
    const given = reader.next({ signal: stop.signal })()
    await turn()
    stop.abort()
    expect(await given).toMatchObject({ left: { _tag: 'Aborted' } })
    overwrite(disk, path, bytesAt(other, path))
    expect(await reader.next()()).toMatchObject({ left: { _tag: 'InvalidOffset', offset: reader.position } })
  })
})
