import { coerceParameters } from '../definition/index.js'
import {
  BlockNotFoundError,
  InvalidArgumentError,
  type Json,
  ParameterError,
  StorageError,
  WorkflowNotFoundError,
} from '../errors/index.js'
import { type AnyEvent, runStream } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import type { NewEvent, NewRow, RunRow, Storage, Write } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import type { EventFactory } from './event-factory.js'
import { type NewRunParams, queuedRun, type RunRequest, refusedRun } from './new-run.js'
import type { RunSessions } from './run-browser.js'
import type { ScopePolicies } from './scope-policies.js'
import type { OwnWorkflow, Workflows } from './workflows.js'

export interface RunSubmissionsOptions {
  readonly storage: Storage
  readonly workflows: Workflows
  readonly sessions: RunSessions | undefined
  readonly scopePolicies: ScopePolicies
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly ids: Ids
}

/** A run that was accepted; not new when its idempotency key had one already. */
export interface Submitted {
  readonly run: RunRow
  readonly isNew: boolean
}

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
  async submit(request: RunRequest): Promise<Submitted> {
    const workflow = await this.#options.workflows.load(request)
    // an auto-generated workflow belongs to the one run that it was made for, and goes with it
    if (workflow.row.status === 'auto_generated') throw new WorkflowNotFoundError(request.workflowPermanentId, request.version)
    checkLabels(workflow, request)
    return this.#accept(request, workflow, [])
  }

  /** The same for a run that brings its own workflow: both are stored by one commit. @throws {SessionNotFoundError} */
  submitOwn(request: Omit<RunRequest, 'workflowPermanentId' | 'parameters'>, workflow: OwnWorkflow): Promise<Submitted> {
    const { workflowPermanentId } = workflow.row
    return this.#accept({ ...request, workflowPermanentId, parameters: {} }, workflow, [workflow.write])
  }

  async #accept(request: RunRequest, workflow: NewRunParams['workflow'], own: readonly Write[]): Promise<Submitted> {
    this.#checkBrowser(request)
    if (request.browserSessionId !== undefined) await this.#checkSession(request.organizationId, request.browserSessionId)
    await this.#checkProfile(request)
    const scopePolicy = this.#options.scopePolicies.parse(request.scopePolicy, 'scopePolicy')
    const params = { workflowRunId: this.#options.ids.next('wr'), request, scopePolicy, workflow }
    let parameters: Readonly<Record<string, Json>>
    try {
      parameters = coerceParameters(workflow.definition.parameters, request.parameters).values
    } catch (error) {
      if (error instanceof ParameterError) await this.#refuse(params, error)
      throw error
    }
    const run = await this.#insert(queuedRun(params, parameters), params, this.#queued(params), own)
    return run === null ? { run: await this.#findByKey(request), isNew: false } : { run, isNew: true }
  }

  #checkBrowser({ browserAddress }: RunRequest): void {
    if (browserAddress === undefined || this.#options.sessions !== undefined) return
    throw new InvalidArgumentError('browserAddress needs an engine with a SessionPool: pass it `sessions`', {
      path: 'browserAddress',
      expected: 'an engine with sessions',
    })
  }

  /** A named profile must exist; it may be gone when the run begins, which fails then. */
  async #checkProfile({ organizationId, browserProfileId }: RunRequest): Promise<void> {
    const { sessions } = this.#options
    if (browserProfileId === undefined) return
    if (sessions === undefined) {
      throw new InvalidArgumentError('browserProfileId needs an engine with a SessionPool: pass it `sessions`', {
        path: 'browserProfileId',
        expected: 'an engine with sessions',
      })
    }
    await sessions.getProfile({ organizationId, browserProfileId })
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
  async #insert(row: NewRow<RunRow>, params: NewRunParams, event: NewEvent, own: readonly Write[] = []): Promise<RunRow | null> {
    const { storage, emit } = this.#options
    const result = await storage.commit([
      { op: 'insert', table: 'runs', row },
      ...own,
      { op: 'append', stream: runStream(params.workflowRunId), events: [this.#created(params), event] },
    ])
    if (result.ok) {
      for (const appended of result.events.flat()) emit(appended as AnyEvent)
      return result.rows[0]?.[0] as RunRow
    }
    if (result.constraint === 'runs_idempotency_key') return null
    throw new StorageError(`The run could not be stored: ${result.reason}`, { code: 'STORAGE_FAILED', details: { reason: result.reason } })
  }

  async #findByKey({ organizationId, idempotencyKey }: RunRequest): Promise<RunRow> {
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
function checkLabels({ blocks }: CompiledWorkflow, request: RunRequest): void {
  const unknown = [...(request.blockLabels ?? []), ...Object.keys(request.blockOutputs ?? {})].filter((label) => !blocks.has(label))
  if (unknown.length > 0) throw new BlockNotFoundError(unknown, [...blocks.keys()])
}
