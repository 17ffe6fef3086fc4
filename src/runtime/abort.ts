import { setMaxListeners } from 'node:events'
import { type Clock, systemClock, type Timer } from './clock.js'

/** A signal of its own below others: aborts with them, or alone; `dispose` unties it, so that long-lived parents hold no garbage. */
export interface AbortFork {
  /** Costs as much as a short call: it is made when it is first read. */
  readonly signal: AbortSignal
  readonly isAborted: boolean
  /** With what it was aborted; undefined: it was not. */
  readonly reason: unknown
  abort(reason: unknown): void
  dispose(): void
  /** Calls back once when it aborts, after the signal's listeners; not when it has already. Gives the function that ends that. */
  onAbort(callBack: (reason: unknown) => void): () => void
  throwIfAborted(): void
}

/**
 * Forks one or more parents. (`AbortSignal.any` keeps a reference on every long-lived parent until it is collected.)
 * The signal itself is made when somebody reads it; a fork of forks makes none.
 */
export function forkAbort(...parents: readonly (AbortSignal | AbortFork | undefined)[]): AbortFork {
  return new LazyFork(parents)
}

class LazyFork implements AbortFork {
  #controller: AbortController | undefined
  #untie: (() => void)[] | undefined
  #followers: Set<(reason: unknown) => void> | undefined
  #isAborted = false
  #reason: unknown

  /** @param onAbort - called once with the reason, after the signal's listeners; not for a parent that has aborted already */
  constructor(parents: readonly (AbortSignal | AbortFork | undefined)[], onAbort?: (reason: unknown) => void) {
    for (const parent of parents) {
      if (parent === undefined) continue
      const isAborted = parent instanceof LazyFork ? parent.isAborted : (parent as AbortSignal).aborted
      if (isAborted) {
        this.abort(parent.reason)
        break
      }
      this.#untie ??= []
      this.#untie.push(parent instanceof LazyFork ? parent.onAbort(this.#follow) : this.#followSignal(parent as AbortSignal))
    }
    if (onAbort !== undefined) this.onAbort(onAbort)
  }

  get signal(): AbortSignal {
    if (this.#controller !== undefined) return this.#controller.signal
    this.#controller = new AbortController()
    setMaxListeners(0, this.#controller.signal) // a browser with many tabs is asked for all of them at once
    if (this.#isAborted) this.#controller.abort(this.#reason)
    return this.#controller.signal
  }

  get isAborted(): boolean {
    return this.#isAborted
  }

  get reason(): unknown {
    return this.#reason
  }

  readonly abort = (reason: unknown): void => {
    if (this.#isAborted) return
    this.#isAborted = true
    this.#controller?.abort(reason)
    // without a reason, a signal makes one
    this.#reason = reason === undefined ? this.signal.reason : reason
    const followers = this.#followers
    this.#followers = undefined
    for (const follow of followers ?? []) follow(this.#reason)
  }

  readonly dispose = (): void => {
    const untie = this.#untie
    this.#untie = undefined
    for (const off of untie ?? []) off()
  }

  onAbort(callBack: (reason: unknown) => void): () => void {
    if (this.#isAborted) return () => {}
    const followers = this.#followers ?? new Set()
    this.#followers = followers.add(callBack)
    return () => void followers.delete(callBack)
  }

  throwIfAborted(): void {
    if (this.#isAborted) throw this.#reason
  }

  readonly #follow = (reason: unknown): void => {
    this.abort(reason)
    this.dispose()
  }

  #followSignal(parent: AbortSignal): () => void {
    const onParentAbort = () => this.#follow(parent.reason)
    parent.addEventListener('abort', onParentAbort, { once: true })
    return () => parent.removeEventListener('abort', onParentAbort)
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
