import type { IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import { InvalidArgumentError, NotRunningError, parseArgument } from '../errors/index.js'
import { type AnyEvent, type Listener, logListenerErrors, type StreamingEventType, TypedBus } from '../events/index.js'
import { closeAll, Lifecycle } from '../runtime/index.js'
import { AdmissionDesk } from './admission.js'
import { BackendChoice } from './backend-choice.js'
import { XvncBackend } from './backends/xvnc.js'
import { closeCodes } from './close-codes.js'
import { sweepDisplayDirectories } from './directory-sweep.js'
import type { Display } from './display.js'
import { DisplayManager } from './display-manager.js'
import { Gateway } from './gateway.js'
import { LiveViews } from './live-views.js'
import { OrganizationStreaming } from './organization-streaming.js'
import { type Screenshot, Screenshots } from './screenshots.js'
import { hasEnded, liveSession } from './session-rows.js'
import type { SessionView } from './session-view.js'
import {
  type ByOrganization,
  claimDisplaySchema,
  type IssueTokenParams,
  issueTokenSchema,
  revokeSchema,
  type ScreenshotParams,
  type StartDisplayParams,
  screenshotSchema,
  startDisplaySchema,
} from './stream-params.js'
import { StreamingJournal } from './streaming-journal.js'
import { type DisplayState, describeDisplays, type StreamingHealth } from './streaming-state.js'
import { parseSupervisorOptions, type ResolvedSupervisorOptions, type StreamingSupervisorOptions } from './supervisor-options.js'
import { type IssuedViewToken, ViewTokens } from './view-tokens.js'
import { ViewerRegistry } from './viewer-registry.js'

/**
 * A display and a live view for each browser session, inside the host's own process and HTTP server.
 *
 * @example
 * const streaming = new StreamingSupervisor({ storage })
 * await streaming.start()
 * server.on('upgrade', (request, socket, head) => streaming.handleUpgrade(request, socket, head) || socket.destroy())
 */
export class StreamingSupervisor {
  readonly #options: ResolvedSupervisorOptions
  readonly #bus: TypedBus<StreamingEventType>
  readonly #backends: BackendChoice
  readonly #displays: DisplayManager
  readonly #viewers: ViewerRegistry
  readonly #views: LiveViews
  readonly #screenshots: Screenshots
  readonly #gateway: Gateway
  readonly #lifecycle = new Lifecycle({ start: () => this.#onStart(), stop: () => this.#onStop() })

  /** @throws {InvalidArgumentError} when an option does not fit. */
  constructor(options: StreamingSupervisorOptions) {
    const resolved = parseSupervisorOptions(options)
    const { storage, clock, ids, random, logger, hostId, processRunner } = resolved
    this.#options = resolved
    this.#bus = new TypedBus(resolved.onListenerError ?? logListenerErrors(resolved.logger))
    this.#backends = new BackendChoice(resolved.backends ?? [new XvncBackend({ hostId, clock, random, processRunner })])
    const journal = new StreamingJournal({ storage, ids, bus: this.#bus })
    const tokens = new ViewTokens({ storage, ids, random })
    this.#viewers = new ViewerRegistry(resolved)
    this.#views = new LiveViews({ storage, tokens, viewers: this.#viewers })
    this.#displays = new DisplayManager({
      storage,
      journal,
      clock,
      logger,
      backends: this.#backends,
      onLost: ({ browserSessionId }) => void this.#views.closeSession(browserSessionId, closeCodes.restarting, 'the display died'),
    })
    this.#screenshots = new Screenshots({ clock })
    const admission = new AdmissionDesk({
      storage,
      tokens,
      displayOf: (browserSessionId) => this.#displays.get(browserSessionId),
      hasRoom: (browserSessionId, ticketId) => this.#viewers.hasRoom(browserSessionId, ticketId),
    })
    this.#gateway = new Gateway({ ...resolved, admission, viewers: this.#viewers, tokens, journal, isRunning: () => this.isRunning })
  }

  get isRunning(): boolean {
    return this.#lifecycle.isRunning
  }

  /** Path below which live views are mounted. */
  get basePath(): string {
    return this.#options.basePath
  }

  /** Opens the storage, looks which backends work here, and removes what dead hosts left. Resolves to whether this call started it. */
  start(): Promise<boolean> {
    return this.#lifecycle.start()
  }

  /** Ends viewers and displays; resolves when their processes and directories are gone. Idempotent; can be started again. */
  stop(): Promise<void> {
    return this.#lifecycle.stop()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /**
   * The session's display, started unless it runs; concurrent calls share one.
   *
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`. {@link StreamingError} `DISPLAY_PROGRAM_MISSING`, `DISPLAY_START_FAILED`.
   */
  async startDisplay(params: StartDisplayParams): Promise<Display> {
    this.#assertRunning()
    const { signal, isSpare, ...request } = parseArgument(startDisplaySchema, params, 'startDisplay')
    return this.#displays.start({ ...request, organizationId: isSpare ? null : this.#organization(request) }, signal)
  }

  /** The display that was started for a spare (`isSpare`) is that of this session, whose row exists by now; any other stays as it is. */
  async claimDisplay(params: ByOrganization & { readonly browserSessionId: string }): Promise<void> {
    const request = parseArgument(claimDisplaySchema, params, 'claimDisplay')
    await this.#displays.claim(this.#organization(request), request.browserSessionId)
  }

  /** Ends the session's display, if it has one; resolves when its processes and its directory are gone. */
  async stopDisplay(params: { readonly browserSessionId: string }): Promise<void> {
    await this.#views.beforeDisplayStops(params.browserSessionId)
    await this.#displays.stop(params.browserSessionId)
  }

  /**
   * Takes over the display of a session that outlived its host; the pool calls it when it adopts that session.
   *
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`. {@link StreamingError} `STREAM_UNAVAILABLE`, `DISPLAY_START_FAILED` when it is gone.
   */
  async adoptDisplay(params: ByOrganization & { readonly browserSessionId: string }): Promise<Display> {
    this.#assertRunning()
    const request = parseArgument(claimDisplaySchema, params, 'adoptDisplay')
    return this.#displays.adopt({ organizationId: this.#organization(request), browserSessionId: request.browserSessionId })
  }

  /** Lets go of a detached display: its viewers here are told to come again (1012), and it runs on. Any other stays as it is. */
  async leaveDisplay(params: { readonly browserSessionId: string }): Promise<void> {
    await this.#views.closeSession(params.browserSessionId, closeCodes.restarting, 'the host stops; the session goes on')
    this.#displays.leave(params.browserSessionId)
  }

  /** Removes what dead hosts left; detached displays stay as long as their sessions do. `start` does it too. */
  async sweepDisplays(): Promise<void> {
    const { storage, clock, logger } = this.#options
    const isWanted = async ({ browserSessionId }: { readonly browserSessionId: string }) => {
      const row = await storage.get('browser_sessions', browserSessionId)
      return row === undefined || !hasEnded(row) // of a session in another storage nothing is known
    }
    const swept = await sweepDisplayDirectories({ clock, isWanted })
    if (swept.directories.length > 0) logger.info('removed what dead hosts left', { ...swept })
  }

  /** The pool hands over its way to a session's pages; returns the function that takes it back. */
  registerView(browserSessionId: string, view: SessionView): () => void {
    return this.#screenshots.register(browserSessionId, view)
  }

  unregisterView(browserSessionId: string): void {
    this.#screenshots.unregister(browserSessionId)
  }

  /** The session has ended: its viewers are told so (4410), its tokens and tickets open nothing any more. */
  endViewers(browserSessionId: string): Promise<void> {
    return this.#views.end(browserSessionId)
  }

  /**
   * A token that opens one live view of the session, once. Only its hash is stored.
   *
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`. {@link SessionEndedError} `SESSION_ENDED`. {@link StreamingError} `STREAM_UNAVAILABLE`, with the reason.
   */
  async issueToken(params: IssueTokenParams): Promise<IssuedViewToken> {
    const { organizationId, origin = null, userId = null, ...request } = parseArgument(issueTokenSchema, params, 'issueToken')
    return this.#views.issue({ ...request, organizationId: this.#organization({ organizationId }), origin, userId })
  }

  /** Ends a token, its ticket and the view that it opened here; whether there was anything to end. */
  async revoke(params: ByOrganization & { readonly viewTokenId: string }): Promise<boolean> {
    const request = parseArgument(revokeSchema, params, 'revoke')
    return this.#views.revoke({ ...request, organizationId: this.#organization(request) })
  }

  /** Takes an upgrade request for `<basePath>/sessions/<id>/stream`. False: the path is not ours, and the socket was left alone. */
  handleUpgrade(request: IncomingMessage, socket: Duplex, head: Buffer): boolean {
    return this.#gateway.handleUpgrade(request, socket, head)
  }

  /** A picture of the session's active page. @throws {StreamingError} `STREAM_UNAVAILABLE` when its browser is not on this host. */
  async screenshot(params: ScreenshotParams): Promise<Screenshot> {
    const { organizationId, ...request } = parseArgument(screenshotSchema, params, 'screenshot')
    await liveSession(this.#options.storage, { ...request, organizationId: this.#organization({ organizationId }) })
    return this.#screenshots.take(request)
  }

  /** The displays that run on this host, of all organizations unless one is named. */
  list(params: ByOrganization = {}): readonly DisplayState[] {
    const organizationId = params.organizationId ?? this.#options.organizationId
    return describeDisplays(this.#displays.list(), this.#viewers).filter(
      (state) => !organizationId || state.organizationId === organizationId,
    )
  }

  /** What works on this host, and how much is going on. */
  health(): StreamingHealth {
    return {
      state: this.#lifecycle.state,
      backends: this.#backends.reports(),
      displays: this.#displays.list().length,
      viewers: this.#viewers.size,
    }
  }

  /** Calls the listener for each event of a type; returns the function that ends it. */
  on<T extends StreamingEventType>(type: T, listener: Listener<T>): () => void {
    return this.#bus.on(type, listener)
  }

  /** Calls the listener for every event; returns the function that ends it. */
  onAny(listener: (event: AnyEvent<StreamingEventType>) => void): () => void {
    return this.#bus.onAny(listener)
  }

  /** The same supervisor for one organization. */
  forOrganization(organizationId: string): OrganizationStreaming {
    return new OrganizationStreaming(this, organizationId)
  }

  async #onStart(): Promise<void> {
    const { storage, logger } = this.#options
    await storage.open()
    const [reports] = await Promise.all([this.#backends.probeAll(), this.sweepDisplays()])
    for (const report of reports) if (!report.available) logger.warn('a display backend is not available', { ...report })
    this.#displays.open()
  }

  #onStop(): Promise<void> {
    return closeAll([() => this.#views.closeAll(), () => this.#displays.close()], 'the streaming supervisor')
  }

  #assertRunning(): void {
    if (!this.isRunning) throw new NotRunningError('StreamingSupervisor', this.#lifecycle.state)
  }

  #organization(params: ByOrganization): string {
    const organizationId = params.organizationId ?? this.#options.organizationId
    if (organizationId) return organizationId
    throw new InvalidArgumentError('organizationId is missing: name it in the call, or once in the options', {
      path: 'organizationId',
      expected: 'the id of an organization',
    })
  }
}
