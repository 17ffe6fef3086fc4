import { InvalidArgumentError, parseArgument } from '../errors/index.js'
import type { composeEngine } from './compose-engine.js'
import {
  type CreateWorkflowParams,
  createWorkflowSchema,
  type UpdateWorkflowParams,
  updateWorkflowSchema,
  type WorkflowRef,
  workflowRefSchema,
} from './engine-params.js'
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
import type { Workflow } from './workflows.js'

type Parts = Pick<ReturnType<typeof composeEngine>, 'workflows' | 'workflowUpdates' | 'playbooks' | 'webhooks'>

/** The calls of an engine that store workflows and what belongs to them, and read them back. Runs are {@link WorkflowEngine}'s own. */
export abstract class WorkflowCalls {
  readonly #parts: Parts
  readonly #organizationId: string | undefined

  /** @internal Made by `WorkflowEngine`. */
  constructor(parts: Parts, organizationId: string | undefined) {
    this.#parts = parts
    this.#organizationId = organizationId
  }

  /**
   * Checks a definition and stores it as version 1 of a new workflow.
   * @throws {DefinitionError} `INVALID_DEFINITION`; `issues` names every broken rule
   * @throws {InvalidArgumentError} `INVALID_ARGUMENT`, also for a `webhookCallbackUrl` where there is no secret to sign webhooks with
   */
  async createWorkflow(params: CreateWorkflowParams): Promise<Workflow> {
    const request = parseArgument(createWorkflowSchema, params, 'createWorkflow')
    const organizationId = this.organizationOf(request)
    await this.#parts.webhooks.assertDeliverable({ ...request, organizationId })
    return this.#parts.workflows.create({ ...request, organizationId })
  }

  /**
   * Checks the changes and stores the next version of a workflow: settings that are left out, and its playbooks, stay as they are. Runs that
   * were created before go on with theirs.
   * @throws {DefinitionError} `INVALID_DEFINITION`; `issues` names every broken rule
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`, also for a template of somebody else
   * @throws {WorkflowVersionConflictError} `WORKFLOW_VERSION_CONFLICT` when there is a newer version than `expectedVersion`, or somebody
   * else stored the next one first; retryable after reading again
   */
  async updateWorkflow(params: UpdateWorkflowParams): Promise<Workflow> {
    const request = parseArgument(updateWorkflowSchema, params, 'updateWorkflow')
    const organizationId = this.organizationOf(request)
    await this.#parts.webhooks.assertDeliverable({ ...request, organizationId })
    return this.#parts.workflowUpdates.update({ ...request, organizationId })
  }

  /** @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND` */
  async getWorkflow(ref: WorkflowRef): Promise<Workflow> {
    const request = parseArgument(workflowRefSchema, ref, 'getWorkflow')
    return this.#parts.workflows.get({ ...request, organizationId: this.organizationOf(request) })
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
    const place = { organizationId: this.organizationOf({ organizationId }), workflowPermanentId }
    return this.#parts.playbooks.save(place, playbook)
  }

  /**
   * A version of a playbook; the newest when none is named.
   * @throws {PlaybookError} `PLAYBOOK_NOT_FOUND`
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`
   */
  async getPlaybook(ref: PlaybookRef): Promise<StoredPlaybook> {
    const request = parseArgument(playbookRefSchema, ref, 'getPlaybook')
    return this.#parts.playbooks.get({ ...request, organizationId: this.organizationOf(request) })
  }

  /** The newest version of each playbook of a workflow, by name. @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND` */
  async listPlaybooks(params: ListPlaybooksParams): Promise<StoredPlaybook[]> {
    const request = parseArgument(listPlaybooksSchema, params, 'listPlaybooks')
    return this.#parts.playbooks.list({ ...request, organizationId: this.organizationOf(request) })
  }

  /**
   * Deletes a playbook with all its versions, softly: runs that were created before still find it.
   * @throws {PlaybookError} `PLAYBOOK_NOT_FOUND`
   * @throws {WorkflowNotFoundError} `WORKFLOW_NOT_FOUND`
   */
  async deletePlaybook(params: DeletePlaybookParams): Promise<void> {
    const request = parseArgument(deletePlaybookSchema, params, 'deletePlaybook')
    return this.#parts.playbooks.delete({ ...request, organizationId: this.organizationOf(request) })
  }

  /** The organisation that a call names, or else the engine's own. @internal */
  protected organizationOf(params: { readonly organizationId?: string | undefined }): string {
    const id = params.organizationId ?? this.#organizationId
    if (id !== undefined && id !== '') return id
    throw new InvalidArgumentError('organizationId is missing: name it in the call, or give the WorkflowEngine one', {
      path: 'organizationId',
      expected: 'string',
      received: String(id),
    })
  }
}
