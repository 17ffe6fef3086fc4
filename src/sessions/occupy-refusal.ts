import {
  SessionEndedError,
  type SessionError,
  SessionHostUnavailableError,
  SessionNotFoundError,
  SessionOccupiedError,
  SessionRetiredError,
} from '../errors/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { graceMs, type LeaseTerms } from './lease-terms.js'
import { isFinalStatus } from './session-status.js'

export interface RefusalFacts {
  readonly browserSessionId: string
  readonly organizationId: string
  readonly row: BrowserSessionRow | undefined
  /** The storage's clock when the row was read. */
  readonly now: Date
  readonly hostId: string
  /** Whether this process has the session's browser in its hands. */
  readonly isLiveHere: boolean
  readonly leaseTtlMs: number
  /** Who asks. */
  readonly asker?: Pick<LeaseTerms, 'runnable' | 'runnableFence'>
}

/** Whether the row is held by somebody, the grace after a lapse included. */
export function isHeld(row: BrowserSessionRow, now: Date, leaseTtlMs: number): boolean {
  return row.leaseToken !== null && row.leaseExpiresAt !== null && row.leaseExpiresAt.getTime() >= now.getTime() - graceMs(leaseTtlMs)
}

/** The error for a session that somebody holds. */
export function occupiedError(row: BrowserSessionRow): SessionOccupiedError {
  const holder = { runnableType: row.runnableType ?? 'unknown', runnableId: row.runnableId ?? 'unknown', leaseHolder: row.leaseHolder }
  return new SessionOccupiedError(row.browserSessionId, holder, row.leaseSince, row.leaseExpiresAt)
}

/** Whether its holder is the asker itself, under an older fence. */
function isOutrun(row: BrowserSessionRow, asker: RefusalFacts['asker']): boolean {
  if (asker?.runnableFence === undefined || row.runnableFence === null) return false
  const { runnableType, runnableId } = asker.runnable
  return row.runnableType === runnableType && row.runnableId === runnableId && row.runnableFence < asker.runnableFence
}

/**
 * Why a session could not be taken, from one read made after the refusal. Null: nothing stands in the way any more
 * (its holder let go in between), so that the caller tries again.
 */
export function refusalOf(facts: RefusalFacts): SessionError | null {
  const { row, browserSessionId, now } = facts
  if (row === undefined || row.organizationId !== facts.organizationId) return new SessionNotFoundError(browserSessionId)
  const ended = (code: 'SESSION_ENDED' | 'SESSION_EXPIRED') =>
    new SessionEndedError(browserSessionId, { code, status: row.status, closeReason: row.closeReason })
  if (isFinalStatus(row.status)) return ended('SESSION_ENDED')
  if (row.hostId !== facts.hostId || !facts.isLiveHere) return new SessionHostUnavailableError(browserSessionId, row.hostId)
  // before its holder: it will not come free
  if (row.retiredAt !== null) return new SessionRetiredError(browserSessionId, `it was retired at ${row.retiredAt.toISOString()}`)
  if (isHeld(row, now, facts.leaseTtlMs) && !isOutrun(row, facts.asker)) return occupiedError(row)
  if (row.expiresAt !== null && row.expiresAt <= now) return ended('SESSION_EXPIRED')
  if (row.hostLeaseExpiresAt === null || row.hostLeaseExpiresAt <= now) return new SessionHostUnavailableError(browserSessionId, row.hostId)
  return null
}
