// A process that takes the lock of a folder, for test/lock.test.ts: prints one line, what it got, and holds on until
// it is killed or its standard input ends.
//
//   node hold.js <folder> [flock program]

import type { DiskError, Locked } from '../../src/core/error.ts'
import { makeNodeDisk } from '../../src/disk/node.ts'

const [folder = '', flockProgram] = process.argv.slice(2)
const lock = await makeNodeDisk({ nowMs: () => 1_234, flockProgram }).lock(folder)
const answer = lock._tag === 'Right' ? { kind: lock.right.kind } : answerOf(lock.left)
process.stdout.write(`${JSON.stringify(answer)}\n`)
process.stdin.resume()
process.stdin.once('end', () => {
  if (lock._tag === 'Right') lock.right.release()
})

function answerOf(error: Locked | DiskError): object {
  const { _tag, path, message } = error
  return error._tag === 'Locked'
    ? { _tag, path, message, pid: error.pid, sinceMs: error.sinceMs }
    : { _tag, path, message }
}
