import { InvalidArgumentError, NotRunningError, parseArgument } from '../errors/index.js'
import { type AnyEvent, type Listener, logListenerErrors, sessionStream, TypedBus } from '../events/index.js'
import { closeAll, createIds, Lifecycle } from '../runtime/index.js'
import { readStream } from '../storage/event-reader.js'
import { guardStorage } from '../storage/guard.js'
import type { BrowserSession } from './browser-session.js'
import { BrowserWatch } from './browser-watch.js'
import { LeaseHeartbeat } from './lease-heartbeat.js'
import { LeaseKeeper } from './lease-keeper.js'
import {
  type CloseSessionParams,
  type CreateOccupiedSessionParams,
  type CreateSessionParams,
  closeSchema,
  createOccupiedSchema,
  createSessionSchema,
  type ListSessionsParams,
  listSchema,
  type OccupySessionParams,
  occupySchema,
  type ReleaseOutcome,
  type RenewSessionParams,
  renewSchema,
  type SessionEventsParams,
  type SessionPoolOptions,
  type SessionPoolSettings,
  type SessionRef,
  sessionEventsSchema,
  sessionPoolOptionsSchema,
  sessionRefSchema,
} from './options.js'
import { OrganizationSessions, type SessionCalls } from './organization-sessions.js'
import { type PoolHealth, type PoolStats, poolHealth, poolStats } from './pool-stats.js'
import { Reaper } from './reaper.js'
import { SessionCloser } from './session-closer.js'
import { sweepDirectories } from './session-directory.js'
import { SessionEnder } from './session-ender.js'
import { type PoolEventType, SessionJournal } from './session-journal.js'
import { SessionLauncher } from './session-launcher.js'
import type { SessionLease } from './session-lease.js'
import { SessionReader } from './session-reader.js'
import { SessionRegistry } from './session-registry.js'
import { SessionRenewer } from './session-renewer.js'
import { SessionTeardown } from './session-teardown.js'

/**
 * Persistent browser sessions of this process, which runs occupy one after another.
 *
 * Every call names its organisation, or the pool has one (`organizationId` of the constructor); a session of another organisation is
 * not found.
 */
export class SessionPool implements SessionCalls {
  readonly #settings: SessionPoolSettings
  readonly #bus: TypedBus<PoolEventType>
  readonly #registry: SessionRegistry
  readonly #launcher: SessionLauncher
  readonly #keeper: LeaseKeeper
  readonly #heartbeat: LeaseHeartbeat
  readonly #closer: SessionCloser
  readonly #ender: SessionEnder
  readonly #reaper: Reaper
  readonly #renewer: SessionRenewer
  readonly #reader: SessionReader
  readonly #lifecycle: Lifecycle
  #startedStreaming = false

