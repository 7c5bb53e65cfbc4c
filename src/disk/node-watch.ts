// Notice of changes in a folder: inotify, kqueue or ReadDirectoryChangesW, as Node has it. Where the system has none to
// give (its watches are used up, the file system has none), the folder counts as changed now and then.

import { watch, type FSWatcher } from 'node:fs'
import type { DiskWatch } from '../port/disk.ts'

/** How often a folder counts as changed that cannot be watched. */
const guessMs = 100

export function watchFolder(folder: string, changed: () => void): DiskWatch {
  let source: FSWatcher | NodeJS.Timeout = begin(folder, changed, (failed) => {
    // The folder is gone, or the watch is: whoever waits looks and sees.
    failed.close()
    const guessing = guess(changed)
    if (!held) guessing.unref()
    source = guessing
    changed()
  })
  let held = false
  source.unref()
  return {
    ref: () => {
      held = true
      source.ref()
    },
    unref: () => {
      held = false
      source.unref()
    },
    close: () => {
      if ('close' in source) source.close()
      else clearInterval(source)
    }
  }
}

function begin(folder: string, changed: () => void, onError: (watcher: FSWatcher) => void): FSWatcher | NodeJS.Timeout {
  try {
    const watcher = watch(folder, changed)
    watcher.on('error', () => onError(watcher))
    return watcher
  } catch {
    return guess(changed)
  }
}

function guess(changed: () => void): NodeJS.Timeout {
  return setInterval(changed, guessMs)
}
