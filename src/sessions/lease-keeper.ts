import { LeaseLostError, SessionEndedError, SessionHostUnavailableError, StaleLeaseError } from '../errors/index.js'
import { raceAbort } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { type StoredEvent, storageNow, type Write } from '../storage/storage.js'
import type { Runnable } from './browser-session.js'
import type { LeaseHeartbeat } from './lease-heartbeat.js'
import { LeaseRecord } from './lease-record.js'
import { heldUnder, type LeaseTerms, leaseColumns, NO_LEASE, takeable } from './lease-terms.js'
import { occupiedError, refusalOf } from './occupy-refusal.js'
import type { ReleaseOutcome, SessionPoolSettings } from './options.js'
import type { SessionCloser } from './session-closer.js'
import type { SessionJournal } from './session-journal.js'
import { type LeaseActions, SessionLease } from './session-lease.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'

export interface OccupyRequest extends Runnable {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly requestId?: string | undefined
  readonly signal?: AbortSignal | undefined
}

/** Holders may change between a write and the read that explains its refusal; after so many the last one seen is named. */
const ATTEMPTS = 5

/** Gives leases and takes them back, each by one conditional write. */
export class LeaseKeeper implements LeaseActions {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #heartbeat: LeaseHeartbeat
  readonly #closer: SessionCloser

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly heartbeat: LeaseHeartbeat
    readonly closer: SessionCloser
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#heartbeat = parts.heartbeat
    this.#closer = parts.closer
  }

  async occupy(request: OccupyRequest): Promise<SessionLease> {
    const { browserSessionId, organizationId, signal } = request
    const launching = this.#registry.launching(browserSessionId)
    if (launching !== undefined) await raceAbort(launching.settled, signal)
    for (let attempt = 1; ; attempt += 1) {
      signal?.throwIfAborted()
      const live = this.#registry.live(browserSessionId)
      const isOurs = live !== undefined && live.organizationId === organizationId
      const lease = isOurs ? await this.#take(live, request) : null
      if (lease !== null) return lease
      const [row, now] = [await this.#settings.storage.get('browser_sessions', browserSessionId), await this.#settings.storage.now()]
      if (live !== undefined && row !== undefined && isOurs) {
        const again = this.#giveBack(live, row, now, request)
        if (again !== null) return again
        live.fence = Math.max(live.fence, row.leaseFence)
      }
      const { hostId, leaseTtlMs } = this.#settings
      const isLiveHere = isOurs && this.#registry.isLive(live)
      const refusal = refusalOf({ browserSessionId, organizationId, row, now, hostId, isLiveHere, leaseTtlMs })
      if (refusal !== null) throw refusal
      if (attempt >= ATTEMPTS) throw row === undefined ? new SessionHostUnavailableError(browserSessionId, null) : occupiedError(row)
    }
  }

  /** Terms of a new lease on a session whose last one had the fence `fence - 1`. */
  terms(runnable: Runnable, fence: number, requestId: string | undefined): LeaseTerms {
    const { hostId, leaseTtlMs, random } = this.#settings
    return { runnable, fence, requestId, hostId, leaseTtlMs, token: random.bytes(18).toString('base64url') }
  }

  /** The event that goes with the write of a lease. */
  occupiedEvent(live: Pick<LiveSession, 'browserSessionId' | 'organizationId'>, terms: LeaseTerms) {
    const payload = { browserSessionId: live.browserSessionId, ...terms.runnable, leaseFence: terms.fence }
    return this.#journal.event('session.occupied', live.organizationId, payload)
  }

  /** Makes the lease of a row that was just written; the session's former lease, should its holder not know yet, is lost. */
  grant(
    live: LiveSession,
    terms: Pick<LeaseTerms, 'runnable' | 'token' | 'fence'>,
    row: BrowserSessionRow,
    endsAtMs: number,
  ): SessionLease {
    live.lease?.lose(new LeaseLostError(live.browserSessionId, 'it lapsed and somebody else took the session'))
    const record = new LeaseRecord({
      runnable: terms.runnable,
      token: terms.token,
      fence: terms.fence,
      browser: live.browser,
      row,
      endsAtMs,
      onEnd: (ended) => {
        if (live.lease === ended) live.lease = undefined
      },
    })
    live.lease = record
    live.fence = Math.max(live.fence, terms.fence)
    this.#heartbeat.watch(record)
    return new SessionLease(record, this)
  }

  renew(record: LeaseRecord): Promise<void> {
    return this.#heartbeat.renew(record)
  }

  async release(record: LeaseRecord, outcome: ReleaseOutcome): Promise<void> {
    if (record.state === 'released') return
    record.isRenewed = false
    if (outcome !== 'ok' && record.state !== 'lost') {
      const { browserSessionId, organizationId } = record.row
      const reason = outcome === 'tainted' ? 'tainted' : 'probe_failed'
      await this.#closer.close({ browserSessionId, organizationId, reason, force: false, lease: record })
      return
    }
    const isRepeated = record.state === 'releasing' // an earlier write may have been applied although its answer was lost
    record.beginRelease()
    const result = await this.#journal.commit(this.#releaseBatch(record))
    if (result.ok || isRepeated) {
      record.endRelease(true)
      if (result.ok) this.#journal.emit(result.events)
      return
    }
    const { isOver } = record
    record.endRelease(false)
    if (isOver) return // its holder knows, and there is nothing to give back
    record.lose(new LeaseLostError(record.browserSessionId, 'its release was refused'))
    throw new StaleLeaseError(record.browserSessionId, record.fence)
  }

  releaseWrites(record: LeaseRecord): readonly Write[] {
    record.beginRelease()
    return record.state === 'releasing' ? this.#releaseBatch(record) : []
  }

  markReleased(record: LeaseRecord, committed: boolean, events: readonly StoredEvent[]): void {
    if (record.state !== 'releasing') return
    record.endRelease(committed)
    if (committed) this.#journal.emit([events])
  }

  /** Null: refused. */
  async #take(live: LiveSession, request: OccupyRequest): Promise<SessionLease | null> {
    const { browserSessionId, organizationId } = live
    const { runnableType, runnableId, requestId, signal } = request
    const terms = this.terms({ runnableType, runnableId }, live.fence + 1, requestId)
    const endsAtMs = this.#settings.clock.monotonicMs() + this.#settings.leaseTtlMs
    const result = await this.#journal.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: takeable({ ...terms, organizationId }),
        set: leaseColumns(terms),
      },
      this.#journal.append(browserSessionId, [this.occupiedEvent(live, terms)]),
    ])
    if (!result.ok) return null
    const row = result.rows[0]?.[0] as BrowserSessionRow
    if (!this.#registry.isLive(live)) {
      const ending = this.#registry.ending(browserSessionId)
      throw new SessionEndedError(browserSessionId, {
        code: 'SESSION_ENDED',
        status: ending?.status ?? 'failed',
        closeReason: ending?.closeReason ?? 'crashed',
      })
    }
    const lease = this.grant(live, terms, row, endsAtMs)
    this.#journal.emit(result.events)
    if (live.lease !== undefined) await this.#heartbeat.extend([live.lease]).catch(() => {}) // the next heartbeat does it
    if (signal?.aborted) {
      await lease.release().catch(() => {}) // lapses after its TTL
      throw signal.reason
    }
    return lease
  }

  /** The asker's own lease, when it holds the session already and asks with the same request id. */
  #giveBack(live: LiveSession, row: BrowserSessionRow, now: Date, request: OccupyRequest): SessionLease | null {
    const { runnableType, runnableId, requestId } = request
    const isOwn =
      requestId !== undefined &&
      row.leaseRequestId === requestId &&
      row.runnableType === runnableType &&
      row.runnableId === runnableId &&
      row.leaseHolder === this.#settings.hostId
    if (!isOwn || row.leaseToken === null || row.leaseExpiresAt === null || row.leaseExpiresAt <= now || !this.#registry.isLive(live))
      return null
    if (live.lease?.token === row.leaseToken) return new SessionLease(live.lease, this)
    // written by a commit whose answer was lost
    const endsAtMs = this.#settings.clock.monotonicMs() + (row.leaseExpiresAt.getTime() - now.getTime())
    return this.grant(live, { runnable: { runnableType, runnableId }, token: row.leaseToken, fence: row.leaseFence }, row, endsAtMs)
  }

  #releaseBatch(record: LeaseRecord): readonly Write[] {
    const { browserSessionId, organizationId } = record.row
    const payload = { browserSessionId, ...record.runnable, leaseFence: record.fence }
    return [
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: heldUnder(record),
        set: { ...NO_LEASE, lastActivityAt: storageNow(), modifiedAt: storageNow() },
      },
      this.#journal.append(browserSessionId, [this.#journal.event('session.released', organizationId, payload)]),
    ]
  }
}
