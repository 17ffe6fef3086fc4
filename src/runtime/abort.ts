import { setMaxListeners } from 'node:events'
import { type Clock, systemClock } from './clock.js'

/** A signal of its own below others: aborts with them, or alone; `dispose` unties it, so that long-lived parents hold no garbage. */
export interface AbortFork {
  readonly signal: AbortSignal
  abort(reason: unknown): void
  dispose(): void
}

/** Forks one or more parent signals. (`AbortSignal.any` keeps a reference on every long-lived parent until it is collected.) */
export function forkAbort(...parents: readonly (AbortSignal | undefined)[]): AbortFork {
  const controller = new AbortController()
  setMaxListeners(0, controller.signal) // a browser with many tabs is asked for all of them at once
  const untie: (() => void)[] = []
  const dispose = () => {
    for (const off of untie.splice(0)) off()
  }
  for (const parent of parents) {
    if (parent === undefined) continue
    if (parent.aborted) {
      controller.abort(parent.reason)
      break
    }
    const onAbort = () => {
      controller.abort(parent.reason)
      dispose()
    }
    parent.addEventListener('abort', onAbort, { once: true })
    untie.push(() => parent.removeEventListener('abort', onAbort))
  }
  return { signal: controller.signal, abort: (reason) => controller.abort(reason), dispose }
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
export async function withDeadline<T>(params: DeadlineParams<T>): Promise<T> {
  const fork = forkAbort(params.signal)
  const timer = (params.clock ?? systemClock).setTimer(() => fork.abort(params.onTimeout()), params.timeoutMs)
  try {
    return await raceAbort(params.run(fork.signal), fork.signal)
  } finally {
    timer.cancel()
    fork.dispose()
  }
}

/** Whether an error is an abort as the platform spells it (`name === 'AbortError'`). */
export function isAbortError(error: unknown): boolean {
  return typeof error === 'object' && error !== null && (error as { name?: unknown }).name === 'AbortError'
}
