import { type ChildrenResult, failed } from '../blocks/index.js'
import type { BlockDefinition } from '../definition/index.js'
import { BlockFailed, RunCanceledError, RunLeaseLostError, RunwrightError, StorageError, TimeoutError } from '../errors/index.js'
import { type AbortFork, forkAbort, raceAbort, type Timer } from '../runtime/index.js'
import { leaseCleared, type RunBlockRow, type RunRow } from '../storage/index.js'
import { recallAll } from './block-replay.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import { createRunState } from './create-run-state.js'
import type { ClaimKind } from './dispatch/claim-kind.js'
import { elapsedLimitAt, limitMinutesOf } from './elapsed-limit.js'
import type { RunPast } from './load-past.js'
import type { RunEnvironment } from './run-environment.js'
import { abandonRun, finishRun, giveBrowserBack } from './run-finalizer.js'
import { RunGuests } from './run-guests.js'
import { HOST_LOST } from './run-history.js'
import { afterFinally, outcomeOfBlock, outcomes, type RunOutcome, toPending } from './run-outcome.js'
import { planRun, type RunPlan } from './run-plan.js'
import { fetchAllSecrets } from './run-secrets.js'
import type { RunState } from './run-state.js'
import { RunSuspendedError } from './run-suspended.js'
import { Walker } from './walker.js'

const DEFAULT_FINALLY_TIMEOUT_SECONDS = 300
/** How long the finally block of a run may take whose host stops, in milliseconds. */
const STOP_FINALLY_MS = 10_000

export interface RunExecutionOptions {
  readonly environment: RunEnvironment
  /** As it was claimed. */
  readonly run: RunRow
  readonly workflow: CompiledWorkflow
  /** How it came to this host. */
  readonly kind: ClaimKind
  /** What earlier executions have left. */
  readonly past: RunPast
  /** The block attempt that the run was stored with; null: none. */
  readonly begun: RunBlockRow | null
}

/** One execution of a claimed run: from its claim to its terminal commit, to a pause, or to where another host goes on with it. */
export class RunExecution {
  readonly run: RunRow
  /** Actions from outside. */
  readonly guests: RunGuests
  readonly #environment: RunEnvironment
  readonly #state: RunState
  readonly #plan: RunPlan
  /** Whether this is the first: nothing was executed before. */
  readonly #isFirst: boolean
  /** Ends everything, the finally block included: cancel, suspension, lost lease, failed storage. */
  readonly #control: AbortFork = forkAbort()
  /** Ends the walk only: elapsed limit, lost browser. */
  readonly #walk: AbortFork
  /** What a lost browser ends: the walk, then the finally block. */
  #stage: AbortFork
  /** What the run comes to, once its walk is over. */
  #pending: RunOutcome | null = null
  /** Its outcome is known, and its end under way: nothing stops that. */
  #isFinishing = false
  /** Ends the finally block of a run whose host stops. */
  #stopTimer: Timer | null = null

