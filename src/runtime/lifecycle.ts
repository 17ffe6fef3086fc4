export type LifecycleState = 'new' | 'starting' | 'running' | 'stopping' | 'stopped'

/**
 * Start and stop of a service: concurrent `start()` share one promise, `stop()` waits for a start in flight,
 * both are idempotent, and a stopped service can be started again.
 */
export class Lifecycle {
  #state: LifecycleState = 'new'
  #inFlight: Promise<void> | undefined
  readonly #onStart: () => Promise<void>
  readonly #onStop: () => Promise<void>

  constructor(hooks: { readonly start: () => Promise<void>; readonly stop: () => Promise<void> }) {
    this.#onStart = hooks.start
    this.#onStop = hooks.stop
  }

  get state(): LifecycleState {
    return this.#state
  }

  get isRunning(): boolean {
    return this.#state === 'running'
  }

  /** Starts unless started; resolves to whether this call is the one that did. A failed start leaves the service stopped. */
  async start(): Promise<boolean> {
    if (this.#state === 'running') return false
    if (this.#state === 'starting') {
      await this.#inFlight
      return false
    }
    if (this.#state === 'stopping') {
      await this.#inFlight
      return this.start()
    }
    this.#state = 'starting'
    await this.#enter(this.#onStart, 'running', 'stopped')
    return true
  }

  /** Stops unless stopped; a stop that fails leaves the service stopped and rejects. */
  async stop(): Promise<void> {
    if (this.#state === 'new' || this.#state === 'stopped') return
    if (this.#state === 'stopping') return this.#inFlight
    if (this.#state === 'starting') {
      await this.#inFlight?.catch(() => {}) // whoever started it hears of that
      return this.stop()
    }
    this.#state = 'stopping'
    await this.#enter(this.#onStop, 'stopped', 'stopped')
  }

  #enter(hook: () => Promise<void>, success: LifecycleState, failure: LifecycleState): Promise<void> {
    this.#inFlight = hook().then(
      () => {
        this.#state = success
      },
      (error: unknown) => {
        this.#state = failure
        throw error
      },
    )
    return this.#inFlight
  }
}

/** Runs every closing, in order, whatever fails; then throws the one failure, or all of them as an `AggregateError`. */
export async function closeAll(closings: readonly (() => Promise<unknown> | unknown)[], what: string): Promise<void> {
  const failures: unknown[] = []
  for (const close of closings) {
    try {
      await close()
    } catch (error) {
      failures.push(error)
    }
  }
  if (failures.length === 1) throw failures[0]
  if (failures.length > 1) throw new AggregateError(failures, `${failures.length} parts of ${what} failed to close`)
}
