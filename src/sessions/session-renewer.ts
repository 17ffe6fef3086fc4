import { SessionNotFoundError, SessionNotRenewableError } from '../errors/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { type Storage, storageNow } from '../storage/storage.js'
import { type BrowserSession, toBrowserSession } from './browser-session.js'
import { renewalOf } from './renewal.js'
import type { SessionJournal } from './session-journal.js'

export interface RenewRequest {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly minutes?: number | undefined
}

/** Renewals may meet each other; after so many refusals the session is given back as it stands. */
const ATTEMPTS = 5

/** Puts the end of sessions off. */
export class SessionRenewer {
  readonly #storage: Storage
  readonly #maxLifetimeMinutes: number
  readonly #journal: SessionJournal

  constructor(parts: {
    readonly settings: { readonly storage: Storage; readonly maxLifetimeMinutes: number }
    readonly journal: SessionJournal
  }) {
    this.#storage = parts.settings.storage
    this.#maxLifetimeMinutes = parts.settings.maxLifetimeMinutes
    this.#journal = parts.journal
  }

  /**
   * The new end is worked out from a read, and written only if the session is still running, not past its end, and ends earlier than
   * that: so the latest of any number of renewals wins, whatever their order.
   */
  async renew(request: RenewRequest): Promise<BrowserSession> {
    const { organizationId, browserSessionId } = request
    for (let attempt = 1; ; attempt += 1) {
      const [row, now] = [await this.#storage.get('browser_sessions', browserSessionId), await this.#storage.now()]
      if (row === undefined || row.organizationId !== organizationId) throw new SessionNotFoundError(browserSessionId)
      const renewal = renewalOf(row, request.minutes, now, this.#maxLifetimeMinutes)
      if (renewal.kind === 'refused') throw new SessionNotRenewableError(browserSessionId, renewal.reason)
      if (renewal.kind === 'unchanged' || attempt > ATTEMPTS) return toBrowserSession(row)
      const { expiresAt } = renewal
      const result = await this.#journal.commit([
        {
          op: 'update',
          table: 'browser_sessions',
          id: browserSessionId,
          where: { organizationId, status: row.status, expiresAt: { gt: storageNow(), lt: expiresAt } },
          set: { expiresAt, modifiedAt: storageNow() },
        },
        this.#journal.append(browserSessionId, [
          this.#journal.event('session.renewed', organizationId, { browserSessionId, expiresAt: expiresAt.toISOString() }),
        ]),
      ])
      if (!result.ok) continue // it ended, or ends later by now: the next read tells
      this.#journal.emit(result.events)
      return toBrowserSession(result.rows[0]?.[0] as BrowserSessionRow)
    }
  }
}
