import { type Json, WorkflowNotFoundError, WorkflowVersionConflictError } from '../errors/index.js'
import { type AnyEvent, workflowStream } from '../events/index.js'
import type { Ids } from '../runtime/index.js'
import { type NewRow, type Storage, storageNow, type WorkflowRow } from '../storage/index.js'
import type { UpdateWorkflowRequest } from './engine-params.js'
import type { EventFactory } from './event-factory.js'
import type { ScopePolicies } from './scope-policies.js'
import type { Workflow, Workflows } from './workflows.js'

export interface WorkflowUpdatesOptions {
  readonly storage: Storage
  readonly workflows: Workflows
  readonly scopePolicies: ScopePolicies
  readonly events: EventFactory
  readonly emit: (event: AnyEvent) => void
  readonly ids: Ids
}

/** What an update changes, parsed; what is undefined stays. */
type Changes = {
  readonly [K in keyof Omit<
    WorkflowRow,
    'workflowId' | 'workflowPermanentId' | 'organizationId' | 'version' | 'createdAt' | 'modifiedAt'
  >]?: WorkflowRow[K] | undefined
}

/** Stores new versions of workflows; those before stay as they are, for the runs that are pinned to them. */
export class WorkflowUpdates {
  readonly #options: WorkflowUpdatesOptions

  constructor(options: WorkflowUpdatesOptions) {
    this.#options = options
  }

  /**
   * The version after the newest, with these changes. Of any number of updates at the same time one is stored: the versions are unique.
   * @throws {WorkflowNotFoundError} also for a template of somebody else, and for workflows of single tasks and actions
   * @throws {WorkflowVersionConflictError} {DefinitionError} {InvalidArgumentError}
   */
  async update(request: UpdateWorkflowRequest & { readonly organizationId: string }): Promise<Workflow> {
    const { organizationId, workflowPermanentId, expectedVersion, definition, scopePolicy, ...settings } = request
    const { workflows, scopePolicies, storage, events, emit } = this.#options
    const { row: newest } = await workflows.load({ organizationId, workflowPermanentId })
    if (newest.organizationId !== organizationId || newest.status === 'auto_generated') throw new WorkflowNotFoundError(workflowPermanentId)
    if (expectedVersion !== undefined) assertNewest(newest, expectedVersion)
    const changes: Changes = {
      ...settings,
      ...(definition === undefined ? {} : { definition: workflows.parse(definition) as unknown as Json }),
      ...(scopePolicy === undefined ? {} : { scopePolicy: scopePolicies.parse(scopePolicy, 'scopePolicy') }),
    }
    const row = nextVersion(newest, changes, this.#options.ids.next('wf'))
    const { workflowId, version, title } = row as WorkflowRow
    const updated = events.create(organizationId, 'workflow.updated', { workflowPermanentId, workflowId, version, title })
    const result = await storage.commit([
      { op: 'insert', table: 'workflows', row },
      { op: 'append', stream: workflowStream(workflowPermanentId), events: [updated] },
    ])
    if (!result.ok) throw new WorkflowVersionConflictError(workflowPermanentId, version)
    for (const event of result.events.flat()) emit(event as AnyEvent)
    return workflows.get({ organizationId, workflowPermanentId, version })
  }
}

function assertNewest({ workflowPermanentId, version }: WorkflowRow, expected: number): void {
  if (expected > version) throw new WorkflowNotFoundError(workflowPermanentId, expected)
  if (expected < version) throw new WorkflowVersionConflictError(workflowPermanentId, expected + 1)
}

/** The row of the next version. Pure. */
export function nextVersion(newest: WorkflowRow, changes: Changes, workflowId: string): NewRow<WorkflowRow> {
  const given = Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Partial<WorkflowRow>
  return { ...newest, ...given, workflowId, version: newest.version + 1, createdAt: storageNow(), modifiedAt: storageNow() }
}
