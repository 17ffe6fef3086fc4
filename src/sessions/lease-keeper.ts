import {
  LeaseLostError,
  SessionEndedError,
  SessionHostUnavailableError,
  SessionOccupiedError,
  SessionRetiredError,
  StaleLeaseError,
} from '../errors/index.js'
import { raceAbort } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import type { StoredEvent, Write } from '../storage/storage.js'
import type { Runnable } from './browser-session.js'
import type { Checkout } from './checkout.js'
import { givenBack } from './idle-clock.js'
import { carries, leaseOn, type RowLease, releasedEvents } from './lease-ending.js'
import type { LeaseHeartbeat } from './lease-heartbeat.js'
import { LeaseRecord } from './lease-record.js'
import { heldUnder, type LeaseTerms, leaseColumns, takeable } from './lease-terms.js'
import { occupiedError, refusalOf } from './occupy-refusal.js'
import type { SessionPoolSettings } from './options.js'
import type { PoolGate } from './pool-gate.js'
import type { NetworkPolicy } from './ports.js'
import type { ReleaseOutcome } from './release-options.js'
import type { SessionCloser } from './session-closer.js'
import type { SessionJournal } from './session-journal.js'
import { type LeaseActions, SessionLease } from './session-lease.js'
import type { SessionNetworks } from './session-network.js'
import type { SessionRecycler } from './session-recycler.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import type { SanitizeOptions, SessionSanitizer } from './session-sanitizer.js'

export interface OccupyRequest extends Runnable {
  readonly organizationId: string
  readonly browserSessionId: string
  readonly requestId?: string | undefined
  readonly runnableFence?: number | undefined
  readonly networkPolicy?: NetworkPolicy | undefined
  readonly signal?: AbortSignal | undefined
}

type GrantedTerms = Pick<LeaseTerms, 'runnable' | 'token' | 'fence'>

/** Holders may change between a write and the read that explains its refusal; after so many the last one seen is named. */
const ATTEMPTS = 5

