// The peers' packages are loaded from bench/node_modules when they are asked for, so that neither the library nor its
// type-check needs them, and none sits in another's memory. What an adapter uses of a peer's face is written down in
// the adapter.

import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'

/** The module called `name` of the package in the working folder, which is bench/. */
export async function peer<T>(name: string): Promise<T> {
  const { resolve } = createRequire(join(process.cwd(), 'package.json'))
  return (await import(pathToFileURL(resolve(name)).href)) as T
}

/** The default export of a module, or a CommonJS module itself. */
export async function peerDefault<T>(name: string): Promise<T> {
  return (await peer<{ readonly default: T }>(name)).default
}
