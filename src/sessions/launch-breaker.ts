import { BreakerOpenError } from '../errors/index.js'
import type { Clock } from '../runtime/index.js'

/** `open`: no launch is begun; `half_open`: one is, to try. */
export type BreakerState = 'closed' | 'open' | 'half_open'

export interface LaunchBreakerOptions {
  readonly clock: Pick<Clock, 'monotonicMs'>
  /** Failures in a row that open it. @default 5 */
  readonly failures?: number
  /** Time without launches after it has opened, in milliseconds; doubles with each failed trial. @default 10_000 */
  readonly backoffMs?: number
  /** Its upper limit, in milliseconds. @default 120_000 */
  readonly maxBackoffMs?: number
}

/** When to ask again while another launch is being tried, in milliseconds: how long that takes nobody knows. */
const TRIAL_RETRY_MS = 1_000

/** The right to launch once. Whoever has it says how that went, exactly once; further words are not heard. */
export class LaunchPermit {
  readonly #onEnd: (permit: LaunchPermit, outcome: 'succeeded' | 'failed' | 'dismissed') => void
  /** Counts only while the breaker has not changed since. */
  readonly epoch: number
  #isEnded = false

  constructor(epoch: number, onEnd: (permit: LaunchPermit, outcome: 'succeeded' | 'failed' | 'dismissed') => void) {
    this.epoch = epoch
    this.#onEnd = onEnd
  }

  /** A browser came up. */
  succeeded(): void {
    this.#end('succeeded')
  }

  /** None did, for a reason that may hit the next launch too. */
  failed(): void {
    this.#end('failed')
  }

  /** It says nothing about launches: nobody wanted it any more, or its arguments were wrong. */
  dismissed(): void {
    this.#end('dismissed')
  }

  #end(outcome: 'succeeded' | 'failed' | 'dismissed'): void {
    if (this.#isEnded) return
    this.#isEnded = true
    this.#onEnd(this, outcome)
  }
}

/** Stops launches for a while when one after the other has failed, then tries a single one. */
export class LaunchBreaker {
  readonly #clock: Pick<Clock, 'monotonicMs'>
  readonly #limit: number
  readonly #firstBackoffMs: number
  readonly #maxBackoffMs: number
  #epoch = 0
  #failures = 0
  #backoffMs: number
  /** Null: closed. */
  #openUntilMs: number | null = null
  #trial: LaunchPermit | null = null

  constructor(options: LaunchBreakerOptions) {
    this.#clock = options.clock
    this.#limit = options.failures ?? 5
    this.#firstBackoffMs = options.backoffMs ?? 10_000
    this.#maxBackoffMs = options.maxBackoffMs ?? 120_000
    this.#backoffMs = this.#firstBackoffMs
  }

  get state(): BreakerState {
    if (this.#openUntilMs === null) return 'closed'
    return this.#clock.monotonicMs() < this.#openUntilMs ? 'open' : 'half_open'
  }

  /** In milliseconds; 0: a launch would be let through. */
  get retryAfterMs(): number {
    if (this.#openUntilMs === null) return 0
    const restMs = this.#openUntilMs - this.#clock.monotonicMs()
    if (restMs > 0) return restMs
    return this.#trial === null ? 0 : TRIAL_RETRY_MS
  }

  /** @throws {BreakerOpenError} `BREAKER_OPEN` */
  admit(): LaunchPermit {
    const { retryAfterMs } = this
    if (retryAfterMs > 0) throw this.#refusal(retryAfterMs)
    const permit = new LaunchPermit(this.#epoch, (ended, outcome) => this.#onEnd(ended, outcome))
    if (this.#openUntilMs !== null) this.#trial = permit
    return permit
  }

  /** For a launch that has queued since it was let in. @throws {BreakerOpenError} when the breaker has opened meanwhile */
  assertStill(permit: LaunchPermit): void {
    if (this.#openUntilMs === null || this.#trial === permit) return
    throw this.#refusal(Math.max(1, this.retryAfterMs))
  }

  #onEnd(permit: LaunchPermit, outcome: 'succeeded' | 'failed' | 'dismissed'): void {
    const isTrial = this.#trial === permit
    if (isTrial) this.#trial = null
    if (!isTrial && (permit.epoch !== this.#epoch || this.#openUntilMs !== null)) return // begun before the breaker opened
    if (outcome === 'succeeded') this.#close()
    else if (outcome === 'failed') this.#countFailure(isTrial)
  }

  #close(): void {
    if (this.#openUntilMs !== null) this.#epoch += 1
    this.#openUntilMs = null
    this.#failures = 0
    this.#backoffMs = this.#firstBackoffMs
  }

  #countFailure(isTrial: boolean): void {
    this.#failures += 1
    if (!isTrial && this.#failures < this.#limit) return
    if (isTrial) this.#backoffMs = Math.min(this.#backoffMs * 2, this.#maxBackoffMs)
    this.#epoch += 1
    this.#openUntilMs = this.#clock.monotonicMs() + this.#backoffMs
  }

  #refusal(retryAfterMs: number): BreakerOpenError {
    return new BreakerOpenError(this.#failures, Math.ceil(retryAfterMs))
  }
}
