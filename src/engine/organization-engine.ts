import type { AnyEvent, RunResult } from '../events/index.js'
import type {
  ArtifactRef,
  CancelRunParams,
  CreateWorkflowParams,
  LastRunForSessionParams,
  ListRunsParams,
  PruneParams,
  ResumeRunParams,
  RunEventsParams,
  RunRef,
  StartRunParams,
  UpdateWorkflowParams,
  WaitForRunParams,
  WorkflowRef,
} from './engine-params.js'
import type { DeletePlaybookParams, ListPlaybooksParams, PlaybookRef, SavePlaybookParams } from './playbook-params.js'
import type { StoredPlaybook } from './playbooks.js'
import type { StoredArtifact } from './run-files.js'
import type { RunHandle } from './run-handle.js'
import type { PruneResult } from './run-pruner.js'
import type { Run } from './run-reader.js'
import type { RunTimeline } from './run-timeline.js'
import type { RunActionParams } from './single-action-params.js'
import type { SingleActionResult } from './single-action-result.js'
import type { RunTaskParams } from './task-params.js'
import type { WebhookDelivery } from './webhooks/index.js'
import type { Workflow } from './workflows.js'

/** The calls of an engine that name an organisation. */
export interface EngineCalls {
  createWorkflow(params: CreateWorkflowParams): Promise<Workflow>
  updateWorkflow(params: UpdateWorkflowParams): Promise<Workflow>
  getWorkflow(ref: WorkflowRef): Promise<Workflow>
  savePlaybook(params: SavePlaybookParams): Promise<StoredPlaybook>
  getPlaybook(ref: PlaybookRef): Promise<StoredPlaybook>
  listPlaybooks(params: ListPlaybooksParams): Promise<StoredPlaybook[]>
  deletePlaybook(params: DeletePlaybookParams): Promise<void>
  startRun(params: StartRunParams): Promise<RunHandle>
  runTask(params: RunTaskParams): Promise<RunHandle>
  runAction(params: RunActionParams): Promise<SingleActionResult>
  getTimeline(ref: RunRef): Promise<RunTimeline>
  getRun(ref: RunRef): Promise<Run>
  listRuns(params?: ListRunsParams): Promise<Run[]>
  waitForRun(params: WaitForRunParams): Promise<RunResult>
  events(params: RunEventsParams): AsyncGenerator<AnyEvent, void, undefined>
  cancel(params: CancelRunParams): Promise<Run>
  resume(params: ResumeRunParams): Promise<Run>
  getRunResult(ref: RunRef): Promise<RunResult>
  getLastRunForSession(params: LastRunForSessionParams): Promise<Run | null>
  redeliverWebhook(ref: RunRef): Promise<WebhookDelivery>
  readArtifact(ref: ArtifactRef): Promise<StoredArtifact>
  prune(params: PruneParams): Promise<PruneResult>
}

type Bound<P> = Omit<P, 'organizationId'>

/** The calls of an engine, bound to one organisation. */
export class OrganizationEngine {
  readonly organizationId: string
  readonly #engine: EngineCalls

  constructor(engine: EngineCalls, organizationId: string) {
    this.#engine = engine
    this.organizationId = organizationId
  }

  createWorkflow(params: Bound<CreateWorkflowParams>): Promise<Workflow> {
    return this.#engine.createWorkflow(this.#bind(params))
  }

  updateWorkflow(params: Bound<UpdateWorkflowParams>): Promise<Workflow> {
    return this.#engine.updateWorkflow(this.#bind(params))
  }

  getWorkflow(ref: Bound<WorkflowRef>): Promise<Workflow> {
    return this.#engine.getWorkflow(this.#bind(ref))
  }

  savePlaybook(params: Bound<SavePlaybookParams>): Promise<StoredPlaybook> {
    return this.#engine.savePlaybook(this.#bind(params))
  }

  getPlaybook(ref: Bound<PlaybookRef>): Promise<StoredPlaybook> {
    return this.#engine.getPlaybook(this.#bind(ref))
  }

  listPlaybooks(params: Bound<ListPlaybooksParams>): Promise<StoredPlaybook[]> {
    return this.#engine.listPlaybooks(this.#bind(params))
  }

  deletePlaybook(params: Bound<DeletePlaybookParams>): Promise<void> {
    return this.#engine.deletePlaybook(this.#bind(params))
  }

  startRun(params: Bound<StartRunParams>): Promise<RunHandle> {
    return this.#engine.startRun(this.#bind(params))
  }

  runTask(params: Bound<RunTaskParams>): Promise<RunHandle> {
    return this.#engine.runTask(this.#bind(params))
  }

  runAction(params: Bound<RunActionParams>): Promise<SingleActionResult> {
    return this.#engine.runAction(this.#bind(params))
  }

  getTimeline(ref: Bound<RunRef>): Promise<RunTimeline> {
    return this.#engine.getTimeline(this.#bind(ref))
  }

  getRun(ref: Bound<RunRef>): Promise<Run> {
    return this.#engine.getRun(this.#bind(ref))
  }

  listRuns(params: Bound<ListRunsParams> = {}): Promise<Run[]> {
    return this.#engine.listRuns(this.#bind(params))
  }

  waitForRun(params: Bound<WaitForRunParams>): Promise<RunResult> {
    return this.#engine.waitForRun(this.#bind(params))
  }

  events(params: Bound<RunEventsParams>): AsyncGenerator<AnyEvent, void, undefined> {
    return this.#engine.events(this.#bind(params))
  }

  cancel(params: Bound<CancelRunParams>): Promise<Run> {
    return this.#engine.cancel(this.#bind(params))
  }

  resume(params: Bound<ResumeRunParams>): Promise<Run> {
    return this.#engine.resume(this.#bind(params))
  }

  getRunResult(ref: Bound<RunRef>): Promise<RunResult> {
    return this.#engine.getRunResult(this.#bind(ref))
  }

  getLastRunForSession(params: Bound<LastRunForSessionParams>): Promise<Run | null> {
    return this.#engine.getLastRunForSession(this.#bind(params))
  }

  redeliverWebhook(ref: Bound<RunRef>): Promise<WebhookDelivery> {
    return this.#engine.redeliverWebhook(this.#bind(ref))
  }

  readArtifact(ref: Bound<ArtifactRef>): Promise<StoredArtifact> {
    return this.#engine.readArtifact(this.#bind(ref))
  }

  prune(params: Bound<PruneParams>): Promise<PruneResult> {
    return this.#engine.prune(this.#bind(params))
  }

  #bind<P extends object>(params: P): P & { organizationId: string } {
    return { ...params, organizationId: this.organizationId }
  }
}
