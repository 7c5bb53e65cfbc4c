// The argument that every command begins with.

import { InvalidArgumentError, type Command } from 'commander'

/** Adds the log's folder to a command. */
export function withFolder(command: Command): Command {
  return command.argument('<dir>', "the log's folder", (text: string) => {
    // An empty word would stand for the current folder: an unset variable in a script should not.
    if (text === '') throw new InvalidArgumentError('It is empty.')
    return text
  })
}
