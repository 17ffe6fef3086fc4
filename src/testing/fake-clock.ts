import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock, Timer } from '../runtime/index.js'

interface PendingTimer {
  readonly callback: () => void
  readonly dueMs: number
}

/** Options of {@link FakeClock}. */
export interface FakeClockOptions {
  /** What the clock shows at first. @default 2026-01-01T00:00:00.000Z */
  readonly now?: Date
}

/**
 * A clock that stands still until it is told otherwise.
 *
 * @example
 * const clock = new FakeClock()
 * const slept = sleep(clock, 5_000)
 * await clock.advance(5_000)
 * await slept
 */
export class FakeClock implements Clock {
  #wallMs: number
  #monotonicMs = 0
  /** In the order in which they were set. */
  readonly #timers = new Set<PendingTimer>()

  constructor(options: FakeClockOptions = {}) {
    this.#wallMs = (options.now ?? new Date('2026-01-01T00:00:00.000Z')).getTime()
  }

  now(): Date {
    return new Date(this.#wallMs)
  }

  monotonicMs(): number {
    return this.#monotonicMs
  }

  setTimer(callback: () => void, delayMs: number): Timer {
    const timer = { callback, dueMs: this.#monotonicMs + Math.max(0, delayMs) }
    this.#timers.add(timer)
    return {
      cancel: () => {
        this.#timers.delete(timer)
      },
    }
  }

  /** Timers that are set and have neither fired nor been cancelled; 0 at the end of a test says that nothing leaked. */
  get pendingTimers(): number {
    return this.#timers.size
  }

  /** Milliseconds until the next timer fires; undefined where none is set. */
  get nextTimerInMs(): number | undefined {
    const next = this.#next()
    return next && next.dueMs - this.#monotonicMs
  }

  /**
   * Lets `ms` milliseconds pass: timers that become due fire in order of time, then of setting, each at its own time; promise jobs and
   * whatever else waits for the event loop run before the first, between them and after the last. `advance(0)` only does the latter and
   * fires what is due already.
   */
  async advance(ms: number): Promise<void> {
    const untilMs = this.#monotonicMs + ms
    await nextTurn()
    for (let next = this.#next(); next !== undefined && next.dueMs <= untilMs; next = this.#next()) {
      this.#moveTo(next.dueMs)
      this.#timers.delete(next)
      next.callback()
      await nextTurn()
    }
    this.#moveTo(untilMs)
    await nextTurn()
  }

  /** Sets the wall clock forward or back without letting time pass: what NTP, or an operator, does to a host. */
  skew(ms: number): void {
    this.#wallMs += ms
  }

  #next(): PendingTimer | undefined {
    let first: PendingTimer | undefined
    for (const timer of this.#timers) if (first === undefined || timer.dueMs < first.dueMs) first = timer
    return first
  }

  #moveTo(monotonicMs: number): void {
    if (monotonicMs <= this.#monotonicMs) return // a nested advance has been further already
    this.#wallMs += monotonicMs - this.#monotonicMs
    this.#monotonicMs = monotonicMs
  }
}
