import type { Clock } from '../runtime/index.js'

const KEPT_BYTES = 8 * 1024
const WINDOW_MS = 10_000
/** A healthy X server writes some 2 KiB in its life; one that cannot make its socket writes 155,000 lines a second. */
const FLOOD_BYTES = 512 * 1024

/** The last words of a process: bounded memory whatever it writes, and a verdict when it floods. */
export class OutputTail {
  #kept = ''
  #windowStartMs: number
  #windowBytes = 0
  readonly #clock: Clock

  constructor(clock: Clock) {
    this.#clock = clock
    this.#windowStartMs = clock.monotonicMs()
  }

  /** Takes output; tells whether it has become a flood. */
  push(chunk: Buffer): { readonly isFlood: boolean } {
    const now = this.#clock.monotonicMs()
    if (now - this.#windowStartMs > WINDOW_MS) {
      this.#windowStartMs = now
      this.#windowBytes = 0
    }
    this.#windowBytes += chunk.length
    this.#kept = (this.#kept + chunk.subarray(-KEPT_BYTES).toString('latin1')).slice(-KEPT_BYTES)
    return { isFlood: this.#windowBytes > FLOOD_BYTES }
  }

  /** The last lines, for an error message. */
  lastLines(count = 5): string {
    return this.#kept.trim().split('\n').slice(-count).join(' | ')
  }
}
