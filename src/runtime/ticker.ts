import type { Clock, Timer } from './clock.js'

/** Does a piece of work again and again, one at a time; the pause counts from the end of the work. */
export class Ticker {
  readonly #clock: Clock
  readonly #pauseMs: () => number
  readonly #work: () => Promise<void>
  #timer: Timer | undefined
  #inFlight: Promise<void> | undefined
  #isStarted = false

  /** @param options `work` handles its own failures. */
  constructor(options: { readonly clock: Clock; readonly pauseMs: () => number; readonly work: () => Promise<void> }) {
    this.#clock = options.clock
    this.#pauseMs = options.pauseMs
    this.#work = options.work
  }

  start(): void {
    this.#isStarted = true
    this.#schedule()
  }

  /** No work begins any more; resolves when that in flight has ended. */
  async stop(): Promise<void> {
    this.#isStarted = false
    this.#timer?.cancel()
    this.#timer = undefined
    await this.#inFlight
  }

  /** Does the work now, or joins the one in flight. */
  tick(): Promise<void> {
    this.#inFlight ??= this.#work().finally(() => {
      this.#inFlight = undefined
    })
    return this.#inFlight
  }

  #schedule(): void {
    if (!this.#isStarted) return
    this.#timer = this.#clock.setTimer(() => void this.tick().finally(() => this.#schedule()), this.#pauseMs())
  }
}
