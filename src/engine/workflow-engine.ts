import { NotRunningError, parseArgument } from '../errors/index.js'
import type { AnyEvent, Listener, RunEventType, RunResult } from '../events/index.js'
import { closeAll, Lifecycle } from '../runtime/index.js'
import { composeEngine } from './compose-engine.js'
import { engineOptionsSchema, type WorkflowEngineOptions } from './engine-options.js'
import {
  type ArtifactRef,
  artifactRefSchema,
  type CancelRunParams,
  cancelRunSchema,
  type LastRunForSessionParams,
  type ListRunsParams,
  lastRunForSessionSchema,
  listRunsSchema,
  type PruneParams,
  pruneSchema,
  type ResumeRunParams,
  type RunEventsParams,
  type RunRef,
  resumeRunSchema,
  runEventsSchema,
  runRefSchema,
  type StartRunParams,
  startRunSchema,
  stopSchema,
  type WaitForRunParams,
  waitForRunSchema,
  waitOptionsSchema,
} from './engine-params.js'
import { OrganizationEngine } from './organization-engine.js'
import type { RunSessions } from './run-browser.js'
import type { StopOptions } from './run-executor.js'
import type { StoredArtifact } from './run-files.js'
import { RunHandle } from './run-handle.js'
import type { PruneResult } from './run-pruner.js'
import { type Run, toRun } from './run-reader.js'
import type { CompanionWrites } from './run-submission.js'
import type { RunTimeline } from './run-timeline.js'
import { type RunActionParams, runActionSchema } from './single-action-params.js'
import type { SingleActionResult } from './single-action-result.js'
import { type RunTaskParams, runTaskSchema } from './task-params.js'
import type { WebhookDelivery } from './webhooks/index.js'
import { WorkflowCalls } from './workflow-calls.js'

/** What a debug session starts: a run, and the writes that are stored with it. */
export type StartBlockRunParams = StartRunParams & { readonly debugSessionId: string; readonly companions: CompanionWrites }

/**
 * Runs browser workflows in the host's own process.
 *
 * @example
 * ```ts
 * const engine = new WorkflowEngine({ storage: new MemoryStorage(), organizationId: 'acme' })
 * await engine.start()
 * const workflow = await engine.createWorkflow({ title: 'Pause', definition: { blocks: [{ type: 'wait', label: 'pause', waitSec: 1 }] } })
 * const run = await engine.startRun({ workflowPermanentId: workflow.workflowPermanentId })
 * console.log((await run.result()).status) // 'completed'
 * await engine.stop()
 * ```
 */
export class WorkflowEngine extends WorkflowCalls {
  readonly #sessions: RunSessions | undefined
  readonly #parts: ReturnType<typeof composeEngine>
  readonly #lifecycle = new Lifecycle({ start: () => this.#start(), stop: () => this.#stop() })
  #startedSessions = false
  #stopOptions: StopOptions = {}

  /** @throws {InvalidArgumentError} `INVALID_ARGUMENT` when an option does not fit */
  constructor(options: WorkflowEngineOptions) {
    const settings = parseArgument(engineOptionsSchema, options, 'WorkflowEngine')
    const parts = composeEngine(settings)
    super(parts, settings.organizationId)
    this.#sessions = settings.sessions
    this.#parts = parts
  }

  /**
   * Opens the storage, starts the session pool if nobody has, picks up queued runs; resolves to whether this call started the engine.
   * Runs can be started from then on.
   */
  start(): Promise<boolean> {
    return this.#lifecycle.start()
  }

  /**
   * Begins no more runs and waits for those that run, 30 s at most. What still runs then is handed over where its workflow says
   * `onHostLost: 'resume'`, so that another engine goes on with it at once, and else ends failed with `HOST_LOST`. Queued and paused runs
   * stay what they are. Stops the session pool if `start()` started it. The storage stays open: whoever made it closes it.
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT`; the engine goes on then
   */
  async stop(options: StopOptions = {}): Promise<void> {
    const { graceful, timeoutMs } = parseArgument(stopSchema, options, 'stop')
    this.#stopOptions = { ...(graceful === undefined ? {} : { graceful }), ...(timeoutMs === undefined ? {} : { timeoutMs }) }
    if (graceful === false) {
      this.#parts.executor.hurry()
      this.#parts.webhooks.hurry()
    }
    return this.#lifecycle.stop()
  }