/** Gives leases and takes them back, each by one conditional write. */
export class LeaseKeeper implements LeaseActions {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #heartbeat: LeaseHeartbeat
  readonly #closer: SessionCloser
  readonly #networks: SessionNetworks
  readonly #gate: PoolGate
  readonly #checkout: Checkout
  readonly #recycler: SessionRecycler
  readonly #sanitizer: SessionSanitizer
  /** Leases whose session is being sanitised before it is given back. */
  readonly #cleaning = new Map<LeaseRecord, Promise<void>>()
  /** Writes that were last given out for a commit of the holder's own. */
  readonly #given = new WeakMap<LeaseRecord, readonly Write[]>()

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly heartbeat: LeaseHeartbeat
    readonly closer: SessionCloser
    readonly networks: SessionNetworks
    readonly gate: PoolGate
    readonly checkout: Checkout
    readonly recycler: SessionRecycler
    readonly sanitizer: SessionSanitizer
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#heartbeat = parts.heartbeat
    this.#closer = parts.closer
    this.#networks = parts.networks
    this.#gate = parts.gate
    this.#checkout = parts.checkout
    this.#recycler = parts.recycler
    this.#sanitizer = parts.sanitizer
  }

  async occupy(request: OccupyRequest): Promise<SessionLease> {
    const { browserSessionId, organizationId, signal } = request
    let former: RowLease | undefined // lapsed, or its runnable's own of before
    for (let attempt = 1; ; attempt += 1) {
      const launching = this.#registry.launching(browserSessionId) // or its browser is being replaced
      if (launching !== undefined) await raceAbort(launching.settled, signal)
      signal?.throwIfAborted()
      this.#gate.assertOpen()
      const live = this.#registry.live(browserSessionId)
      const isOurs = live !== undefined && live.organizationId === organizationId
      if (isOurs) this.#networks.assertEnforceable(live, request.networkPolicy)
      const isFit = isOurs && live.life.unfit === null
      const lease = isFit ? await this.#take(live, request, former) : null
      if (lease !== null) return lease
      if (isFit && attempt < ATTEMPTS && this.#registry.launching(browserSessionId) !== undefined) continue
      const [row, now] = [await this.#settings.storage.get('browser_sessions', browserSessionId), await this.#settings.storage.now()]
      if (live !== undefined && row !== undefined && isOurs) {
        const again = this.#giveBack(live, row, now, request)
        if (again !== null) return this.#inForce(live, again, request)
        live.fence = Math.max(live.fence, row.leaseFence)
      }
      const { hostId, leaseTtlMs } = this.#settings
      const isLiveHere = isOurs && this.#registry.isLive(live)
      const asker = { runnable: request, runnableFence: request.runnableFence }
      const refusal = refusalOf({ browserSessionId, organizationId, row, now, hostId, isLiveHere, leaseTtlMs, asker })
      if (refusal !== null && !(isOurs && !isFit && SessionOccupiedError.is(refusal))) throw refusal
      if (isOurs && !isFit) throw new SessionRetiredError(browserSessionId, `it is being ended (${live.life.unfit})`)
      if (row === undefined) throw new SessionHostUnavailableError(browserSessionId, null)
      if (attempt >= ATTEMPTS) throw occupiedError(row)
      former = leaseOn(row)
    }
  }

  /** Terms of a new lease on a session whose last one had the fence `fence - 1`. */
  terms(runnable: Runnable, fence: number, asked: Pick<OccupyRequest, 'requestId' | 'runnableFence'>): LeaseTerms {
    const { hostId, leaseTtlMs, random } = this.#settings
    const { requestId, runnableFence } = asked
    return { runnable, runnableFence, fence, requestId, hostId, leaseTtlMs, token: random.bytes(18).toString('base64url') }
  }

  /** The event that goes with the write of a lease. */
  occupiedEvent(live: Pick<LiveSession, 'browserSessionId' | 'organizationId'>, terms: LeaseTerms) {
    const payload = { browserSessionId: live.browserSessionId, ...terms.runnable, leaseFence: terms.fence }
    return this.#journal.event('session.occupied', live.organizationId, payload)
  }

  /** Makes the lease of a row that was just written; the session's former lease, should its holder not know yet, is lost. */
  grant(live: LiveSession, terms: GrantedTerms, row: BrowserSessionRow, endsAtMs: number): SessionLease {
    return new SessionLease(this.#begin(live, terms, row, endsAtMs), this)
  }

  #begin(live: LiveSession, { runnable, token, fence }: GrantedTerms, row: BrowserSessionRow, endsAtMs: number): LeaseRecord {
    live.lease?.lose(new LeaseLostError(live.browserSessionId, 'it lapsed, and the session was taken anew'))
    const onEnd = (ended: LeaseRecord) => {
      if (live.lease === ended) live.lease = undefined
      this.#networks.end(live)
      this.#recycler.leaseEnded(live)
      this.#registry.changed()
    }
    const record = new LeaseRecord({ runnable, token, fence, browser: live.browser, row, endsAtMs, onEnd })
    live.lease = record
    live.fence = Math.max(live.fence, fence)
    this.#heartbeat.watch(record)
    return record
  }

  renew(record: LeaseRecord): Promise<void> {
    return this.#heartbeat.renew(record)
  }

  async release(record: LeaseRecord, outcome: ReleaseOutcome, sanitize?: SanitizeOptions): Promise<void> {
    if (record.state === 'released') return
    const pending = this.#cleaning.get(record)
    if (pending !== undefined) return pending
    const live = this.#registry.live(record.browserSessionId)
    if (outcome !== 'ok' || sanitize === undefined || record.state !== 'held' || live === undefined) return this.#release(record, outcome)
    const cleaning = this.#releaseClean(live, record, sanitize).finally(() => this.#cleaning.delete(record))
    this.#cleaning.set(record, cleaning)
    return cleaning
  }

  /** The lease is kept while the session is sanitised, so that the next holder comes after; what cannot be sanitised is tainted. */
  async #releaseClean(live: LiveSession, record: LeaseRecord, sanitize: SanitizeOptions): Promise<void> {
    const { life, browser, browserSessionId } = live
    let outcome: ReleaseOutcome = 'ok'
    life.isUnclean = true
    const takesProfile = sanitize.cookies === true || sanitize.storage === true
    if (takesProfile && life.start !== null) life.start = { ...life.start, browserProfileId: undefined } // a relaunch must not bring it back
    try {
      await this.#sanitizer.clean(browser, sanitize)
    } catch (error) {
      this.#settings.logger.warn('a session could not be sanitised and is closed', { browserSessionId, error })
      outcome = 'tainted'
    }
    life.isUnclean = false
    return this.#release(record, outcome)
  }

  async #release(record: LeaseRecord, outcome: ReleaseOutcome): Promise<void> {
    record.isRenewed = false
    if (outcome !== 'ok' && record.state !== 'lost') {
      const { browserSessionId, organizationId } = record.row
      const reason = outcome === 'tainted' ? 'tainted' : 'probe_failed'
      await this.#closer.close({ browserSessionId, organizationId, reason, force: false, lease: record })
      return
    }
    const isRepeated = record.state === 'releasing' // an earlier write may have been applied although its answer was lost
    this.#beginRelease(record)
    const result = await this.#journal.commit(this.#releaseBatch(record)).catch((error: unknown) => {
      record.releaseUnanswered()
      throw error
    })
    if (result.ok || isRepeated) {
      const live = this.#registry.live(record.browserSessionId)
      const row = result.ok ? (result.rows[0]?.[0] as BrowserSessionRow | undefined) : undefined
      if (live !== undefined && row !== undefined && row.retiredAt !== null) live.life.unfit ??= 'drained' // by another host, perhaps
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
    if (this.#cleaning.has(record)) return [] // it is being released
    this.#beginRelease(record)
    const writes = record.state === 'releasing' ? this.#releaseBatch(record) : []
    this.#given.set(record, writes)
    return writes
  }

  markReleased(record: LeaseRecord, committed: boolean, events: readonly StoredEvent[]): void {
    if (record.state !== 'releasing') return
    record.endRelease(committed)
    if (committed) this.#journal.emit([events])
    else this.#journal.unanswered(this.#given.get(record) ?? []) // refused, or its answer was lost
  }

  /** Null: refused. */
  async #take(live: LiveSession, request: OccupyRequest, former: RowLease | undefined): Promise<SessionLease | null> {
    const { browserSessionId, organizationId } = live
    const { runnableType, runnableId, signal } = request
    const terms = this.terms({ runnableType, runnableId }, live.fence + 1, request)
    const endsAtMs = this.#settings.clock.monotonicMs() + this.#settings.leaseTtlMs
    const result = await this.#journal.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: Object.assign(takeable(terms, organizationId), carries(former)), // not two spreads, see givenBack
        set: leaseColumns(terms),
      },
      this.#journal.append(browserSessionId, [...releasedEvents(this.#journal, live, former), this.occupiedEvent(live, terms)]),
    ])
    if (!result.ok) return null
    const row = result.rows[0]?.[0] as BrowserSessionRow
    if (!this.#registry.isLive(live)) {
      this.#journal.emit(result.events) // its end follows
      return this.#lost(browserSessionId)
    }
    const record = this.#begin(live, terms, row, endsAtMs)
    const lease = new SessionLease(record, this)
    const probing = this.#checkout.begin(live)
    const isInForce = this.#inForce(live, lease, request)
    isInForce.catch(() => {}) // awaited below
    this.#journal.emit(result.events)
    if (live.lease !== undefined) await this.#heartbeat.extend([live.lease]).catch(() => {}) // the next heartbeat does it
    await isInForce
    const isFit = await this.#checkout.finish(live, record, probing)
    if (!isFit || !this.#registry.isLive(live)) return this.#lost(browserSessionId)
    if (record.state === 'lost') throw record.signal.reason // taken away before it was given
    if (signal?.aborted) {
      await lease.release().catch(() => {}) // lapses after its TTL
      throw signal.reason
    }
    return lease
  }

  /** Its browser is gone: null where it is being replaced. */
  #lost(browserSessionId: string): null {
    if (this.#registry.launching(browserSessionId) !== undefined) return null
    const { status = 'failed', closeReason = 'crashed' } = this.#registry.ending(browserSessionId) ?? {}
    throw new SessionEndedError(browserSessionId, { code: 'SESSION_ENDED', status, closeReason })
  }

  /** The lease, once its policy holds; what cannot be held to it is given back. */
  async #inForce(live: LiveSession, lease: SessionLease, { networkPolicy }: OccupyRequest): Promise<SessionLease> {
    try {
      await this.#networks.begin(live, networkPolicy)
      return lease
    } catch (error) {
      await lease.release().catch(() => {}) // lapses after its TTL
      throw error
    }
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

  #beginRelease(record: LeaseRecord): void {
    const live = this.#registry.live(record.browserSessionId)
    if (live?.lease === record) this.#recycler.leaseEnding(live)
    record.beginRelease()
  }

  #releaseBatch(record: LeaseRecord): readonly Write[] {
    const { browserSessionId, organizationId } = record.row
    return [
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: heldUnder(record),
        set: givenBack(record.row.idleTimeoutMinutes),
      },
      this.#journal.append(browserSessionId, releasedEvents(this.#journal, { browserSessionId, organizationId }, record)),
    ]
  }
}