  /** @throws {InvalidArgumentError} `INVALID_ARGUMENT` for an option that does not fit or is not known. */
  constructor(options: SessionPoolOptions) {
    const parsed = parseArgument(sessionPoolOptionsSchema, options, 'SessionPoolOptions')
    const ids = parsed.ids ?? createIds({ clock: parsed.clock, random: parsed.random })
    const settings: SessionPoolSettings = {
      ...parsed,
      storage: guardStorage(parsed.storage),
      ids,
      hostId: parsed.hostId ?? ids.next('host'),
      headless: parsed.headless ?? parsed.streaming === undefined,
    }
    this.#settings = settings
    this.#bus = new TypedBus<PoolEventType>(settings.onListenerError ?? logListenerErrors(settings.logger))
    this.#registry = new SessionRegistry(settings.maxSessions)
    const registry = this.#registry
    const journal = new SessionJournal(settings, this.#bus)
    const teardown = new SessionTeardown(settings)
    const ender = new SessionEnder({ settings, registry, journal, teardown })
    this.#ender = ender
    const watch = new BrowserWatch({ ender })
    this.#heartbeat = new LeaseHeartbeat({ settings, registry, onEndedElsewhere: (live) => ender.endedElsewhere(live) })
    this.#closer = new SessionCloser({ settings, registry, journal, ender })
    this.#keeper = new LeaseKeeper({ settings, registry, journal, heartbeat: this.#heartbeat, closer: this.#closer })
    this.#launcher = new SessionLauncher({ settings, registry, journal, teardown, watch, keeper: this.#keeper })
    this.#reaper = new Reaper({ settings, registry, journal, closer: this.#closer, ender })
    this.#renewer = new SessionRenewer({ settings, journal })
    this.#reader = new SessionReader(settings.storage)
    this.#lifecycle = new Lifecycle({ start: () => this.#start(), stop: () => this.#stop() })
  }

  /** Names this process in the rows of its sessions. */
  get hostId(): string {
    return this.#settings.hostId
  }

  /** Opens the storage, starts streaming if nobody has, removes what dead hosts left; resolves to whether this call started the pool. */
  start(): Promise<boolean> {
    return this.#lifecycle.start()
  }

  /** Closes this host's sessions, held ones too (their leases abort), and stops what `start()` started. The storage stays open. */
  stop(): Promise<void> {
    return this.#lifecycle.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /**
   * Launches a browser and resolves when it answers. A `url` that does not load does not fail the call: see `urlFailure`.
   * @throws {BrowserLaunchError} `BROWSER_NOT_FOUND` or `BROWSER_LAUNCH_FAILED`; the row ends as `failed`, `launch_failed`.
   * @throws {PoolSaturatedError} `POOL_SATURATED` when this host has all the sessions it may have.
   */
  async create(params: CreateSessionParams = {}): Promise<BrowserSession> {
    const request = parseArgument(createSessionSchema, params, 'create')
    this.#assertRunning()
    return this.#launcher.create({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** Like `create`, for a session that is held from its first moment: nobody else can take it in between. */
  async createOccupied(params: CreateOccupiedSessionParams): Promise<SessionLease> {
    const request = parseArgument(createOccupiedSchema, params, 'createOccupied')
    this.#assertRunning()
    return this.#launcher.createOccupied({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Takes a session for a runnable, by one conditional write: of any number of racers exactly one gets it.
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`
   * @throws {SessionEndedError} `SESSION_ENDED` or `SESSION_EXPIRED`
   * @throws {SessionOccupiedError} `SESSION_OCCUPIED`, naming the holder
   * @throws {SessionHostUnavailableError} `SESSION_HOST_UNAVAILABLE` when its browser is another host's
   */
  async occupy(params: OccupySessionParams): Promise<SessionLease> {
    const request = parseArgument(occupySchema, params, 'occupy')
    this.#assertRunning()
    return this.#keeper.occupy({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** The same as `lease.release(options)`. */
  release(lease: SessionLease, options: { readonly outcome?: ReleaseOutcome } = {}): Promise<void> {
    return lease.release(options)
  }

  /**
   * Puts a session's end off: to now + `minutes` (by default its own `timeoutMinutes`) unless it ends later anyway, and to 24 hours
   * after its start at the latest. Never shortens.
   * @throws {SessionNotRenewableError} `SESSION_NOT_RENEWABLE` for one that has ended, has expired or never started.
   */
  async renew(params: RenewSessionParams): Promise<BrowserSession> {
    const request = parseArgument(renewSchema, params, 'renew')
    return this.#renewer.renew({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Ends a session and resolves when its browser is gone. One that has ended already is given back as it is.
   * @throws {SessionOccupiedError} `SESSION_OCCUPIED` while somebody else holds it, unless `force`, which aborts the holder's signal first.
   */
  async close(params: CloseSessionParams): Promise<BrowserSession> {
    const request = parseArgument(closeSchema, params, 'close')
    return this.#closer.close({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** @throws {SessionNotFoundError} `SESSION_NOT_FOUND` */
  async get(ref: SessionRef): Promise<BrowserSession> {
    const request = parseArgument(sessionRefSchema, ref, 'get')
    return this.#reader.get(this.#organization(request.organizationId), request.browserSessionId)
  }

  /** Sessions of an organisation, newest first. */
  async list(params: ListSessionsParams = {}): Promise<BrowserSession[]> {
    const request = parseArgument(listSchema, params, 'list')
    return this.#reader.list({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** Why the session's `url` did not load when its browser started; null where it did, or where this host does not know. */
  urlFailure(ref: SessionRef): string | null {
    const request = parseArgument(sessionRefSchema, ref, 'urlFailure')
    const live = this.#registry.live(request.browserSessionId)
    return live?.organizationId === this.#organization(request.organizationId) ? live.urlFailure : null
  }

  /** Calls the listener for what this process does to sessions; returns the function that ends it. */
  on<K extends PoolEventType>(type: K, listener: Listener<K>): () => void {
    return this.#bus.on(type, listener)
  }

  onAny(listener: (event: AnyEvent<PoolEventType>) => void): () => void {
    return this.#bus.onAny(listener)
  }

  /** A session's events of every process: the stored ones after `after`, then live ones; ends after `session.closed`. */
  async *events(params: SessionEventsParams): AsyncGenerator<AnyEvent, void, undefined> {
    const { storage, clock } = this.#settings
    const request = parseArgument(sessionEventsSchema, params, 'events')
    await this.#reader.get(this.#organization(request.organizationId), request.browserSessionId)
    yield* readStream({
      storage,
      clock,
      stream: sessionStream(request.browserSessionId),
      after: request.after ?? 0,
      signal: request.signal,
      isLast: (event) => event.type === 'session.closed',
    })
  }

  /** Figures of this host, derived from its state. */
  stats(): PoolStats {
    return poolStats(this.#registry)
  }

  health(): PoolHealth {
    return poolHealth({ state: this.#lifecycle.state, stats: this.stats(), failure: this.#heartbeat.failure })
  }

  /** The same calls, bound to an organisation. */
  forOrganization(organizationId: string): OrganizationSessions {
    return new OrganizationSessions(this, organizationId)
  }

  async #start(): Promise<void> {
    const { storage, streaming, baseDirectory, machineId, logger } = this.#settings
    await storage.open()
    await sweepDirectories({ baseDirectory, machineId, logger })
    this.#startedStreaming = (await streaming?.start()) ?? false
    this.#heartbeat.start()
    this.#reaper.start()
  }

  async #stop(): Promise<void> {
    await closeAll(
      [
        () => this.#reaper.stop(),
        () => this.#launcher.stop(),
        () => this.#ender.endAll(),
        () => this.#heartbeat.stop(),
        () => (this.#startedStreaming ? this.#settings.streaming?.stop() : undefined),
      ],
      'SessionPool',
    )
  }

  #assertRunning(): void {
    if (!this.#lifecycle.isRunning) throw new NotRunningError('SessionPool', this.#lifecycle.state)
  }

  #organization(organizationId: string | undefined): string {
    const id = organizationId ?? this.#settings.organizationId
    if (id !== undefined && id !== '') return id
    throw new InvalidArgumentError('organizationId is missing: name it in the call, or give the SessionPool one', {
      path: 'organizationId',
      expected: 'string',
      received: String(organizationId),
    })
  }
}
