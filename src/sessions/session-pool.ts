import { NotRunningError, PoolDrainingError, parseArgument } from '../errors/index.js'
import { type AnyEvent, type Listener, sessionStream } from '../events/index.js'
import { Lifecycle } from '../runtime/index.js'
import { readStream } from '../storage/event-reader.js'
import { givenText } from '../storage/given-text.js'
import type { ArtifactRow } from '../storage/schema.js'
import { type AttachSessionParams, attachSchema } from './attach-options.js'
import type { BrowserSession } from './browser-session.js'
import { assertFunction, assertLease, assertPoolEvent, namesSession, organizationOf } from './call-arguments.js'
import { type CloseSessionParams, closeSchema } from './close-options.js'
import { composePool, type PoolParts } from './compose-pool.js'
import {
  type AcquireSessionParams,
  acquireSchema,
  type CloseAllSessionsParams,
  type CreateOccupiedSessionParams,
  type CreateSessionParams,
  closeAllSchema,
  createOccupiedSchema,
  createSessionSchema,
  type DrainParams,
  drainSchema,
  type ListSessionsParams,
  listSchema,
  type OccupySessionParams,
  occupySchema,
  type RenewSessionParams,
  renewSchema,
  type SessionEventsParams,
  type SessionPoolOptions,
  type SessionRef,
  sessionEventsSchema,
  sessionPoolOptionsSchema,
  sessionRefSchema,
  type UseSessionRequest,
} from './options.js'
import { OrganizationSessions, type SessionCalls } from './organization-sessions.js'
import { PoolService } from './pool-service.js'
import { type PoolHealth, type PoolStats, poolHealth } from './pool-stats.js'
import type { NetworkGuard } from './ports.js'
import { type BrowserProfile, toBrowserProfile } from './profiles/browser-profile.js'
import {
  type CreateProfileParams,
  createProfileSchema,
  type DeleteProfileParams,
  deleteProfileSchema,
  type ListProfilesParams,
  type ListSessionArtifactsParams,
  listArtifactsSchema,
  listProfilesSchema,
  type ProfileRef,
  profileRefSchema,
  type SaveProfileParams,
  type SessionArtifactRef,
  saveProfileSchema,
  sessionArtifactRefSchema,
} from './profiles/profile-params.js'
import type { ReconciliationReport } from './reconciliation.js'
import type { DrainReport } from './session-drainer.js'
import type { SessionArtifact } from './session-files.js'
import type { PoolEventType } from './session-journal.js'
import type { ReleaseOptions, SessionLease } from './session-lease.js'
import { useLease } from './session-use.js'

/**
 * Persistent browser sessions of this process, which runs occupy one after another.
 *
 * Every call names its organisation, or the pool has one (`organizationId` of the constructor); a session of another organisation is
 * not found.
 */
export class SessionPool implements SessionCalls {
  readonly #parts: PoolParts
  readonly #lifecycle: Lifecycle
  readonly #service: PoolService

  /** @throws {InvalidArgumentError} `INVALID_ARGUMENT` for an option that does not fit or is not known. */
  constructor(options: SessionPoolOptions) {
    this.#parts = composePool(parseArgument(sessionPoolOptionsSchema, options, 'SessionPoolOptions'))
    this.#service = new PoolService(this.#parts)
    this.#lifecycle = new Lifecycle({ start: () => this.#service.start(), stop: () => this.#service.stop() })
  }

  /** Names this process in the rows of its sessions. */
  get hostId(): string {
    return this.#parts.settings.hostId
  }

  /**
   * Opens the storage, starts streaming if nobody has, adopts detached sessions of this machine and removes what dead hosts left (see
   * `reconciliation`); resolves to whether this call started the pool.
   */
  start(): Promise<boolean> {
    return this.#lifecycle.start()
  }

  /** What the last `start()` found of hosts of this machine that were there before, and did about it; null before it. */
  get reconciliation(): ReconciliationReport | null {
    return this.#service.report
  }

