// What a command says when it could not do its work.

import type { Aborted, StorageError } from '../core/read-error.ts'
import { exitCode } from './exit-code.ts'
import type { CliHost } from './host.ts'
import { printable } from './text.ts'

export interface Failure {
  readonly command: string
  /** The folder as the user wrote it. */
  readonly folder: string
  readonly json: boolean
  readonly error: StorageError | Aborted
}

/** Says what went wrong, in the form that was asked for; answers the exit code. */
export function reportFailure(host: CliHost, { command, folder, json, error }: Failure): number {
  const interrupted = error._tag === 'Aborted'
  const code = interrupted ? exitCode.interrupted : exitCode.failed
  const message = interrupted ? 'interrupted' : error.message
  if (json) {
    const document = { command, folder, verdict: 'failed', exitCode: code, error: { code: error.code, message } }
    host.output.write(`${JSON.stringify(document, undefined, 2)}\n`)
  }
  host.errors.write(`chronicle ${command}: ${printable(message)}\n`)
  return code
}
