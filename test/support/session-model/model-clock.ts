import type { Clock, Timer } from '../../../src/runtime/index.js'
import type { FakeClock } from '../../../src/testing/index.js'

/** One host's sight of the world's time: its own wall clock, and timers that end with its process. */
export class ModelClock implements Clock {
  readonly #world: FakeClock
  readonly #timers = new Set<Timer>()
  #skewMs = 0
  #isDead = false

  constructor(world: FakeClock) {
    this.#world = world
  }

  now(): Date {
    return new Date(this.#world.now().getTime() + this.#skewMs)
  }

  monotonicMs(): number {
    return this.#world.monotonicMs()
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    if (this.#isDead) return { cancel: () => {} }
    const timer = this.#world.setTimer(() => {
      this.#timers.delete(timer)
      callback()
    }, delayMs)
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
        timer.cancel()
      },
    }
  }

  /** Sets the wall clock of this host alone. */
  skew(ms: number): void {
    this.#skewMs += ms
  }

  /** The process is gone: nothing that it waits for comes. */
  die(): void {
    this.#isDead = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
  }
}
