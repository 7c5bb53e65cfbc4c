// Writes more than the file size limit of its process allows, for test/disk-node.test.ts; prints what the disk says.
//
//   node --import tsx fill.ts <path>

import { makeNodeDisk } from '../../src/disk/node.ts'

const [path = ''] = process.argv.slice(2)
const opened = makeNodeDisk({ nowMs: () => 0 }).open(path, 'create')
if (opened._tag === 'Left') throw opened.left
const file = opened.right
const written = file.writeSync(Buffer.alloc(100_000, 0x61), 0)
const size = file.size()
const again = file.writeSync(Buffer.from('b'), 0)
process.stdout.write(JSON.stringify({ written, size, again }))
