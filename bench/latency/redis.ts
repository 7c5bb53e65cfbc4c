// As much of a Redis client as XADD and XREAD need: requests in the order of their answers, over a socket (RESP 2).

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'

export type Reply = string | number | null | readonly Reply[]

/** What has been parsed, and where the next reply begins. */
interface Parsed {
  readonly reply: Reply
  readonly next: number
}

export class Redis {
  private readonly socket: Socket
  private readonly waiting: ((reply: Reply) => void)[] = []
  private text = ''

  private constructor(socket: Socket) {
    this.socket = socket
    socket.setNoDelay(true)
    socket.setEncoding('latin1').on('data', (data: string) => this.take(data))
  }

  static async open(path: string): Promise<Redis> {
    const socket = connect(path)
    await once(socket, 'connect')
    return new Redis(socket)
  }

  ask(...words: readonly string[]): Promise<Reply> {
    const request = words.map((word) => `$${Buffer.byteLength(word)}\r\n${word}\r\n`).join('')
    this.socket.write(`*${words.length}\r\n${request}`)
    return new Promise((resolve) => this.waiting.push(resolve))
  }

  close(): void {
    this.socket.destroy()
  }

  private take(data: string): void {
    this.text += data
    for (let parsed = parse(this.text, 0); parsed !== undefined; parsed = parse(this.text, 0)) {
      this.text = this.text.slice(parsed.next)
      this.waiting.shift()?.(parsed.reply)
    }
  }
}

function parse(text: string, from: number): Parsed | undefined {
  const end = text.indexOf('\r\n', from)
  if (end === -1) return undefined
  const line = text.slice(from + 1, end)
  const kind = text[from]
  if (kind === '-') throw new Error(`redis: ${line}`)
  if (kind === '+') return { reply: line, next: end + 2 }
  if (kind === ':') return { reply: Number(line), next: end + 2 }
  const count = Number(line)
  if (count < 0) return { reply: null, next: end + 2 }
  if (kind === '*') return parseArray(text, end + 2, count)
  const next = end + 2 + count + 2
  return text.length < next ? undefined : { reply: text.slice(end + 2, next - 2), next }
}

function parseArray(text: string, from: number, count: number): Parsed | undefined {
  const replies: Reply[] = []
  let next = from
  while (replies.length < count) {
    const parsed = parse(text, next)
    if (parsed === undefined) return undefined
    replies.push(parsed.reply)
    next = parsed.next
  }
  return { reply: replies, next }
}
