import type { ChildrenResult } from '../blocks/index.js'
import type { BlockDefinition } from '../definition/index.js'
import { RunCanceledError, RunLeaseLostError, RunwrightError, StorageError, TimeoutError } from '../errors/index.js'
import { type AbortFork, forkAbort } from '../runtime/index.js'
import type { RunRow } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import { createRunState } from './create-run-state.js'
import type { RunEnvironment } from './run-environment.js'
import { finishRun } from './run-finalizer.js'
import { afterFinally, outcomeOfBlock, outcomes, type RunOutcome, toPending } from './run-outcome.js'
import { fetchAllSecrets } from './run-secrets.js'
import type { RunState } from './run-state.js'
import { Walker } from './walker.js'

/** Minutes that a run may take when its workflow names none. */
export const DEFAULT_MAX_ELAPSED_MINUTES = 240
const DEFAULT_FINALLY_TIMEOUT_SECONDS = 300

/** One execution of a claimed run: from its claim to its terminal commit. */
export class RunExecution {
  readonly run: RunRow
  readonly #environment: RunEnvironment
  readonly #state: RunState
  /** Ends everything, the finally block included: cancel, lost lease. */
  readonly #control: AbortFork = forkAbort()
  /** Ends the walk only: elapsed limit, lost browser. */
  readonly #walk: AbortFork

