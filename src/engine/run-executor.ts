import type { Clock } from '../runtime/index.js'
import type { RunBlockRow, RunRow } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import type { ClaimedRun } from './dispatch/run-claims.js'
import type { RunDispatcher } from './dispatcher.js'
import { firstAttempt, firstBlockOf } from './first-block.js'
import { loadPast } from './load-past.js'
import { type NewStart, type NewStarts, needsOnlyWorker, type StartingRun } from './new-start.js'
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
  /** How long a run's lease lives, in milliseconds. */
  readonly ttlMs: number
}

/** How an engine stops. */
export interface StopOptions {
  /** Whether running runs may finish. @default true */
  readonly graceful?: boolean
  /** For how long, in milliseconds. @default 30,000 */
  readonly timeoutMs?: number
}

export const DEFAULT_STOP_TIMEOUT_MS = 30_000

/** After so many lease times without a holder, a run that has begun is executed by any host. */
const NEGLECTED_AFTER_TTLS = 3

/** A run that this host has taken, and the block attempt that it has begun with. */
interface StartedRun extends ClaimedRun {
  readonly begun?: RunBlockRow | null
}

/** Executes what the dispatcher hands over: claim, execution, end. */
export class RunExecutor implements NewStarts {
  readonly #options: RunExecutorOptions
  readonly #executions = new Map<string, RunExecution>()
  /** Runs that are begun by the commit that stores them, while that is under way. */
  readonly #coming = new Map<string, Promise<StartedRun | null | 'unknown'>>()
  /** Aborts when running runs are no longer waited for: what begins nevertheless is canceled. */
  #patience = new AbortController()

  constructor(options: RunExecutorOptions) {
    this.#options = options
  }

  /** Begins to execute what is dispatched. */
  async start(): Promise<void> {
    this.#patience = new AbortController()
    await this.#options.dispatcher.start((workflowRunId) => this.#execute(workflowRunId))
  }

  /**
   * Begins nothing more. With `graceful`, runs may finish for as long as `timeoutMs`; what still runs then is handed over where its workflow
   * says so (`onHostLost: 'resume'`), so that another host goes on with it at once, and else ended as failed. Queued and paused runs stay.
   */
  async stop({ graceful = true, timeoutMs = DEFAULT_STOP_TIMEOUT_MS }: StopOptions = {}): Promise<void> {
    const { dispatcher, environment } = this.#options
    const idle = dispatcher.stop({ timeoutMs })
    if (graceful) await settledWithin(idle, { timeoutMs, clock: environment.clock, signal: this.#patience.signal })
    this.hurry()
    for (const execution of this.#executions.values()) execution.stop()
    await idle
  }

  /** Where actions from outside come into a run that this host executes. */
  guestsOf(workflowRunId: string): RunGuests | undefined {
    return this.#executions.get(workflowRunId)?.guests
  }

  /** Ends the patience of a `stop()` in flight, or of the next one. */
  hurry(): void {
    this.#patience.abort()
  }

  /**
   * A session lives on one host: a run that names it, or that has begun in one of its own, is executed by that host, for as long as it is
   * alive. A run that nobody has taken for long is anybody's: that host executes nothing.
   */
  async #isForUs(run: RunRow): Promise<boolean> {
    const { storage, sessions } = this.#options.environment
    const hasBegun = run.status !== 'queued'
    if (run.browserSessionId === null || (run.ownsSession && !hasBegun) || sessions === undefined || !storage.capabilities.shared)
      return true
    const session = await storage.get('browser_sessions', run.browserSessionId)
    if (session === undefined || session.hostId === null || session.hostId === sessions.hostId || session.completedAt !== null) return true
    const nowMs = (await storage.now()).getTime()
    const waitingSince = run.leaseExpiresAt ?? run.modifiedAt
    const isNeglected = hasBegun && waitingSince.getTime() + NEGLECTED_AFTER_TTLS * this.#options.ttlMs < nowMs
    return isNeglected || session.hostLeaseExpiresAt === null || session.hostLeaseExpiresAt.getTime() < nowMs
  }

  /**
   * Begins a run with the commit that stores it, where a worker is free here, nobody waits for one, and the run waits for nothing. So it
   * passes `queued` in its events only.
   */
  begin(run: StartingRun, workflow: CompiledWorkflow | null): NewStart | null {
    const { dispatcher, leases, environment } = this.#options
    const { workflowRunId } = run
    if (dispatcher.beginNow === undefined || this.#patience.signal.aborted || !needsOnlyWorker(run)) return null
    let settle: (coming: StartedRun | null | 'unknown') => void = () => {}
    this.#coming.set(workflowRunId, new Promise((resolve) => (settle = resolve)))
    if (!dispatcher.beginNow(workflowRunId)) {
      this.#coming.delete(workflowRunId)
      return null
    }
    const { changes, event, claimedAtMs } = leases.claimOfNew(run)
    const first = workflow === null || environment.scopePolicies.isAnyOfOrganizations ? null : this.#firstBlock(run, workflow)
    return {
      changes,
      events: first === null ? [event] : [event, first.event],
      block: first?.row ?? null,
      stored: (row, begun) => settle({ run: row, claimedAtMs, kind: 'start', begun }),
      refused: () => settle(null),
      failed: () => settle('unknown'),
    }
  }

  #firstBlock(run: StartingRun, workflow: CompiledWorkflow) {
    const { registry, ids, events } = this.#options.environment
    const block = firstBlockOf(run, workflow, ({ type }) => registry.get(type))
    if (block === null) return null
    const attempt = firstAttempt(run, block, ids)
    return { row: attempt.row, event: events.create(run.organizationId, 'block.started', attempt.identity) }
  }

  /** Takes the run, or waits until the commit is made that stores it as taken. */
  async #claim(workflowRunId: string): Promise<StartedRun | null> {
    const { leases, environment } = this.#options
    const coming = this.#coming.get(workflowRunId)
    this.#coming.delete(workflowRunId)
    if (coming === undefined) return leases.claim(workflowRunId, (run) => this.#isForUs(run))
    const claimedAtMs = environment.clock.monotonicMs()
    const started = await coming
    if (started !== 'unknown') return started
    const run = await environment.storage.get('runs', workflowRunId)
    if (run === undefined || !leases.isClaimOfNew(run)) return null
    const [begun = null] = await environment.storage.find({ table: 'run_blocks', where: { workflowRunId }, limit: 1 })
    return { run, claimedAtMs, kind: 'start', begun }
  }

  /** Never rejects: a run that cannot be executed here is left to be taken over. */
  async #execute(workflowRunId: string): Promise<void> {
    const { environment, workflows, leases } = this.#options
    let execution: RunExecution | null = null
    const isOver = environment.localRuns.begin(workflowRunId)
    try {
      const claimed = await this.#claim(workflowRunId)
      if (claimed === null) return
      const { run, claimedAtMs, kind, begun = null } = claimed
      const workflow = await workflows.loadPinned(run.workflowId)
      const past = await loadPast(environment.storage, run, workflow, kind)
      execution = new RunExecution({ environment, run, workflow, kind, past, begun })
      leases.hold(execution, claimedAtMs)
      this.#executions.set(workflowRunId, execution)
      if (this.#patience.signal.aborted) execution.stop()
      await execution.execute()
    } catch (error) {
      environment.logger.error('a run could not be executed', { workflowRunId, error })
    } finally {
      if (execution !== null) {
        leases.drop(execution)
        if (this.#executions.get(workflowRunId) === execution) this.#executions.delete(workflowRunId)
      }
      isOver()
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
