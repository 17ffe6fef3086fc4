import { createWriteStream, type WriteStream } from 'node:fs'
import { finished } from 'node:stream/promises'
import type { BrowserContext } from 'playwright-core'
import type { Clock } from '../runtime/index.js'

/** A page that writes without end does not fill the disk. */
const MAX_BYTES = 10 * 1024 * 1024
const MAX_TEXT = 10_000

/** Writes what pages say on the console, and their uncaught errors, as JSON lines. It holds whatever they say, secrets too. */
export class ConsoleLog {
  readonly #path: string
  readonly #clock: Clock
  #stream: WriteStream | null = null
  #bytes = 0
  #isFull = false
  #failure: unknown

  constructor(path: string, clock: Clock) {
    this.#path = path
    this.#clock = clock
  }

  async follow(context: BrowserContext): Promise<void> {
    const stream = createWriteStream(this.#path, { flags: 'a', mode: 0o600 }) // a browser that was relaunched goes on with it
    this.#stream = stream
    stream.on('error', (error) => {
      this.#failure ??= error
    })
    context.on('console', (message) => {
      const { url, lineNumber } = message.location()
      this.#write({ type: message.type(), text: message.text(), url, line: lineNumber, page: message.page()?.url() ?? null })
    })
    context.on('weberror', (webError) => {
      const error = webError.error()
      this.#write({ type: 'uncaught', text: error.stack ?? error.message, url: null, line: null, page: webError.page()?.url() ?? null })
    })
  }

  /** Ends it and gives its path; whatever still comes is dropped. */
  async end(): Promise<string> {
    const stream = this.#stream
    this.#stream = null
    if (stream !== null) {
      stream.end()
      await finished(stream).catch((error: unknown) => {
        this.#failure ??= error
      })
    }
    if (this.#failure !== undefined) throw this.#failure
    return this.#path
  }

  #write(entry: { readonly type: string; readonly text: string } & Readonly<Record<string, string | number | null>>): void {
    if (this.#stream === null || this.#isFull) return
    const at = this.#clock.now().toISOString()
    const line = `${JSON.stringify({ at, ...entry, text: entry.text.slice(0, MAX_TEXT) })}\n`
    this.#bytes += Buffer.byteLength(line)
    this.#isFull = this.#bytes > MAX_BYTES
    this.#stream.write(this.#isFull ? `${JSON.stringify({ at, type: 'runwright', text: `the log is full: ${MAX_BYTES} bytes` })}\n` : line)
  }
}
