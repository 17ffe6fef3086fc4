import { BlockFailed, NotRunningError } from '../errors/index.js'
import { type AbortFork, type Clock, forkAbort } from '../runtime/index.js'
import type { BrowserHandle, NetworkPolicy, SessionLease, SessionPool } from '../sessions/index.js'
import type { RunRow, RunType } from '../storage/index.js'
import { DownloadCollector } from './download-collector.js'
import type { ProfileSessions, RunProfile } from './run-profile.js'

/** As what a run holds a session. */
const RUNNABLE_TYPES: Readonly<Record<RunType, string>> = {
  workflow: 'workflow_run',
  block: 'workflow_run',
  task: 'task',
  action: 'action',
}

/** What an engine needs of a pool. */
export type RunSessions = Pick<SessionPool, 'occupy' | 'createOccupied' | 'close' | 'start' | 'stop' | 'get' | 'hostId'> &
  ProfileSessions &
  Partial<Pick<SessionPool, 'useNetworkGuard'>>

export interface RunBrowserOptions {
  readonly sessions: RunSessions | undefined
  readonly run: RunRow
  /** What a private browser begins with, and what becomes of its state. */
  readonly profile: RunProfile
  /** How long a private browser lives that waits for people, in minutes; null: the run waits for nobody. */
  readonly minutesForPeople: number | null
  readonly clock: Clock
  /** What its requests are held to; null: nothing. */
  readonly networkPolicy: () => NetworkPolicy | null
  /** Aborts with the execution. */
  readonly signal: AbortSignal
  /** Called once when the lease is lost: the browser crashed, or the lease lapsed. */
  readonly onLost: (reason: unknown) => void
  /** Called with the id of a private session as soon as it exists. */
  readonly onPrivateSession: (browserSessionId: string) => void
}

/** The browser of one execution: the named session, occupied at the start, or a private one, made when it is first needed. */
export class RunBrowser {
  readonly downloads: DownloadCollector
  readonly #options: RunBrowserOptions
  /** Aborts with the execution, or when it no longer waits for a browser. */
  readonly #waiting: AbortFork
  #lease: Promise<SessionLease> | null = null
  #held: SessionLease | null = null
  #unwatch: (() => void) | null = null

  constructor(options: RunBrowserOptions) {
    this.#options = options
    this.downloads = new DownloadCollector(options.clock)
    this.#waiting = forkAbort(options.signal)
  }

  /** The lease, once there is one. */
  get lease(): SessionLease | null {
    return this.#held
  }

  /** Whether the session is the run's own, to be closed with it. */
  get isPrivate(): boolean {
    return this.#options.run.browserSessionId === null || this.#options.run.ownsSession
  }

  /** Whether the browser is had before the first block: one that is there already, or that people are to look at. Without it, the run fails. */
  get isGiven(): boolean {
    const { run, sessions, minutesForPeople } = this.#options
    return !this.isPrivate || run.browserAddress !== null || (minutesForPeople !== null && sessions !== undefined)
  }

  /** The browser; occupies the named session, or makes a private one. Concurrent calls share one. */
  async open(): Promise<BrowserHandle> {
    this.#lease ??= this.#begin().catch((error: unknown) => {
      this.#lease = null
      throw error
    })
    const lease = await this.#lease
    lease.touch() // whoever asks is at work
    return lease.browser
  }

  /** Ends the wait for a browser that is still on its way, then saves the state of a private one, where the workflow keeps it. */
  async saveState(): Promise<void> {
    await this.#settle()
    if (this.#held !== null && this.isPrivate) await this.#options.profile.save(this.#held)
  }

  /** Ends the wait for a browser that is still on its way, then closes a private session, when there is one; its row is final then. */
  async closePrivate(): Promise<void> {
    await this.#settle()
    if (this.#held !== null && this.isPrivate) await this.#giveBack(this.#held)
  }

  /** Gives the session back without the commit that ends the run: the run is somebody else's by now, or cannot be written. */
  async giveUp(): Promise<void> {
    await this.#settle()
    if (this.#held !== null) await this.#giveBack(this.#held)
  }

  /** Stops listening; the lease is settled by whoever ends the run. */
  detach(): void {
    this.#unwatch?.()
    this.#unwatch = null
    this.#waiting.dispose()
  }

  async #settle(): Promise<void> {
    this.#waiting.abort(new NotRunningError('The run', 'ending'))
    await this.#lease?.catch(() => {}) // whoever asked for the browser hears of it
  }

  async #giveBack(lease: SessionLease): Promise<void> {
    if (!this.isPrivate) return lease.release()
    this.#unwatch?.()
    const { organizationId } = this.#options.run
    await this.#options.sessions?.close({ organizationId, browserSessionId: lease.browserSessionId, reason: 'released', lease })
  }

  async #begin(): Promise<SessionLease> {
    const { sessions, run, onLost } = this.#options
    const { signal } = this.#waiting
    if (sessions === undefined) {
      throw new BlockFailed('The run needs a browser, and the engine has no SessionPool: pass `sessions`', {
        code: 'SESSIONS_NOT_CONFIGURED',
      })
    }
    const networkPolicy = this.#options.networkPolicy() ?? undefined
    const runnable = { runnableType: RUNNABLE_TYPES[run.runType], runnableId: run.workflowRunId }
    const isNamed = run.browserSessionId !== null && !run.ownsSession
    const browserProfileId = isNamed ? null : await this.#options.profile.source()
    const lease =
      run.browserSessionId !== null && isNamed
        ? await sessions.occupy({
            organizationId: run.organizationId,
            browserSessionId: run.browserSessionId,
            ...runnable,
            runnableFence: run.leaseFence, // whoever has the run now takes the session over from a host that lost it
            networkPolicy,
            signal,
            priority: run.priority,
            ...(run.waitTimeoutMs === null ? {} : { wait: { timeoutMs: run.waitTimeoutMs } }),
          })
        : await sessions.createOccupied({
            organizationId: run.organizationId,
            private: true,
            guarded: networkPolicy !== undefined && run.browserAddress === null,
            networkPolicy,
            runnable,
            runnableFence: run.leaseFence,
            signal,
            priority: run.priority,
            ...(run.browserAddress === null ? {} : { browserAddress: run.browserAddress }),
            ...(browserProfileId === null ? {} : { browserProfileId }),
            ...(this.#options.minutesForPeople === null ? {} : { timeoutMinutes: this.#options.minutesForPeople }),
          })
    if (signal.aborted) {
      await this.#giveBack(lease)
      throw signal.reason
    }
    this.#held = lease
    if (this.isPrivate) this.#options.onPrivateSession(lease.browserSessionId)
    this.#unwatch = this.downloads.watch(lease.browser)
    if (lease.signal.aborted) onLost(lease.signal.reason)
    else lease.signal.addEventListener('abort', () => onLost(lease.signal.reason), { once: true })
    return lease
  }
}
