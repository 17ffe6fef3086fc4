import { coerceParameters, type Templates } from '../definition/index.js'
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
import type { CommitResult, NewEvent, NewRow, RunBlockRow, RunRow, Storage, Write } from '../storage/index.js'
import type { CompiledWorkflow } from './compiled-workflow.js'
import { announceDependent, placeOf } from './dispatch/run-places.js'
import type { SubmitGates } from './dispatch/submit-gates.js'
import type { EventFactory } from './event-factory.js'
import { type NewRunParams, queuedRun, type RunRequest, refusedRun } from './new-run.js'
import type { NewStart, NewStarts } from './new-start.js'
import type { RunSessions } from './run-browser.js'
import type { AuthorizationRequest } from './run-ports.js'
import type { ScopePolicies } from './scope-policies.js'
import { terminalWrites } from './terminal-writes.js'
import type { OwnWorkflow, Workflows } from './workflows.js'

export interface RunSubmissionsOptions {
  readonly storage: Storage
  readonly workflows: Workflows
  readonly sessions: RunSessions | undefined
  readonly scopePolicies: ScopePolicies
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly ids: Ids
  readonly templates: Templates
  readonly gates: SubmitGates
  readonly starts: NewStarts
  /** Called for every run that was queued and is to be dispatched. */
  readonly onQueued: (run: RunRow) => void
}

/** A run that was accepted; not new when its idempotency key had one already. */
export interface Submitted {
  readonly run: RunRow
  readonly isNew: boolean
  /** Whether it has begun with the commit that stored it: there is nothing to dispatch. */
  readonly hasBegun: boolean
}

/** Writes that go with the one that stores a run. */
export type CompanionWrites = (workflowRunId: string) => readonly Write[]

/** Accepts runs: validates the request, writes the row, says whether it is to be dispatched. */
export class RunSubmissions {
  readonly #options: RunSubmissionsOptions

  constructor(options: RunSubmissionsOptions) {
    this.#options = options
  }

  /**
   * Writes a queued run. The same `idempotencyKey` gives the run that has it.
   * @throws {WorkflowNotFoundError} {SessionNotFoundError} {BlockNotFoundError} before anything is written
   * @throws {NotAuthorizedError} {RateLimitedError} {QueueFullError} {RunNotFoundError} likewise
   * @throws {ParameterError} after a failed run was written; `workflowRunId` names it
   */
  async submit(request: RunRequest, companions: CompanionWrites = () => []): Promise<Submitted> {
    await this.#authorize(request)
    const workflow = await this.#options.workflows.load(request)
    // an auto-generated workflow belongs to the one run that it was made for, and goes with it
    if (workflow.row.status === 'auto_generated') throw new WorkflowNotFoundError(request.workflowPermanentId, request.version)
    checkLabels(workflow, request)
    return this.#accept(request, workflow, companions)
  }

  /**
   * The same with writes that are applied by the commit that stores the run; null: one of them was refused, and nothing was written.
   * Of a run that is refused for its parameters, the inserts among them go along.
   */
  async submitWith(request: RunRequest, companions: CompanionWrites): Promise<Submitted | null> {
    try {
      return await this.submit(request, companions)
    } catch (error) {
      if (StorageError.is(error) && error.details.isCompanion === true) return null
      throw error
    }
  }

  /** The same for a run that brings its own workflow: both are stored by one commit. @throws {SessionNotFoundError} */
  async submitOwn(request: Omit<RunRequest, 'workflowPermanentId' | 'parameters'>, workflow: OwnWorkflow): Promise<Submitted> {
    const { workflowPermanentId } = workflow.row
    await this.#authorize(request)
    return this.#accept({ ...request, workflowPermanentId, parameters: {} }, workflow, () => [workflow.write])
  }

