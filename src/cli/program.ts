// The command line: which commands there are, and how their ends become exit codes.

import { Command, CommanderError } from 'commander'
import { exitCode } from './exit-code.ts'
import type { CliHost } from './host.ts'
import { addRepair } from './repair.ts'
import { addVerify } from './verify.ts'

/** Runs one command line, without the program's name; answers the exit code. */
export async function run(argv: readonly string[], host: CliHost): Promise<number> {
  let code: number = exitCode.healthy
  const finish = (ended: number): void => {
    code = ended
  }
  const program = new Command('chronicle')
    .description('looks after chronicle-log event stores')
    .version(host.version)
    .exitOverride()
    .showHelpAfterError('chronicle --help shows how it is used')
    .configureOutput({
      writeOut: (text) => host.output.write(text),
      writeErr: (text) => host.errors.write(text)
    })
  addVerify(program, host, finish)
  addRepair(program, host, finish)
  try {
    await program.parseAsync(argv, { from: 'user' })
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error
    return error.exitCode === 0 ? exitCode.healthy : exitCode.usage
  }
  return code
}
