// The events of the example: numbered ticks, so that a missing one shows.

import * as t from 'io-ts'
import { defineEvents } from '../../src/index.ts' // yours: from 'chronicle-log'

export type Tick = t.TypeOf<typeof Ticks.codec>

export const Ticks = defineEvents({}, { Ticked: t.type({ number: t.number }) })
