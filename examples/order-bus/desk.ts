// A desk reads the log of the department before it and writes to its own: payments are taken for what was placed, and
// what was paid is shipped. The cursor of its reader says how far it has got; the condition keeps it from doing a thing
// twice when it was stopped between the append and the commit.

import { ConditionFailed, orThrow } from '../../src/index.ts' // yours: from 'chronicle-log'
import type { EventBody, EventLog, NewRecorded } from '../../src/index.ts'

/** Works until the log that it reads is closed. */
export async function runDesk<A extends EventBody, B extends EventBody>(
  source: EventLog<A>,
  target: EventLog<B>,
  answer: (event: A) => NewRecorded<B>
): Promise<void> {
  const reader = await orThrow(source.reader('desk'))
  for await (const element of reader) {
    if (element._tag === 'Left') {
      if (element.left._tag === 'Closed') return
      throw element.left
    }
    const { event, nextOffset } = element.right
    const answered = answer(event)
    const { aggregateId } = answered
    const written = await target.append(answered, { conditions: [{ aggregateId, version: 'none' }] })()
    if (written._tag === 'Left' && !(written.left instanceof ConditionFailed)) throw written.left
    await orThrow(reader.commit(nextOffset))
  }
}
