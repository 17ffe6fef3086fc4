import type { Clock } from '../runtime/index.js'
import type { RunRow } from '../storage/index.js'
import type { RunDispatcher } from './dispatcher.js'
import type { RunCanceller } from './run-canceller.js'
import type { RunEnvironment } from './run-environment.js'
import { RunExecution } from './run-execution.js'
import type { RunGuests } from './run-guests.js'
import type { RunLeases } from './run-leases.js'
import type { Workflows } from './workflows.js'

export interface RunExecutorOptions {
  readonly environment: RunEnvironment
  readonly workflows: Workflows
  readonly leases: RunLeases
  readonly dispatcher: RunDispatcher
  readonly canceller: RunCanceller
}

/** How an engine stops. */
export interface StopOptions {
  /** Whether running runs may finish. @default true */
  readonly graceful?: boolean
  /** For how long, in milliseconds. @default 30,000 */
  readonly timeoutMs?: number
}

const DEFAULT_STOP_TIMEOUT_MS = 30_000

/** Most queued runs that are picked up at a start. */
const PICK_UP_LIMIT = 10_000

/** Executes what the dispatcher hands over: claim, execution, end. */
export class RunExecutor {
  readonly #options: RunExecutorOptions
  readonly #executions = new Map<string, RunExecution>()
  /** Aborts when running runs are no longer waited for: what begins nevertheless is canceled. */
  #patience = new AbortController()

  constructor(options: RunExecutorOptions) {
    this.#options = options
  }

  /** Begins to execute; runs that were queued before are picked up. */
  async start(): Promise<void> {
    const { dispatcher, environment } = this.#options
    this.#patience = new AbortController()
    await dispatcher.start((workflowRunId) => this.#execute(workflowRunId))
    const queued = await environment.storage.find({
      table: 'runs',
      where: { status: 'queued' },
      orderBy: [{ column: 'priority', direction: 'desc' }, { column: 'queuedAt' }],
      limit: PICK_UP_LIMIT,
    })
    for (const { workflowRunId, priority } of queued) await dispatcher.dispatch(workflowRunId, { priority })
  }

  /**
   * Begins nothing more. With `graceful`, runs may finish for as long as `timeoutMs`; what still runs is canceled by `shutdown` and
   * finished as canceled. Queued runs stay queued.
   */
  async stop({ graceful = true, timeoutMs = DEFAULT_STOP_TIMEOUT_MS }: StopOptions = {}): Promise<void> {
    const { dispatcher, leases, environment } = this.#options
    const idle = dispatcher.stop({ timeoutMs })
    if (graceful) await settledWithin(idle, { timeoutMs, clock: environment.clock, signal: this.#patience.signal })
    this.hurry()
    await Promise.all([idle, ...leases.all().map(({ run }) => this.#cancel(run))])
  }

  /** Where actions from outside come into a run that this host executes. */
  guestsOf(workflowRunId: string): RunGuests | undefined {
    return this.#executions.get(workflowRunId)?.guests
  }

  /** Ends the patience of a `stop()` in flight, or of the next one. */
  hurry(): void {
    this.#patience.abort()
  }

  async #cancel(run: RunRow): Promise<void> {
    const { canceller, environment } = this.#options
    try {
      await canceller.cancel({ ...run, by: 'shutdown' })
    } catch (error) {
      environment.logger.warn('a run could not be canceled', { workflowRunId: run.workflowRunId, error })
    }
  }

  /** A session lives on one host: a run that names it is executed by that host, for as long as it is alive. */
  async #isForUs(run: RunRow): Promise<boolean> {
    const { storage, sessions } = this.#options.environment
    if (run.browserSessionId === null || run.ownsSession || sessions === undefined || !storage.capabilities.shared) return true
    const session = await storage.get('browser_sessions', run.browserSessionId)
    if (session === undefined || session.hostId === null || session.hostId === sessions.hostId || session.completedAt !== null) return true
    return session.hostLeaseExpiresAt === null || session.hostLeaseExpiresAt < (await storage.now())
  }

  /** Never rejects: a run that cannot be executed here is left to be taken over. */
  async #execute(workflowRunId: string): Promise<void> {
    const { environment, workflows, leases } = this.#options
    let execution: RunExecution | null = null
    try {
      const claimed = await leases.claim(workflowRunId, (run) => this.#isForUs(run))
      if (claimed === null) return
      const { run, claimedAtMs } = claimed
      execution = new RunExecution({ environment, run, workflow: await workflows.loadPinned(run.workflowId) })
      leases.hold(execution, claimedAtMs)
      this.#executions.set(workflowRunId, execution)
      if (this.#patience.signal.aborted) await this.#cancel(run)
      await execution.execute()
    } catch (error) {
      environment.logger.error('a run could not be executed', { workflowRunId, error })
    } finally {
      if (execution !== null) {
        leases.drop(execution)
        if (this.#executions.get(workflowRunId) === execution) this.#executions.delete(workflowRunId)
      }
    }
  }
}

/** Resolves when the work has settled, the time is over, or the signal aborts. */
function settledWithin(work: Promise<unknown>, until: { timeoutMs: number; clock: Clock; signal: AbortSignal }): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      timer.cancel()
      until.signal.removeEventListener('abort', end)
      resolve()
    }
    const timer = until.clock.setTimer(end, until.timeoutMs, { keepAlive: true })
    until.signal.addEventListener('abort', end)
    work.then(end, end) // whoever awaits the work hears of its failure
    if (until.signal.aborted) end()
  })
}
