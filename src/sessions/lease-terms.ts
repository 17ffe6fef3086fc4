import type { BrowserSessionRow } from '../storage/schema.js'
import { type Changes, increment, storageNow, type Where } from '../storage/storage.js'
import type { Runnable } from './browser-session.js'

type SessionWhere = Where<BrowserSessionRow>
type SessionChanges = Changes<BrowserSessionRow>

/** How long after its end a lease still keeps others out: a holder whose clock runs slow has stopped by then. */
export function graceMs(leaseTtlMs: number): number {
  return Math.max(2_000, leaseTtlMs / 10)
}

/** Nobody holds the session: no lease, or one that lapsed more than the grace ago. */
export function isFree(leaseTtlMs: number): readonly SessionWhere[] {
  return [{ leaseToken: null }, { leaseExpiresAt: { lt: storageNow({ plusMs: -graceMs(leaseTtlMs) }) } }]
}

/** The columns of a session that nobody holds. */
export const NO_LEASE = {
  runnableType: null,
  runnableId: null,
  runnableFence: null,
  leaseToken: null,
  leaseHolder: null,
  leaseRequestId: null,
  leaseSince: null,
  leaseExpiresAt: null,
} as const satisfies SessionChanges

export interface LeaseTerms {
  readonly runnable: Runnable
  /** Fence of the runnable's own lease; undefined: it has none. */
  readonly runnableFence?: number | undefined
  readonly token: string
  readonly fence: number
  readonly hostId: string
  readonly requestId: string | undefined
  readonly leaseTtlMs: number
}

/** The columns of a session that is taken under these terms. */
export function leaseColumns(terms: LeaseTerms): SessionChanges {
  return {
    runnableType: terms.runnable.runnableType,
    runnableId: terms.runnable.runnableId,
    runnableFence: terms.runnableFence ?? null,
    idleExpiresAt: null,
    leaseToken: terms.token,
    leaseFence: terms.fence,
    leaseHolder: terms.hostId,
    leaseRequestId: terms.requestId ?? null,
    leaseSince: storageNow(),
    leaseExpiresAt: storageNow({ plusMs: terms.leaseTtlMs }),
    uses: increment(),
    modifiedAt: storageNow(),
  }
}

/** The columns of a holder that the same runnable takes over from at once: it runs under an older fence, so that this one is dead. */
export function isOutrunBy({ runnable, runnableFence }: Pick<LeaseTerms, 'runnable' | 'runnableFence'>): readonly SessionWhere[] {
  return runnableFence === undefined ? [] : [{ ...runnable, runnableFence: { lt: runnableFence } }]
}

/**
 * What must hold of a row for it to be taken: alive, not retired, not expired, this host's, its host alive, free (or held by the same
 * runnable under an older fence), and not taken since `fence - 1`.
 */
export function takeable(terms: LeaseTerms, organizationId: string): SessionWhere {
  const now = { gt: storageNow() }
  return {
    organizationId,
    status: 'running',
    expiresAt: now,
    hostId: terms.hostId,
    hostLeaseExpiresAt: now,
    leaseFence: terms.fence - 1,
    retiredAt: null,
    any: isFree(terms.leaseTtlMs).concat(isOutrunBy(terms)),
  }
}

/** The row still carries this very lease. */
export function heldUnder(lease: { readonly token: string; readonly fence: number }): SessionWhere {
  return { leaseToken: lease.token, leaseFence: lease.fence }
}
