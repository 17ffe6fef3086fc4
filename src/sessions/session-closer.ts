import { LeaseLostError, SessionEndedError, SessionNotFoundError } from '../errors/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { storageNow, type Where } from '../storage/storage.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import { type BrowserSession, toBrowserSession } from './browser-session.js'
import type { LeaseRef } from './close-options.js'
import { commitFinal, type FinalWritesParams } from './final-writes.js'
import { leaseOn } from './lease-ending.js'
import type { LeaseRecord } from './lease-record.js'
import { heldUnder, isFree } from './lease-terms.js'
import { isHeld, occupiedError } from './occupy-refusal.js'
import type { SessionPoolSettings } from './options.js'
import type { SessionEnder } from './session-ender.js'
import type { SessionJournal } from './session-journal.js'
import type { SessionRegistry } from './session-registry.js'
import { isFinalStatus, statusFor } from './session-status.js'

export interface CloseRequest {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly reason: CloseReason
  readonly force: boolean
  readonly lease?: LeaseRef | undefined
}

/** Holders change between the write and the read that explains its refusal; after so many the last one seen is named. */
const ATTEMPTS = 5

/** Closes sessions: one conditional write, then what hangs on it. */
export class SessionCloser {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #ender: SessionEnder

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly ender: SessionEnder
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#ender = parts.ender
  }

  async close(request: CloseRequest): Promise<BrowserSession> {
    const { browserSessionId, organizationId, reason, force, lease } = request
    for (let attempt = 1; ; attempt += 1) {
      const held = this.#leaseOf(request)
      const own = lease !== undefined && held?.token === lease.token ? held : undefined
      if (force && held !== own) held?.lose(new LeaseLostError(browserSessionId, `the session is closed by force (${reason})`))
      own?.beginRelease()
      const where = force ? {} : { any: [...isFree(this.#settings.leaseTtlMs), ...(lease === undefined ? [] : [heldUnder(lease)])] }
      const row = await this.#write({
        browserSessionId,
        organizationId,
        closeReason: reason,
        where,
        lease: held,
      }).catch((error: unknown) => {
        own?.endRelease(false)
        throw error
      })
      own?.endRelease(row !== null)
      if (row !== null) return this.#follow(row)
      const [current, now] = [await this.#settings.storage.get('browser_sessions', browserSessionId), await this.#settings.storage.now()]
      if (current === undefined || current.organizationId !== organizationId) throw new SessionNotFoundError(browserSessionId)
      if (isFinalStatus(current.status)) return this.#follow(current)
      if (attempt >= ATTEMPTS || isHeld(current, now, this.#settings.leaseTtlMs)) throw occupiedError(current)
    }
  }

  /** Ends a session that is past its end, unless it was renewed or taken meanwhile; resolves to whether it was. Its browser follows. */
  expire(row: BrowserSessionRow): Promise<boolean> {
    return this.endWhere(row, 'expired', { expiresAt: { lt: storageNow() }, any: isFree(this.#settings.leaseTtlMs) })
  }

  /** Ends a session if it still meets the condition; resolves to whether it did. Its browser follows. */
  async endWhere(row: BrowserSessionRow, closeReason: CloseReason, where: Where<BrowserSessionRow>): Promise<boolean> {
    const { browserSessionId, organizationId } = row
    return (await this.#write({ browserSessionId, organizationId, closeReason, where, lease: leaseOn(row) })) !== null
  }

  /** Ends a session whose host is dead. */
  async orphan(row: BrowserSessionRow, hostLeaseEndedBeforeMs: number): Promise<boolean> {
    return this.endWhere(row, 'orphan', { hostLeaseExpiresAt: { lt: storageNow({ plusMs: -hostLeaseEndedBeforeMs }) } })
  }

  #leaseOf(request: CloseRequest): LeaseRecord | undefined {
    const live = this.#registry.live(request.browserSessionId)
    return live?.organizationId === request.organizationId ? live.lease : undefined
  }

  /** Writes the row final; null: refused. */
  async #write(params: Omit<FinalWritesParams, 'status'>): Promise<BrowserSessionRow | null> {
    const parts = { storage: this.#settings.storage, journal: this.#journal }
    const result = await commitFinal(parts, { ...params, status: statusFor(params.closeReason) })
    if (!result.ok) return null
    this.#leaveLiveSet(result.rows[0]?.[0] as BrowserSessionRow)
    this.#journal.emit(result.events)
    return result.rows[0]?.[0] as BrowserSessionRow
  }

  #leaveLiveSet(row: BrowserSessionRow): void {
    const { browserSessionId, closeReason, status } = row
    const live = this.#registry.live(browserSessionId)
    if (live !== undefined && isFinalStatus(status)) {
      this.#ender.end(live, {
        status,
        closeReason: closeReason ?? 'user',
        isRowFinal: true,
        isClean: true,
        leaseReason: new LeaseLostError(browserSessionId, `the session was closed (${closeReason})`),
      })
    }
    const ended = new SessionEndedError(browserSessionId, { code: 'SESSION_ENDED', status, closeReason })
    this.#registry.launching(browserSessionId)?.abort(ended)
  }

  /** Waits until nothing of an ended session is left in this process. */
  async #follow(row: BrowserSessionRow): Promise<BrowserSession> {
    this.#leaveLiveSet(row)
    await this.#registry.launching(row.browserSessionId)?.settled
    await this.#registry.ending(row.browserSessionId)?.done
    const last = await this.#settings.storage.get('browser_sessions', row.browserSessionId) // its display was cleared meanwhile
    return toBrowserSession(last ?? row)
  }
}
