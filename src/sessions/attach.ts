import {
  BrowserLaunchError,
  LeaseLostError,
  ScopeNotEnforceableError,
  SessionCrashedError,
  SessionHostUnavailableError,
  SessionNotAttachableError,
  TimeoutError,
} from '../errors/index.js'
import { withDeadline } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { type StoredEvent, storageNow, type Write } from '../storage/storage.js'
import { idleFromNow } from './idle-clock.js'
import { carries, leaseOn, releasedEvents } from './lease-ending.js'
import type { LeaseHeartbeat } from './lease-heartbeat.js'
import type { LeaseKeeper, OccupyRequest } from './lease-keeper.js'
import { LeaseRecord } from './lease-record.js'
import { heldUnder, type LeaseTerms, leaseColumns, NO_LEASE, takeable } from './lease-terms.js'
import { occupiedError, refusalOf } from './occupy-refusal.js'
import type { SessionPoolSettings } from './options.js'
import type { BrowserHandle, ConnectSpec } from './ports.js'
import type { ReleaseOutcome } from './release-options.js'
import type { SessionCloser } from './session-closer.js'
import { createSessionDirectory, type SessionDirectory } from './session-directory.js'
import type { SessionJournal } from './session-journal.js'
import { type LeaseActions, SessionLease } from './session-lease.js'
import type { NetworkedSession, SessionNetworks } from './session-network.js'
import type { SessionRegistry } from './session-registry.js'
import type { SanitizeOptions } from './session-sanitizer.js'

export interface AttachParts {
  readonly settings: SessionPoolSettings
  readonly registry: SessionRegistry
  readonly journal: SessionJournal
  readonly networks: SessionNetworks
  readonly keeper: LeaseKeeper
  readonly heartbeat: LeaseHeartbeat
  readonly closer: SessionCloser
}

interface Attachment {
  readonly record: LeaseRecord
  /** Hangs up and removes the folder; settles, never rejects. */
  end(): Promise<void>
}

interface Taken {
  readonly row: BrowserSessionRow
  readonly terms: LeaseTerms
  readonly endsAtMs: number
  readonly events: readonly (readonly StoredEvent[])[]
}

/** Holders may change between a write and the read that explains its refusal. */
const ATTEMPTS = 5
/** Time that a driver has, after its own limit, to say so. */
const CONNECT_GRACE_MS = 1_000
const LOOPBACK = /^(127\.\d+\.\d+\.\d+|localhost|\[::1\])$/

/** Gives leases on browsers of other hosts, and connects to those through their DevTools. The owner stays who ends the browser. */
export class SessionAttacher implements LeaseActions {
  readonly #parts: AttachParts
  readonly #attachments = new Map<LeaseRecord, Attachment>()

  constructor(parts: AttachParts) {
    this.#parts = parts
  }

  /** Whether its browser is this host's own. */
  isOurs({ browserSessionId }: Pick<OccupyRequest, 'browserSessionId'>): boolean {
    const { registry } = this.#parts
    return registry.live(browserSessionId) !== undefined || registry.launching(browserSessionId) !== undefined
  }

  async attach(request: OccupyRequest): Promise<SessionLease> {
    const taken = await this.#take(request)
    if ('record' in taken) return new SessionLease(taken.record, this)
    this.#loseFormer(taken)
    this.#parts.journal.emit(taken.events)
    let attachment: Attachment
    try {
      attachment = await this.#connect(taken, request)
    } catch (error) {
      const freed = await this.#parts.journal.commit(this.#freeing(taken)).catch(() => null) // lapses after its TTL
      if (freed?.ok) this.#parts.journal.emit(freed.events)
      throw error
    }
    await this.#confirm(attachment)
    return new SessionLease(attachment.record, this)
  }

