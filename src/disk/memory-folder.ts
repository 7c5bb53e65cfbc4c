// A folder of the memory disk: the names every reader sees (live), those that survive a power cut for sure (durable),
// and the changes in between. A rename within a folder is one change, kept or lost as a whole; one between folders is
// a change of each, and either may survive without the other.

import type { MemoryFile } from './memory-file.ts'
import { Journal, type Choose } from './memory-journal.ts'

export type MemoryNode = MemoryFile | MemoryFolder

type Change =
  | { readonly kind: 'link'; readonly name: string; readonly node: MemoryNode }
  | { readonly kind: 'unlink'; readonly name: string; readonly node: MemoryNode }
  | { readonly kind: 'move'; readonly name: string; readonly target: string; readonly node: MemoryNode }

/** Gives the copy of a node; always the same for the same node. */
export type CopyNode = (node: MemoryNode) => MemoryNode

type Names = Map<string, MemoryNode>

export class MemoryFolder {
  #live: Names = new Map()
  /** The names before the first change of the journal. */
  #durable: Names = new Map()
  #journal = new Journal<Change>()

  get names(): ReadonlyMap<string, MemoryNode> {
    return this.#live
  }

  /** What a sync that begins now will cover; for `synced` and `syncFailed`. */
  get mark(): number {
    return this.#journal.mark
  }

  /** Puts the node under the name, in the place of what was there. */
  link(name: string, node: MemoryNode): void {
    this.#change({ kind: 'link', name, node })
  }

  unlink(name: string): void {
    const node = this.#live.get(name)
    if (node !== undefined) this.#change({ kind: 'unlink', name, node })
  }

  move(name: string, target: string): void {
    const node = this.#live.get(name)
    if (node !== undefined) this.#change({ kind: 'move', name, target, node })
  }

  synced(mark: number): void {
    for (const change of this.#journal.settle(mark, 'durable')) apply(change, this.#durable)
  }

  syncFailed(mark: number): void {
    for (const change of this.#journal.settle(mark, 'doubtful')) apply(change, this.#durable)
  }

  /** Makes this new folder a copy of `original`. */
  copyFrom(original: MemoryFolder, copy: CopyNode): void {
    this.#live = copyNames(original.#live, copy)
    this.#durable = copyNames(original.#durable, copy)
    this.#journal = original.#journal.clone((change) => ({ ...change, node: copy(change.node) }))
  }

  /**
   * Makes this new folder what a power cut leaves of `original`: the first choice is between the first so many
   * uncertain changes (0) and any of them (1).
   */
  surviveFrom(original: MemoryFolder, choose: Choose, copy: CopyNode): void {
    const { entries } = original.#journal
    const uncertain = entries.filter((entry) => entry.fate !== 'durable').length
    const names: Names = new Map(original.#durable)
    const inOrder = uncertain > 0 && choose(2) === 0
    let left = inOrder ? choose(uncertain + 1) : 0
    for (const { change, fate } of entries) {
      if (fate === 'durable') apply(change, names)
      else if (inOrder ? left-- > 0 : choose(2) === 1) apply(change, names)
    }
    this.#live = copyNames(names, copy)
    this.#durable = new Map(this.#live)
  }

  #change(change: Change): void {
    apply(change, this.#live)
    this.#journal.add(change)
  }
}

/** Takes a name away only from the node it was taken from: what came between may have been lost. */
function apply(change: Change, names: Names): void {
  if (change.kind !== 'link' && names.get(change.name) === change.node) names.delete(change.name)
  if (change.kind === 'link') names.set(change.name, change.node)
  if (change.kind === 'move') names.set(change.target, change.node)
}

function copyNames(names: ReadonlyMap<string, MemoryNode>, copy: CopyNode): Names {
  return new Map(Array.from(names, ([name, node]) => [name, copy(node)]))
}
