import type { Random } from '../../runtime/index.js'

/** What an attempt at a delivery came to. */
export type AttemptOutcome =
  | { readonly kind: 'delivered'; readonly statusCode: number }
  | {
      readonly kind: 'failed'
      /** Null: there was no answer. */
      readonly statusCode: number | null
      readonly reason: string
      /** Whether another attempt would come to the same. */
      readonly isFinal: boolean
      /** How long the receiver asks to be left alone; null: it does not say. */
      readonly retryAfterMs: number | null
    }

/** The longest wait between two attempts, whatever a receiver asks for, in milliseconds. */
export const LONGEST_WAIT_MS = 30_000
const FIRST_WAIT_MS = 1_000
const WAIT_FACTOR = 4

/** Statuses below 500 that may pass: gateways that are being set up, time-outs, and receivers that are asked too often. */
const PASSING: ReadonlySet<number> = new Set([403, 408, 425, 429])

/** What an answer means. Pure. */
export function judgeAnswer(answer: { readonly statusCode: number; readonly retryAfter: string | null }, now: Date): AttemptOutcome {
  const { statusCode, retryAfter } = answer
  if (statusCode >= 200 && statusCode < 300) return { kind: 'delivered', statusCode }
  const isPassing = statusCode >= 500 || PASSING.has(statusCode)
  const isRedirect = statusCode >= 300 && statusCode < 400
  return {
    kind: 'failed',
    statusCode,
    reason: `the receiver answered ${statusCode}${isRedirect ? ': redirects are not followed' : ''}`,
    isFinal: !isPassing,
    retryAfterMs: isPassing ? retryAfterMsOf(retryAfter, now) : null,
  }
}

/** The header `Retry-After`, in milliseconds from now: seconds, or a date of HTTP. Null for what is neither. Pure. */
export function retryAfterMsOf(value: string | null, now: Date): number | null {
  const text = value?.trim() ?? ''
  if (/^\d+$/.test(text)) return Number(text) * 1_000
  if (!/^[A-Z][a-z]+,? .*\d/.test(text)) return null // Date.parse takes far more than the dates of HTTP
  const atMs = Date.parse(text)
  return Number.isNaN(atMs) ? null : Math.max(0, atMs - now.getTime())
}

export interface RetryDelayParams {
  /** The attempt that failed, from 1. */
  readonly attempt: number
  readonly retryAfterMs: number | null
  readonly random: Random
}

/**
 * The wait before the next attempt, in milliseconds: 1 s, 4 s, 16 s, 30 s, each shortened by up to a half at random, so that what failed
 * together does not come back together; never sooner than the receiver asks for, and never longer than 30 s. Pure but for chance.
 */
export function retryDelayMs({ attempt, retryAfterMs, random }: RetryDelayParams): number {
  const backOffMs = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * WAIT_FACTOR ** (attempt - 1))
  const jitteredMs = Math.round(backOffMs * (0.5 + 0.5 * random.fraction()))
  return Math.min(LONGEST_WAIT_MS, Math.max(jitteredMs, retryAfterMs ?? 0))
}
