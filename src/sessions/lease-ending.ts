import { SessionOccupiedError } from '../errors/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import type { CommitResult, NewEvent, Storage, Where, Write } from '../storage/storage.js'
import type { Runnable } from './browser-session.js'
import { heldUnder } from './lease-terms.js'
import type { SessionJournal } from './session-journal.js'
import { isFinalStatus } from './session-status.js'

/** A lease as the row of its session has it. */
export interface RowLease {
  readonly runnable: Runnable
  readonly token: string
  readonly fence: number
}

/** Holders change between the write and the read that explains its refusal; after so many the last one seen is named. */
const ATTEMPTS = 5

/** The lease that a row carries, lapsed or not; undefined: none. Pure. */
export function leaseOn(row: BrowserSessionRow): RowLease | undefined {
  const { leaseToken: token, leaseFence: fence, runnableType, runnableId } = row
  return token === null ? undefined : { token, fence, runnable: { runnableType: runnableType ?? '', runnableId: runnableId ?? '' } }
}

/** The row carries this very lease; or, without one, none at all. Pure. */
export function carries(lease: RowLease | undefined): Where<BrowserSessionRow> {
  return lease === undefined ? { leaseToken: null } : heldUnder(lease)
}

/** The news that a lease is over; none where there was none. */
export function releasedEvents(
  journal: SessionJournal,
  session: { readonly browserSessionId: string; readonly organizationId: string },
  lease: RowLease | undefined,
): readonly NewEvent[] {
  if (lease === undefined) return []
  const { browserSessionId, organizationId } = session
  return [journal.event('session.released', organizationId, { browserSessionId, ...lease.runnable, leaseFence: lease.fence })]
}

/**
 * Commits writes that take a session's lease away, whoever holds it. What this host takes to be the lease may have ended long ago, by
 * another host or by a commit whose answer was lost: the writes have to test `carries(lease)`, and are made anew with the lease that the
 * row carries if it is another. So the end of each lease is told once.
 * @param params.lease - what the row is thought to carry
 */
export async function commitEndingLease(
  parts: { readonly storage: Storage; readonly journal: SessionJournal },
  params: {
    readonly browserSessionId: string
    readonly organizationId: string
    readonly lease: RowLease | undefined
    readonly writes: (lease: RowLease | undefined) => readonly Write[]
  },
): Promise<CommitResult> {
  const { browserSessionId, writes } = params
  let { lease } = params
  for (let attempt = 1; ; attempt += 1) {
    const result = await parts.journal.commit(writes(lease))
    if (result.ok) return result
    const row = await parts.storage.get('browser_sessions', browserSessionId)
    if (row === undefined || row.organizationId !== params.organizationId || isFinalStatus(row.status)) return result
    const present = leaseOn(row)
    // something else was in the way; but where no lease is seen, one may have been there at the write and be over since
    if (present?.token === lease?.token && (present !== undefined || attempt >= ATTEMPTS)) return result
    if (attempt >= ATTEMPTS) throw contended(row)
    lease = present
  }
}

function contended(row: BrowserSessionRow): SessionOccupiedError {
  const { browserSessionId, leaseSince, leaseExpiresAt, leaseHolder } = row
  const holder = { runnableType: row.runnableType ?? 'unknown', runnableId: row.runnableId ?? 'unknown', leaseHolder }
  return new SessionOccupiedError(browserSessionId, holder, leaseSince, leaseExpiresAt)
}
