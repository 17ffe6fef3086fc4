import { coerceParameters } from '../definition/index.js'
import { BlockNotFoundError, type Json, ParameterError, StorageError } from '../errors/index.js'
import { type AnyEvent, runStream } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import type { NewEvent, NewRow, RunRow, Storage } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import type { StartRunRequest } from './engine-params.js'
import type { EventFactory } from './event-factory.js'
import { type NewRunParams, queuedRun, refusedRun } from './new-run.js'
import type { RunSessions } from './run-browser.js'
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
    const params = { workflowRunId: this.#options.ids.next('wr'), request, workflow }
    let parameters: Readonly<Record<string, Json>>
    try {
      parameters = coerceParameters(workflow.definition.parameters, request.parameters).values
    } catch (error) {
      if (error instanceof ParameterError) await this.#refuse(params, error)
      throw error
    }
    const run = await this.#insert(queuedRun(params, parameters), params, this.#queued(params))
    return run === null ? { run: await this.#findByKey(request), isNew: false } : { run, isNew: true }
  }

  /** A named session must exist here; whether it is free is found out when the run begins. */
  async #checkSession(organizationId: string, browserSessionId: string): Promise<void> {
    await this.#options.sessions?.get({ organizationId, browserSessionId })
  }

  /** A run whose parameters do not fit is on record, so that whoever asked can see it. */
  async #refuse(params: NewRunParams, error: ParameterError): Promise<void> {
    const { storage, events } = this.#options
    const { row, result } = refusedRun(params, error, await storage.now())
    await this.#insert(row, params, events.create(params.request.organizationId, 'run.failed', result))
    error.workflowRunId = params.workflowRunId
  }

  /** Null when a run with the same idempotency key exists. */
  async #insert(row: NewRow<RunRow>, params: NewRunParams, event: NewEvent): Promise<RunRow | null> {
    const { storage, emit } = this.#options
    const result = await storage.commit([
      { op: 'insert', table: 'runs', row },
      { op: 'append', stream: runStream(params.workflowRunId), events: [this.#created(params), event] },
    ])
    if (result.ok) {
      for (const appended of result.events.flat()) emit(appended as AnyEvent)
      return result.rows[0]?.[0] as RunRow
    }
    if (result.constraint === 'runs_idempotency_key') return null
    throw new StorageError(`The run could not be stored: ${result.reason}`, { code: 'STORAGE_FAILED', details: { reason: result.reason } })
  }

  async #findByKey({ organizationId, idempotencyKey }: Request): Promise<RunRow> {
    const where = { organizationId, idempotencyKey: idempotencyKey ?? null }
    const [run] = await this.#options.storage.find({ table: 'runs', where, limit: 1 })
    if (run !== undefined) return run
    throw new StorageError('A run could be neither stored nor found by its idempotency key', {
      code: 'STORAGE_FAILED',
      details: { idempotencyKey },
    })
  }

  #created({ workflowRunId, request, workflow: { row } }: NewRunParams): NewEvent {
    const { workflowPermanentId, title: workflowTitle, version } = row
    return this.#options.events.create(request.organizationId, 'run.created', {
      workflowRunId,
      workflowPermanentId,
      workflowTitle,
      version,
    })
  }

  #queued({ workflowRunId, request, workflow: { row } }: NewRunParams): NewEvent {
    const { workflowPermanentId } = row
    return this.#options.events.create(request.organizationId, 'run.queued', {
      workflowRunId,
      workflowPermanentId,
      priority: request.priority,
    })
  }
}

/** Labels of the whitelist and of given outputs must exist. @throws {BlockNotFoundError} */
function checkLabels({ blocks }: CompiledWorkflow, request: Request): void {
  const unknown = [...(request.blockLabels ?? []), ...Object.keys(request.blockOutputs ?? {})].filter((label) => !blocks.has(label))
  if (unknown.length > 0) throw new BlockNotFoundError(unknown, [...blocks.keys()])
}
