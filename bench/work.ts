// The works: what is measured, each a function of a system and a task.

import { appendWorks } from './work/append.ts'
import { followingAcross, followingInProcess } from './work/follow.ts'
import type { Work } from './work/measure.ts'
import { readWorks } from './work/read.ts'

export const works: Readonly<Record<string, Work>> = {
  ...appendWorks,
  ...readWorks,
  follow: followingInProcess,
  'follow-across': followingAcross
}
