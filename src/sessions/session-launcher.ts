import { BrowserLaunchError, NotRunningError, SessionCrashedError, SessionEndedError } from '../errors/index.js'
import { type AbortFork, forkAbort } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import type { Changes, CommitResult, NewEvent, NewRow } from '../storage/storage.js'
import type { BrowserOptions } from './browser-options.js'
import { type BrowserSession, type Runnable, toBrowserSession } from './browser-session.js'
import {
  type BrowserStart,
  type BrowserStartRequest,
  keepsOf,
  type LaunchProgress,
  newProgress,
  type StartedBrowser,
} from './browser-start.js'
import type { BrowserWatch } from './browser-watch.js'
import { Deferred } from './deferred.js'
import { commitFinal } from './final-writes.js'
import { idleFromNow } from './idle-clock.js'
import { endLateLaunch } from './late-launch.js'
import type { LaunchPermit } from './launch-breaker.js'
import type { LaunchQueue } from './launch-queue.js'
import type { LaunchSources } from './launch-sources.js'
import type { LeaseKeeper } from './lease-keeper.js'
import { type LeaseTerms, leaseColumns } from './lease-terms.js'
import type { Leftovers } from './leftovers.js'
import type { SessionPoolSettings } from './options.js'
import type { OrganizationSlots } from './organization-slots.js'
import type { PoolGate } from './pool-gate.js'
import type { BrowserHandle, NetworkPolicy } from './ports.js'
import type { SessionArrival } from './session-arrival.js'
import { createdRow, runningColumns } from './session-columns.js'
import type { HookCaller } from './session-hooks.js'
import type { SessionJournal } from './session-journal.js'
import type { SessionLease } from './session-lease.js'
import { newLife, type OnBrowserLost } from './session-life.js'
import type { SessionNetworks } from './session-network.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import { specKey } from './session-spec.js'
import type { Spare, WarmSpares } from './warm-spares.js'

export interface CreateRequest extends BrowserOptions {
  readonly organizationId: string
  readonly timeoutMinutes: number
  readonly url?: string | undefined
  readonly viewport: { readonly width: number; readonly height: number } | null
  readonly browserType: 'chromium' | 'chrome' | 'msedge'
  readonly private: boolean
  readonly guarded: boolean
  readonly networkPolicy?: NetworkPolicy | undefined
  readonly browserAddress?: string | undefined
  readonly headless?: boolean | undefined
  readonly idleTimeoutMinutes?: number | null | undefined
  readonly onBrowserLost: OnBrowserLost
  readonly priority: number
  readonly signal?: AbortSignal | undefined
}

export interface CreateOccupiedRequest extends CreateRequest {
  readonly runnable: Runnable
  readonly runnableFence?: number | undefined
  readonly requestId?: string | undefined
}

type StartRequest = CreateRequest & BrowserStartRequest

interface Launched {
  readonly row: BrowserSessionRow
  readonly live: LiveSession
  readonly lease: SessionLease | null
}

