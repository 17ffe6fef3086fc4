import { InvalidArgumentError, NotRunningError, parseArgument } from '../errors/index.js'
import type { AnyEvent, Listener, RunEventType, RunResult } from '../events/index.js'
import { closeAll, Lifecycle } from '../runtime/index.js'
import { composeEngine } from './compose-engine.js'
import { engineOptionsSchema, type WorkflowEngineOptions } from './engine-options.js'
import {
  type ArtifactRef,
  artifactRefSchema,
  type CancelRunParams,
  type CreateWorkflowParams,
  cancelRunSchema,
  createWorkflowSchema,
  type ListRunsParams,
  listRunsSchema,
  type PruneParams,
  pruneSchema,
  type RunEventsParams,
  type RunRef,
  runEventsSchema,
  runRefSchema,
  type StartRunParams,
  startRunSchema,
  type WaitForRunParams,
  type WorkflowRef,
  waitForRunSchema,
  workflowRefSchema,
} from './engine-params.js'
import { OrganizationEngine } from './organization-engine.js'
import {
  type DeletePlaybookParams,
  deletePlaybookSchema,
  type ListPlaybooksParams,
  listPlaybooksSchema,
  type PlaybookRef,
  playbookRefSchema,
  type SavePlaybookParams,
  savePlaybookSchema,
} from './playbook-params.js'
import type { StoredPlaybook } from './playbooks.js'
import type { RunSessions } from './run-browser.js'
import type { StopOptions } from './run-executor.js'
import type { StoredArtifact } from './run-files.js'
import { RunHandle } from './run-handle.js'
import type { PruneResult } from './run-pruner.js'
import { type Run, toRun } from './run-reader.js'
import type { RunTimeline } from './run-timeline.js'
import { type RunActionParams, runActionSchema } from './single-action-params.js'
import type { SingleActionResult } from './single-action-result.js'
import { type RunTaskParams, runTaskSchema } from './task-params.js'
import type { Workflow } from './workflows.js'

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
export class WorkflowEngine {
  readonly #organizationId: string | undefined
  readonly #sessions: RunSessions | undefined
  readonly #parts: ReturnType<typeof composeEngine>
  readonly #lifecycle = new Lifecycle({ start: () => this.#start(), stop: () => this.#stop() })
  #startedSessions = false
  #stopOptions: StopOptions = {}

  /** @throws {InvalidArgumentError} `INVALID_ARGUMENT` when an option does not fit */
  constructor(options: WorkflowEngineOptions) {
    const settings = parseArgument(engineOptionsSchema, options, 'WorkflowEngine')
    this.#organizationId = settings.organizationId
    this.#sessions = settings.sessions
    this.#parts = composeEngine(settings)
  }

  /**
   * Opens the storage, starts the session pool if nobody has, picks up queued runs; resolves to whether this call started the engine.
   * Runs can be started from then on.
   */
  start(): Promise<boolean> {
    return this.#lifecycle.start()
  }

  /**
   * Begins no more runs and waits for those that run, 30 s at most; what still runs then is canceled. Queued runs stay queued. Stops the
   * session pool if `start()` started it. The storage stays open: whoever made it closes it.
   */
  stop(options: StopOptions = {}): Promise<void> {
    this.#stopOptions = options
    if (options.graceful === false) this.#parts.executor.hurry()
    return this.#lifecycle.stop()
  }

  /** Cancels what runs and stops at once; a `stop()` that still waits for runs waits no longer. */
  destroy(): Promise<void> {
    return this.stop({ graceful: false })
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop()
  }

  /**
   * Checks a definition and stores it as version 1 of a new workflow.
   * @throws {DefinitionError} `INVALID_DEFINITION`; `issues` names every broken rule
   */
  async createWorkflow(params: CreateWorkflowParams): Promise<Workflow> {
    const request = parseArgument(createWorkflowSchema, params, 'createWorkflow')
    return this.#parts.workflows.create({ ...request, organizationId: this.#organization(request) })
  }

  /** @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND` */
  async getWorkflow(ref: WorkflowRef): Promise<Workflow> {
    const request = parseArgument(workflowRefSchema, ref, 'getWorkflow')
    return this.#parts.workflows.get({ ...request, organizationId: this.#organization(request) })
  }

