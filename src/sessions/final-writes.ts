import type { BrowserSessionRow } from '../storage/schema.js'
import { type CommitResult, type Storage, storageNow, type Where, type Write } from '../storage/storage.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import { carries, commitEndingLease, type RowLease, releasedEvents } from './lease-ending.js'
import { NO_LEASE } from './lease-terms.js'
import type { SessionJournal } from './session-journal.js'
import { type FinalSessionStatus, statusesBefore } from './session-status.js'

export interface FinalWritesParams {
  readonly browserSessionId: string
  readonly organizationId: string
  readonly status: FinalSessionStatus
  readonly closeReason: CloseReason
  /** Further conditions: who may end it, and when. */
  readonly where?: Where<BrowserSessionRow>
  /** Why the browser was lost. */
  readonly lossReason?: string | null
  /** The lease that ends with it, as far as is known: that of the row counts. */
  readonly lease?: RowLease | undefined
}

/** Ends a session by one conditional write, which tells the end of its lease too, if it has one. */
export function commitFinal(
  parts: { readonly storage: Storage; readonly journal: SessionJournal },
  params: FinalWritesParams,
): Promise<CommitResult> {
  return commitEndingLease(parts, { ...params, lease: params.lease, writes: (present) => finalWrites(parts.journal, params, present) })
}

function finalWrites(journal: SessionJournal, params: FinalWritesParams, lease: RowLease | undefined): readonly Write[] {
  const { browserSessionId, organizationId, status, closeReason, lossReason } = params
  const events = [
    ...(lossReason == null ? [] : [journal.event('session.lost', organizationId, { browserSessionId, reason: lossReason })]),
    ...releasedEvents(journal, params, lease),
    journal.event('session.closed', organizationId, { browserSessionId, status, closeReason }),
  ]
  return [
    {
      op: 'update',
      table: 'browser_sessions',
      id: browserSessionId,
      where: { organizationId, status: { in: statusesBefore(status) }, ...params.where, ...carries(lease) },
      set: {
        ...NO_LEASE,
        organizationSlot: null,
        status,
        closeReason,
        // the display of a live host is cleared by its supervisor when it has stopped; a dead host's by whoever ends its session
        ...(closeReason === 'orphan' ? { displayNumber: null, displayDir: null, vncPort: null } : {}),
        completedAt: storageNow(),
        modifiedAt: storageNow(),
      },
    },
    journal.append(browserSessionId, events),
  ]
}
