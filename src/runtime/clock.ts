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
  /** Calls back once, after `delayMs` milliseconds (0 or more, however many). */
  setTimer(callback: () => void, delayMs: number, options?: TimerOptions): Timer
}

/** Node's timers take no more milliseconds than this, and make one of them out of what is above. */
const MAX_DELAY_MS = 2_147_483_647

/** The host's own clock. */
export const systemClock: Clock = {
  now: () => new Date(),
  monotonicMs: () => performance.now(),
  setTimer(callback, delayMs, options) {
    let handle: NodeJS.Timeout
    const wait = (leftMs: number) => {
      const thisMs = Math.min(leftMs, MAX_DELAY_MS)
      handle = setTimeout(() => (leftMs > thisMs ? wait(leftMs - thisMs) : callback()), thisMs)
      if (options?.keepAlive !== true) handle.unref()
    }
    wait(delayMs)
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