  constructor({ environment, run, workflow, kind, past, begun }: RunExecutionOptions) {
    this.run = run
    this.#environment = environment
    this.#isFirst = kind === 'start'
    this.#walk = forkAbort(this.#control)
    this.#stage = this.#walk
    this.#state = createRunState({
      environment,
      run,
      workflow,
      history: past.history,
      hasBegunBefore: !this.#isFirst,
      begun,
      control: this.#control,
      onCommitFailed: (error) => this.#control.abort(error),
      onBrowserLost: (reason) => this.#stage.abort(reason),
      onSuspended: (reason) => this.#control.abort(reason),
    })
    const finallyLabel = workflow.finallyBlock?.label ?? null
    this.#plan = planRun({ kind, run, onHostLost: workflow.row.onHostLost, history: past.history, finallyLabel })
    this.#restore(past, finallyLabel)
    this.guests = new RunGuests(this.#state, this.#control)
  }

  /** Aborts the run: its outcome will be canceled. The request must have been recorded already. */
  cancel(by: string): void {
    this.#control.abort(new RunCanceledError(this.run.workflowRunId, by))
  }

  /** Stops driving: the run is somebody else's by now, nothing more is written. */
  abandon(reason: string): void {
    this.#control.abort(new RunLeaseLostError(this.run.workflowRunId, reason))
    this.#state.journal.close()
    this.#environment.localRuns.left(this.run.workflowRunId)
  }

  /**
   * The host stops: a run that may go on elsewhere is handed over, what is under way left as it is; any other ends here. One that is being
   * finished is finished.
   */
  stop(): void {
    if (this.#isFinishing || this.#control.isAborted) return
    const { workflow, journal } = this.#state
    if (workflow.row.onHostLost === 'fail' || this.#plan.kind === 'finish') {
      const reason = new BlockFailed('the host that executed the run was stopped', { code: HOST_LOST })
      this.#walk.abort(reason)
      if (workflow.finallyBlock === null) this.#control.abort(reason)
      else this.#stopTimer = this.#environment.clock.setTimer(() => this.#control.abort(reason), STOP_FINALLY_MS, { keepAlive: true })
      return
    }
    journal.seal()
    this.#control.abort(new RunSuspendedError(this.run.workflowRunId, 'handedOver'))
  }

  /**
   * Executes the run to its terminal commit, or until it goes on without this execution. Never rejects: what cannot be written is left to
   * whoever takes the lease over.
   */
  async execute(): Promise<void> {
    try {
      const outcome = await this.#produceOutcome()
      if (this.#suspension !== null) throw this.#suspension
      this.#isFinishing = true
      await this.guests.end()
      await finishRun(this.#state, this.#redacted(outcome))
    } catch (error) {
      await this.#leave(error)
    } finally {
      this.#stopTimer?.cancel()
      this.#walk.dispose()
      this.#state.browser.detach()
      this.#state.journal.close()
    }
  }

  /** Why the run goes on without this execution; null: it does not. */
  get #suspension(): RunSuspendedError | null {
    const { reason } = this.#control
    return reason instanceof RunSuspendedError ? reason : null
  }

  async #leave(error: unknown): Promise<void> {
    const { workflowRunId } = this.run
    const suspension = this.#suspension
    if (suspension === null) {
      this.#environment.logger.warn('run abandoned', { workflowRunId, error })
      this.abandon(messageOf(error))
    }
    await this.guests.end()
    if (suspension?.why === 'handedOver') await this.#handOver()
    else await abandonRun(this.#state)
  }

  /** Gives the run's lease back, so that another host goes on at once: as soon as nothing of it is driven here any more. Never rejects. */
  async #handOver(): Promise<void> {
    await giveBrowserBack(this.#state)
    try {
      await this.#state.journal.suspend(leaseCleared(), [], { evenIfCanceled: true })
    } catch (error) {
      this.#environment.logger.warn('a run could not be handed over: its lease lapses', { workflowRunId: this.run.workflowRunId, error })
    }
  }

  #restore({ history, taskCount, stepCount, actionCount }: RunPast, finallyLabel: string | null): void {
    const { blocks, workflow } = this.#state
    const plan = this.#plan
    this.#state.stepCount = stepCount
    this.#state.actionCount = actionCount
    const goesOn = (label: string) => (plan.kind === 'walk' ? true : plan.runsFinally && label === finallyLabel)
    blocks.restore(history, taskCount, goesOn)
    for (const row of history.open) {
      // somebody's action between two blocks: nobody makes it again
      if (!workflow.blocks.has(row.label)) blocks.end(row, failed('its host was lost, or stopped', HOST_LOST, { output: row.output }))
    }
  }

  async #produceOutcome(): Promise<RunOutcome> {
    try {
      return await (this.#plan.kind === 'finish' ? this.#finish(this.#plan) : this.#runBlocks())
    } catch (error) {
      const outcome = this.#outcomeOfAbort(this.#control.isAborted ? this.#control.reason : error)
      return this.#pending === null ? outcome : afterFinally(this.#pending, outcome)
    }
  }

  async #runBlocks(): Promise<RunOutcome> {
    const { workflow, time } = this.#state
    const limitMinutes = limitMinutesOf(workflow.row)
    const leftMs = elapsedLimitAt(this.run, workflow.row).getTime() - time.now().getTime()
    const onTimeout = () => this.#walk.abort(new TimeoutError('The run', limitMinutes * 60_000, { code: 'RUN_TIMED_OUT' }))
    if (leftMs <= 0) onTimeout()
    const timer = this.#environment.clock.setTimer(onTimeout, Math.max(0, leftMs))
    let outcome: RunOutcome
    try {
      const setupFailure = await this.#setUp()
      if (setupFailure !== null && this.#isFirst) return setupFailure
      if (setupFailure !== null) recallAll(this.#state) // what was done before is in its result all the same
      outcome = setupFailure ?? (await this.#walkBlocks())
    } finally {
      timer.cancel()
    }
    return this.#runFinally(outcome)
  }

  /** What the run comes to was decided before: what is open is closed, and the finally block run where it has not ended. */
  async #finish({ outcome, runsFinally }: Extract<RunPlan, { kind: 'finish' }>): Promise<RunOutcome> {
    const { blocks, workflow } = this.#state
    recallAll(this.#state)
    if (!runsFinally) return outcome
    const status = outcome.status === 'completed' ? 'failed' : outcome.status
    const finallyLabel = workflow.finallyBlock?.label ?? null
    blocks.closeOpen(status, outcome.reason ?? 'the run ended', outcome.errorCode, finallyLabel)
    return this.#runFinally(outcome)
  }

  /** Secrets and the named session; what fails here before the first block has no finally block. */
  async #setUp(): Promise<RunOutcome | null> {
    const { workflow, secrets, browser, guard } = this.#state
    const walk = this.#walk
    try {
      walk.throwIfAborted()
      void guard.scope // a policy that cannot be held ends the run before it begins
      if (secrets.variables.size > 0) await raceAbort(fetchAllSecrets(secrets, workflow.definition.parameters), walk.signal)
      if (browser.isGiven) await raceAbort(browser.open(), walk.signal)
      return null
    } catch (error) {
      if (walk.isAborted) return this.#outcomeOfAbort(walk.reason)
      const code = error instanceof RunwrightError ? error.code : 'SETUP_FAILED'
      return this.#isFirst ? outcomes.setupFailed(messageOf(error), code) : outcomes.failed(messageOf(error), code)
    }
  }

  async #walkBlocks(): Promise<RunOutcome> {
    const { workflow, run } = this.#state
    const walk = this.#walk
    try {
      const walker = new Walker(this.#state)
      const result =
        run.blockLabels === null ? await walker.walk(workflow.level, walk) : await walker.runList(this.#whitelist(run.blockLabels), walk)
      return walk.isAborted ? this.#outcomeOfAbort(walk.reason) : outcomeOfLevel(result)
    } catch (error) {
      return this.#outcomeOfAbort(walk.isAborted ? walk.reason : error)
    }
  }

  #whitelist(labels: readonly string[]): BlockDefinition[] {
    const { blocks, finallyBlock } = this.#state.workflow
    return labels.flatMap((label) => (label === finallyBlock?.label ? [] : [blocks.get(label)].filter((block) => block !== undefined)))
  }

  /** Runs the finally block, for every outcome but canceled. */
  async #runFinally(pending: RunOutcome): Promise<RunOutcome> {
    const { workflow, journal, environment } = this.#state
    const { finallyBlock } = workflow
    if (pending.kind === 'canceled') return pending
    this.#pending = pending
    if (finallyBlock === null) return pending
    journal.stageRun({ pendingOutcome: toPending(this.#redacted(pending)) })
    const fork = forkAbort(this.#control)
    this.#stage = fork
    const limitMs = (workflow.row.finallyTimeoutSeconds ?? DEFAULT_FINALLY_TIMEOUT_SECONDS) * 1_000
    const onTimeout = () => fork.abort(new TimeoutError('The finally block', limitMs, { code: 'FINALLY_TIMED_OUT' }))
    const timer = environment.clock.setTimer(onTimeout, limitMs)
    try {
      const result = await new Walker(this.#state).runList([finallyBlock], fork)
      this.#control.throwIfAborted()
      return afterFinally(pending, outcomeOfLevel(result))
    } catch (error) {
      if (this.#control.isAborted || !fork.isAborted) throw error
      return finallyBlock.continueOnFailure ? pending : afterFinally(pending, outcomeOfError(fork.reason))
    } finally {
      timer.cancel()
      fork.dispose()
    }
  }

  /** The outcome of an execution whose signal aborted; a lost lease or storage has none and is thrown. */
  #outcomeOfAbort(reason: unknown): RunOutcome {
    const isLimit = reason instanceof TimeoutError && reason.code === 'RUN_TIMED_OUT'
    return isLimit ? outcomes.timedOut(limitMinutesOf(this.#state.workflow.row)) : outcomeOfError(reason)
  }

  #redacted(outcome: RunOutcome): RunOutcome {
    return outcome.reason === null ? outcome : { ...outcome, reason: String(this.#state.secrets.redact(outcome.reason)) }
  }
}

function outcomeOfLevel({ stoppedBy }: ChildrenResult): RunOutcome {
  return stoppedBy === null ? outcomes.completed() : outcomeOfBlock(stoppedBy.block.label, stoppedBy.result)
}

function outcomeOfError(error: unknown): RunOutcome {
  if (error instanceof RunLeaseLostError || error instanceof RunSuspendedError || error instanceof StorageError) throw error
  if (error instanceof RunCanceledError) return outcomes.canceled(String(error.details.by))
  return outcomes.failed(messageOf(error), error instanceof RunwrightError ? error.code : 'RUN_ERROR')
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