  /** The same without waiting for runs; a `stop()` that still waits for them waits no longer. */
  destroy(): Promise<void> {
    return this.stop({ graceful: false })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /**
   * Queues a run; it begins as soon as a worker is free.
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`
   * @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND`
   * @throws {BlockNotFoundError} `BLOCK_NOT_FOUND`
   * @throws {RunNotFoundError} `RUN_NOT_FOUND` for a dependency that is not there
   * @throws {NotAuthorizedError} `NOT_AUTHORIZED`
   * @throws {RateLimitedError} `RATE_LIMITED`
   * @throws {QueueFullError} `QUEUE_FULL`
   * @throws {ParameterError} `UNKNOWN_PARAMETERS`, `MISSING_PARAMETERS` or `INVALID_PARAMETERS`; a failed run is on record, see
   * `workflowRunId`. `SEQUENTIAL_KEY_FAILED` when the workflow's key cannot be made of the parameters: no run is on record
   */
  async startRun(params: StartRunParams): Promise<RunHandle> {
    const request = parseArgument(startRunSchema, params, 'startRun')
    const organizationId = this.organizationOf(request)
    this.#assertRunning()
    await this.#parts.webhooks.assertDeliverable({ ...request, organizationId })
    const { run, isNew, hasBegun } = await this.#parts.submissions.submit({ ...request, organizationId, admission: 'startRun' })
    if (isNew && !hasBegun) await this.#parts.dispatcher.dispatch(run.workflowRunId, { priority: run.priority })
    return this.#handle(organizationId, run.workflowRunId)
  }

  /**
   * Queues a run of single blocks for a debug session; null: one of the writes that were to go with it was refused, and nothing was written.
   * @internal Called by `DebugSessions`.
   */
  async startBlockRun({ debugSessionId, companions, ...params }: StartBlockRunParams): Promise<RunHandle | null> {
    const request = parseArgument(startRunSchema, params, 'startBlockRun')
    const organizationId = this.organizationOf(request)
    this.#assertRunning()
    await this.#parts.webhooks.assertDeliverable({ ...request, organizationId })
    const blocks = { ...request, organizationId, runType: 'block', runWith: 'agent', debugSessionId, admission: 'startRun' } as const
    const submitted = await this.#parts.submissions.submitWith(blocks, companions)
    if (submitted === null) return null
    const { run, isNew, hasBegun } = submitted
    if (isNew && !hasBegun) await this.#parts.dispatcher.dispatch(run.workflowRunId, { priority: run.priority })
    return this.#handle(organizationId, run.workflowRunId)
  }

  /**
   * Queues a task: one block of work, described in the call instead of a workflow. It is a run like any other (`runType: 'task'`), of a
   * workflow of its own that no list shows. What fails while it runs is in its result.
   * @throws {DefinitionError} `INVALID_DEFINITION` for steps that break a rule
   * @throws {AgentRequiredError} `AGENT_REQUIRED` for a goal without steps, when no agent is configured
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT`
   */
  async runTask(params: RunTaskParams): Promise<RunHandle> {
    const request = parseArgument(runTaskSchema, params, 'runTask')
    const organizationId = this.organizationOf(request)
    this.#assertRunning()
    const { run } = await this.#parts.ownRuns.startTask({ ...request, organizationId })
    return this.#handle(organizationId, run.workflowRunId)
  }

  /**
   * Performs one action and resolves when it has ended, whatever its status: in a run of its own (`runType: 'action'`), or, with
   * `workflowRunId`, in one that goes on. An action that fails, or whose browser cannot be had, is a result with `status: 'failed'`.
   * @throws {AgentRequiredError} `AGENT_REQUIRED` for `ai_…`, `validate`, `prompt` and other prompts, when no agent is configured
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   * @throws {RunNotRunningError} `RUN_NOT_RUNNING`
   * @throws {RunElsewhereError} `RUN_ELSEWHERE` when another host executes the run
   * @throws {RunWithoutBrowserError} `RUN_WITHOUT_BROWSER`
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT`
   */
  async runAction(params: RunActionParams): Promise<SingleActionResult> {
    const request = parseArgument(runActionSchema, params, 'runAction')
    const organizationId = this.organizationOf(request)
    this.#assertRunning()
    return this.#parts.singleActions.run({ ...request, organizationId })
  }

  /**
   * What a run did: its blocks, nested by loop and by conditional, each attempt with its actions newest first.
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   */
  async getTimeline(ref: RunRef): Promise<RunTimeline> {
    const request = parseArgument(runRefSchema, ref, 'getTimeline')
    return this.#parts.timelines.get({ ...request, organizationId: this.organizationOf(request) })
  }

  /** @throws {RunNotFoundError} `RUN_NOT_FOUND` */
  async getRun(ref: RunRef): Promise<Run> {
    const request = parseArgument(runRefSchema, ref, 'getRun')
    return this.#parts.reader.get({ ...request, organizationId: this.organizationOf(request) })
  }

  /** Runs of the organisation, newest first, a page at a time. */
  async listRuns(params: ListRunsParams = {}): Promise<Run[]> {
    const request = parseArgument(listRunsSchema, params, 'listRuns')
    return this.#parts.reader.list({ ...request, organizationId: this.organizationOf(request) })
  }

  /**
   * Waits for the end of a run, in whatever process it runs.
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   * @throws {TimeoutError} `RUN_WAIT_TIMEOUT`
   */
  async waitForRun(params: WaitForRunParams): Promise<RunResult> {
    const request = parseArgument(waitForRunSchema, params, 'waitForRun')
    return this.#parts.reader.waitFor({ ...request, organizationId: this.organizationOf(request) })
  }

  /**
   * What a run that has ended came to.
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   * @throws {RunNotEndedError} `RUN_NOT_ENDED`
   */
  async getRunResult(ref: RunRef): Promise<RunResult> {
    const request = parseArgument(runRefSchema, ref, 'getRunResult')
    return this.#parts.reader.result({ ...request, organizationId: this.organizationOf(request) })
  }

  /**
   * The run that a session is for: of those that are queued for it the one that was changed last, else of those that run (or are paused) on
   * it the one that began last; null: none.
   */
  async getLastRunForSession(params: LastRunForSessionParams): Promise<Run | null> {
    const request = parseArgument(lastRunForSessionSchema, params, 'getLastRunForSession')
    return this.#parts.reader.lastForSession({ ...request, organizationId: this.organizationOf(request) })
  }

  /**
   * A run's events: those stored after `after`, then live ones; ends after the final event, with `includeAfterFinal` after the last one of
   * its webhook.
   */
  events(params: RunEventsParams): AsyncGenerator<AnyEvent, void, undefined> {
    const request = parseArgument(runEventsSchema, params, 'events')
    return this.#parts.reader.events({ ...request, organizationId: this.organizationOf(request) })
  }

  /**
   * Cancels a run: one that waits is canceled at once, a running one stops within a quarter of a second. A final run is given back as it
   * is. `by` says who asked. @throws {RunNotFoundError} `RUN_NOT_FOUND`
   */
  async cancel(params: CancelRunParams): Promise<Run> {
    const request = parseArgument(cancelRunSchema, params, 'cancel')
    return toRun(await this.#parts.canceller.cancel({ ...request, organizationId: this.organizationOf(request) }))
  }

  /**
   * Answers a paused run: `approve` completes the block that waits, with `data`; `reject` fails it. The run goes on as soon as a worker is
   * free, where its session lives. With the `resumeToken` of the pause no other one is answered, and the same answer once more gives the run
   * back as it is.
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   * @throws {RunNotPausedError} `RUN_NOT_PAUSED` also when its time is over, or it is being canceled
   * @throws {ResumeTokenError} `RESUME_TOKEN_MISMATCH`
   */
  async resume(params: ResumeRunParams): Promise<Run> {
    const request = parseArgument(resumeRunSchema, params, 'resume')
    return toRun(await this.#parts.resumes.resume({ ...request, organizationId: this.organizationOf(request) }))
  }

  /**
   * Delivers the result of an ended run once more, whatever became of that before: with new attempts, under the same delivery id. Gives the
   * delivery as it stands then; what becomes of it is in the run's `webhookStatus` and events.
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   * @throws {WebhookDeliveryNotFoundError} `WEBHOOK_DELIVERY_NOT_FOUND`
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT` where this engine has no secret to sign with
   */
  async redeliverWebhook(ref: RunRef): Promise<WebhookDelivery> {
    const request = parseArgument(runRefSchema, ref, 'redeliverWebhook')
    const organizationId = this.organizationOf(request)
    this.#assertRunning()
    return this.#parts.webhooks.redeliver({ ...request, organizationId })
  }

  /** A stored file with its bytes; the stream has to be read or destroyed. @throws {ArtifactError} `ARTIFACT_NOT_FOUND` */
  async readArtifact(params: ArtifactRef): Promise<StoredArtifact> {
    const request = parseArgument(artifactRefSchema, params, 'readArtifact')
    return this.#parts.artifacts.read({ ...request, organizationId: this.organizationOf(request) })
  }

  /**
   * Removes ended runs that are older than a date, with their blocks, actions, artifacts (bytes too), events and ended private sessions,
   * in batches. Runs that have not ended are never touched. One that broke off is gone on with by the next.
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT`
   */
  async prune(params: PruneParams): Promise<PruneResult> {
    const request = parseArgument(pruneSchema, params, 'prune')
    return this.#parts.pruner.prune({ ...request, organizationId: this.organizationOf(request) })
  }

  /** Calls the listener for what this process does; returns the function that ends it. */
  on<K extends RunEventType>(type: K, listener: Listener<K>): () => void {
    return this.#parts.bus.on(type, listener)
  }

  onAny(listener: (event: AnyEvent<RunEventType>) => void): () => void {
    return this.#parts.bus.onAny(listener)
  }

  /** The same calls, bound to an organisation. */
  forOrganization(organizationId: string): OrganizationEngine {
    return new OrganizationEngine(this, organizationId)
  }

  async #start(): Promise<void> {
    await this.#parts.storage.open()
    this.#startedSessions = (await this.#sessions?.start()) ?? false
    try {
      this.#parts.telemetry.start()
      await this.#parts.executor.start()
      await this.#parts.dispatch.start()
      await this.#parts.pauses.start()
      this.#parts.webhooks.start()
    } catch (error) {
      await this.#stop().catch(() => {}) // the failure to start is the news
      throw error
    }
  }

  async #stop(): Promise<void> {
    const stopWebhooks = this.#parts.webhooks.stopper(this.#stopOptions)
    const stopSessions = () => (this.#startedSessions ? this.#sessions?.stop() : undefined)
    await closeAll(
      [
        () => this.#parts.dispatch.stopLooking(),
        () => this.#parts.executor.stop(this.#stopOptions),
        () => this.#parts.dispatch.stop(),
        () => this.#parts.pauses.stop(),
        () => this.#parts.children.settled(),
        stopWebhooks,
        () => this.#parts.telemetry.stop(),
        stopSessions,
      ],
      'WorkflowEngine',
    )
  }

  #assertRunning(): void {
    if (!this.#lifecycle.isRunning) throw new NotRunningError('WorkflowEngine', this.#lifecycle.state)
  }

  #handle(organizationId: string, workflowRunId: string): RunHandle {
    const ref = { organizationId, workflowRunId }
    return new RunHandle(workflowRunId, {
      result: (options) => {
        const { timeoutMs, signal } = parseArgument(waitOptionsSchema, options, 'result')
        return this.#parts.reader.waitFor({ organizationId, workflowRunId, timeoutMs, signal, isKnown: true })
      },
      events: (options) => this.events({ ...ref, ...options }),
      cancel: (by) => this.cancel({ ...ref, by }),
      resume: (answer) => this.resume({ ...ref, ...answer }),
    })
  }
}
