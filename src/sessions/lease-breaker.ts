import { LeaseLostError, SessionNotFoundError } from '../errors/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { type Storage, storageNow } from '../storage/storage.js'
import { type BrowserSession, toBrowserSession } from './browser-session.js'
import { idleFromNow } from './idle-clock.js'
import { heldUnder, NO_LEASE } from './lease-terms.js'
import type { SessionJournal } from './session-journal.js'
import type { SessionRegistry } from './session-registry.js'

/** Holders may change between the read and the write; after so many the session is given back as it stands. */
const ATTEMPTS = 5

/** Ends leases against their holders' will. */
export class LeaseBreaker {
  readonly #storage: Storage
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal

  constructor(parts: {
    readonly settings: { readonly storage: Storage }
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
  }) {
    this.#storage = parts.settings.storage
    this.#registry = parts.registry
    this.#journal = parts.journal
  }

  /**
   * Ends the lease that is there at the call: a holder of this process hears of it before the write, so that it stops first; one of
   * another process at its next heartbeat, and its fence is refused from the write on.
   */
  async break(organizationId: string, browserSessionId: string): Promise<BrowserSession> {
    let token: string | undefined
    for (let attempt = 1; ; attempt += 1) {
      const row = await this.#storage.get('browser_sessions', browserSessionId)
      if (row === undefined || row.organizationId !== organizationId) throw new SessionNotFoundError(browserSessionId)
      token ??= row.leaseToken ?? undefined
      if (row.leaseToken === null || row.leaseToken !== token || attempt > ATTEMPTS) return toBrowserSession(row)
      const lease = this.#registry.live(browserSessionId)?.lease
      if (lease?.token === token) lease.lose(new LeaseLostError(browserSessionId, 'it was ended by force'))
      const freed = await this.#free(row)
      if (freed !== null) return toBrowserSession(freed)
    }
  }

  async #free(row: BrowserSessionRow): Promise<BrowserSessionRow | null> {
    const { organizationId, browserSessionId, leaseFence, idleTimeoutMinutes } = row
    const payload = { browserSessionId, runnableType: row.runnableType ?? '', runnableId: row.runnableId ?? '', leaseFence }
    const result = await this.#journal.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: heldUnder({ token: row.leaseToken ?? '', fence: leaseFence }),
        set: { ...NO_LEASE, ...idleFromNow(idleTimeoutMinutes), lastActivityAt: storageNow(), modifiedAt: storageNow() },
      },
      this.#journal.append(browserSessionId, [this.#journal.event('session.released', organizationId, payload)]),
    ])
    if (!result.ok) return null
    this.#journal.emit(result.events)
    return result.rows[0]?.[0] as BrowserSessionRow
  }
}
