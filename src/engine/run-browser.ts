import { BlockFailed, type SessionCrashedError } from '../errors/index.js'
import type { Clock } from '../runtime/index.js'
import type { BrowserHandle, SessionLease, SessionPool } from '../sessions/index.js'
import type { RunRow } from '../storage/index.js'
import { DownloadCollector } from './download-collector.js'

/** What an engine needs of a pool. */
export type RunSessions = Pick<SessionPool, 'occupy' | 'createOccupied' | 'close' | 'start' | 'stop' | 'get'>

export interface RunBrowserOptions {
  readonly sessions: RunSessions | undefined
  readonly run: RunRow
  readonly clock: Clock
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
  #lease: Promise<SessionLease> | null = null
  #held: SessionLease | null = null
  #unwatch: (() => void) | null = null

  constructor(options: RunBrowserOptions) {
    this.#options = options
    this.downloads = new DownloadCollector(options.clock)
  }

  /** The lease, once there is one. */
  get lease(): SessionLease | null {
    return this.#held
  }

  /** Whether the session is the run's own, to be closed with it. */
  get isPrivate(): boolean {
    return this.#options.run.browserSessionId === null || this.#options.run.ownsSession
  }

  /** The browser; occupies the named session, or makes a private one. Concurrent calls share one. */
  async open(): Promise<BrowserHandle> {
    this.#lease ??= this.#begin().catch((error: unknown) => {
      this.#lease = null
      throw error
    })
    return (await this.#lease).browser
  }

  /** Closes a private session, when there is one; its row is final then. */
  async closePrivate(): Promise<void> {
    const lease = this.#held
    if (lease === null || !this.isPrivate) return
    this.#unwatch?.()
    const { organizationId } = this.#options.run
    await this.#options.sessions?.close({ organizationId, browserSessionId: lease.browserSessionId, reason: 'released', lease })
  }

  /** Stops listening; the lease is settled by whoever ends the run. */
  detach(): void {
    this.#unwatch?.()
    this.#unwatch = null
  }

  async #begin(): Promise<SessionLease> {
    const { sessions, run, signal, onLost } = this.#options
    if (sessions === undefined) {
      throw new BlockFailed('The run needs a browser, and the engine has no SessionPool: pass `sessions`', {
        code: 'SESSIONS_NOT_CONFIGURED',
      })
    }
    const runnable = { runnableType: 'workflow_run', runnableId: run.workflowRunId }
    const lease =
      run.browserSessionId !== null && !run.ownsSession
        ? await sessions.occupy({ organizationId: run.organizationId, browserSessionId: run.browserSessionId, ...runnable, signal })
        : await sessions.createOccupied({ organizationId: run.organizationId, private: true, runnable, signal })
    this.#held = lease
    if (this.isPrivate) this.#options.onPrivateSession(lease.browserSessionId)
    this.#unwatch = this.downloads.watch(lease.browser)
    if (lease.signal.aborted) onLost(lease.signal.reason)
    else lease.signal.addEventListener('abort', () => onLost(lease.signal.reason as SessionCrashedError), { once: true })
    return lease
  }
}
