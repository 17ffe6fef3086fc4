import { coerceParameters } from '../definition/index.js'
import { BlockNotFoundError, type Json, ParameterError, type RunwrightError, StorageError } from '../errors/index.js'
import { type AnyEvent, runStream } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import { type NewEvent, type NewRow, type RunRow, type Storage, storageNow } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import type { StartRunRequest } from './engine-params.js'
import type { EventFactory } from './event-factory.js'
import type { RunSessions } from './run-browser.js'
import { finalRow } from './run-finalizer.js'
import { outcomes } from './run-outcome.js'
import { buildRunResult } from './run-result.js'
import type { Workflows } from './workflows.js'

export interface RunSubmissionsOptions {
  readonly storage: Storage
  readonly workflows: Workflows
  readonly sessions: RunSessions | undefined
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly ids: Ids
}

type Request = StartRunRequest & { readonly organizationId: string }

/** Accepts runs: validates the request, writes the row, says whether it is to be dispatched. */
export class RunSubmissions {
  readonly #options: RunSubmissionsOptions

  constructor(options: RunSubmissionsOptions) {
    this.#options = options
  }

  /**
   * Writes a queued run. The same `idempotencyKey` gives the run that has it.
   * @throws {WorkflowNotFoundError} {SessionNotFoundError} {BlockNotFoundError} before anything is written
   * @throws {ParameterError} after a failed run was written; `workflowRunId` names it
   */
  async submit(request: Request): Promise<{ readonly run: RunRow; readonly isNew: boolean }> {
    const workflow = await this.#options.workflows.load(request)
    checkLabels(workflow, request)
    if (request.browserSessionId !== undefined) await this.#checkSession(request.organizationId, request.browserSessionId)
    const row = this.#newRow(request, workflow)
    try {
      const { values } = coerceParameters(workflow.definition.parameters, request.parameters)
      return await this.#insertQueued({ ...row, parameters: values as Record<string, Json> }, workflow, request)
    } catch (error) {
      if (error instanceof ParameterError) await this.#insertFailed(row, workflow, error)
      throw error
    }
  }

  /** A named session must exist here; whether it is free is found out when the run begins. */
  async #checkSession(organizationId: string, browserSessionId: string): Promise<void> {
    await this.#options.sessions?.get({ organizationId, browserSessionId })
  }

  #newRow(request: Request, { row: workflow }: CompiledWorkflow): NewRow<RunRow> {
    const workflowRunId = this.#options.ids.next('wr')
    return {
      workflowRunId,
      organizationId: request.organizationId,
      workflowId: workflow.workflowId,
      workflowPermanentId: workflow.workflowPermanentId,
      workflowTitle: workflow.title,
      runType: 'workflow',
      status: 'queued',
      parameters: {},
      blockLabels: request.blockLabels ?? null,
      blockOutputs: request.blockOutputs ?? null,
      rootWorkflowRunId: workflowRunId,
      browserSessionId: request.browserSessionId ?? null,
      ownsSession: false,
      priority: request.priority,
      idempotencyKey: request.idempotencyKey ?? null,
      runMetadata: request.runMetadata ?? null,
      leaseFence: 0,
      attempt: 0,
      stepCount: 0,
      actionCount: 0,
      queuedAt: storageNow(),
      createdAt: storageNow(),
      modifiedAt: storageNow(),
    }
  }

  async #insertQueued(row: NewRow<RunRow>, workflow: CompiledWorkflow, request: Request): Promise<{ run: RunRow; isNew: boolean }> {
    const queued = this.#event(row, 'run.queued', {
      workflowRunId: row.workflowRunId as string,
      workflowPermanentId: workflow.row.workflowPermanentId,
      priority: request.priority,
    })
    const result = await this.#insert(row, [this.#created(row, workflow), queued])
    if (result !== null) return { run: result, isNew: true }
    const run = await this.#findByKey(request)
    if (run === undefined)
      throw new StorageError('A run could be neither stored nor found by its idempotency key', { code: 'STORAGE_FAILED' })
    return { run, isNew: false }
  }

  /** A run whose parameters do not fit is on record, so that whoever asked can see it. */
  async #insertFailed(
    row: NewRow<RunRow>,
    workflow: CompiledWorkflow,
    error: RunwrightError & { workflowRunId?: string | undefined },
  ): Promise<void> {
    const { storage } = this.#options
    const now = await storage.now()
    const stamped = {
      ...row,
      status: 'failed',
      queuedAt: null,
      createdAt: now,
      startedAt: null,
      attempt: 0,
      idempotencyKey: null,
    } as unknown as RunRow
    const summary = { errors: [], extractedInformation: [], downloadedFiles: [], screenshotArtifactIds: [] }
    const result = buildRunResult({
      run: stamped,
      outcome: outcomes.setupFailed(error.message, error.code),
      summary,
      outputs: {},
      secretKeys: [],
      finishedAt: now,
      actionCount: 0,
      browserSessionId: row.browserSessionId as string | null,
    })
    const failed = this.#event(row, 'run.failed', result)
    await this.#insert({ ...stamped, ...finalRow(stamped, result) } as NewRow<RunRow>, [this.#created(row, workflow), failed])
    error.workflowRunId = row.workflowRunId as string
  }

  /** Null when a run with the same idempotency key exists. */
  async #insert(row: NewRow<RunRow>, events: readonly NewEvent[]): Promise<RunRow | null> {
    const { storage, emit } = this.#options
    const result = await storage.commit([
      { op: 'insert', table: 'runs', row },
      { op: 'append', stream: runStream(row.workflowRunId as string), events },
    ])
    if (result.ok) {
      for (const event of result.events.flat()) emit(event as AnyEvent)
      return result.rows[0]?.[0] as RunRow
    }
    if (result.constraint === 'runs_idempotency_key') return null
    throw new StorageError(`The run could not be stored: ${result.reason}`, { code: 'STORAGE_FAILED', details: { reason: result.reason } })
  }

  async #findByKey({ organizationId, idempotencyKey }: Request): Promise<RunRow | undefined> {
    if (idempotencyKey === undefined) return undefined
    const [run] = await this.#options.storage.find({ table: 'runs', where: { organizationId, idempotencyKey }, limit: 1 })
    return run
  }

  #created(row: NewRow<RunRow>, { row: workflow }: CompiledWorkflow): NewEvent {
    const { workflowPermanentId, title: workflowTitle, version } = workflow
    return this.#event(row, 'run.created', { workflowRunId: row.workflowRunId as string, workflowPermanentId, workflowTitle, version })
  }

  #event<T extends Parameters<EventFactory['create']>[1]>(
    row: NewRow<RunRow>,
    type: T,
    payload: Parameters<EventFactory['create']>[2],
  ): NewEvent {
    return this.#options.events.create(row.organizationId as string, type, payload as never)
  }
}

/** Labels of the whitelist and of given outputs must exist. @throws {BlockNotFoundError} */
function checkLabels({ blocks }: CompiledWorkflow, request: Request): void {
  const unknown = [...(request.blockLabels ?? []), ...Object.keys(request.blockOutputs ?? {})].filter((label) => !blocks.has(label))
  if (unknown.length > 0) throw new BlockNotFoundError(unknown, [...blocks.keys()])
}
