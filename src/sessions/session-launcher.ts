import { NotRunningError, SessionEndedError } from '../errors/index.js'
import { type AbortFork, forkAbort } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import type { NewEvent } from '../storage/storage.js'
import { type BrowserSession, type Runnable, toBrowserSession } from './browser-session.js'
import { BrowserStart, type LaunchProgress, type StartedBrowser } from './browser-start.js'
import type { BrowserWatch } from './browser-watch.js'
import { Deferred } from './deferred.js'
import { finalWrites } from './final-writes.js'
import type { LeaseKeeper } from './lease-keeper.js'
import { type LeaseTerms, leaseColumns } from './lease-terms.js'
import type { SessionPoolSettings } from './options.js'
import type { BrowserHandle } from './ports.js'
import { createdRow, runningColumns } from './session-columns.js'
import type { SessionJournal } from './session-journal.js'
import type { SessionLease } from './session-lease.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import type { SessionTeardown } from './session-teardown.js'
import { createSessionView } from './session-view.js'

export interface CreateRequest {
  readonly organizationId: string
  readonly timeoutMinutes: number
  readonly url?: string | undefined
  readonly viewport: { readonly width: number; readonly height: number } | null
  readonly browserType: 'chromium' | 'chrome' | 'msedge'
  readonly private: boolean
  readonly headless?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

export interface CreateOccupiedRequest extends CreateRequest {
  readonly runnable: Runnable
  readonly requestId?: string | undefined
}

interface Launched {
  readonly row: BrowserSessionRow
  readonly lease: SessionLease | null
}

/** Makes sessions: row first, then display, then browser, then the row says `running`. */
export class SessionLauncher {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #watch: BrowserWatch
  readonly #keeper: LeaseKeeper
  readonly #teardown: SessionTeardown
  readonly #browserStart: BrowserStart

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly teardown: SessionTeardown
    readonly watch: BrowserWatch
    readonly keeper: LeaseKeeper
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#watch = parts.watch
    this.#keeper = parts.keeper
    this.#teardown = parts.teardown
    this.#browserStart = new BrowserStart(parts.settings)
  }

  async create(request: CreateRequest): Promise<BrowserSession> {
    return toBrowserSession((await this.#launch(request, null)).row)
  }

  async createOccupied(request: CreateOccupiedRequest): Promise<SessionLease> {
    const { lease } = await this.#launch(request, this.#keeper.terms(request.runnable, 1, request.requestId))
    if (lease === null) throw new TypeError('a session with terms has a lease') // unreachable: terms were given
    return lease
  }

  /** Ends the launches in flight. */
  async stop(): Promise<void> {
    const launches = this.#registry.allLaunching
    for (const launching of launches) launching.abort(new NotRunningError('SessionPool', 'stopping'))
    await Promise.all(launches.map((launching) => launching.settled))
  }

  async #launch(request: CreateRequest, terms: LeaseTerms | null): Promise<Launched> {
    const fork = forkAbort(request.signal)
    try {
      return await this.#attempt(request, terms, fork)
    } finally {
      fork.dispose()
    }
  }

  async #attempt(request: CreateRequest, terms: LeaseTerms | null, fork: AbortFork): Promise<Launched> {
    const browserSessionId = this.#settings.ids.next('bs')
    const settled = new Deferred()
    this.#registry.reserve(browserSessionId, { abort: (reason) => fork.abort(reason), settled: settled.promise })
    const progress: LaunchProgress = {
      browserSessionId,
      browser: null,
      display: null,
      hasDisplay: false,
      directory: null,
      late: null,
      lostReason: null,
      untie: [],
    }
    try {
      await this.#insert(browserSessionId, request, terms)
      const start = { ...request, browserSessionId, headless: request.headless ?? this.#settings.headless }
      const started = await this.#browserStart.start(start, progress, fork.signal)
      fork.signal.throwIfAborted()
      const launched = await this.#run(request, started, progress, terms)
      settled.resolve()
      return launched
    } catch (error) {
      const undone = this.#undo(progress, settled)
      await this.#fail(browserSessionId, request.organizationId)
      await undone
      throw error
    }
  }

  /** Takes away what a failed launch had got to. A browser that may still come up, or is not confirmed gone, keeps its place. */
  async #undo(progress: LaunchProgress, settled: Deferred): Promise<void> {
    const { browserSessionId, late } = progress
    const undo = async (browser: BrowserHandle | null) => {
      const isGone = await this.#teardown.run({ ...progress, browser }, { isClean: false })
      if (isGone) this.#registry.unreserve(browserSessionId)
      settled.resolve()
    }
    if (late === null) return undo(progress.browser)
    const { clock, closeTimeoutMs } = this.#settings
    const timer = clock.setTimer(() => settled.resolve(), closeTimeoutMs) // whoever waits does not wait for ever
    void late.then(undo).finally(() => timer.cancel())
  }

