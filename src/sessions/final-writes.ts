import type { BrowserSessionRow } from '../storage/schema.js'
import { storageNow, type Where, type Write } from '../storage/storage.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import type { Runnable } from './browser-session.js'
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
  /** The lease that ends with it. */
  readonly lease?: { readonly runnable: Runnable; readonly fence: number } | undefined
}

/** The one conditional write that ends a session, and its events. */
export function finalWrites(journal: SessionJournal, params: FinalWritesParams): readonly Write[] {
  const { browserSessionId, organizationId, status, closeReason, lossReason, lease } = params
  const events = [journal.event('session.closed', organizationId, { browserSessionId, status, closeReason })]
  if (lease !== undefined) {
    const payload = { browserSessionId, ...lease.runnable, leaseFence: lease.fence }
    events.unshift(journal.event('session.released', organizationId, payload))
  }
  if (lossReason != null) events.unshift(journal.event('session.lost', organizationId, { browserSessionId, reason: lossReason }))
  return [
    {
      op: 'update',
      table: 'browser_sessions',
      id: browserSessionId,
      where: { organizationId, status: { in: statusesBefore(status) }, ...params.where },
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
