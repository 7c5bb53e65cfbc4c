// Runs something under the inspector's profilers and writes what they saw: functions by processor time, sampled every
// 100 µs (a .cpuprofile), or by bytes allocated, a sample every 16 KiB, those that were collected too (.heapprofile).

import { writeFileSync } from 'node:fs'
import { Session } from 'node:inspector/promises'

export interface ProfileOptions {
  readonly kind: 'cpu' | 'heap'
  readonly path: string
}

const samplingUs = 100
const samplingBytes = 16 * 1024

export async function profiled<T>({ kind, path }: ProfileOptions, run: () => Promise<T>): Promise<T> {
  const session = new Session()
  session.connect()
  const result = kind === 'cpu' ? await byTime(session, run, path) : await byBytes(session, run, path)
  session.disconnect()
  return result
}

async function byTime<T>(session: Session, run: () => Promise<T>, path: string): Promise<T> {
  await session.post('Profiler.enable')
  await session.post('Profiler.setSamplingInterval', { interval: samplingUs })
  await session.post('Profiler.start')
  const result = await run()
  const { profile } = await session.post('Profiler.stop')
  writeFileSync(path, JSON.stringify(profile))
  return result
}

async function byBytes<T>(session: Session, run: () => Promise<T>, path: string): Promise<T> {
  const collected = { includeObjectsCollectedByMajorGC: true, includeObjectsCollectedByMinorGC: true }
  await session.post('HeapProfiler.startSampling', { samplingInterval: samplingBytes, ...collected })
  const result = await run()
  const { profile } = await session.post('HeapProfiler.stopSampling')
  writeFileSync(path, JSON.stringify(profile))
  return result
}
