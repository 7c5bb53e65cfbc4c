// The systems that are measured, by name.

import { chronicle } from './systems/chronicle.ts'
import { floor } from './systems/floor.ts'
import type { System } from './system.ts'

/**
 * The system called `name`; `library` is the address of the index.js that is Chronicle to it, where that is not the
 * build at hand. Modules are loaded when they are asked for, so that none sits in another's memory.
 */
export async function systemNamed(name: string, library: string | undefined): Promise<System> {
  switch (name) {
    case 'floor':
      return floor
    case 'chronicle':
    case 'before':
      return chronicle(await libraryAt(library))
    default:
      throw new Error(`there is no system called ${name}`)
  }
}

function libraryAt(address: string | undefined): Promise<typeof import('../src/index.ts')> {
  return address === undefined
    ? import('../src/index.ts')
    : (import(address) as Promise<typeof import('../src/index.ts')>)
}
