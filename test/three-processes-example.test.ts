// The example of one writer and two readers, killed at random: it checks itself, and its check is checked here.

import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { expect, it } from 'vitest'
import { check } from '../examples/three-processes/handled.ts'

it('ends with every tick handled by both readers, whoever was killed', async () => {
  const script = join('examples', 'three-processes', 'main.ts')
  const args = ['--import', 'tsx', script, '--kills', '4']
  const { stdout } = await promisify(execFile)(process.execPath, args, { cwd: join(import.meta.dirname, '..') })
  const ticks = /its log holds (\d+) ticks/.exec(stdout)?.[1]
  expect(Number(ticks)).toBeGreaterThan(0)
  for (const name of ['fast', 'slow']) expect(stdout).toContain(`${name}: handled ${ticks} of ${ticks} ticks in order`)
})

it('tells what was left out, came too early or out of its order, and takes no offence at what came again', () => {
  expect(check([1, 2, 3, 2, 3, 4], 4)).toEqual({ ticks: 4, again: 2, fault: undefined })
  expect(check([1, 2, 4], 4).fault).toBe('4 came behind 2')
  expect(check([2, 3], 3).fault).toBe('2 came behind 0')
  expect(check([1, 2, 3, 1, 3, 4], 4).fault).toBe('3 came behind 1')
  expect(check([1, 2], 3).fault).toBe('the last one was 2, of 3')
})
