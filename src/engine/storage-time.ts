import type { Clock } from '../runtime/index.js'

/** The storage's time, reckoned from one reading of it and this host's monotonic clock: for durations and block rows, never for leases. */
export class StorageTime {
  readonly #clock: Clock
  readonly #atMs: number
  readonly #monotonicMs: number

  constructor(clock: Clock, storageNow: Date) {
    this.#clock = clock
    this.#atMs = storageNow.getTime()
    this.#monotonicMs = clock.monotonicMs()
  }

  now(): Date {
    return new Date(Math.round(this.#atMs + this.#clock.monotonicMs() - this.#monotonicMs))
  }
}
