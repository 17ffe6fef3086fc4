import { describeAction } from '../actions/index.js'
import { AgentRequiredError, InvalidArgumentError, type Json } from '../errors/index.js'
import type { RunResult } from '../events/index.js'
import type { Logger } from '../runtime/index.js'
import type { ActionRow, Storage } from '../storage/index.js'
import type { SubmitGates } from './dispatch/submit-gates.js'
import type { GuestActions } from './guest-actions.js'
import type { OwnRuns } from './own-runs.js'
import type { RunCanceller } from './run-canceller.js'
import type { RunReader } from './run-reader.js'
import { SINGLE_ACTION_LABEL, singleActionDefinition } from './single-action-definition.js'
import { parseSingleAction, type RunActionRequest, type SingleAction } from './single-action-params.js'
import { ofOwnRun, type SingleActionResult } from './single-action-result.js'

export interface SingleActionsOptions {
  readonly storage: Storage
  readonly gates: Pick<SubmitGates, 'authorize'>
  readonly logger: Logger
  readonly ownRuns: OwnRuns
  readonly guests: GuestActions
  readonly reader: RunReader
  readonly canceller: RunCanceller
  readonly hasAgent: boolean
}

type Request = RunActionRequest & { readonly organizationId: string }

/** Performs single actions: each in a run of its own, or in one that goes on. */
export class SingleActions {
  readonly #options: SingleActionsOptions

  constructor(options: SingleActionsOptions) {
    this.#options = options
  }

  async run(request: Request): Promise<SingleActionResult> {
    const single = parseSingleAction(request)
    if (single.kind === 'agent' && !this.#options.hasAgent) throw new AgentRequiredError(single.action.type)
    request.signal?.throwIfAborted()
    if (request.workflowRunId === undefined) return this.#runAlone(request, single)
    if (request.scopePolicy !== undefined) {
      throw new InvalidArgumentError('runAction: scopePolicy: an action in a run is held to the policies of that run', {
        path: 'scopePolicy',
        expected: 'no policy beside workflowRunId',
      })
    }
    const { organizationId } = request
    await this.#options.gates.authorize({ action: 'runAction', organizationId, workflowPermanentId: null, runMetadata: null })
    return this.#options.guests.perform({ ...request, workflowRunId: request.workflowRunId }, single)
  }

  async #runAlone(request: Request, single: SingleAction): Promise<SingleActionResult> {
    const { ownRuns } = this.#options
    const { organizationId, url, dryRun, signal } = request
    const title = single.kind === 'agent' ? single.action.type : describeAction(single.action).slice(0, 500)
    const { run } = await ownRuns.start({ ...request, runType: 'action', title, definition: singleActionDefinition(single, url) })
    const result = await this.#untilEnd({ organizationId, workflowRunId: run.workflowRunId, signal })
    const { type } = single.action
    if (single.kind === 'agent') return ofAgentRun(ofOwnRun({ type, run: result, dryRun, action: undefined, step: undefined }), result)
    const action = await this.#actionOf(result, url !== undefined)
    const step = action?.stepId == null ? undefined : await this.#options.storage.get('steps', action.stepId)
    return ofOwnRun({ type, run: result, dryRun, action, step })
  }

  /** Waits for the run's end; an abort cancels the run, and its end is waited for all the same. */
  async #untilEnd(params: { readonly organizationId: string; readonly workflowRunId: string; readonly signal: AbortSignal | undefined }) {
    const { reader, canceller, logger } = this.#options
    const { signal, ...ref } = params
    const onAbort = () =>
      void canceller
        .cancel({ ...ref, by: 'the caller of runAction' })
        .catch((error: unknown) => logger.warn('a single action could not be canceled', { ...ref, error }))
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted) onAbort()
    try {
      return await reader.waitFor(ref)
    } finally {
      signal?.removeEventListener('abort', onAbort)
    }
  }

  /** The action's last attempt; undefined when it never came to that, as its page did not open. */
  async #actionOf({ workflowRunId }: RunResult, opensPage: boolean): Promise<ActionRow | undefined> {
    const rows = await this.#options.storage.find({ table: 'actions', where: { workflowRunId }, limit: 1_000 })
    const inOrder = rows.sort((a, b) => a.stepIndex - b.stepIndex || (a.actionId < b.actionId ? -1 : 1))
    const last = inOrder.at(-1)
    const isOpening = opensPage && inOrder.length === 1 && last?.type === 'goto_url' && last.status !== 'blocked'
    return isOpening ? undefined : last
  }
}

/** What an agent gave stands in the output of the run's one block. */
function ofAgentRun(base: SingleActionResult, run: RunResult): SingleActionResult {
  const output = (run.outputs as Readonly<Record<string, Json>>)[`${SINGLE_ACTION_LABEL}_output`]
  const value = (output as { readonly extractedInformation?: Json } | null | undefined)?.extractedInformation ?? null
  return run.status === 'completed' ? { ...base, status: 'completed', error: null, value } : { ...base, value }
}