  constructor(params: { readonly environment: RunEnvironment; readonly run: RunRow; readonly workflow: CompiledWorkflow }) {
    this.run = params.run
    this.#environment = params.environment
    this.#walk = forkAbort(this.#control.signal)
    this.#state = createRunState({
      ...params,
      signal: this.#control.signal,
      onLost: (error) => this.#onCommitFailed(error),
      onBrowserLost: (reason) => this.#walk.abort(reason),
    })
  }

  /** Aborts the run: its outcome will be canceled. The request must have been recorded already. */
  cancel(by: string): void {
    this.#control.abort(new RunCanceledError(this.run.workflowRunId, by))
  }

  /** Stops driving: the run is somebody else's by now, nothing more is written. */
  abandon(reason: string): void {
    this.#control.abort(new RunLeaseLostError(this.run.workflowRunId, reason))
  }

  /** Executes the run to its terminal commit. Never rejects: what cannot be written is left to whoever takes the lease over. */
  async execute(): Promise<void> {
    const { logger } = this.#environment
    try {
      await finishRun(this.#state, await this.#produceOutcome())
    } catch (error) {
      logger.warn('run abandoned', { workflowRunId: this.run.workflowRunId, error })
      this.abandon(error instanceof Error ? error.message : String(error))
    } finally {
      this.#walk.dispose()
      this.#state.browser.detach()
      this.#state.journal.close()
    }
  }

  async #produceOutcome(): Promise<RunOutcome> {
    try {
      const setupFailure = await this.#setUp()
      if (setupFailure !== null) return setupFailure
      return await this.#runFinally(await this.#walkBlocks())
    } catch (error) {
      if (this.#control.signal.aborted) return outcomeOfAbort(this.#control.signal.reason)
      return outcomeOfError(error)
    }
  }

  /** Secrets and the named session; what fails here has no finally block. */
  async #setUp(): Promise<RunOutcome | null> {
    const { workflow, secrets, browser } = this.#state
    try {
      await fetchAllSecrets(secrets, workflow.definition.parameters)
      if (!browser.isPrivate) await browser.open()
      return null
    } catch (error) {
      if (this.#control.signal.aborted) return outcomeOfAbort(this.#control.signal.reason)
      return outcomes.setupFailed(messageOf(error), error instanceof RunwrightError ? error.code : 'SETUP_FAILED')
    }
  }

  async #walkBlocks(): Promise<RunOutcome> {
    const { workflow, run, environment } = this.#state
    const limitMinutes = workflow.row.maxElapsedTimeMinutes ?? DEFAULT_MAX_ELAPSED_MINUTES
    const onTimeout = () => this.#walk.abort(new TimeoutError('The run', limitMinutes * 60_000, { code: 'RUN_TIMED_OUT' }))
    const timer = environment.clock.setTimer(onTimeout, limitMinutes * 60_000)
    try {
      const walker = new Walker(this.#state)
      const { signal } = this.#walk
      const result =
        run.blockLabels === null
          ? await walker.walk(workflow.level, signal)
          : await walker.runList(this.#whitelist(run.blockLabels), signal)
      return outcomeOfLevel(result, signal, limitMinutes)
    } catch (error) {
      if (this.#walk.signal.aborted) return outcomeOfAbort(this.#walk.signal.reason, limitMinutes)
      if (error instanceof RunCanceledError || error instanceof RunLeaseLostError || error instanceof StorageError) throw error
      return outcomeOfError(error)
    } finally {
      timer.cancel()
    }
  }

  #whitelist(labels: readonly string[]): BlockDefinition[] {
    const { blocks, finallyBlock } = this.#state.workflow
    return labels.flatMap((label) => (label === finallyBlock?.label ? [] : [blocks.get(label)].filter((block) => block !== undefined)))
  }

  /** Runs the finally block, for every outcome but canceled. */
  async #runFinally(pending: RunOutcome): Promise<RunOutcome> {
    const { workflow, journal, environment } = this.#state
    if (workflow.finallyBlock === null || pending.kind === 'canceled') return pending
    await journal.commit({ pendingOutcome: toPending(pending) })
    const fork = forkAbort(this.#control.signal)
    const seconds = workflow.row.finallyTimeoutSeconds ?? DEFAULT_FINALLY_TIMEOUT_SECONDS
    const onTimeout = () => fork.abort(new TimeoutError('The finally block', seconds * 1_000, { code: 'FINALLY_TIMED_OUT' }))
    const timer = environment.clock.setTimer(onTimeout, seconds * 1_000)
    try {
      const result = await new Walker(this.#state).runList([workflow.finallyBlock], fork.signal)
      if (this.#control.signal.aborted) return outcomeOfAbort(this.#control.signal.reason)
      return afterFinally(
        pending,
        result.stoppedBy === null ? outcomes.completed() : outcomeOfBlock(result.stoppedBy.block.label, result.stoppedBy.result),
      )
    } finally {
      timer.cancel()
      fork.dispose()
    }
  }

  /** A commit in the background was refused or failed. */
  #onCommitFailed(error: unknown): void {
    if (error instanceof RunCanceledError || error instanceof RunLeaseLostError) this.#control.abort(error)
    else this.#environment.logger.warn('actions could not be recorded yet', { workflowRunId: this.run.workflowRunId, error })
  }
}

function outcomeOfLevel({ stoppedBy }: ChildrenResult, signal: AbortSignal, limitMinutes: number): RunOutcome {
  if (signal.aborted) return outcomeOfAbort(signal.reason, limitMinutes)
  return stoppedBy === null ? outcomes.completed() : outcomeOfBlock(stoppedBy.block.label, stoppedBy.result)
}

/** The outcome of an execution whose signal aborted; a lost lease has none and is thrown. */
function outcomeOfAbort(reason: unknown, limitMinutes = DEFAULT_MAX_ELAPSED_MINUTES): RunOutcome {
  if (reason instanceof RunLeaseLostError) throw reason
  if (reason instanceof RunCanceledError) return outcomes.canceled(String(reason.details.by))
  if (reason instanceof TimeoutError && reason.code === 'RUN_TIMED_OUT') return outcomes.timedOut(limitMinutes)
  return outcomeOfError(reason)
}

function outcomeOfError(error: unknown): RunOutcome {
  if (error instanceof RunLeaseLostError || error instanceof StorageError) throw error
  if (error instanceof RunCanceledError) return outcomes.canceled(String(error.details.by))
  return outcomes.failed(messageOf(error), error instanceof RunwrightError ? error.code : 'RUN_ERROR')
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
