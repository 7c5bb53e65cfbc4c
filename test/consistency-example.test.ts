// The examples on conditions keep their rules, whoever comes at the same moment.

import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import * as courses from '../examples/consistency/courses.ts'
import * as usernames from '../examples/consistency/usernames.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'chronicle-consistency-'))
})

afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

it('a course gives out exactly its seats', async () => {
  const lines: string[] = []
  const answers = await courses.main(folder, (line) => lines.push(line))
  expect(answers.filter((answer) => answer === 'subscribed')).toHaveLength(10)
  expect(answers.filter((answer) => answer === 'the course is full')).toHaveLength(20)
  expect(lines.slice(1)).toEqual(['one more: the course is full', 'again: already subscribed'])
})

it('a user name has one owner at a time', async () => {
  const lines: string[] = []
  const got = await usernames.main(folder, (line) => lines.push(line))
  expect(got.filter(Boolean)).toHaveLength(1)
  expect(lines[1]).toBe('"ＡＤＡ" is taken too: true')
  expect(lines[2]).toBe('free again after it was closed: true')
})
