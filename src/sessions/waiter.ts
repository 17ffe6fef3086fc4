import { type AbortFork, type Clock, forkAbort, type Timer } from '../runtime/index.js'
import type { SessionLease } from './session-lease.js'

export interface WaiterParams {
  readonly clock: Clock
  /** From now, in milliseconds. */
  readonly timeoutMs: number
  readonly signal: AbortSignal | undefined
  /** Makes the error with which the wait ends at its deadline. */
  readonly onTimeout: (waitedMs: number) => Error
  /** Called once, as soon as it is settled. */
  readonly onSettled: (waiter: Waiter) => void
}

/** Somebody who wants a lease: settles at his deadline at the latest, whatever is under way for him. */
export class Waiter {
  /** Settled by whichever comes first: a lease, an error, the deadline, an abort. */
  readonly lease: Promise<SessionLease>
  readonly beganAtMs: number
  readonly #clock: Clock
  readonly #fork: AbortFork
  readonly #timer: Timer
  readonly #onSettled: (waiter: Waiter) => void
  #resolve: (lease: SessionLease) => void = () => {}
  #reject: (error: unknown) => void = () => {}
  #isSettled = false

  constructor(params: WaiterParams) {
    const { clock, signal, timeoutMs, onTimeout } = params
    this.#clock = clock
    this.#onSettled = params.onSettled
    this.beganAtMs = clock.monotonicMs()
    this.lease = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
    this.#fork = forkAbort(signal)
    this.#timer = clock.setTimer(() => this.reject(onTimeout(this.waitedMs)), timeoutMs, { keepAlive: true })
    const { signal: wanted } = this.#fork
    if (wanted.aborted) this.reject(wanted.reason)
    else wanted.addEventListener('abort', () => this.reject(wanted.reason), { once: true })
  }

  /** Aborts as soon as nobody waits for what is done under it. */
  get signal(): AbortSignal {
    return this.#fork.signal
  }

  get isSettled(): boolean {
    return this.#isSettled
  }

  get waitedMs(): number {
    return this.#clock.monotonicMs() - this.beganAtMs
  }

  /** False: he waits no more, and the lease has to be given back. */
  resolve(lease: SessionLease): boolean {
    if (!this.#settle()) return false
    this.#resolve(lease)
    return true
  }

  /** Ends the wait, and what is under way for it. */
  reject(error: unknown): void {
    if (!this.#settle()) return
    this.#reject(error)
    this.#fork.abort(error)
  }

  #settle(): boolean {
    if (this.#isSettled) return false
    this.#isSettled = true
    this.#timer.cancel()
    this.#fork.dispose()
    this.#onSettled(this)
    return true
  }
}
