import { BlockFailed, NotRunningError, SessionError, SessionOccupiedError } from '../errors/index.js'
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

/** One for all runs without a browser, as an error takes as long to make as a block without work. */
const ENDING = new NotRunningError('The run', 'ending')

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
  /** The storage's time, as this host reckons it. */
  readonly now: () => Date
  /** Whether the run was executed before, by this host or another: it may have had a browser. */
  readonly hasBegunBefore: boolean
  /** The lease that the run kept while it was paused; null: none. */
  readonly adopted: SessionLease | null
  /** What its requests are held to; null: nothing. */
  readonly networkPolicy: () => NetworkPolicy | null
  /** Aborts with the execution. */
  readonly control: AbortFork
  /** Called once when the lease is lost: the browser crashed, or the lease lapsed. */
  readonly onLost: (reason: unknown) => void
  /** Called with a lease that could not be given back, as often as that fails: somebody has to see to it. */
  readonly onNotGivenBack: (lease: SessionLease) => void
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
  readonly #unwatch: (() => void)[] = []

  constructor(options: RunBrowserOptions) {
    this.#options = options
    this.downloads = new DownloadCollector(options.clock)
    this.#waiting = forkAbort(options.control)
    if (options.adopted === null) return
    this.#lease = Promise.resolve(options.adopted)
    this.#hold(options.adopted)
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

  /** Whether there is a private session, which the end of the run closes. */
  get isToBeClosed(): boolean {
    return this.#held !== null && this.isPrivate
  }

  /** Ends the wait for a browser that is still on its way, and waits until it has come or not. */
  async settle(): Promise<void> {
    this.#waiting.abort(this.#lease === null ? ENDING : new NotRunningError('The run', 'ending'))
    await this.#lease?.catch(() => {}) // whoever asked for the browser hears of it
  }

  /** Whether it has no browser, and none is on its way or left from before: nothing has to be done about it at the end. */
  get isNone(): boolean {
    const { run, hasBegunBefore } = this.#options
    return this.#lease === null && !(hasBegunBefore && run.browserSessionId !== null)
  }

  /** Takes the session that an earlier execution still holds here, so that it can be given back; without one it does nothing. */
  async reclaim(): Promise<void> {
    if (this.#held !== null) return
    const lease = await this.#occupyAgain()
    if (lease !== null) this.#hold(lease)
  }

  /** Saves the state of a private browser, where the workflow keeps it. */
  async saveState(): Promise<void> {
    await this.settle()
    if (this.#held !== null && this.isPrivate) await this.#options.profile.save(this.#held)
  }

  /** Closes a private session, when there is one; its row is final then. */
  async closePrivate(): Promise<void> {
    await this.settle()
    if (this.#held !== null && this.isPrivate) await this.#giveBack(this.#held)
  }

  /** Gives the session back without the commit that ends the run: the run is somebody else's by now, or cannot be written. */
  async giveUp(): Promise<void> {
    await this.settle()
    if (this.#held !== null) await this.#giveBack(this.#held)
  }

  /** Lets go of the lease without giving it back: the run keeps its session while it is paused. */
  suspend(): SessionLease | null {
    const lease = this.#held
    this.detach()
    this.#held = null
    this.#lease = null
    return lease
  }

  /** Stops listening; the lease is settled by whoever ends the run. */
  detach(): void {
    for (const end of this.#unwatch.splice(0)) end()
    this.#waiting.dispose()
  }

  async #giveBack(lease: SessionLease): Promise<void> {
    const { sessions, run, onNotGivenBack } = this.#options
    if (this.isPrivate) for (const end of this.#unwatch.splice(0)) end()
    try {
      if (!this.isPrivate) await lease.release()
      else
        await sessions?.close({ organizationId: run.organizationId, browserSessionId: lease.browserSessionId, reason: 'released', lease })
    } catch (error) {
      onNotGivenBack(lease)
      throw error
    }
  }

  async #begin(): Promise<SessionLease> {
    const { sessions, run } = this.#options
    const { signal } = this.#waiting
    if (sessions === undefined) {
      throw new BlockFailed('The run needs a browser, and the engine has no SessionPool: pass `sessions`', {
        code: 'SESSIONS_NOT_CONFIGURED',
      })
    }
    const isNamed = run.browserSessionId !== null && !run.ownsSession
    const lease = isNamed
      ? await this.#occupy(sessions, { signal, ...this.#wait() }).catch((error: unknown) => this.#failNamed(error))
      : ((await this.#occupyAgain()) ?? (await this.#create(sessions)))
    if (signal.aborted) {
      await this.#giveBack(lease)
      throw signal.reason
    }
    this.#hold(lease)
    return lease
  }

  #hold(lease: SessionLease): void {
    const { onLost, onPrivateSession, run } = this.#options
    this.#held = lease
    if (this.isPrivate && lease.browserSessionId !== run.browserSessionId) onPrivateSession(lease.browserSessionId)
    const lost = () => onLost(lease.signal.reason)
    this.#unwatch.push(this.downloads.watch(lease.browser), () => lease.signal.removeEventListener('abort', lost))
    if (lease.signal.aborted) lost()
    else lease.signal.addEventListener('abort', lost, { once: true })
  }

  /** The session that the row names. Whoever has the run now takes it over from a host, or an execution, that lost it. */
  #occupy(sessions: RunSessions, more: Partial<Parameters<RunSessions['occupy']>[0]> = {}): Promise<SessionLease> {
    const { run, networkPolicy } = this.#options
    return sessions.occupy({
      organizationId: run.organizationId,
      browserSessionId: run.browserSessionId ?? '',
      runnableType: RUNNABLE_TYPES[run.runType],
      runnableId: run.workflowRunId,
      runnableFence: run.leaseFence,
      networkPolicy: networkPolicy() ?? undefined,
      priority: run.priority,
      ...more,
    })
  }

  /** The session that an earlier execution of the run had and still holds, where it lives on this host; null: there is none. */
  async #occupyAgain(): Promise<SessionLease | null> {
    const { sessions, run, hasBegunBefore } = this.#options
    const { browserSessionId, organizationId } = run
    if (!hasBegunBefore || browserSessionId === null || sessions === undefined) return null
    try {
      const session = await sessions.get({ organizationId, browserSessionId })
      const isOurs = session.runnableId === run.workflowRunId && session.hostId === sessions.hostId && session.completedAt === null
      return isOurs ? await this.#occupy(sessions) : null
    } catch (error) {
      if (error instanceof SessionError) return null // it went with its host, or ended meanwhile
      throw error
    }
  }

  async #create(sessions: RunSessions): Promise<SessionLease> {
    const { run, profile, minutesForPeople } = this.#options
    const networkPolicy = this.#options.networkPolicy() ?? undefined
    const browserProfileId = await profile.source()
    return sessions.createOccupied({
      organizationId: run.organizationId,
      private: true,
      guarded: networkPolicy !== undefined && run.browserAddress === null,
      networkPolicy,
      runnable: { runnableType: RUNNABLE_TYPES[run.runType], runnableId: run.workflowRunId },
      runnableFence: run.leaseFence,
      signal: this.#waiting.signal,
      priority: run.priority,
      ...(run.browserAddress === null ? ofLaunch(run) : { browserAddress: run.browserAddress }),
      ...(browserProfileId === null ? {} : { browserProfileId }),
      ...(minutesForPeople === null ? {} : { timeoutMinutes: minutesForPeople }),
    })
  }

  /** What is left of the time that the run waits for its session: it has waited in the queue already. */
  #wait(): { readonly wait?: { readonly timeoutMs: number } } {
    const { run, now } = this.#options
    if (run.waitTimeoutMs === null) return {}
    const leftMs = run.waitDeadlineAt === null ? run.waitTimeoutMs : run.waitDeadlineAt.getTime() - now().getTime()
    return { wait: { timeoutMs: Math.min(run.waitTimeoutMs, Math.max(1, leftMs)) } }
  }

  /** A session that the run had before, and that is not to be had any more, is lost: the run cannot go on in another one. */
  #failNamed(error: unknown): never {
    const { run, hasBegunBefore } = this.#options
    if (!hasBegunBefore || !(error instanceof SessionError) || error instanceof SessionOccupiedError) throw error
    throw new BlockFailed(`The run went on elsewhere, and its session ${run.browserSessionId} is lost: ${error.message}`, {
      code: 'SESSION_LOST',
      cause: error,
    })
  }
}

/** What a browser is launched with; one that somebody else has started is as it is. */
function ofLaunch({ proxyLocation, extraHttpHeaders }: RunRow) {
  return { ...(proxyLocation === null ? {} : { proxyLocation }), ...(extraHttpHeaders === null ? {} : { extraHttpHeaders }) }
}
