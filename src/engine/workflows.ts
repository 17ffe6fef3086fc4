import type { BlockRegistry } from '../blocks/index.js'
import { parseWorkflowDefinition, type WorkflowDefinition } from '../definition/index.js'
import { type Json, StorageError, WorkflowNotFoundError, WorkflowVersionConflictError } from '../errors/index.js'
import { type AnyEvent, workflowStream } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import { type Storage, storageNow, type WorkflowRow } from '../storage/index.js'
import { type CompiledWorkflow, compileWorkflow } from './compiled-workflow.js'
import type { CreateWorkflowRequest } from './engine-params.js'
import type { EventFactory } from './event-factory.js'

/** A stored workflow as callers see it. */
export type Workflow = Omit<WorkflowRow, 'definition'> & { readonly definition: WorkflowDefinition }

export interface WorkflowsOptions {
  readonly storage: Storage
  readonly registry: BlockRegistry
  readonly handlers: readonly string[]
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly ids: Ids
}

/** How many compiled versions are kept. */
const CACHE_SIZE = 500

/** Columns that no caller can set so far; each comes with what it stands for. */
const NOT_YET_SETTABLE = {
  status: 'published',
  persistBrowserSession: false,
  runWith: 'agent',
  aiFallback: false,
  runSequentially: false,
  onHostLost: 'fail',
  pauseCounts: false,
} as const

/** Stores workflows and reads them back; a stored version is never changed. */
export class Workflows {
  readonly #options: WorkflowsOptions
  readonly #compiled = new Map<string, CompiledWorkflow>()

  constructor(options: WorkflowsOptions) {
    this.#options = options
  }

  /** Checks a definition and stores it as version 1 of a new workflow. @throws {DefinitionError} */
  async create({ definition: input, organizationId, ...settings }: CreateWorkflowRequest & { organizationId: string }): Promise<Workflow> {
    const { storage, ids, events, emit, registry, handlers } = this.#options
    const definition = parseWorkflowDefinition(input, { blockTypes: registry.schemas(), handlers })
    const workflowId = ids.next('wf')
    const workflowPermanentId = ids.next('wpid')
    const created = events.create(organizationId, 'workflow.created', {
      workflowPermanentId,
      workflowId,
      version: 1,
      title: settings.title,
    })
    const result = await storage.commit([
      {
        op: 'insert',
        table: 'workflows',
        row: {
          ...settings,
          ...NOT_YET_SETTABLE,
          workflowId,
          workflowPermanentId,
          organizationId,
          version: 1,
          definition: definition as unknown as Json,
          createdAt: storageNow(),
          modifiedAt: storageNow(),
        },
      },
      { op: 'append', stream: workflowStream(workflowPermanentId), events: [created] },
    ])
    if (!result.ok) throw new WorkflowVersionConflictError(workflowPermanentId, 1)
    for (const event of result.events.flat()) emit(event as AnyEvent)
    return asWorkflow(this.#compile(result.rows[0]?.[0] as WorkflowRow))
  }

  /** A version of a workflow of this organisation, or of a template; the newest when none is named. @throws {WorkflowNotFoundError} */
  async get(params: { organizationId: string; workflowPermanentId: string; version?: number | undefined }): Promise<Workflow> {
    return asWorkflow(this.#compile(await this.#find(params)))
  }

  /** The same, ready to be run. @throws {WorkflowNotFoundError} */
  async load(params: { organizationId: string; workflowPermanentId: string; version?: number | undefined }): Promise<CompiledWorkflow> {
    return this.#compile(await this.#find(params))
  }

  /** The version that a run is pinned to. */
  async loadPinned(workflowId: string): Promise<CompiledWorkflow> {
    const known = this.#compiled.get(workflowId)
    if (known !== undefined) return known
    const row = await this.#options.storage.get('workflows', workflowId)
    if (row === undefined)
      throw new StorageError(`Workflow version ${workflowId} is gone`, { code: 'STORAGE_FAILED', details: { workflowId } })
    return this.#compile(row)
  }

  async #find({
    organizationId,
    workflowPermanentId,
    version,
  }: {
    organizationId: string
    workflowPermanentId: string
    version?: number | undefined
  }): Promise<WorkflowRow> {
    const [row] = await this.#options.storage.find({
      table: 'workflows',
      where: {
        workflowPermanentId,
        deletedAt: null,
        any: [{ organizationId }, { isTemplate: true }],
        ...(version === undefined ? {} : { version }),
      },
      orderBy: [{ column: 'version', direction: 'desc' }],
      limit: 1,
    })
    if (row === undefined) throw new WorkflowNotFoundError(workflowPermanentId, version)
    return row
  }

  #compile(row: WorkflowRow): CompiledWorkflow {
    let compiled = this.#compiled.get(row.workflowId)
    if (compiled === undefined) {
      compiled = compileWorkflow(row, row.definition as unknown as WorkflowDefinition)
      const oldest = this.#compiled.keys().next()
      if (this.#compiled.size >= CACHE_SIZE && !oldest.done) this.#compiled.delete(oldest.value)
      this.#compiled.set(row.workflowId, compiled)
    }
    return compiled
  }
}

/** A copy for callers: what they do with it does not reach the runs. */
const asWorkflow = ({ row, definition }: CompiledWorkflow): Workflow => structuredClone({ ...row, definition })
