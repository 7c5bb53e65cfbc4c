// A disk in memory for crash tests. It keeps what every reader sees apart from what a power cut leaves, as the port
// promises no more: unsynced writes may survive in any part and order, unsynced names likewise.
//
// A crash answers a new disk and leaves the old one as it was, so a test can take a thousand crashes of one run. The
// old disk's open files and locks reach the old disk only.
//
// Paths are absolute or relative to the root, which is the only folder there is at first. Unlike Node's, this disk
// renames no folders (EISDIR), and has no symbolic links, so it never answers ELOOP.

import { left, right, type Either } from 'fp-ts/lib/Either.js'
import { assert } from '../core/assert.ts'
import { Locked, type DiskError } from '../core/error.ts'
import type { Disk, DiskEntry, DiskFile, DiskLock, DiskWatch, OpenMode } from '../port/disk.ts'
import { failed } from './fault.ts'
import { MemoryCalls, type MemoryHooks, type MemoryOperation } from './memory-calls.ts'
import { MemoryFile } from './memory-file.ts'
import { MemoryFolder, type CopyNode, type MemoryNode } from './memory-folder.ts'
import { MemoryHandle } from './memory-handle.ts'
import type { Choose } from './memory-journal.ts'

/**
 * @example
 * const disk = new MemoryDisk({ calls: () => crashes.push(disk.crash((count) => random(count))) })
 */
export class MemoryDisk implements Disk {
  #root = new MemoryFolder()
  readonly #calls: MemoryCalls
  readonly #locked = new Set<MemoryFolder>()

  constructor(hooks: MemoryHooks = {}) {
    this.#calls = new MemoryCalls(hooks)
  }

  /** How many calls of each operation there were, failed ones included. */
  get counts(): ReadonlyMap<MemoryOperation, number> {
    return this.#calls.counts
  }

  /** Replaces the hooks; calls are counted on. */
  arm(hooks: MemoryHooks): void {
    this.#calls.hooks = hooks
  }