  /** The session's former lease, should its holder on this host not know yet, is lost. */
  #loseFormer({ row: { browserSessionId }, terms }: Taken): void {
    for (const { record } of this.#attachments.values()) {
      if (record.browserSessionId !== browserSessionId || record.fence >= terms.fence) continue
      record.lose(new LeaseLostError(browserSessionId, 'it lapsed, and the session was taken anew'))
    }
  }

  /** Connecting takes its time: whoever was given the session meanwhile has it. */
  async #confirm({ record, end }: Attachment): Promise<void> {
    try {
      await this.renew(record)
      if (record.signal.aborted) throw record.signal.reason
    } catch (error) {
      await this.release(record, 'ok').catch(() => {}) // lapses after its TTL
      await end()
      throw error
    }
  }

  /** Leases end, browsers are let go of; those sessions are free at once. */
  async stop(): Promise<void> {
    const { journal, keeper } = this.#parts
    await Promise.all(
      [...this.#attachments.values()].map(async ({ record, end }) => {
        const writes = keeper.releaseWrites(record)
        const result = writes.length === 0 ? null : await journal.commit(writes).catch(() => null) // lapses after its TTL
        record.endRelease(false) // its holder is told that it stops
        record.lose(new LeaseLostError(record.browserSessionId, 'the pool stops'))
        if (result?.ok) journal.emit(result.events)
        await end()
      }),
    )
  }

  renew(record: LeaseRecord): Promise<void> {
    return this.#parts.heartbeat.renew(record)
  }

  /** What is to be sanitised and cannot be from here is closed as tainted: the owner ends it with its next heartbeat. */
  async release(record: LeaseRecord, outcome: ReleaseOutcome, sanitize?: SanitizeOptions): Promise<void> {
    const attachment = this.#attachments.get(record)
    const isTainted = outcome === 'ok' && sanitize !== undefined
    record.isRenewed = false // where nothing can be written, it lapses
    if (outcome === 'ok' && !isTainted) await this.#parts.keeper.release(record, 'ok')
    else if (record.state === 'held') await this.#close(record, isTainted ? 'tainted' : outcome)
    await attachment?.end()
  }

  releaseWrites(record: LeaseRecord): readonly Write[] {
    return this.#parts.keeper.releaseWrites(record)
  }

  markReleased(record: LeaseRecord, committed: boolean, events: readonly StoredEvent[]): void {
    this.#parts.keeper.markReleased(record, committed, events)
  }

  async #close(record: LeaseRecord, outcome: ReleaseOutcome): Promise<void> {
    const { browserSessionId, organizationId } = record.row
    const reason = outcome === 'tainted' ? 'tainted' : 'probe_failed'
    record.beginRelease()
    try {
      await this.#parts.closer.close({ browserSessionId, organizationId, reason, force: false, lease: record })
      record.endRelease(true)
    } catch (error) {
      record.endRelease(false)
      throw error
    }
  }

  /** One conditional write, the same as for a session of our own; else why not. */
  async #take(request: OccupyRequest): Promise<Taken | Attachment> {
    const { browserSessionId, organizationId } = request
    const { settings, journal, keeper } = this.#parts
    for (let attempt = 1; ; attempt += 1) {
      request.signal?.throwIfAborted()
      const row = await settings.storage.get('browser_sessions', browserSessionId)
      const now = await settings.storage.now()
      const own = this.#own(row, request)
      if (own !== null) return own
      const { leaseTtlMs, hostId, clock } = settings
      const asker = { runnable: request, runnableFence: request.runnableFence }
      const owner = row?.hostId ?? hostId
      const refusal = refusalOf({ browserSessionId, organizationId, row, now, hostId: owner, isLiveHere: true, leaseTtlMs, asker })
      if (refusal !== null) throw refusal
      if (row === undefined) throw new SessionHostUnavailableError(browserSessionId, null)
      this.#assertAttachable(row)
      if (attempt > ATTEMPTS) throw occupiedError(row)
      const { runnableType, runnableId } = request
      const terms = keeper.terms({ runnableType, runnableId }, row.leaseFence + 1, request)
      const endsAtMs = clock.monotonicMs() + leaseTtlMs
      const former = leaseOn(row) // lapsed, or its runnable's own of before
      const result = await journal.commit([
        {
          op: 'update',
          table: 'browser_sessions',
          id: browserSessionId,
          where: {
            ...takeable({ ...terms, hostId: owner }, organizationId),
            ...carries(former),
            attachable: true,
            browserAddress: row.browserAddress,
          },
          set: leaseColumns(terms),
        },
        journal.append(browserSessionId, [...releasedEvents(journal, row, former), keeper.occupiedEvent(row, terms)]),
      ])
      if (result.ok) return { row: result.rows[0]?.[0] as BrowserSessionRow, terms, endsAtMs, events: result.events }
    }
  }

  /** The asker's own lease, when he asks again with the same request id. */
  #own(row: BrowserSessionRow | undefined, { requestId, runnableType, runnableId }: OccupyRequest): Attachment | null {
    if (row === undefined || requestId === undefined || row.leaseRequestId !== requestId) return null
    if (row.runnableType !== runnableType || row.runnableId !== runnableId) return null
    return [...this.#attachments.values()].find(({ record }) => record.token === row.leaseToken && record.state === 'held') ?? null
  }

  #assertAttachable(row: BrowserSessionRow): void {
    const { machineId, driver } = this.#parts.settings
    const { browserSessionId, browserAddress } = row
    const refuse = (reason: string) => new SessionNotAttachableError(browserSessionId, reason)
    if (!row.attachable || browserAddress === null) throw refuse('it was not made with `attachable: true`')
    if (driver.connect === undefined) throw refuse(`the driver "${driver.name}" cannot connect to browsers`)
    if (row.machineId !== machineId && LOOPBACK.test(new URL(browserAddress).hostname)) {
      throw refuse(`its DevTools listen on loopback of machine ${row.machineId}, and this is ${machineId}`)
    }
    if (row.guarded) throw new ScopeNotEnforceableError(browserSessionId, 'only the host that has it can say what it may reach')
  }

  /**
   * Connects to the very browser of the row: its address holds the browser's guid, and one with another guid refuses. Limited to half a
   * lease, so that whoever waits for it is still its holder.
   */
  async #connect({ row, terms, endsAtMs }: Taken, request: OccupyRequest): Promise<Attachment> {
    const { settings, networks, registry, heartbeat } = this.#parts
    const { browserSessionId } = row
    const directory = await createSessionDirectory({ ...settings, browserSessionId })
    let browser: BrowserHandle | undefined
    let lostReason: string | undefined
    try {
      const timeoutMs = Math.min(settings.launchTimeoutMs, Math.floor(settings.leaseTtlMs / 2))
      const signal = request.signal ?? new AbortController().signal
      const spec = { browserSessionId, browserAddress: row.browserAddress ?? '', downloadsDirectory: directory.downloads }
      browser = await this.#reach(spec, timeoutMs, signal)
      const untie = browser.onLost((reason) => {
        lostReason ??= reason
      })
      networks.assertAttachable(browserSessionId, browser, request.networkPolicy)
      const session: NetworkedSession = { browserSessionId, browser, network: null, isAttached: true, guarding: Promise.resolve() }
      await networks.begin(session, request.networkPolicy)
      const attachment = this.#attachment({ row, terms, endsAtMs, browser, directory, onEnd: () => networks.end(session) })
      this.#attachments.set(attachment.record, attachment)
      registry.attachedLeases.add(attachment.record)
      heartbeat.watch(attachment.record)
      untie()
      if (lostReason !== undefined) attachment.record.lose(new SessionCrashedError(browserSessionId, lostReason))
      return attachment
    } catch (error) {
      await this.#letGo(browserSessionId, browser, directory)
      throw error
    }
  }

  /** In time, or not at all: what answers late is let go of. */
  async #reach(spec: ConnectSpec, timeoutMs: number, signal: AbortSignal): Promise<BrowserHandle> {
    const { driver, clock } = this.#parts.settings
    const { browserSessionId } = spec
    const onTimeout = () =>
      new BrowserLaunchError(`The browser of session ${browserSessionId} did not answer within ${timeoutMs} ms`, {
        category: 'timeout',
        retryable: true,
        details: { browserSessionId, timeoutMs },
      })
    let connecting: Promise<BrowserHandle> | undefined
    const run = async (bounded: AbortSignal) => {
      connecting = driver.connect?.(spec, { timeoutMs, signal: bounded })
      if (connecting === undefined) throw new SessionNotAttachableError(browserSessionId, 'the driver cannot connect to browsers')
      return connecting
    }
    try {
      return await withDeadline({ run, timeoutMs: timeoutMs + CONNECT_GRACE_MS, onTimeout, signal, clock })
    } catch (error) {
      void connecting?.then(
        (late) => this.#hangUp(browserSessionId, late),
        () => {}, // it has failed, as was said
      )
      throw error
    }
  }

  #attachment(params: {
    readonly row: BrowserSessionRow
    readonly terms: LeaseTerms
    readonly endsAtMs: number
    readonly browser: BrowserHandle
    readonly directory: SessionDirectory
    readonly onEnd: () => void
  }): Attachment {
    const { row, terms, endsAtMs, browser, directory } = params
    const { browserSessionId } = row
    let ending: Promise<void> | undefined
    const end = () => {
      ending ??= this.#letGo(browserSessionId, browser, directory).finally(() => this.#attachments.delete(record))
      return ending
    }
    const record: LeaseRecord = new LeaseRecord({
      ...terms,
      browser,
      row,
      endsAtMs,
      onEnd: () => {
        untie()
        this.#parts.registry.attachedLeases.delete(record)
        params.onEnd()
        void end()
      },
    })
    const untie = browser.onLost((reason) => record.lose(new SessionCrashedError(browserSessionId, reason)))
    return { record, end }
  }

  async #letGo(browserSessionId: string, browser: BrowserHandle | undefined, directory: SessionDirectory): Promise<void> {
    const { logger } = this.#parts.settings
    if (browser !== undefined) await this.#hangUp(browserSessionId, browser)
    await directory.remove().catch((error: unknown) => logger.warn('cannot remove a folder', { browserSessionId, error }))
  }

  async #hangUp(browserSessionId: string, browser: BrowserHandle): Promise<void> {
    const { closeTimeoutMs: timeoutMs, logger, clock } = this.#parts.settings
    const onTimeout = () => new TimeoutError(`To hang up on session ${browserSessionId}`, timeoutMs)
    const run = (signal: AbortSignal) => browser.close({ timeoutMs, signal })
    await withDeadline({ run, timeoutMs, onTimeout, clock }).catch((error: unknown) =>
      logger.debug('could not hang up', { browserSessionId, error }),
    )
  }

  /** Gives back a lease that could not be used. */
  #freeing({ row, terms }: Taken): readonly Write[] {
    const { browserSessionId, organizationId } = row
    const set = { ...NO_LEASE, ...idleFromNow(row.idleTimeoutMinutes), modifiedAt: storageNow() }
    return [
      { op: 'update', table: 'browser_sessions', id: browserSessionId, where: heldUnder(terms), set },
      this.#parts.journal.append(browserSessionId, releasedEvents(this.#parts.journal, { browserSessionId, organizationId }, terms)),
    ]
  }
}
