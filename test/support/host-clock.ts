import type { Clock, Timer } from '../../src/runtime/index.js'
import type { FakeClock } from '../../src/testing/index.js'

/** One process’s sight of the world’s time: a wall clock of its own, and timers that wait while it is frozen and never fire once it has died. */
export class HostClock implements Clock {
  readonly #world: FakeClock
  readonly #timers = new Set<Timer>()
  /** What came due while the process stood still. */
  #held: Set<() => void> | null = null
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
    const call = () => {
      this.#timers.delete(timer)
      if (this.#held === null) callback()
      else this.#held.add(callOnce)
    }
    let isCanceled = false
    const callOnce = () => {
      if (!isCanceled) callback()
    }
    const timer = this.#world.setTimer(call, delayMs)
    this.#timers.add(timer)
    return {
      cancel: () => {
        isCanceled = true
        this.#timers.delete(timer)
        timer.cancel()
      },
    }
  }

  /** Resolves when the process runs; never, once it is dead. */
  async awake(): Promise<void> {
    if (this.#isDead) await new Promise(() => {})
    if (this.#held !== null) await new Promise<void>((resolve) => this.#held?.add(resolve))
  }

  get isFrozen(): boolean {
    return this.#held !== null
  }

  /** Stops the process where it is; its time goes on. */
  freeze(): void {
    this.#held ??= new Set()
  }

  /** Continues it: what came due meanwhile happens now, in that order. */
  thaw(): void {
    const held = this.#held ?? []
    this.#held = null
    for (const call of held) if (!this.#isDead) call()
  }

  /** Sets the wall clock of this process alone. */
  skew(ms: number): void {
    this.#skewMs += ms
  }

  /** The process is gone: nothing that it waits for comes. */
  die(): void {
    this.#isDead = true
    for (const timer of this.#timers) timer.cancel()
    this.#timers.clear()
    this.#held = null
  }
}