  /** The row says `running`, and in the same tick the session is live. Refused: it was closed while it started. */
  async #run(request: CreateRequest, started: StartedBrowser, progress: LaunchProgress, terms: LeaseTerms | null): Promise<Launched> {
    const { organizationId } = request
    const { browserSessionId } = progress
    const endsAtMs = this.#settings.clock.monotonicMs() + this.#settings.leaseTtlMs
    const result = await this.#journal.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: { organizationId, status: 'created', hostId: this.#settings.hostId },
        set: {
          ...runningColumns({ ...request, ...started, leaseTtlMs: this.#settings.leaseTtlMs }),
          ...(terms === null ? {} : leaseColumns(terms)),
        },
      },
      this.#journal.append(browserSessionId, this.#startedEvents(progress, request, started, terms)),
    ])
    if (!result.ok) throw new SessionEndedError(browserSessionId, { code: 'SESSION_ENDED', status: 'completed', closeReason: 'user' })
    const row = result.rows[0]?.[0] as BrowserSessionRow
    const live = this.#goLive(request, started, progress)
    const lease = terms === null ? null : this.#keeper.grant(live, terms, row, endsAtMs)
    if (progress.lostReason !== null) this.#watch.lost(live, progress.lostReason) // it died during the write
    this.#journal.emit(result.events)
    return { row, lease }
  }

  #goLive(request: CreateRequest, started: StartedBrowser, progress: LaunchProgress): LiveSession {
    const { streaming, logger } = this.#settings
    const { browser, display, directory, urlFailure } = started
    const { browserSessionId, untie } = progress
    const { organizationId } = request
    const live: LiveSession = {
      browserSessionId,
      organizationId,
      browser,
      display,
      directory,
      urlFailure,
      fence: 0,
      lease: undefined,
      untie: [],
    }
    this.#registry.add(live)
    this.#watch.attach(live)
    for (const off of untie.splice(0)) off()
    try {
      if (streaming !== undefined) live.untie.push(streaming.registerView(browserSessionId, createSessionView(browserSessionId, browser)))
    } catch (error) {
      logger.warn('a session has no view', { browserSessionId, error })
    }
    return live
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
      const result = await this.#journal.commit(finalWrites(this.#journal, params))
      if (result.ok) this.#journal.emit(result.events)
    } catch (error) {
      this.#settings.logger.warn('cannot record a failed launch', { browserSessionId, error })
    }
  }

  async #insert(browserSessionId: string, request: CreateRequest, terms: LeaseTerms | null): Promise<void> {
    const { hostId, machineId, leaseTtlMs } = this.#settings
    const { organizationId } = request
    const result = await this.#journal.commit([
      {
        op: 'insert',
        table: 'browser_sessions',
        row: createdRow({ ...request, browserSessionId, hostId, machineId, leaseTtlMs, runnable: terms?.runnable ?? null }),
      },
      this.#journal.append(browserSessionId, [
        this.#journal.event('session.created', organizationId, { browserSessionId, private: request.private }),
      ]),
    ])
    if (result.ok) this.#journal.emit(result.events)
  }
}
