/** A timer that can be taken back. */
export interface Timer {
  /** Stops the timer; harmless when it has fired or was cancelled already. */
  cancel(): void
}

/** How a timer behaves. */
export interface TimerOptions {
  /** Whether the timer keeps the process alive while it is pending. Background timers do not. @default false */
  readonly keepAlive?: boolean
}

/** The only source of time. Hosts rarely replace it; tests always do. */
export interface Clock {
  /** Wall-clock time of this host. Leases do not use it: they use the storage's clock. */
  now(): Date
  /** Milliseconds from an arbitrary origin; never goes back. */
  monotonicMs(): number
  /** Calls back once, after `delayMs` milliseconds (0 or more). */
  setTimer(callback: () => void, delayMs: number, options?: TimerOptions): Timer
}

/** The host's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  setTimer(callback, delayMs, options) {
    const handle = setTimeout(callback, delayMs)
    if (options?.keepAlive !== true) handle.unref()
    return { cancel: () => clearTimeout(handle) }
  },
}

/**
 * Resolves after `ms` milliseconds; rejects with the signal's reason when it aborts first.
 * Keeps the process alive: somebody waits for it.
 */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const onAbort = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.setTimer(
      () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      },
      ms,
      { keepAlive: true },
    )
    signal?.addEventListener('abort', onAbort, { once: true })
  })
}