  /** Closes this host's sessions (their leases abort; `detached` ones run on, to be adopted) and what `start()` started; not the storage. */
  stop(): Promise<void> {
    return this.#lifecycle.stop()
  }

  /** Like `stop`, and ends the detached sessions of this host too. */
  destroy(): Promise<void> {
    return this.#service.destroy(this.#lifecycle)
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /** Takes a guard for the sessions that are to be `guarded`, unless the pool has one; an engine brings its own along. */
  useNetworkGuard(guard: NetworkGuard): void {
    this.#parts.networks.use(guard)
  }

  /**
   * Launches a browser and resolves when it answers. A `url` that does not load does not fail the call: see `urlFailure`.
   * @throws {BrowserLaunchError} `BROWSER_NOT_FOUND` or `BROWSER_LAUNCH_FAILED`; the row ends as `failed`, `launch_failed`.
   * @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND`, and no row is written
   * @throws {ProfileUnreadableError} `PROFILE_UNREADABLE`
   * @throws {ProxyNotFoundError} `PROXY_NOT_FOUND`, and no row is written
   * @throws {PoolSaturatedError} `POOL_SATURATED` when this host has all the sessions it may have.
   * @throws {ScopeNotEnforceableError} `SCOPE_NOT_ENFORCEABLE` for a `guarded` session when the pool has no network guard.
   */
  async create(params: CreateSessionParams = {}): Promise<BrowserSession> {
    const request = parseArgument(createSessionSchema, params, 'create')
    this.#assertRunning()
    return this.#parts.launcher.create({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** Like `create`, for a session that is held from its first moment: nobody else can take it in between. */
  async createOccupied(params: CreateOccupiedSessionParams): Promise<SessionLease> {
    const request = parseArgument(createOccupiedSchema, params, 'createOccupied')
    this.#assertRunning()
    return this.#parts.launcher.createOccupied({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Takes a session for a runnable, by one conditional write: of any number of racers exactly one gets it. With `wait`, whoever finds it
   * held stands in line until it comes free: higher priority first, then in order; the session's end ends the wait with its own error.
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`
   * @throws {SessionEndedError} `SESSION_ENDED` or `SESSION_EXPIRED`
   * @throws {SessionOccupiedError} `SESSION_OCCUPIED`, naming the holder; after a `wait` the last one, with `waitedMs`
   * @throws {PoolSaturatedError} `POOL_SATURATED` when as many wait (`maxQueue`) as may
   * @throws {SessionHostUnavailableError} `SESSION_HOST_UNAVAILABLE` when its browser is another host's
   * @throws {ScopeNotEnforceableError} `SCOPE_NOT_ENFORCEABLE` for a `networkPolicy` on a session that cannot be held to it
   */
  async occupy(params: OccupySessionParams): Promise<SessionLease> {
    const request = parseArgument(occupySchema, params, 'occupy')
    this.#assertRunning()
    // the parsed request is this call's own; a copy with one more key would be of a hidden class of its own
    return this.#parts.allocator.occupy(Object.assign(request, { organizationId: this.#organization(request.organizationId) }))
  }

  /**
   * Like `occupy`, for a session of another host of this machine: connects to its browser, and hangs up when the lease ends.
   * @throws {SessionNotAttachableError} `SESSION_NOT_ATTACHABLE` when it was not made `attachable`, or runs on another machine
   * @throws {SessionHostUnavailableError} `SESSION_HOST_UNAVAILABLE` when its host is dead
   * @throws {BrowserLaunchError} `BROWSER_LAUNCH_FAILED` when its browser does not answer, or another one does; the lease is given back
   * @throws {ScopeNotEnforceableError} `SCOPE_NOT_ENFORCEABLE` for a guarded session
   */
  async attach(params: AttachSessionParams): Promise<SessionLease> {
    const request = parseArgument(attachSchema, params, 'attach')
    this.#assertRunning()
    const full = { ...request, priority: 0, organizationId: this.#organization(request.organizationId) }
    return this.#parts.attacher.isOurs(full) ? this.#parts.allocator.occupy(full) : this.#parts.attacher.attach(full)
  }

  /**
   * A lease on any session of the organisation that is like `spec`: one that is free (`create`d or acquired before, not private), else one
   * made from a warm spare, else a new one; where there may be no further one, the first that comes free. Whoever waits stands in line:
   * higher priority first, then by turns of the organisations, then in order. A session that is released stays, for the next.
   * @throws {AcquireTimeoutError} `ACQUIRE_TIMEOUT` when `timeoutMs` are over, whatever was under way
   * @throws {PoolSaturatedError} `POOL_SATURATED` when as many wait (`maxQueue`) as may
   * @throws {BreakerOpenError} `BREAKER_OPEN` when a launch is needed, launches have failed in a row, and no like session is there to wait for
   * @throws {BrowserLaunchError} `BROWSER_NOT_FOUND`, `BROWSER_LAUNCH_FAILED` when the launch for this call fails
   * @throws {ScopeNotEnforceableError} `SCOPE_NOT_ENFORCEABLE`
   */
  async acquire(params: AcquireSessionParams): Promise<SessionLease> {
    const request = parseArgument(acquireSchema, params, 'acquire')
    this.#assertRunning()
    this.#parts.upkeep.gate.assertOpen()
    return this.#parts.allocator.acquire({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Acquires a session, or occupies the one that the request names, runs the function on its lease and releases it in every case, as `ok`:
   * for another outcome, release it in the function. The function should stop when `lease.signal` aborts.
   * @returns what the function returns; its error goes before one of the release
   */
  async use<T>(request: UseSessionRequest, fn: (lease: SessionLease) => Promise<T> | T): Promise<T> {
    assertFunction(fn, 'use')
    return useLease(namesSession(request) ? await this.occupy(request) : await this.acquire(request), fn)
  }

  /** `lease.release(options)`. */
  async release(lease: SessionLease, options: ReleaseOptions = {}): Promise<void> {
    assertLease(lease, 'release')
    return lease.release(options)
  }

  /**
   * Puts a session's end off: to now + `minutes` (by default its own `timeoutMinutes`) unless it ends later anyway, and to the pool's
   * `maxLifetimeMinutes` after its start at the latest. Never shortens.
   * @throws {SessionNotRenewableError} `SESSION_NOT_RENEWABLE` for one that has ended, has expired or never started.
   */
  async renew(params: RenewSessionParams): Promise<BrowserSession> {
    const request = parseArgument(renewSchema, params, 'renew')
    return this.#parts.upkeep.renewer.renew({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Like `renew`; a session that is not renewable and that nobody holds is closed besides (`expired`). One whose browser is being
   * launched is its caller's, and stays.
   * @throws {SessionNotRenewableError} `SESSION_NOT_RENEWABLE`, closed or not
   */
  async renewOrClose(params: RenewSessionParams): Promise<BrowserSession> {
    const request = parseArgument(renewSchema, params, 'renewOrClose')
    return this.#parts.upkeep.renewOrClose.run({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Ends the lease of a holder that is stuck: its signal aborts, its fence is refused, and the session is free. Does nothing where nobody
   * holds it. A holder on another host hears of it with its next heartbeat.
   */
  async forceRelease(ref: SessionRef): Promise<BrowserSession> {
    const request = parseArgument(sessionRefSchema, ref, 'forceRelease')
    return this.#parts.upkeep.breaker.break(this.#organization(request.organizationId), request.browserSessionId)
  }

  /** Takes a session out of use: nobody new gets it, and it ends (`drained`) with its present lease, or at once. */
  async retire(ref: SessionRef): Promise<BrowserSession> {
    const request = parseArgument(sessionRefSchema, ref, 'retire')
    return this.#parts.upkeep.retirer.retire(this.#organization(request.organizationId), request.browserSessionId)
  }

  /**
   * Empties this host: from here on it gives out nothing (`POOL_DRAINING`), free sessions end at once, held ones with their lease, and
   * after `timeoutMs` in spite of it. The pool goes on running, and gives out sessions again after `stop()` and `start()`.
   */
  async drain(params: DrainParams = {}): Promise<DrainReport> {
    const request = parseArgument(drainSchema, params, 'drain')
    if (!this.#lifecycle.isRunning) throw new NotRunningError('SessionPool', this.#lifecycle.state)
    this.#parts.upkeep.gate.close()
    this.#parts.allocator.stop(new PoolDrainingError(this.hostId))
    void this.#parts.supply.spares.stop()
    return this.#parts.upkeep.drainer.drain({ ...request, organizationId: null })
  }

  /** Ends all sessions of an organisation that this host has, as `drain` does. New ones may be made meanwhile. */
  async closeAll(params: CloseAllSessionsParams = {}): Promise<DrainReport> {
    const request = parseArgument(closeAllSchema, params, 'closeAll')
    return this.#parts.upkeep.drainer.drain({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Ends a session and resolves when its browser is gone. One that has ended already is given back as it is.
   * @throws {SessionOccupiedError} `SESSION_OCCUPIED` while somebody else holds it, unless `force`, which aborts the holder's signal first.
   */
  async close(params: CloseSessionParams): Promise<BrowserSession> {
    const request = parseArgument(closeSchema, params, 'close')
    return this.#parts.closer.close({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** @throws {SessionNotFoundError} `SESSION_NOT_FOUND` */
  async get(ref: SessionRef): Promise<BrowserSession> {
    const request = parseArgument(sessionRefSchema, ref, 'get')
    return this.#parts.reader.get(this.#organization(request.organizationId), request.browserSessionId)
  }

  /** Sessions of an organisation, newest first. */
  async list(params: ListSessionsParams = {}): Promise<BrowserSession[]> {
    const request = parseArgument(listSchema, params, 'list')
    return this.#parts.reader.list({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Saves what the browser of a live session has of sites (cookies, localStorage, IndexedDB, sessionStorage) under a name; a profile of that
   * name is switched to it once it is safely stored, and stays as it was when anything fails. For its holder, who passes the lease, or while
   * nobody holds it. With `kind: 'directory'` the session is closed first, as only then its user-data folder is whole.
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`
   * @throws {SessionEndedError} `SESSION_ENDED`: use `createProfile`
   * @throws {SessionOccupiedError} `SESSION_OCCUPIED` by somebody else than the caller
   * @throws {StaleLeaseError} `STALE_LEASE` when the lease is no longer the session's: nothing was changed
   * @throws {SessionHostUnavailableError} `SESSION_HOST_UNAVAILABLE` when its browser is another host's
   * @throws {ProfileSaveError} `PROFILE_SAVE_FAILED`, with the cause; `profile.failed` is on the session's stream
   */
  async saveProfile(params: SaveProfileParams): Promise<BrowserProfile> {
    const request = parseArgument(saveProfileSchema, params, 'saveProfile')
    return this.#parts.profiles.save({ ...request, mode: 'replace', organizationId: this.#organization(request.organizationId) })
  }

  /**
   * Makes a new profile of a live session, as `saveProfile` does, or of the state that an ended one left (see `keepState`).
   * @throws {ProfileExistsError} `PROFILE_EXISTS` when the name is taken
   * @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND` when the ended session left no state; else as `saveProfile`
   */
  async createProfile(params: CreateProfileParams): Promise<BrowserProfile> {
    const { fromBrowserSessionId: browserSessionId, ...request } = parseArgument(createProfileSchema, params, 'createProfile')
    const organizationId = this.#organization(request.organizationId)
    return this.#parts.profiles.create({ ...request, browserSessionId, organizationId, kind: 'snapshot', mode: 'create' })
  }

  /** @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND` */
  async getProfile(ref: ProfileRef): Promise<BrowserProfile> {
    const request = parseArgument(profileRefSchema, ref, 'getProfile')
    return toBrowserProfile(await this.#parts.profileReader.get(this.#organization(request.organizationId), request.browserProfileId))
  }

  /** Profiles of an organisation, newest first. */
  async listProfiles(params: ListProfilesParams = {}): Promise<BrowserProfile[]> {
    const request = parseArgument(listProfilesSchema, params, 'listProfiles')
    const rows = await this.#parts.profileReader.list({ ...request, organizationId: this.#organization(request.organizationId) })
    return rows.map(toBrowserProfile)
  }

  /**
   * Deletes a profile and its bytes; its name is free then.
   * @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND`
   * @throws {ProfileInUseError} `PROFILE_IN_USE` while live sessions were made from it, unless `force`: they do not need it any more
   */
  async deleteProfile(params: DeleteProfileParams): Promise<void> {
    const request = parseArgument(deleteProfileSchema, params, 'deleteProfile')
    return this.#parts.profiles.delete({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** What is stored of a session, oldest first: recordings, and the state that it left. @throws {SessionNotFoundError} `SESSION_NOT_FOUND` */
  async listArtifacts(params: ListSessionArtifactsParams): Promise<ArtifactRow[]> {
    const request = parseArgument(listArtifactsSchema, params, 'listArtifacts')
    return this.#parts.files.list({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** A stored file with its bytes; the stream has to be read or destroyed. @throws {ArtifactError} `ARTIFACT_NOT_FOUND` */
  async readArtifact(ref: SessionArtifactRef): Promise<SessionArtifact> {
    const request = parseArgument(sessionArtifactRefSchema, ref, 'readArtifact')
    return this.#parts.files.read({ ...request, organizationId: this.#organization(request.organizationId) })
  }

  /** Why the session's `url` did not load when its browser started; null where it did, or where this host does not know. */
  urlFailure(ref: SessionRef): string | null {
    const request = parseArgument(sessionRefSchema, ref, 'urlFailure')
    const live = this.#parts.registry.live(request.browserSessionId)
    return live?.organizationId === this.#organization(request.organizationId) ? live.urlFailure : null
  }

  /** Calls the listener for what this process does to sessions; returns the function that ends it. */
  on<K extends PoolEventType>(type: K, listener: Listener<K>): () => void {
    assertPoolEvent(type)
    assertFunction(listener, 'on')
    return this.#parts.bus.on(type, listener)
  }

  onAny(listener: (event: AnyEvent<PoolEventType>) => void): () => void {
    assertFunction(listener, 'onAny')
    return this.#parts.bus.onAny(listener)
  }

  /** A session's events of every process: the stored ones after `after`, then live ones; ends after `session.closed`. */
  async *events(params: SessionEventsParams): AsyncGenerator<AnyEvent, void, undefined> {
    const { storage, clock } = this.#parts.settings
    const request = parseArgument(sessionEventsSchema, params, 'events')
    await this.#parts.reader.get(this.#organization(request.organizationId), request.browserSessionId)
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
    return this.#parts.stats()
  }

  health(): PoolHealth {
    const { upkeep, heartbeat } = this.#parts
    return poolHealth({ state: this.#lifecycle.state, gate: upkeep.gate, stats: this.stats(), failure: heartbeat.failure })
  }

  /** The same calls, bound to an organisation. */
  forOrganization(organizationId: string): OrganizationSessions {
    return new OrganizationSessions(this, parseArgument(givenText(), organizationId, 'forOrganization'))
  }

  #assertRunning(): void {
    if (!this.#lifecycle.isRunning) throw new NotRunningError('SessionPool', this.#lifecycle.state)
    this.#parts.upkeep.gate.assertOpen()
  }

  #organization(organizationId: string | undefined): string {
    return organizationOf(organizationId ?? this.#parts.settings.organizationId)
  }
}