  list(folder: string): Either<DiskError, readonly DiskEntry[]> {
    const what = { operation: 'list', path: folder } as const
    return this.#calls.now(what, {
      run: () => {
        const found = this.#folder(what)
        return found._tag === 'Left' ? found : right(Array.from(found.right.names, entryOf))
      }
    })
  }

  /** As Node's disk: top down, and the deepest level that exists is made durable too, as its maker may have died. */
  async makeFolder(folder: string): Promise<Either<DiskError, void>> {
    const names = segmentsOf(folder)
    if (names.length === 0) return right(undefined)
    const parent = pathOf(names.slice(0, -1))
    const made = await this.#makeLevel(pathOf(names))
    if (made._tag === 'Right') {
      const named = await this.syncFolder(parent)
      if (named._tag === 'Left' && made.right) this.#takeBack(pathOf(names))
      return named
    }
    if (this.#find(parent) !== 'ENOENT') return made
    const above = await this.makeFolder(parent)
    return above._tag === 'Left' ? above : this.makeFolder(folder)
  }

  open(path: string, mode: OpenMode): Either<DiskError, DiskFile> {
    const what = { operation: 'open', path } as const
    return this.#calls.now(what, {
      run: () => {
        const file = this.#openFile(what, mode)
        return file._tag === 'Left'
          ? file
          : right(new MemoryHandle({ path, mode, file: file.right, calls: this.#calls }))
      }
    })
  }

  rename(source: string, target: string): Either<DiskError, void> {
    const what = { operation: 'rename', path: source } as const
    return this.#calls.now(what, { run: () => this.#rename(what, target) })
  }

  remove(path: string): Either<DiskError, void> {
    const what = { operation: 'remove', path } as const
    return this.#calls.now(what, {
      run: () => {
        const node = this.#find(path)
        if (node === 'ENOENT') return right(undefined)
        if (typeof node === 'string') return failed(what, node)
        if (node instanceof MemoryFolder) return failed(what, 'EISDIR')
        const names = segmentsOf(path)
        const folder = this.#find(pathOf(names.slice(0, -1)))
        assert(folder instanceof MemoryFolder, 'a file that was found is in a folder')
        return right(folder.unlink(names.at(-1) ?? ''))
      }
    })
  }

  syncFolder(folder: string): Promise<Either<DiskError, void>> {
    const what = { operation: 'sync folder', path: folder } as const
    const found = this.#folder(what)
    const mark = found._tag === 'Left' ? 0 : found.right.mark
    return this.#calls.later(what, {
      run: () => (found._tag === 'Left' ? found : right(found.right.synced(mark))),
      fail: () => found._tag === 'Right' && found.right.syncFailed(mark)
    })
  }

  watch(folder: string, changed: () => void): DiskWatch {
    const stop = this.#calls.watch(folder, changed)
    return { ref: () => {}, unref: () => {}, close: stop }
  }

  lock(folder: string): Promise<Either<Locked | DiskError, DiskLock>> {
    const what = { operation: 'lock', path: folder } as const
    return this.#calls.later(what, { run: () => this.#lock(what) })
  }

  /**
   * The disk after a power cut: what was durable, and of every uncertain change what `choose` keeps. `() => 0` keeps
   * nothing, `(count) => count - 1` everything; in between, each choice is among a handful of outcomes, the bytes of
   * a write, or yes and no, so a seed, fast-check or an enumeration can drive it.
   */
  crash(choose: Choose, hooks: MemoryHooks = {}): MemoryDisk {
    return this.#copy(hooks, {
      file: (file) => file.survivor(choose),
      folder: (folder, original, copy) => folder.surviveFrom(original, choose, copy)
    })
  }

  /**
   * The disk after the process was killed: everything written is there, and still unsynced, and no lock is held.
   * With `tornBytes`, and if the last call was a write, the kill came inside of it, after so many bytes.
   */
  processCrash(tornBytes?: (bytes: number) => number, hooks: MemoryHooks = {}): MemoryDisk {
    const torn = this.#calls.lastWrite
    return this.#copy(hooks, {
      file: (file) =>
        tornBytes !== undefined && file === torn?.file ? file.torn(tornBytes(torn.bytes)) : file.clone(),
      folder: (folder, original, copy) => folder.copyFrom(original, copy)
    })
  }

  /** The same disk once more, with its uncertain changes, without its locks. Later changes reach one of them only. */
  clone(hooks: MemoryHooks = {}): MemoryDisk {
    return this.processCrash(undefined, hooks)
  }

  /** Bit rot: flips the bits of `xor` in one byte of a file, for good. Nothing happens behind the file's end. */
  corrupt(path: string, position: number, xor: number): void {
    const node = this.#find(path)
    assert(node instanceof MemoryFile, `there is no file ${path} to corrupt`)
    node.rot(position, xor)
  }

  #copy(hooks: MemoryHooks, how: CopyHow): MemoryDisk {
    const copies = new Map<MemoryNode, MemoryNode>()
    const copy: CopyNode = (node) => {
      const known = copies.get(node)
      if (known !== undefined) return known
      const made = node instanceof MemoryFile ? how.file(node) : new MemoryFolder()
      copies.set(node, made)
      if (made instanceof MemoryFolder && node instanceof MemoryFolder) how.folder(made, node, copy)
      return made
    }
    const disk = new MemoryDisk(hooks)
    const root = copy(this.#root)
    assert(root instanceof MemoryFolder, 'the copy of a folder is a folder')
    disk.#root = root
    return disk
  }

  /** What is at `path`, or the errno of the search. */
  #find(path: string): MemoryNode | 'ENOENT' | 'ENOTDIR' {
    let node: MemoryNode = this.#root
    for (const name of segmentsOf(path)) {
      if (node instanceof MemoryFile) return 'ENOTDIR'
      const next = node.names.get(name)
      if (next === undefined) return 'ENOENT'
      node = next
    }
    return node
  }

  #folder(what: What): Either<DiskError, MemoryFolder> {
    const node = this.#find(what.path)
    if (typeof node === 'string') return failed(what, node)
    return node instanceof MemoryFolder ? right(node) : failed(what, 'ENOTDIR')
  }

  /** The folder that `path` is or will be in. */
  #parent(what: What, path: string): Either<DiskError, MemoryFolder> {
    const parent = this.#folder({ operation: what.operation, path: pathOf(segmentsOf(path).slice(0, -1)) })
    return parent._tag === 'Left' ? failed(what, parent.left.errno) : parent
  }

  /** Takes away a folder that was just made, if nobody has put anything into it. */
  #takeBack(path: string): void {
    const parent = this.#find(pathOf(segmentsOf(path).slice(0, -1)))
    const made = this.#find(path)
    if (parent instanceof MemoryFolder && made instanceof MemoryFolder && made.names.size === 0) {
      parent.unlink(nameOf(path))
    }
  }

  /** Answers whether it was made, or was there. */
  #makeLevel(path: string): Promise<Either<DiskError, boolean>> {
    const what = { operation: 'make folder', path } as const
    return this.#calls.later(what, {
      run: () => {
        const node = this.#find(path)
        if (node instanceof MemoryFolder) return right(false)
        if (node instanceof MemoryFile) return failed(what, 'EEXIST')
        const parent = this.#parent(what, path)
        if (parent._tag === 'Left') return parent
        parent.right.link(nameOf(path), new MemoryFolder())
        return right(true)
      }
    })
  }

  #openFile(what: What, mode: OpenMode): Either<DiskError, MemoryFile> {
    const node = this.#find(what.path)
    if (typeof node === 'string')
      return mode === 'create' && node === 'ENOENT' ? this.#create(what) : failed(what, node)
    if (mode === 'create') return failed(what, 'EEXIST')
    return node instanceof MemoryFile ? right(node) : failed(what, 'EISDIR')
  }

  #create(what: What): Either<DiskError, MemoryFile> {
    const parent = this.#parent(what, what.path)
    if (parent._tag === 'Left') return parent
    const file = new MemoryFile()
    parent.right.link(nameOf(what.path), file)
    return right(file)
  }

  #rename(what: What, target: string): Either<DiskError, void> {
    const from = this.#parent(what, what.path)
    if (from._tag === 'Left') return from
    const to = this.#parent(what, target)
    if (to._tag === 'Left') return to
    const node = this.#find(what.path)
    if (typeof node === 'string') return failed(what, node)
    const replaced = this.#find(target)
    if (node instanceof MemoryFolder || replaced instanceof MemoryFolder) return failed(what, 'EISDIR')
    if (from.right === to.right) return right(from.right.move(nameOf(what.path), nameOf(target)))
    to.right.link(nameOf(target), node)
    return right(from.right.unlink(nameOf(what.path)))
  }

  #lock(what: What): Either<Locked | DiskError, DiskLock> {
    const folder = this.#folder(what)
    if (folder._tag === 'Left') return folder
    if (this.#locked.has(folder.right)) return left(new Locked({ path: what.path, pid: process.pid }))
    this.#locked.add(folder.right)
    let released = false
    return right({
      kind: 'memory',
      release: () => {
        if (!released) this.#locked.delete(folder.right)
        released = true
      }
    })
  }
}

interface What {
  readonly operation: MemoryOperation
  readonly path: string
}

/** How each node is copied. A folder's copy exists before it is filled, since its children are copied on the way. */
interface CopyHow {
  readonly file: (file: MemoryFile) => MemoryFile
  readonly folder: (folder: MemoryFolder, original: MemoryFolder, copy: CopyNode) => void
}

function entryOf([name, node]: readonly [string, MemoryNode]): DiskEntry {
  return { name, kind: node instanceof MemoryFile ? 'file' : 'folder' }
}

function segmentsOf(path: string): readonly string[] {
  const names: string[] = []
  for (const name of path.split('/')) {
    if (name === '..') names.pop()
    else if (name !== '' && name !== '.') names.push(name)
  }
  return names
}

function pathOf(names: readonly string[]): string {
  return `/${names.join('/')}`
}

function nameOf(path: string): string {
  return segmentsOf(path).at(-1) ?? ''
}
