import { setMaxListeners } from 'node:events'
import { type Clock, systemClock, type Timer } from './clock.js'

/** A signal of its own below others: aborts with them, or alone; `dispose` unties it, so that long-lived parents hold no garbage. */
export interface AbortFork {
  readonly signal: AbortSignal
  abort(reason: unknown): void
  dispose(): void
}

/**
 * Forks one or more parent signals. (`AbortSignal.any` keeps a reference on every long-lived parent until it is collected.)
 * The signal itself, which costs as much as a short call, is made when somebody reads it.
 */
export function forkAbort(...parents: readonly (AbortSignal | undefined)[]): AbortFork {
  return new LazyFork(parents)
}

class LazyFork implements AbortFork {
  #controller: AbortController | undefined
  #untie: (() => void)[] | undefined
  readonly #onAbort: ((reason: unknown) => void) | undefined

  /** @param onAbort - called once with the reason, after the signal's listeners; not for a parent that has aborted already */
  constructor(parents: readonly (AbortSignal | undefined)[], onAbort?: (reason: unknown) => void) {
    for (const parent of parents) {
      if (parent === undefined) continue
      if (parent.aborted) {
        this.#own().abort(parent.reason)
        break
      }
      const onParentAbort = () => {
        this.abort(parent.reason)
        this.dispose()
      }
      parent.addEventListener('abort', onParentAbort, { once: true })
      this.#untie ??= []
      this.#untie.push(() => parent.removeEventListener('abort', onParentAbort))
    }
    this.#onAbort = onAbort
  }

  get signal(): AbortSignal {
    return this.#own().signal
  }

  readonly abort = (reason: unknown): void => {
    const controller = this.#own()
    const { signal } = controller
    if (signal.aborted) return
    controller.abort(reason)
    this.#onAbort?.(signal.reason)
  }

  readonly dispose = (): void => {
    const untie = this.#untie
    this.#untie = undefined
    for (const off of untie ?? []) off()
  }

  #own(): AbortController {
    if (this.#controller !== undefined) return this.#controller
    this.#controller = new AbortController()
    setMaxListeners(0, this.#controller.signal) // a browser with many tabs is asked for all of them at once
    return this.#controller
  }
}

/** Rejects with the signal's reason as soon as it aborts; the work itself is not stopped, its late failure is swallowed. */
export function raceAbort<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work
  work.catch(() => {}) // the race may be over when it fails
  return new Promise((resolve, reject) => {
    const onAbort = () => reject(signal.reason)
    if (signal.aborted) return onAbort()
    signal.addEventListener('abort', onAbort, { once: true })
    work.then(resolve, reject).finally(() => signal.removeEventListener('abort', onAbort))
  })
}

export interface DeadlineParams<T> {
  /** The work; its signal aborts at the deadline and with `signal`. */
  readonly run: (signal: AbortSignal) => Promise<T>
  readonly timeoutMs: number
  /** Makes the error with which the call rejects at the deadline. */
  readonly onTimeout: () => Error
  readonly signal?: AbortSignal | undefined
  readonly clock?: Clock
}

/** Bounds work by a deadline: rejects at the deadline even when the work never settles. */
export function withDeadline<T>(params: DeadlineParams<T>): Promise<T> {
  const { run } = params
  return withLazyDeadline({ ...params, run: (bound) => run(bound.signal) })
}

/** Like {@link withDeadline}, for work that seldom looks at its signal: it is made when `bound.signal` is read. */
export function withLazyDeadline<T>(
  params: Omit<DeadlineParams<T>, 'run'> & { readonly run: (bound: Pick<AbortFork, 'signal'>) => Promise<T> },
): Promise<T> {
  const { run, timeoutMs, onTimeout, signal, clock = systemClock } = params
  return new Promise<T>((resolve, reject) => {
    let timer: Timer | undefined
    const end = () => {
      timer?.cancel()
      fork.dispose()
    }
    const fail = (error: unknown) => {
      end()
      reject(error)
    }
    const fork = new LazyFork([signal], fail)
    if (signal?.aborted) reject(signal.reason)
    else timer = clock.setTimer(() => fork.abort(onTimeout()), timeoutMs)
    const done = (value: T) => {
      end()
      resolve(value)
    }
    try {
      run(fork).then(done, fail) // a late failure is swallowed: the promise is settled by then
    } catch (error) {
      fail(error)
    }
  })
}

/** Whether an error is an abort as the platform spells it (`name === 'AbortError'`). */
export function isAbortError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { name?: unknown }).name === 'AbortError'
}
