// A process that takes the lock of a folder, for test/lock.test.ts: prints one line, what it got, and holds on until
// it is killed or its standard input ends.
//
//   node hold.js <folder> [flock program]

import { makeNodeDisk } from '../../src/disk/node.ts'

const [folder = '', flockProgram] = process.argv.slice(2)
const lock = await makeNodeDisk({ nowMs: () => 1_234, flockProgram }).lock(folder)
const answer = lock._tag === 'Right' ? { kind: lock.right.kind } : { ...lock.left, message: lock.left.message }
process.stdout.write(`${JSON.stringify(answer)}\n`)
process.stdin.resume()
process.stdin.once('end', () => {
  if (lock._tag === 'Right') lock.right.release()
})
