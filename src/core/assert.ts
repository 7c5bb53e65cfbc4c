// Programmer errors. An assertion that fails means Chronicle itself is wrong, so it throws at once and stays on in
// production: a log that stops is better than a log that goes on with a wrong offset. Operating errors are values
// (see error.ts) and never come through here.

/** Throws when `condition` is false; `sentence` says what had to hold. */
export function assert(condition: boolean, sentence: string): asserts condition {
  if (!condition) throw new Error(`chronicle-log invariant broken: ${sentence}`)
}