  /**
   * Checks a playbook and stores it with a workflow: as the first version under its name, or as the next one. Runs that are created from
   * then on use it; those that were created before go on with theirs.
   * @throws {DefinitionError} `INVALID_DEFINITION`; `issues` names every broken rule
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`, also for a template of somebody else
   * @throws {PlaybookError} `PLAYBOOK_VERSION_CONFLICT` when others kept saving it first; retryable
   */
  async savePlaybook(params: SavePlaybookParams): Promise<StoredPlaybook> {
    const { organizationId, workflowPermanentId, ...playbook } = parseArgument(savePlaybookSchema, params, 'savePlaybook')
    const place = { organizationId: this.#organization({ organizationId }), workflowPermanentId }
    return this.#parts.playbooks.save(place, playbook)
  }

  /**
   * A version of a playbook; the newest when none is named.
   * @throws {PlaybookError} `PLAYBOOK_NOT_FOUND`
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`
   */
  async getPlaybook(ref: PlaybookRef): Promise<StoredPlaybook> {
    const request = parseArgument(playbookRefSchema, ref, 'getPlaybook')
    return this.#parts.playbooks.get({ ...request, organizationId: this.#organization(request) })
  }

  /** The newest version of each playbook of a workflow, by name. @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND` */
  async listPlaybooks(params: ListPlaybooksParams): Promise<StoredPlaybook[]> {
    const request = parseArgument(listPlaybooksSchema, params, 'listPlaybooks')
    return this.#parts.playbooks.list({ ...request, organizationId: this.#organization(request) })
  }

  /**
   * Deletes a playbook with all its versions, softly: runs that were created before still find it.
   * @throws {PlaybookError} `PLAYBOOK_NOT_FOUND`
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`
   */
  async deletePlaybook(params: DeletePlaybookParams): Promise<void> {
    const request = parseArgument(deletePlaybookSchema, params, 'deletePlaybook')
    return this.#parts.playbooks.delete({ ...request, organizationId: this.#organization(request) })
  }

  /**
   * Queues a run; it begins as soon as a worker is free.
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`
   * @throws {SessionNotFoundError} `SESSION_NOT_FOUND`
   * @throws {ProfileNotFoundError} `PROFILE_NOT_FOUND`
   * @throws {BlockNotFoundError} `BLOCK_NOT_FOUND`
   * @throws {ParameterError} `UNKNOWN_PARAMETERS`, `MISSING_PARAMETERS` or `INVALID_PARAMETERS`; a failed run is on record, see `workflowRunId`
   */
  async startRun(params: StartRunParams): Promise<RunHandle> {
    const request = parseArgument(startRunSchema, params, 'startRun')
    const organizationId = this.#organization(request)
    this.#assertRunning()
    const { run, isNew } = await this.#parts.submissions.submit({ ...request, organizationId })
    if (isNew) await this.#parts.dispatcher.dispatch(run.workflowRunId, { priority: run.priority })
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
    const organizationId = this.#organization(request)
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
    const organizationId = this.#organization(request)
    this.#assertRunning()
    return this.#parts.singleActions.run({ ...request, organizationId })
  }

  /**
   * What a run did: its blocks, nested by loop and by conditional, each attempt with its actions newest first.
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   */
  async getTimeline(ref: RunRef): Promise<RunTimeline> {
    const request = parseArgument(runRefSchema, ref, 'getTimeline')
    return this.#parts.timelines.get({ ...request, organizationId: this.#organization(request) })
  }

  /** @throws {RunNotFoundError} `RUN_NOT_FOUND` */
  async getRun(ref: RunRef): Promise<Run> {
    const request = parseArgument(runRefSchema, ref, 'getRun')
    return this.#parts.reader.get({ ...request, organizationId: this.#organization(request) })
  }

  /** Runs of the organisation, newest first, a page at a time. */
  async listRuns(params: ListRunsParams = {}): Promise<Run[]> {
    const request = parseArgument(listRunsSchema, params, 'listRuns')
    return this.#parts.reader.list({ ...request, organizationId: this.#organization(request) })
  }

  /**
   * Waits for the end of a run, in whatever process it runs.
   * @throws {RunNotFoundError} `RUN_NOT_FOUND`
   * @throws {TimeoutError} `RUN_WAIT_TIMEOUT`
   */
  async waitForRun(params: WaitForRunParams): Promise<RunResult> {
    const request = parseArgument(waitForRunSchema, params, 'waitForRun')
    return this.#parts.reader.waitFor({ ...request, organizationId: this.#organization(request) })
  }

  /** A run's events: those stored after `after`, then live ones; ends after the final event. */
  events(params: RunEventsParams): AsyncGenerator<AnyEvent, void, undefined> {
    const request = parseArgument(runEventsSchema, params, 'events')
    return this.#parts.reader.events({ ...request, organizationId: this.#organization(request) })
  }

  /**
   * Cancels a run: one that waits is canceled at once, a running one stops within a quarter of a second. A final run is given back as it
   * is. `by` says who asked. @throws {RunNotFoundError} `RUN_NOT_FOUND`
   */
  async cancel(params: CancelRunParams): Promise<Run> {
    const request = parseArgument(cancelRunSchema, params, 'cancel')
    return toRun(await this.#parts.canceller.cancel({ ...request, organizationId: this.#organization(request) }))
  }

  /** A stored file with its bytes; the stream has to be read or destroyed. @throws {ArtifactError} `ARTIFACT_NOT_FOUND` */
  async readArtifact(params: ArtifactRef): Promise<StoredArtifact> {
    const request = parseArgument(artifactRefSchema, params, 'readArtifact')
    return this.#parts.artifacts.read({ ...request, organizationId: this.#organization(request) })
  }

  /**
   * Removes ended runs that are older than a date, with their blocks, actions, artifacts (bytes too), events and ended private sessions,
   * in batches. Runs that have not ended are never touched. One that broke off is gone on with by the next.
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT`
   */
  async prune(params: PruneParams): Promise<PruneResult> {
    const request = parseArgument(pruneSchema, params, 'prune')
    return this.#parts.pruner.prune({ ...request, organizationId: this.#organization(request) })
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
      await this.#parts.recovery.start()
      await this.#parts.executor.start()
      this.#parts.queuedRuns.start()
    } catch (error) {
      await this.#stop().catch(() => {}) // the failure to start is the news
      throw error
    }
  }

  async #stop(): Promise<void> {
    const stopSessions = () => (this.#startedSessions ? this.#sessions?.stop() : undefined)
    await closeAll(
      [
        () => this.#parts.queuedRuns.stop(),
        () => this.#parts.recovery.stop(),
        () => this.#parts.executor.stop(this.#stopOptions),
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
      result: (options) => this.waitForRun({ ...ref, ...options }),
      events: (options) => this.events({ ...ref, ...options }),
      cancel: (by) => this.cancel({ ...ref, by }),
    })
  }

  #organization(params: { readonly organizationId?: string | undefined }): string {
    const id = params.organizationId ?? this.#organizationId
    if (id !== undefined && id !== '') return id
    throw new InvalidArgumentError('organizationId is missing: name it in the call, or give the WorkflowEngine one', {
      path: 'organizationId',
      expected: 'string',
      received: String(id),
    })
  }
}
