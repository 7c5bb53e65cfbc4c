// Files whose place others have taken. Each closes itself as soon as nobody is in the middle of it, and is forgotten
// then; what a list was left in the middle of stays open until the log is closed.

/** A file that can wait for those who are reading it. */
interface Retirable {
  readonly isClosed: boolean
  /** Closes the file as soon as nobody is in the middle of it. */
  retire(): void
  close(): void
}

export class Retired<File extends Retirable> {
  /** Those that were still open when another was added last: a log that rolls for years adds one at every roll. */
  private readonly files = new Set<File>()

  add(file: File): void {
    file.retire()
    for (const other of this.files) if (other.isClosed) this.files.delete(other)
    if (!file.isClosed) this.files.add(file)
  }

  close(): void {
    for (const file of this.files) file.close()
    this.files.clear()
  }
}
