import type { PlaybookSource } from '../actions/index.js'
import { nearestName, type Playbook } from '../definition/index.js'
import { PlaybookError } from '../errors/index.js'
import type { PlaybookRow, RunRow, Storage, WorkflowRow } from '../storage/index.js'

export interface PinnedPlaybooksOptions {
  readonly storage: Storage
  readonly run: Pick<RunRow, 'createdAt'>
  /** Playbooks belong to whoever the workflow belongs to: a template brings its own. */
  readonly workflow: Pick<WorkflowRow, 'organizationId' | 'workflowPermanentId'>
}

/** The playbooks of a run's workflow as they stood when the run was created, however long it waits and whatever is saved meanwhile. */
export class PinnedPlaybooks {
  readonly #options: PinnedPlaybooksOptions
  readonly #found = new Map<string, Promise<Playbook>>()

  constructor(options: PinnedPlaybooksOptions) {
    this.#options = options
  }

  /** @throws {PlaybookError} `PLAYBOOK_NOT_FOUND` */
  readonly find: PlaybookSource['find'] = (name) => {
    const known = this.#found.get(name)
    if (known !== undefined) return known
    const found = this.#load(name)
    found.catch(() => this.#found.delete(name)) // asked again next time; whoever asked hears of it
    this.#found.set(name, found)
    return found
  }

  async #load(name: string): Promise<Playbook> {
    const [row] = await this.#rows({ name }, 1)
    if (row !== undefined) return playbookOf(row)
    const known = [...new Set((await this.#rows({}, 1_000)).map((other) => other.name))]
    const { workflowPermanentId } = this.#options.workflow
    const suggestion = nearestName(name, known)
    const hint = suggestion === undefined ? `known: ${known.join(', ') || 'none'}` : `did you mean "${suggestion}"?`
    throw new PlaybookError(`No playbook "${name}" of workflow ${workflowPermanentId} when the run was created; ${hint}`, {
      code: 'PLAYBOOK_NOT_FOUND',
      details: { name, workflowPermanentId, known, suggestion },
    })
  }

  #rows(where: { readonly name?: string }, limit: number): Promise<PlaybookRow[]> {
    const { storage, run, workflow } = this.#options
    const { organizationId, workflowPermanentId } = workflow
    const { createdAt } = run
    return storage.find({
      table: 'playbooks',
      where: {
        ...where,
        organizationId,
        workflowPermanentId,
        createdAt: { lte: createdAt },
        any: [{ deletedAt: null }, { deletedAt: { gt: createdAt } }],
      },
      orderBy: [{ column: 'version', direction: 'desc' }],
      limit,
    })
  }
}

/** A stored version as steps use it: what was parsed when it was saved. */
export function playbookOf({ name, description, parameters, steps }: PlaybookRow): Playbook {
  return { name, ...(description === null ? {} : { description }), parameters, steps } as unknown as Playbook
}
