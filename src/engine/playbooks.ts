import { type Playbook, parsePlaybook } from '../definition/index.js'
import { DefinitionError, type DefinitionIssue, type Json, PlaybookError, StorageError, WorkflowNotFoundError } from '../errors/index.js'
import type { Ids } from '../runtime/index.js'
import { type NewRow, type PlaybookRow, type Storage, storageNow, type Write } from '../storage/index.js'
import { playbookOf } from './pinned-playbooks.js'

/** A stored version of a playbook as callers see it. */
export type StoredPlaybook = Omit<PlaybookRow, 'parameters' | 'steps'> & Pick<Playbook, 'parameters' | 'steps'>

export interface PlaybooksOptions {
  readonly storage: Storage
  readonly ids: Ids
}

interface WorkflowPlace {
  readonly organizationId: string
  readonly workflowPermanentId: string
}

/** How often a save begins again because somebody else saved the same playbook at the same moment. */
const SAVE_ATTEMPTS = 5
const PAGE_SIZE = 500

/** Stores playbooks beside workflows and reads them back; a stored version is never changed. */
export class Playbooks {
  readonly #options: PlaybooksOptions

  constructor(options: PlaybooksOptions) {
    this.#options = options
  }

  /**
   * Checks a playbook and stores it as its next version.
   * @throws {DefinitionError} {WorkflowNotFoundError}
   * @throws {PlaybookError} `PLAYBOOK_VERSION_CONFLICT` when others saved it first, five times in a row
   */
  async save(place: WorkflowPlace, input: unknown): Promise<StoredPlaybook> {
    const playbook = parsePlaybook(input)
    await this.#checkWorkflow(place, { mayBeTemplate: false })
    const { storage } = this.#options
    for (let attempt = 1; attempt <= SAVE_ATTEMPTS; attempt++) {
      const version = (await this.#newest({ ...place, name: playbook.name }))?.version ?? 0
      const result = await storage.commit([this.#insert(place, playbook, version + 1)])
      if (result.ok) return asStored(result.rows[0]?.[0] as PlaybookRow)
      if (result.constraint !== 'playbooks_name_version') {
        const { reason } = result
        throw new StorageError(`Playbook "${playbook.name}" could not be stored: ${reason}`, {
          code: 'STORAGE_FAILED',
          details: { reason },
        })
      }
    }
    throw new PlaybookError(`Playbook "${playbook.name}" was saved by others ${SAVE_ATTEMPTS} times meanwhile`, {
      code: 'PLAYBOOK_VERSION_CONFLICT',
      details: { ...place, name: playbook.name },
    })
  }

  /** A version of a playbook that is not deleted; the newest when none is named. @throws {PlaybookError} {WorkflowNotFoundError} */
  async get(params: WorkflowPlace & { readonly name: string; readonly version?: number | undefined }): Promise<StoredPlaybook> {
    const { name, version, ...place } = params
    const owner = await this.#checkWorkflow(place, { mayBeTemplate: true })
    const where = { ...owner, name, deletedAt: null, ...(version === undefined ? {} : { version }) }
    const orderBy = [{ column: 'version', direction: 'desc' }] as const
    const [row] = await this.#options.storage.find({ table: 'playbooks', where, orderBy, limit: 1 })
    if (row === undefined) throw notFound(params)
    return asStored(row)
  }

  /** The newest version of each playbook of a workflow, by name. @throws {WorkflowNotFoundError} */
  async list(place: WorkflowPlace): Promise<StoredPlaybook[]> {
    const owner = await this.#checkWorkflow(place, { mayBeTemplate: true })
    const newest = new Map<string, PlaybookRow>()
    for (let after: string | undefined; ; ) {
      const rows: PlaybookRow[] = await this.#options.storage.find({
        table: 'playbooks',
        where: { ...owner, deletedAt: null },
        orderBy: [{ column: 'name' }, { column: 'version', direction: 'desc' }],
        limit: PAGE_SIZE,
        ...(after === undefined ? {} : { after }),
      })
      for (const row of rows) if (!newest.has(row.name)) newest.set(row.name, row)
      after = rows.at(-1)?.playbookId
      if (rows.length < PAGE_SIZE) return [...newest.values()].map(asStored)
    }
  }

  /** Deletes every version, softly: runs that were created before go on with theirs. @throws {PlaybookError} `PLAYBOOK_NOT_FOUND` */
  async delete({ name, ...place }: WorkflowPlace & { readonly name: string }): Promise<void> {
    const owner = await this.#checkWorkflow(place, { mayBeTemplate: false })
    const set = { deletedAt: storageNow(), modifiedAt: storageNow() }
    const result = await this.#options.storage.commit([
      { op: 'updateAll', table: 'playbooks', where: { ...owner, name, deletedAt: null }, set },
    ])
    if (!result.ok || result.rows[0]?.length === 0) throw notFound({ ...place, name })
  }

  /** Writes that store playbooks with the workflow that they come with. @throws {DefinitionError} */
  insertsOf(place: WorkflowPlace, inputs: readonly unknown[]): Write[] {
    const issues: DefinitionIssue[] = []
    const names = new Set<string>()
    const playbooks = inputs.flatMap((input, index) => {
      try {
        const playbook = parsePlaybook(input, { path: ['playbooks', index] })
        if (names.has(playbook.name)) issues.push(duplicate(playbook.name, index))
        names.add(playbook.name)
        return [playbook]
      } catch (error) {
        if (!DefinitionError.is(error)) throw error
        issues.push(...error.issues)
        return []
      }
    })
    if (issues.length > 0) throw new DefinitionError(issues, 'The list of playbooks')
    return playbooks.map((playbook) => this.#insert(place, playbook, 1))
  }

  /** The write that stores a version. */
  #insert(place: WorkflowPlace, { name, description, parameters, steps }: Playbook, version: number): Write {
    const row: NewRow<PlaybookRow> = {
      playbookId: this.#options.ids.next('pb'),
      ...place,
      name,
      version,
      description: description ?? null,
      parameters: parameters as unknown as Json,
      steps: steps as unknown as Json,
      createdAt: storageNow(),
      modifiedAt: storageNow(),
    }
    return { op: 'insert', table: 'playbooks', row }
  }

  /** Deleted versions count: their numbers are taken. */
  async #newest(where: WorkflowPlace & { readonly name: string }): Promise<PlaybookRow | undefined> {
    const orderBy = [{ column: 'version', direction: 'desc' }] as const
    return (await this.#options.storage.find({ table: 'playbooks', where, orderBy, limit: 1 }))[0]
  }

  /** Whose playbooks these are: a template's are read by all and written by its owner. @throws {WorkflowNotFoundError} */
  async #checkWorkflow(
    { organizationId, workflowPermanentId }: WorkflowPlace,
    access: { readonly mayBeTemplate: boolean },
  ): Promise<WorkflowPlace> {
    const [row] = await this.#options.storage.find({
      table: 'workflows',
      where: { workflowPermanentId, deletedAt: null, any: [{ organizationId }, ...(access.mayBeTemplate ? [{ isTemplate: true }] : [])] },
      orderBy: [{ column: 'version', direction: 'desc' }],
      limit: 1,
    })
    if (row === undefined) throw new WorkflowNotFoundError(workflowPermanentId)
    return { organizationId: row.organizationId, workflowPermanentId }
  }
}

const asStored = (row: PlaybookRow): StoredPlaybook => structuredClone({ ...row, ...playbookOf(row), description: row.description })

function notFound({ name, version, workflowPermanentId }: { name: string; version?: number | undefined; workflowPermanentId: string }) {
  const which = version === undefined ? '' : ` with version ${version}`
  return new PlaybookError(`No playbook "${name}"${which} of workflow ${workflowPermanentId}`, {
    code: 'PLAYBOOK_NOT_FOUND',
    details: { name, version, workflowPermanentId },
  })
}

const duplicate = (name: string, index: number): DefinitionIssue => ({
  code: 'DUPLICATE_PLAYBOOK',
  path: ['playbooks', index, 'name'],
  message: `playbook "${name}" is given twice`,
  expected: 'a name that no other playbook has',
  received: name,
})
