// An output that keeps what is written to it.

import { Writable } from 'node:stream'

export class Collector extends Writable {
  /** Everything written so far. */
  text = ''

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString()
    done()
  }
}
