import { NotRunningError, RunwrightError, SessionCrashedError } from '../errors/index.js'
import { type AbortFork, forkAbort } from '../runtime/index.js'
import type { BrowserSessionRow } from '../storage/schema.js'
import { increment, storageNow } from '../storage/storage.js'
import type { CloseReason } from '../storage/tables/browser-sessions.js'
import { type BrowserStart, type BrowserStartRequest, type LaunchProgress, newProgress, type StartedBrowser } from './browser-start.js'
import { Deferred } from './deferred.js'
import { idleFromNow } from './idle-clock.js'
import { carries, commitEndingLease, releasedEvents } from './lease-ending.js'
import type { LeaseRecord } from './lease-record.js'
import { NO_LEASE } from './lease-terms.js'
import type { SessionPoolSettings } from './options.js'
import type { BrowserHandle } from './ports.js'
import type { SessionArrival } from './session-arrival.js'
import { browserColumns } from './session-columns.js'
import type { SessionEnder } from './session-ender.js'
import type { HookCaller } from './session-hooks.js'
import type { SessionJournal } from './session-journal.js'
import { newLife } from './session-life.js'
import type { LiveSession, SessionRegistry } from './session-registry.js'
import { statusFor } from './session-status.js'
import type { SessionTeardown } from './session-teardown.js'

/** A browser that is lost again and again is not worth another: so many in so long, then the session ends. */
const MAX_RELAUNCHES = 3
const RELAUNCH_WINDOW_MS = 10 * 60_000

interface Relaunch {
  readonly live: LiveSession
  readonly start: BrowserStartRequest
  readonly lease: LeaseRecord | undefined
  readonly reason: string
  readonly fork: AbortFork
  readonly progress: LaunchProgress
}

/** Brings the browsers of sessions back that are to survive their loss: on the same profile, under the same id, with a new fence. */
export class Relauncher {
  readonly #settings: SessionPoolSettings
  readonly #registry: SessionRegistry
  readonly #journal: SessionJournal
  readonly #teardown: SessionTeardown
  readonly #ender: SessionEnder
  readonly #arrival: SessionArrival
  readonly #hooks: HookCaller
  readonly #browserStart: Pick<BrowserStart, 'start'>
  #isStopped = false

  constructor(parts: {
    readonly settings: SessionPoolSettings
    readonly registry: SessionRegistry
    readonly journal: SessionJournal
    readonly teardown: SessionTeardown
    readonly ender: SessionEnder
    readonly arrival: SessionArrival
    readonly hooks: HookCaller
    readonly browserStart: Pick<BrowserStart, 'start'>
  }) {
    this.#settings = parts.settings
    this.#registry = parts.registry
    this.#journal = parts.journal
    this.#teardown = parts.teardown
    this.#ender = parts.ender
    this.#arrival = parts.arrival
    this.#hooks = parts.hooks
    this.#browserStart = parts.browserStart
  }

  start(): void {
    this.#isStopped = false
  }

  /** From here on a loss is a loss; what is under way is ended by whoever ends the launches. */
  stop(): void {
    this.#isStopped = true
  }

  /**
   * Takes a lost session over, if it is one to relaunch: out of the live set and its holder told before this returns, its slot kept.
   * False: it is not, or has been too often.
   */
  take(live: LiveSession, reason: string): boolean {
    const { life, browserSessionId, lease } = live
    const { clock } = this.#settings
    const start = life.start
    if (this.#isStopped || life.onBrowserLost !== 'relaunch' || start === null || life.unfit !== null) return false
    const sinceMs = clock.monotonicMs() - RELAUNCH_WINDOW_MS
    if (life.relaunchedAtMs.filter((atMs) => atMs > sinceMs).length >= MAX_RELAUNCHES) return false
    if (!this.#registry.isLive(live)) return false
    const settled = new Deferred()
    const fork = forkAbort()
    this.#registry.beginRelaunch(live, { abort: (cause) => fork.abort(cause), settled: settled.promise })
    lease?.lose(new SessionCrashedError(browserSessionId, reason))
    const progress = { ...newProgress(browserSessionId), directory: live.directory }
    void this.#run({ live, start, lease, reason, fork, progress }).finally(() => {
      fork.dispose()
      settled.resolve()
    })
    return true
  }

