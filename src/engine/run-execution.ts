import type { ChildrenResult } from '../blocks/index.js'
import type { BlockDefinition } from '../definition/index.js'
import { RunCanceledError, RunLeaseLostError, RunwrightError, StorageError, TimeoutError } from '../errors/index.js'
import { type AbortFork, forkAbort, raceAbort } from '../runtime/index.js'
import type { RunRow } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import { createRunState } from './create-run-state.js'
import type { RunEnvironment } from './run-environment.js'
import { abandonRun, finishRun } from './run-finalizer.js'
import { RunGuests } from './run-guests.js'
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
  /** Actions from outside. */
  readonly guests: RunGuests
  readonly #environment: RunEnvironment
  readonly #state: RunState
  readonly #limitMinutes: number
  /** Ends everything, the finally block included: cancel, lost lease, failed storage. */
  readonly #control: AbortFork = forkAbort()
  /** Ends the walk only: elapsed limit, lost browser. */
  readonly #walk: AbortFork
  /** What a lost browser ends: the walk, then the finally block. */
  #stage: AbortFork

  constructor(params: { readonly environment: RunEnvironment; readonly run: RunRow; readonly workflow: CompiledWorkflow }) {
    this.run = params.run
    this.#environment = params.environment
    this.#limitMinutes = params.workflow.row.maxElapsedTimeMinutes ?? DEFAULT_MAX_ELAPSED_MINUTES
    this.#walk = forkAbort(this.#control.signal)
    this.#stage = this.#walk
    this.#state = createRunState({
      ...params,
      signal: this.#control.signal,
      onCommitFailed: (error) => this.#control.abort(error),
      onBrowserLost: (reason) => this.#stage.abort(reason),
    })
    this.guests = new RunGuests(this.#state, this.#control.signal)
  }

  /** Aborts the run: its outcome will be canceled. The request must have been recorded already. */
  cancel(by: string): void {
    this.#control.abort(new RunCanceledError(this.run.workflowRunId, by))
  }

  /** Stops driving: the run is somebody else's by now, nothing more is written. */
  abandon(reason: string): void {
    this.#control.abort(new RunLeaseLostError(this.run.workflowRunId, reason))
    this.#state.journal.close()
  }

  /** Executes the run to its terminal commit. Never rejects: what cannot be written is left to whoever takes the lease over. */
  async execute(): Promise<void> {
    try {
      const outcome = await this.#produceOutcome()
      await this.guests.end()
      await finishRun(this.#state, this.#redacted(outcome))
    } catch (error) {
      this.#environment.logger.warn('run abandoned', { workflowRunId: this.run.workflowRunId, error })
      this.abandon(messageOf(error))
      await this.guests.end()
      await abandonRun(this.#state)
    } finally {
      this.#walk.dispose()
      this.#state.browser.detach()
      this.#state.journal.close()
    }
  }

  async #produceOutcome(): Promise<RunOutcome> {
    try {
      const limitMs = this.#limitMinutes * 60_000
      const onTimeout = () => this.#walk.abort(new TimeoutError('The run', limitMs, { code: 'RUN_TIMED_OUT' }))
      const timer = this.#environment.clock.setTimer(onTimeout, limitMs)
      let outcome: RunOutcome
      try {
        const setupFailure = await this.#setUp()
        if (setupFailure !== null) return setupFailure
        outcome = await this.#walkBlocks()
      } finally {
        timer.cancel()
      }
      return await this.#runFinally(outcome)
    } catch (error) {
      return this.#outcomeOfAbort(this.#control.signal.aborted ? this.#control.signal.reason : error)
    }
  }

  /** Secrets and the named session; what fails here has no finally block. */
  async #setUp(): Promise<RunOutcome | null> {
    const { workflow, secrets, browser, guard } = this.#state
    const { signal } = this.#walk
    try {
      void guard.scope // a policy that cannot be held ends the run before it begins
      await raceAbort(fetchAllSecrets(secrets, workflow.definition.parameters), signal)
      if (browser.isGiven) await raceAbort(browser.open(), signal)
      return null
    } catch (error) {
      if (signal.aborted) return this.#outcomeOfAbort(signal.reason)
      return outcomes.setupFailed(messageOf(error), error instanceof RunwrightError ? error.code : 'SETUP_FAILED')
    }
  }

  async #walkBlocks(): Promise<RunOutcome> {
    const { workflow, run } = this.#state
    const { signal } = this.#walk
    try {
      const walker = new Walker(this.#state)
      const result =
        run.blockLabels === null
          ? await walker.walk(workflow.level, signal)
          : await walker.runList(this.#whitelist(run.blockLabels), signal)
      return signal.aborted ? this.#outcomeOfAbort(signal.reason) : outcomeOfLevel(result)
    } catch (error) {
      return this.#outcomeOfAbort(signal.aborted ? signal.reason : error)
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
    if (finallyBlock === null || pending.kind === 'canceled') return pending
    journal.stageRun({ pendingOutcome: toPending(this.#redacted(pending)) })
    const fork = forkAbort(this.#control.signal)
    this.#stage = fork
    const limitMs = (workflow.row.finallyTimeoutSeconds ?? DEFAULT_FINALLY_TIMEOUT_SECONDS) * 1_000
    const onTimeout = () => fork.abort(new TimeoutError('The finally block', limitMs, { code: 'FINALLY_TIMED_OUT' }))
    const timer = environment.clock.setTimer(onTimeout, limitMs)
    try {
      const result = await new Walker(this.#state).runList([finallyBlock], fork.signal)
      this.#control.signal.throwIfAborted()
      return afterFinally(pending, outcomeOfLevel(result))
    } catch (error) {
      if (this.#control.signal.aborted || !fork.signal.aborted) throw error
      return finallyBlock.continueOnFailure ? pending : afterFinally(pending, outcomeOfError(fork.signal.reason))
    } finally {
      timer.cancel()
      fork.dispose()
    }
  }

  /** The outcome of an execution whose signal aborted; a lost lease or storage has none and is thrown. */
  #outcomeOfAbort(reason: unknown): RunOutcome {
    const isLimit = reason instanceof TimeoutError && reason.code === 'RUN_TIMED_OUT'
    return isLimit ? outcomes.timedOut(this.#limitMinutes) : outcomeOfError(reason)
  }

  #redacted(outcome: RunOutcome): RunOutcome {
    return outcome.reason === null ? outcome : { ...outcome, reason: String(this.#state.secrets.redact(outcome.reason)) }
  }
}

function outcomeOfLevel({ stoppedBy }: ChildrenResult): RunOutcome {
  return stoppedBy === null ? outcomes.completed() : outcomeOfBlock(stoppedBy.block.label, stoppedBy.result)
}

function outcomeOfError(error: unknown): RunOutcome {
  if (error instanceof RunLeaseLostError || error instanceof StorageError) throw error
  if (error instanceof RunCanceledError) return outcomes.canceled(String(error.details.by))
  return outcomes.failed(messageOf(error), error instanceof RunwrightError ? error.code : 'RUN_ERROR')
}

const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error))
