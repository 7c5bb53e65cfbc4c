// A durable reader in a process of its own: says each event that it is handed, with the process that it is, and commits.

import { EventLog, orThrow } from '../../src/index.ts'

const [, , folder = '', name = ''] = process.argv
const log = await orThrow(EventLog.open(folder, { readOnly: true }))
const reader = await orThrow(log.reader(name, { writerLostMs: 200 }))
process.stdout.write(`open ${reader.cursor}\n`)
for await (const element of reader) {
  if (element._tag === 'Right') {
    process.stdout.write(`event ${element.right.offset} ${element.right.event.eventId}\n`)
    await orThrow(reader.commit(element.right.nextOffset))
  } else if (element.left._tag === 'WriterLost') process.stdout.write(`lost ${element.left.offset}\n`)
  else throw element.left
}