  /** Never rejects. */
  async #run(relaunch: Relaunch): Promise<void> {
    const { live, start, fork, progress } = relaunch
    let isOldGone = false
    try {
      const parts = { ...live, hasDisplay: live.display !== null, directory: null }
      const [isRetrying, isGone] = await Promise.all([this.#toRetry(relaunch), this.#teardown.run(parts, { isClean: false })])
      isOldGone = isGone
      // never a second browser while the first may live
      if (!isGone) throw new SessionCrashedError(live.browserSessionId, 'its process could not be ended')
      if (!isRetrying) throw new SessionCrashedError(live.browserSessionId, 'it was ended meanwhile')
      const started = await this.#browserStart.start(start, progress, fork.signal)
      await this.#hooks.call('afterLaunch', { ...live, browser: started.browser })
      fork.signal.throwIfAborted()
      await this.#goOn(relaunch, started)
    } catch (error) {
      this.#settings.logger.warn('a lost browser could not be replaced', { browserSessionId: live.browserSessionId, error })
      await this.#giveUp(relaunch, isOldGone, error)
    }
  }

  /** False: the row is final, or another host's. */
  async #toRetry(relaunch: Relaunch): Promise<boolean> {
    const { live, lease, reason } = relaunch
    const { browserSessionId, organizationId } = live
    const { storage, hostId } = this.#settings
    const journal = this.#journal
    const result = await commitEndingLease(
      { storage, journal },
      {
        browserSessionId,
        organizationId,
        lease,
        writes: (present) => [
          {
            op: 'update',
            table: 'browser_sessions',
            id: browserSessionId,
            where: { organizationId, status: 'running', hostId, ...carries(present) },
            set: { ...NO_LEASE, status: 'retry', pid: null, pidStartTime: null, idleExpiresAt: null, modifiedAt: storageNow() },
          },
          journal.append(browserSessionId, [
            journal.event('session.lost', organizationId, { browserSessionId, reason }),
            ...releasedEvents(journal, live, present),
          ]),
        ],
      },
    )
    if (result.ok) this.#journal.emit(result.events)
    return result.ok
  }

  async #goOn({ live, start, progress }: Relaunch, started: StartedBrowser): Promise<void> {
    const { browserSessionId, organizationId, life } = live
    const { clock, hostId, leaseTtlMs } = this.#settings
    const { browser, launchMs } = started
    const pid = browser.process?.pid ?? null
    const leaseFence = live.fence + 1
    const result = await this.#journal.commit([
      {
        op: 'update',
        table: 'browser_sessions',
        id: browserSessionId,
        where: { organizationId, status: 'retry', hostId, leaseFence: live.fence },
        set: { ...browserColumns({ ...started, leaseTtlMs }), ...idleFromNow(life.idleTimeoutMinutes), leaseFence: increment() },
      },
      this.#journal.append(browserSessionId, [
        this.#journal.event('session.relaunched', organizationId, { browserSessionId, pid, leaseFence, launchMs }),
      ]),
    ])
    if (!result.ok) throw new SessionCrashedError(browserSessionId, 'it was ended while its browser was replaced')
    const row = result.rows[0]?.[0] as BrowserSessionRow
    const relaunchedAtMs = [...life.relaunchedAtMs, clock.monotonicMs()].slice(-MAX_RELAUNCHES)
    const next = this.#arrival.arrive({
      organizationId,
      browserSessionId,
      started,
      life: newLife({ ...life, clock, start, relaunchedAtMs }),
      isAttached: false,
      isDetached: start.detached === true,
      fence: row.leaseFence,
      untie: progress.untie,
    })
    if (row.retiredAt !== null) next.life.unfit = 'drained'
    if (progress.lostReason !== null) this.#arrival.lost(next, progress.lostReason) // it died during the write
    this.#journal.emit(result.events)
  }

  /** Ends the session, with what is left of the old browser or of the new one. */
  async #giveUp(relaunch: Relaunch, isOldGone: boolean, error: unknown): Promise<void> {
    const { live, progress, fork, lease } = relaunch
    const { network, display, late, untie } = progress
    const closeReason: CloseReason = NotRunningError.is(fork.signal.reason) ? 'shutdown' : 'crashed'
    const end = (browser: BrowserHandle | null) => {
      const left = isOldGone ? { browser, network, display, untie } : live
      const parts = { ...left, browserSessionId: live.browserSessionId, directory: live.directory, hasDisplay: left.display !== null }
      return this.#ender.endRelaunch(live, { status: statusFor(closeReason), closeReason, lease, parts })
    }
    if (late === null) return end(progress.browser).done
    this.#settings.logger.warn('a browser may still come up; it keeps its place until it is gone', {
      browserSessionId: live.browserSessionId,
      error: RunwrightError.is(error) ? error.code : error,
    })
    await this.#ender.writeFinal(live, { status: statusFor(closeReason), closeReason, lease })
    void late.then((browser) => end(browser))
  }
}