/** Makes sessions: row first, then display, then browser, then the row says `running`. */
export class SessionLauncher {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #watch: BrowserWatch
  readonly #keeper: LeaseKeeper
  readonly #leftovers: Leftovers
  readonly #networks: SessionNetworks
  readonly #sources: LaunchSources
  readonly #arrival: SessionArrival
  readonly #hooks: HookCaller
  readonly #gate: PoolGate
  readonly #browserStart: BrowserStart
  readonly #queue: LaunchQueue
  readonly #slots: OrganizationSlots
  readonly #spares: WarmSpares

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly leftovers: Leftovers
    readonly watch: BrowserWatch
    readonly keeper: LeaseKeeper
    readonly networks: SessionNetworks
    readonly sources: LaunchSources
    readonly arrival: SessionArrival
    readonly hooks: HookCaller
    readonly gate: PoolGate
    readonly browserStart: BrowserStart
    readonly queue: LaunchQueue
    readonly slots: OrganizationSlots
    readonly spares: WarmSpares
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#watch = parts.watch
    this.#keeper = parts.keeper
    this.#leftovers = parts.leftovers
    this.#networks = parts.networks
    this.#sources = parts.sources
    this.#arrival = parts.arrival
    this.#hooks = parts.hooks
    this.#gate = parts.gate
    this.#browserStart = parts.browserStart
    this.#queue = parts.queue
    this.#slots = parts.slots
    this.#spares = parts.spares
  }

  async create(request: CreateRequest): Promise<BrowserSession> {
    return toBrowserSession((await this.#launch(request, null)).row)
  }

  async createOccupied(request: CreateOccupiedRequest): Promise<SessionLease> {
    const { live, lease } = await this.#launch(request, this.#keeper.terms(request.runnable, 1, request))
    if (lease === null) throw new TypeError('a session with terms has a lease') // unreachable: terms were given
    if (live.isAttached) await this.#holdToPolicy(live, request)
    if (lease.signal.aborted) throw notToBeHandedOut(lease)
    return lease
  }

  /** An attached browser is held to a policy once it is there; a session that cannot be is of no use to its holder. */
  async #holdToPolicy(live: LiveSession, { networkPolicy }: CreateRequest): Promise<void> {
    try {
      await this.#networks.begin(live, networkPolicy)
    } catch (error) {
      this.#watch.lost(live, error instanceof Error ? error.message : String(error), 'policy_violation')
      throw error
    }
  }

  /** Ends the launches in flight. */
  async stop(): Promise<void> {
    const launches = this.#registry.allLaunching
    for (const launching of launches) launching.abort(new NotRunningError('SessionPool', 'stopping'))
    await Promise.all(launches.map((launching) => launching.settled))
  }

  async #launch(request: CreateRequest, terms: LeaseTerms | null): Promise<Launched> {
    this.#gate.assertOpen()
    const fork = forkAbort(request.signal)
    try {
      return (await this.#fromSpare(request, terms, fork)) ?? (await this.#attempt(request, terms, fork))
    } finally {
      fork.dispose()
    }
  }

  /** Null: there is none that would do. Its place is taken before the first pause, as that of a launch is. */
  async #fromSpare(request: CreateRequest, terms: LeaseTerms | null, fork: AbortFork): Promise<Launched | null> {
    if (request.browserAddress !== undefined || fork.signal.aborted) return null
    const key = specKey({ ...request }, this.#settings)
    for (let spare = this.#spares.take(key); spare !== undefined; spare = this.#spares.take(key)) {
      const launched = await this.#handOut(spare, request, terms, fork)
      if (launched !== null) return launched
    }
    return null
  }

  /** Makes a spare a session, whose row begins as running. Null: its browser does not answer, and is gone. */
  async #handOut(spare: Spare, request: CreateRequest, terms: LeaseTerms | null, fork: AbortFork): Promise<Launched | null> {
    const { browserSessionId, progress } = spare
    const settled = new Deferred()
    this.#registry.promoteSpare(browserSessionId, { abort: (reason) => fork.abort(reason), settled: settled.promise })
    try {
      this.#networks.assertPossible(browserSessionId, request)
      if (!(await this.#spares.answers(spare))) {
        await this.#undo(progress, settled)
        return null
      }
      fork.signal.throwIfAborted()
      spare.started.network?.apply(request.networkPolicy ?? null)
      const start = { ...request, proxy: null, browserSessionId, headless: request.headless ?? this.#settings.headless }
      const urlFailure = await this.#browserStart.open(start, spare.started.browser, fork.signal)
      const { organizationId } = request
      await this.#hooks.call('afterLaunch', { organizationId, browserSessionId, browser: spare.started.browser })
      fork.signal.throwIfAborted()
      const launched = await this.#run(start, { ...spare.started, urlFailure, keeps: keepsOf(start) }, progress, terms, 'spare')
      settled.resolve()
      await this.#spares.claimDisplay(spare, request.organizationId)
      return launched
    } catch (error) {
      await this.#undo(progress, settled)
      throw error
    }
  }

  async #attempt(request: CreateRequest, terms: LeaseTerms | null, fork: AbortFork): Promise<Launched> {
    const permit = request.browserAddress === undefined ? this.#queue.admit() : undefined
    try {
      return await this.#start(request, terms, fork, permit)
    } finally {
      permit?.dismissed()
    }
  }

  async #start(request: CreateRequest, terms: LeaseTerms | null, fork: AbortFork, permit: LaunchPermit | undefined): Promise<Launched> {
    const browserSessionId = this.#settings.ids.next('bs')
    this.#networks.assertPossible(browserSessionId, request)
    if (!this.#registry.hasRoom()) await this.#spares.makeRoom()
    const settled = new Deferred()
    this.#registry.reserve(browserSessionId, { abort: (reason) => fork.abort(reason), settled: settled.promise })
    const progress = newProgress(browserSessionId)
    try {
      const proxy = await this.#sources.prepare(request, browserSessionId, fork.signal)
      const inserted = await this.#insert(browserSessionId, request, terms)
      if (inserted.ok) this.#journal.emit(inserted.events)
      const start = { ...request, proxy, permit, browserSessionId, headless: request.headless ?? this.#settings.headless }
      const started = await this.#browserStart.start(start, progress, fork.signal)
      this.#warnOfPort(browserSessionId, request)
      const { organizationId } = request
      await this.#hooks.call('afterLaunch', { organizationId, browserSessionId, browser: started.browser })
      fork.signal.throwIfAborted()
      if (request.browserAddress !== undefined) this.#networks.assertAttachable(browserSessionId, started.browser, request.networkPolicy)
      const launched = await this.#run(start, started, progress, terms)
      settled.resolve()
      return launched
    } catch (error) {
      const undone = this.#undo(progress, settled)
      await this.#fail(browserSessionId, request.organizationId)
      await undone
      throw error
    }
  }

  #warnOfPort(browserSessionId: string, { attachable, detached }: CreateRequest): void {
    if (attachable !== true && detached !== true) return
    this.#settings.logger.warn('the DevTools of a session listen on loopback: every user of this machine can drive it', {
      browserSessionId,
    })
  }

  /** Takes away what a failed launch had got to. A browser that may still come up, or is not confirmed gone, keeps its place. */
  async #undo(progress: LaunchProgress, settled: Deferred): Promise<void> {
    const { browserSessionId, late } = progress
    const undo = async (browser: BrowserHandle | null) => {
      await this.#leftovers.end({ ...progress, browser }, { isClean: false }, () => this.#registry.unreserve(browserSessionId))
      settled.resolve()
    }
    if (late === null) return undo(progress.browser)
    void endLateLaunch(this.#settings, progress, late.then(undo)).finally(() => settled.resolve())
  }

  /**
   * The row says `running`, and in the same tick the session is live. Refused: it was closed while it started. A spare has no row so far:
   * it is inserted as it is to be.
   */
  async #run(
    request: StartRequest,
    started: StartedBrowser,
    progress: LaunchProgress,
    terms: LeaseTerms | null,
    from: 'launch' | 'spare' = 'launch',
  ): Promise<Launched> {
    const { organizationId } = request
    const { browserSessionId } = progress
    const { clock, hostId, leaseTtlMs } = this.#settings
    const endsAtMs = clock.monotonicMs() + leaseTtlMs
    const set = {
      ...runningColumns({ ...request, ...started, leaseTtlMs }),
      ...idleFromNow(this.#idleTimeoutMinutes(request)),
      ...(terms === null ? {} : leaseColumns(terms)),
    }
    const events = this.#startedEvents(progress, request, started, terms)
    const where = { organizationId, status: 'created', hostId } as const
    const result =
      from === 'spare'
        ? await this.#insert(browserSessionId, request, terms, { columns: { ...set, uses: terms === null ? 0 : 1 }, events })
        : await this.#journal.commit([
            { op: 'update', table: 'browser_sessions', id: browserSessionId, where, set },
            this.#journal.append(browserSessionId, events),
          ])
    if (!result.ok) throw new SessionEndedError(browserSessionId, { code: 'SESSION_ENDED', status: 'completed', closeReason: 'user' })
    const row = result.rows[0]?.[0] as BrowserSessionRow
    const live = this.#goLive(request, started, progress)
    if (!request.private && !live.isAttached) this.#registry.setReuseKey(browserSessionId, specKey({ ...request }, this.#settings))
    const lease = terms === null ? null : this.#keeper.grant(live, terms, row, endsAtMs)
    if (progress.lostReason !== null) this.#watch.lost(live, progress.lostReason) // it died during the write
    this.#journal.emit(result.events)
    return { row, live, lease }
  }

  #goLive(request: StartRequest, started: StartedBrowser, progress: LaunchProgress): LiveSession {
    const { organizationId, onBrowserLost, browserAddress } = request
    const isAttached = browserAddress !== undefined
    // the policy was that of the first lease; a browser that somebody else started is not ours to start again
    const start = isAttached ? undefined : { ...request, networkPolicy: undefined, permit: undefined }
    const idleTimeoutMinutes = this.#idleTimeoutMinutes(request)
    const life = newLife({ clock: this.#settings.clock, idleTimeoutMinutes, onBrowserLost, start })
    return this.#arrival.arrive({ ...progress, organizationId, started, life, isAttached, isDetached: request.detached === true, fence: 0 })
  }

  #idleTimeoutMinutes({ idleTimeoutMinutes }: CreateRequest): number | null {
    return idleTimeoutMinutes === undefined ? (this.#settings.idleTimeoutMinutes ?? null) : idleTimeoutMinutes
  }

  #startedEvents(progress: LaunchProgress, request: CreateRequest, started: StartedBrowser, terms: LeaseTerms | null): NewEvent[] {
    const { browserSessionId } = progress
    const { organizationId } = request
    const { displayUnavailableReason: reason, display, browser, launchMs } = started
    const payload = { browserSessionId, pid: browser.process?.pid ?? null, displayBackend: display?.backend ?? null, launchMs }
    return [
      ...(reason === null ? [] : [this.#journal.event('display.degraded', organizationId, { browserSessionId, reason })]),
      this.#journal.event('session.started', organizationId, payload),
      ...(terms === null ? [] : [this.#keeper.occupiedEvent({ browserSessionId, organizationId }, terms)]),
    ]
  }

  /** A launch that failed ends the row; where even that cannot be written, the row's host lease lapses and any host ends it. */
  async #fail(browserSessionId: string, organizationId: string): Promise<void> {
    const params = { browserSessionId, organizationId, status: 'failed', closeReason: 'launch_failed' } as const
    try {
      const result = await commitFinal({ storage: this.#settings.storage, journal: this.#journal }, params)
      if (result.ok) this.#journal.emit(result.events)
    } catch (error) {
      this.#settings.logger.warn('cannot record a failed launch', { browserSessionId, error })
    }
  }

  /** In a free slot of its organisation, if that may have only so many. */
  #insert(
    browserSessionId: string,
    request: CreateRequest,
    terms: LeaseTerms | null,
    further: { readonly columns: Changes<BrowserSessionRow>; readonly events: readonly NewEvent[] } = { columns: {}, events: [] },
  ): Promise<CommitResult> {
    const { hostId, machineId, leaseTtlMs } = this.#settings
    const { organizationId } = request
    const row = {
      ...createdRow({
        ...request,
        browserSessionId,
        hostId,
        machineId,
        leaseTtlMs,
        runnable: terms?.runnable ?? null,
        idleTimeoutMinutes: this.#idleTimeoutMinutes(request),
      }),
      ...further.columns,
    } as NewRow<BrowserSessionRow>
    const created = this.#journal.event('session.created', organizationId, { browserSessionId, private: request.private })
    return this.#slots.insert(organizationId, (organizationSlot) =>
      this.#journal.commit([
        { op: 'insert', table: 'browser_sessions', row: { ...row, organizationSlot } },
        this.#journal.append(browserSessionId, [created, ...further.events]),
      ]),
    )
  }
}

/** Its browser died, or it was taken away, while the session was written down. */
function notToBeHandedOut({ browserSessionId, signal }: SessionLease): unknown {
  const { reason } = signal
  if (!SessionCrashedError.is(reason)) return reason
  return new BrowserLaunchError(`The browser of session ${browserSessionId} died while it started`, {
    category: 'crashed',
    retryable: true,
    cause: reason,
    details: { browserSessionId },
  })
}