  async #accept(request: RunRequest, workflow: NewRunParams['workflow'], companions: CompanionWrites): Promise<Submitted> {
    this.#checkBrowser(request)
    if (request.browserSessionId !== undefined) await this.#checkSession(request.organizationId, request.browserSessionId)
    await this.#checkProfile(request)
    const scopePolicy = this.#options.scopePolicies.parse(request.scopePolicy, 'scopePolicy')
    const accept = () => this.#store({ workflowRunId: this.#options.ids.next('wr'), request, scopePolicy, workflow }, companions)
    const { admission, idempotencyKey } = request
    if (admission === undefined) return accept()
    const findExisting = async () => {
      const run = await this.#findByKey(request)
      return run === undefined ? null : known(run)
    }
    return this.#options.gates.admit({ request: askedFor(request, admission), idempotencyKey, findExisting, accept })
  }

  /** Writes the row, and gives it; or that of the run that has the same idempotency key. */
  async #store(params: NewRunParams, companions: CompanionWrites): Promise<Submitted> {
    const { request, workflow } = params
    const { storage, templates, onQueued } = this.#options
    const own = companions(params.workflowRunId)
    let parameters: Readonly<Record<string, Json>>
    try {
      parameters = coerceParameters(workflow.definition.parameters, request.parameters).values
    } catch (error) {
      if (error instanceof ParameterError) await this.#refuse(params, error, own)
      throw error
    }
    const place = await placeOf({ storage, templates, request, workflow: workflow.row, parameters })
    const row = queuedRun(params, parameters, place)
    const start = this.#options.starts.begin(row, compiled(workflow))
    const run = start === null ? await this.#insertQueued(params, row, own) : await this.#insertBegun(params, row, own, start)
    if (run !== null) {
      if (start === null) onQueued(run)
      return { run, isNew: true, hasBegun: start !== null }
    }
    const existing = await this.#findByKey(request)
    if (existing !== undefined) return known(existing)
    throw new StorageError('A run could be neither stored nor found by its idempotency key', {
      code: 'STORAGE_FAILED',
      details: { idempotencyKey: request.idempotencyKey },
    })
  }

  /** A run whose dependency ends in this very moment need not wait for it. */
  async #insertQueued(params: NewRunParams, row: QueuedRun, own: readonly Write[]): Promise<RunRow | null> {
    const { dependsOnWorkflowRunId } = params.request
    const queued = [this.#queued(params)]
    if (!row.isParked || dependsOnWorkflowRunId === undefined) return rowOf(await this.#insert(row, params, queued, own))
    const announced = [...own, announceDependent(dependsOnWorkflowRunId)]
    const inserted = await this.#insert(row, params, queued, announced, announced.length)
    return rowOf(inserted === 'refused' ? await this.#insert({ ...row, isParked: false }, params, queued, own) : inserted)
  }

  /** The run begins with this commit, and with it its first block where nothing has to be done before. */
  async #insertBegun(params: NewRunParams, row: QueuedRun, own: readonly Write[], start: NewStart): Promise<RunRow | null> {
    const blocks: Write[] = start.block === null ? [] : [{ op: 'insert', table: 'run_blocks', row: start.block }]
    let inserted: Inserted | null | 'refused'
    try {
      const events = [this.#queued(params), ...start.events]
      inserted = await this.#insert({ ...row, ...start.changes }, params, events, [...own, ...blocks])
    } catch (error) {
      start.failed()
      throw error
    }
    const run = rowOf(inserted)
    if (run === null || inserted === null || inserted === 'refused') start.refused()
    else start.stored(run, blocks.length === 0 ? null : (inserted[own.length + 1]?.[0] as RunBlockRow))
    return run
  }

  async #authorize(request: Omit<RunRequest, 'workflowPermanentId' | 'parameters'> & { workflowPermanentId?: string }): Promise<void> {
    if (request.admission !== undefined) await this.#options.gates.authorize(askedFor(request, request.admission))
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
  async #refuse(params: NewRunParams, error: ParameterError, own: readonly Write[]): Promise<void> {
    const { storage, events, ids } = this.#options
    const { row, result } = refusedRun(params, error, await storage.now())
    const inserts = own.filter((write) => write.op === 'insert')
    const failed = events.create(params.request.organizationId, 'run.failed', result)
    await this.#insert(row, params, [failed], [...inserts, ...terminalWrites(row, result, ids)])
    error.workflowRunId = params.workflowRunId
  }

  /** The rows of each write. Null when a run with the same idempotency key exists. `refused`: the write at `refusable` did not hold. */
  async #insert(
    row: NewRow<RunRow>,
    params: NewRunParams,
    events: readonly NewEvent[],
    own: readonly Write[],
    refusable?: number,
  ): Promise<Inserted | null | 'refused'> {
    const { storage, emit } = this.#options
    const result = await storage.commit([
      { op: 'insert', table: 'runs', row },
      ...own,
      { op: 'append', stream: runStream(params.workflowRunId), events: [this.#created(params), ...events] },
    ])
    if (result.ok) {
      for (const appended of result.events.flat()) emit(appended as AnyEvent)
      return result.rows
    }
    if (result.constraint === 'runs_idempotency_key') return null
    if (result.index === refusable) return 'refused'
    const isCompanion = result.index > 0 && result.index <= own.length
    throw new StorageError(`The run could not be stored: ${result.reason}`, {
      code: 'STORAGE_FAILED',
      details: { reason: result.reason, isCompanion },
    })
  }

  /** Undefined: no run has the key, or none was given. */
  async #findByKey({ organizationId, idempotencyKey }: RunRequest): Promise<RunRow | undefined> {
    if (idempotencyKey === undefined) return undefined
    const [run] = await this.#options.storage.find({ table: 'runs', where: { organizationId, idempotencyKey }, limit: 1 })
    return run
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

type QueuedRun = ReturnType<typeof queuedRun>
type Inserted = Extract<CommitResult, { ok: true }>['rows']

const rowOf = (inserted: Inserted | null | 'refused') => (Array.isArray(inserted) ? (inserted[0]?.[0] as RunRow) : null)
const known = (run: RunRow): Submitted => ({ run, isNew: false, hasBegun: false })

/** A workflow that is loaded is compiled; one that a run brings is not stored yet. */
const compiled = (workflow: NewRunParams['workflow']) => ('level' in workflow ? (workflow as CompiledWorkflow) : null)

/** What authorizer and rate limiter are told. Pure. */
function askedFor(
  { organizationId, workflowPermanentId, runMetadata }: Partial<RunRequest> & Pick<RunRequest, 'organizationId'>,
  action: AuthorizationRequest['action'],
): AuthorizationRequest {
  const isOfWorkflow = action === 'startRun' && workflowPermanentId !== undefined
  return { action, organizationId, workflowPermanentId: isOfWorkflow ? workflowPermanentId : null, runMetadata: runMetadata ?? null }
}

/** Labels of the whitelist and of given outputs must exist. @throws {BlockNotFoundError} */
function checkLabels({ blocks }: CompiledWorkflow, request: RunRequest): void {
  const unknown = [...(request.blockLabels ?? []), ...Object.keys(request.blockOutputs ?? {})].filter((label) => !blocks.has(label))
  if (unknown.length > 0) throw new BlockNotFoundError(unknown, [...blocks.keys()])
}
