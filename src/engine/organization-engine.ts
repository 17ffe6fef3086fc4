import type { AnyEvent, RunResult } from '../events/index.js'
import type { CreateWorkflowParams, RunRef, StartRunParams } from './engine-params.js'
import type { RunHandle, WaitOptions } from './run-handle.js'
import type { Run } from './run-reader.js'
import type { WorkflowEngine, WorkflowRef } from './workflow-engine.js'

type Bound<P> = Omit<P, 'organizationId'>

/** The calls of an engine, bound to one organisation. */
export class OrganizationEngine {
  readonly organizationId: string
  readonly #engine: WorkflowEngine

  constructor(engine: WorkflowEngine, organizationId: string) {
    this.#engine = engine
    this.organizationId = organizationId
  }

  createWorkflow(params: Bound<CreateWorkflowParams>): ReturnType<WorkflowEngine['createWorkflow']> {
    return this.#engine.createWorkflow(this.#bind(params))
  }

  getWorkflow(ref: Bound<WorkflowRef>): ReturnType<WorkflowEngine['getWorkflow']> {
    return this.#engine.getWorkflow(this.#bind(ref))
  }

  startRun(params: Bound<StartRunParams>): Promise<RunHandle> {
    return this.#engine.startRun(this.#bind(params))
  }

  getRun(ref: Bound<RunRef>): Promise<Run> {
    return this.#engine.getRun(this.#bind(ref))
  }

  waitForRun(params: Bound<RunRef> & WaitOptions): Promise<RunResult> {
    return this.#engine.waitForRun(this.#bind(params))
  }

  events(params: Bound<RunRef> & { readonly after?: number; readonly signal?: AbortSignal }): AsyncGenerator<AnyEvent, void, undefined> {
    return this.#engine.events(this.#bind(params))
  }

  cancel(params: Bound<RunRef> & { readonly by?: string | undefined }): Promise<Run> {
    return this.#engine.cancel(this.#bind(params))
  }

  readArtifact(params: { readonly artifactId: string }): ReturnType<WorkflowEngine['readArtifact']> {
    return this.#engine.readArtifact(this.#bind(params))
  }

  #bind<P extends object>(params: P): P & { organizationId: string } {
    return { ...params, organizationId: this.organizationId }
  }
}
