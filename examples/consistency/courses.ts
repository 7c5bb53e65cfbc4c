// Course subscriptions, the example of dcb.events: a course has a limited number of seats, a student may take a limited
// number of courses. Each rule spans events of several aggregates, and no aggregate could hold both. So a decision reads
// the events it rests on by a query, and the append demands that no further event matches that query.
//
// Run it: npx tsx examples/consistency/courses.ts

import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import * as t from 'io-ts'
import { ConditionFailed, EventLog, defineEvents, orThrow } from '../../src/index.ts'
import type { Query } from '../../src/index.ts'

const School = defineEvents(
  { namespace: 'school' },
  {
    CourseDefined: t.type({ course: t.string, seats: t.number }),
    StudentSubscribed: t.type({ course: t.string, student: t.string })
  }
)
type SchoolEvent = t.TypeOf<typeof School.codec>
type School = EventLog<SchoolEvent>

const coursesPerStudent = 3

/** Defines a course, once: no event of that kind may have its tag. */
async function defineCourse(log: School, course: string, seats: number): Promise<void> {
  const defined = School.make.CourseDefined(`course-${course}`, { course, seats }, { tags: [`course:${course}`] })
  const noneMatch: Query = { types: ['CourseDefined'], tags: [`course:${course}`] }
  await orThrow(log.append(defined, { conditions: [{ noneMatch }] }))
}

interface Seats {
  readonly seats: number | undefined
  readonly taken: number
  readonly coursesOfStudent: number
  readonly isSubscribed: boolean
}

const nothing: Seats = { seats: undefined, taken: 0, coursesOfStudent: 0, isSubscribed: false }

/** Subscribes a student, or says why not. Retries when somebody else's subscription came between read and write. */
async function subscribe(log: School, student: string, course: string): Promise<string> {
  const query: Query = [{ tags: [`course:${course}`] }, { types: ['StudentSubscribed'], tags: [`student:${student}`] }]
  for (;;) {
    const { state, condition } = await orThrow(
      log.decide(query, { initial: nothing, evolve: seatsOf(student, course) })
    )
    const refusal = refuse(state)
    if (refusal !== undefined) return refusal
    const tags = [`course:${course}`, `student:${student}`]
    const subscribed = School.make.StudentSubscribed(`course-${course}`, { course, student }, { tags })
    const result = await log.append(subscribed, { conditions: [condition] })()
    if (result._tag === 'Right') return 'subscribed'
    if (!(result.left instanceof ConditionFailed)) throw result.left
  }
}

function seatsOf(student: string, course: string): (state: Seats, event: SchoolEvent) => Seats {
  return (state, event) => {
    const isThisCourse = event.payload.course === course
    if (event.eventType === 'CourseDefined') return isThisCourse ? { ...state, seats: event.payload.seats } : state
    const isThisStudent = event.payload.student === student
    return {
      ...state,
      taken: state.taken + (isThisCourse ? 1 : 0),
      coursesOfStudent: state.coursesOfStudent + (isThisStudent ? 1 : 0),
      isSubscribed: state.isSubscribed || (isThisCourse && isThisStudent)
    }
  }
}

function refuse({ seats, taken, coursesOfStudent, isSubscribed }: Seats): string | undefined {
  if (seats === undefined) return 'there is no such course'
  if (isSubscribed) return 'already subscribed'
  if (taken >= seats) return 'the course is full'
  return coursesOfStudent >= coursesPerStudent ? 'too many courses' : undefined
}

/** Thirty students rush for ten seats at the same moment: ten get one, whatever the order. */
export async function main(folder: string, say: (line: string) => void = console.log): Promise<readonly string[]> {
  await using log: School = await orThrow(EventLog.open(folder, { codec: School.codec }))
  await defineCourse(log, 'logic', 10)
  const students = Array.from({ length: 30 }, (_, place) => `student-${place + 1}`)
  const answers = await Promise.all(students.map((student) => subscribe(log, student, 'logic')))
  const subscribed = answers.filter((answer) => answer === 'subscribed').length
  say(`${subscribed} of ${students.length} students got one of the 10 seats`)
  say(`one more: ${await subscribe(log, 'student-99', 'logic')}`)
  say(`again: ${await subscribe(log, 'student-1', 'logic')}`)
  return answers
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const folder = await mkdtemp(join(tmpdir(), 'chronicle-courses-'))
  await main(folder)
  await rm(folder, { recursive: true })
}
