import type { ActionContext, ActionResult } from '../actions/index.js'
import { actionSchema, type BlockDefinition, blockCommonSchema } from '../definition/index.js'
import { type Json, RunCanceledError, RunLeaseLostError, RunNotRunningError, RunWithoutBrowserError } from '../errors/index.js'
import { type AbortFork, forkAbort } from '../runtime/index.js'
import { attemptActions, literalActions } from './attempt-actions.js'
import type { BlockEntry } from './block-journal.js'
import { runAgent } from './run-agent.js'
import type { RunState } from './run-state.js'
import { SINGLE_ACTION_LABEL } from './single-action-definition.js'
import { errandOf, type SingleAction } from './single-action-params.js'
import { ofActionResult, type SingleActionResult } from './single-action-result.js'

/** An action that comes from outside into a run that goes on. */
export interface GuestRequest {
  readonly url?: string | undefined
  readonly dryRun: boolean
  readonly signal?: AbortSignal | undefined
}

/** The block attempt that a guest acts in. */
interface GuestPlace {
  readonly block: BlockDefinition
  readonly entry: BlockEntry
}

/** Time that guests have to stop when their run ends, in milliseconds. */
const END_GRACE_MS = 250

/** One for all runs without guests. */
const ENDED = new RunNotRunningError('', 'ending')

/**
 * Actions from outside, performed in a run that goes on beside what it does itself: under its lease, its scope and its redaction, and
 * recorded in it.
 */
export class RunGuests {
  readonly #state: RunState
  /** Aborts with the execution, and when the run ends. */
  readonly #fork: AbortFork
  readonly #working = new Set<Promise<unknown>>()

  constructor(state: RunState, control: AbortFork) {
    this.#state = state
    this.#fork = forkAbort(control)
  }

  /**
   * @throws {RunNotRunningError} `RUN_NOT_RUNNING` when the run is about to end
   * @throws {RunWithoutBrowserError} `RUN_WITHOUT_BROWSER`
   */
  async perform(single: SingleAction, request: GuestRequest): Promise<SingleActionResult> {
    const { run, browser } = this.#state
    if (this.#fork.isAborted) throw new RunNotRunningError(run.workflowRunId, 'ending')
    if (browser.lease === null) throw new RunWithoutBrowserError(run.workflowRunId)
    const fork = forkAbort(this.#fork, request.signal)
    const work = this.#place(fork.signal, (context, at) => this.#perform(single, request, context, at))
    this.#working.add(work)
    try {
      return await work
    } catch (error) {
      if (error instanceof RunCanceledError || error instanceof RunLeaseLostError) throw new RunNotRunningError(run.workflowRunId, 'ending')
      throw error
    } finally {
      this.#working.delete(work)
      fork.dispose()
    }
  }

  /** The run ends: no more guests, and those that act are stopped. Waits for them as long as the grace allows; never rejects. */
  async end(): Promise<void> {
    // an error takes as long to make as a block without work
    this.#fork.abort(this.#working.size === 0 ? ENDED : new RunNotRunningError(this.#state.run.workflowRunId, 'ending'))
    this.#fork.dispose()
    if (this.#working.size === 0) return
    await new Promise<void>((resolve) => {
      const timer = this.#state.environment.clock.setTimer(resolve, END_GRACE_MS, { keepAlive: true })
      void Promise.allSettled(this.#working).then(() => {
        timer.cancel()
        resolve()
      })
    })
  }

  /** A guest acts in the block attempt that runs; between two blocks it has an attempt of its own. */
  async #place<T extends SingleActionResult>(
    signal: AbortSignal,
    work: (context: ActionContext, at: GuestPlace) => Promise<T>,
  ): Promise<T> {
    const { blocks, workflow, journal, run } = this.#state
    const own = blockCommonSchema.parse({ type: 'action', label: SINGLE_ACTION_LABEL })
    const current = blocks.current
    const entry = current ?? (await blocks.begin(own, 1, { parentRunBlockId: null, currentIndex: null, currentValue: null }))
    const block = current === null ? own : (workflow.blocks.get(entry.label) ?? own)
    const context = attemptActions({ state: this.#state, block, entry, signal, onRecord: () => {} })
    const result = await work(context, { block, entry })
    if (current === null) {
      const { error, value } = result
      const status = result.status === 'canceled' || result.status === 'terminated' ? result.status : 'failed'
      if (error === null) blocks.end(entry, { status: 'completed', output: value })
      else blocks.end(entry, { status, failureReason: error.message, errorCode: error.code, output: value })
      journal.flushSoon()
    }
    return { ...result, workflowRunId: run.workflowRunId }
  }

  async #perform(single: SingleAction, request: GuestRequest, context: ActionContext, at: GuestPlace): Promise<SingleActionResult> {
    const { router } = this.#state.environment
    const literal: ActionContext = { ...literalActions(context), dryRun: context.dryRun || request.dryRun }
    const perform = (action: Parameters<typeof router.execute>[0]) =>
      router.execute(action, literal, { stepIndex: this.#state.actionCount })
    if (request.url !== undefined) {
      const opened = await perform(actionSchema.parse({ type: 'goto_url', url: request.url, intention: 'open the page' }))
      if (opened.error !== null) return { ...this.#shown(opened, literal), type: single.action.type, actionId: null }
    }
    if (single.kind === 'deterministic') return this.#shown(await perform(single.action), literal)
    return this.#byAgent(single.action, literal, at)
  }

  async #byAgent(
    action: Extract<SingleAction, { kind: 'agent' }>['action'],
    { signal, dryRun }: ActionContext,
    at: GuestPlace,
  ): Promise<SingleActionResult> {
    const { workflowRunId } = this.#state.run
    const { goal, payload, schema } = errandOf(action)
    const outcome = await runAgent({
      ...at,
      state: this.#state,
      signal,
      dryRun,
      request: { goal, payload, schema, maxSteps: action.maxSteps },
      onRecord: () => {},
      nextStepIndex: () => this.#state.actionCount,
    }).catch((cause: unknown) => ({
      status: 'canceled' as const,
      output: null,
      errorCode: 'RUN_NOT_RUNNING',
      reason: cause instanceof Error ? cause.message : String(cause),
    }))
    const { status, output, errorCode, reason } = outcome
    return {
      workflowRunId,
      actionId: null,
      type: action.type,
      status,
      value: output,
      error: status === 'completed' ? null : { code: errorCode ?? 'AGENT_FAILED', message: reason ?? 'the agent gave no reason' },
      url: null,
      element: null,
      dialogs: [],
      screenshotArtifactId: null,
      dryRun,
      durationMs: null,
    }
  }

  /** The result as callers outside the run may see it. */
  #shown(result: ActionResult, { texts }: ActionContext): SingleActionResult {
    const shown = ofActionResult(this.#state.run.workflowRunId, result)
    return texts.redact(shown as unknown as Json) as unknown as SingleActionResult
  }
}
