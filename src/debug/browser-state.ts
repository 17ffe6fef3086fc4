import {
  SessionEndedError,
  type SessionError,
  SessionHostUnavailableError,
  SessionNotFoundError,
  SessionOccupiedError,
  SessionRetiredError,
} from '../errors/index.js'
import type { BrowserSessionRow } from '../storage/index.js'

type Facts = BrowserSessionRow | undefined

/** Statuses of a browser session that has not ended. */
export const LIVE_STATUSES = ['created', 'running', 'retry'] as const

export const isLive = (row: Facts): row is BrowserSessionRow => LIVE_STATUSES.some((status) => status === row?.status)

/**
 * Why blocks cannot be run on a browser any more, from a read of its row at `now`; null: nothing is known that stands in the way. A
 * detached browser without a host counts as lost: it may be adopted, or not. Pure.
 */
export function lossOf(row: Facts, browserSessionId: string, now: Date): SessionError | null {
  if (row === undefined) return new SessionNotFoundError(browserSessionId)
  const { status, closeReason, retiredAt, expiresAt, hostId, hostLeaseExpiresAt } = row
  if (!isLive(row)) return new SessionEndedError(browserSessionId, { code: 'SESSION_ENDED', status, closeReason })
  if (retiredAt !== null) return new SessionRetiredError(browserSessionId, `it was retired at ${retiredAt.toISOString()}`)
  if (hostLeaseExpiresAt === null || hostLeaseExpiresAt <= now) return new SessionHostUnavailableError(browserSessionId, hostId)
  if (expiresAt !== null && expiresAt <= now)
    return new SessionEndedError(browserSessionId, { code: 'SESSION_EXPIRED', status, closeReason })
  return null
}

/** Who holds a browser at `now`, as the error of whoever wants it; null: nobody. Pure. */
export function holderOf(row: Facts, now: Date): SessionOccupiedError | null {
  if (row === undefined || row.leaseToken === null || row.leaseExpiresAt === null || row.leaseExpiresAt <= now) return null
  const holder = { runnableType: row.runnableType ?? 'unknown', runnableId: row.runnableId ?? 'unknown', leaseHolder: row.leaseHolder }
  return new SessionOccupiedError(row.browserSessionId, holder, row.leaseSince, row.leaseExpiresAt)
}
