import type { BrowserSessionRow } from '../storage/schema.js'
import { isFinalStatus } from './session-status.js'

/** Default of `maxLifetimeMinutes`: no session lives longer than this after its start, unless it is held. */
export const MAX_LIFETIME_MINUTES = 1_440

const MINUTE_MS = 60_000

export type Renewal =
  | { readonly kind: 'refused'; readonly reason: string }
  /** It ends later than asked for, or as late as it may. */
  | { readonly kind: 'unchanged' }
  | { readonly kind: 'extended'; readonly expiresAt: Date }

/** What a renewal at `now` (by the storage's clock) comes to: never shorter, at most `maxLifetimeMinutes` after the start. */
export function renewalOf(
  row: BrowserSessionRow,
  minutes: number | undefined,
  now: Date,
  maxLifetimeMinutes: number = MAX_LIFETIME_MINUTES,
): Renewal {
  if (isFinalStatus(row.status))
    return { kind: 'refused', reason: `it has ended: ${row.status}${row.closeReason ? ` (${row.closeReason})` : ''}` }
  if (row.startedAt === null || row.expiresAt === null) return { kind: 'refused', reason: 'its browser has not started' }
  if (row.expiresAt <= now) return { kind: 'refused', reason: `it expired at ${row.expiresAt.toISOString()}` }
  const wanted = now.getTime() + (minutes ?? row.timeoutMinutes ?? maxLifetimeMinutes) * MINUTE_MS
  const latest = row.startedAt.getTime() + maxLifetimeMinutes * MINUTE_MS
  const expiresAt = new Date(Math.min(wanted, latest))
  return expiresAt <= row.expiresAt ? { kind: 'unchanged' } : { kind: 'extended', expiresAt }
}
