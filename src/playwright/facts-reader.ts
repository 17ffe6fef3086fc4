import type { Locator } from 'playwright-core'
import { type Clock, sleep } from '../runtime/index.js'

/** For facts that are still on their way when the action is over: its element may be gone. */
const LATE_WITHIN_MS = 50

/** Facts of an element that are read while something is done to it. */
export interface FactsReader<T> {
  /** Null: not there, or not yet. */
  current(): T | null
  /** Waits a moment for what is still on its way, then gives it up. Never rejects. */
  finish(): Promise<void>
}

/** Begins to read an element without waiting for it: what is sent afterwards comes second, so that the element is there still. */
export function readBeside<T>(
  locator: Locator,
  read: (element: never) => T,
  limits: { readonly timeout: number; readonly signal: AbortSignal },
  clock: Clock,
): FactsReader<T> {
  const enough = new AbortController()
  const giveUp = () => enough.abort()
  limits.signal.addEventListener('abort', giveUp, { once: true })
  let facts: T | null = null
  let isOver = false
  const reading = locator
    .evaluate<T, undefined>(read as never, undefined, { timeout: limits.timeout, signal: enough.signal })
    .then(
      (value) => {
        facts = value
      },
      () => {}, // the action itself says what is wrong with its element
    )
    .finally(() => {
      isOver = true
    })
  return {
    current: () => facts,
    finish: async () => {
      if (!isOver && !limits.signal.aborted) await Promise.race([reading, sleep(clock, LATE_WITHIN_MS, enough.signal).catch(() => {})])
      limits.signal.removeEventListener('abort', giveUp)
      enough.abort()
    },
  }
}
