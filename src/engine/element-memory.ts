import type { ActionRecord, ElementMemory } from '../actions/index.js'
import type { ElementDescriptor } from '../sessions/index.js'
import type { RunRow, Storage } from '../storage/index.js'

/** An element as it was recorded under the key of a target. */
export interface RememberedElement {
  readonly workflowRunId: string
  readonly blockLabel: string
  readonly element: ElementDescriptor
}

export interface RunElementsOptions {
  readonly storage: Storage
  readonly run: Pick<RunRow, 'organizationId' | 'workflowPermanentId' | 'workflowRunId'>
}

/** Most targets of one run that are kept in memory. */
const CACHE_SIZE = 1_000
/** So many records of a target are compared: enough to see that it names different elements. */
const LOOK_BACK = 20

/** What was recorded of elements, in this run and in earlier ones of its workflow. */
export class RunElements {
  readonly #options: RunElementsOptions
  /** Of this run, by block and key; null: the target has named different elements. */
  readonly #seen = new Map<string, ElementDescriptor | null>()

  constructor(options: RunElementsOptions) {
    this.#options = options
  }

  /** Keeps the element of a completed action. */
  note({ status, targetKey, element, blockLabel, dryRun }: ActionRecord): void {
    if (status !== 'completed' || targetKey === null || element === null || dryRun) return
    const key = `${blockLabel}\n${targetKey}`
    const now = element as unknown as ElementDescriptor
    const before = this.#seen.get(key)
    const oldest = this.#seen.keys().next()
    if (this.#seen.size >= CACHE_SIZE && before === undefined && !oldest.done) this.#seen.delete(oldest.value)
    this.#seen.set(key, before === undefined || (before !== null && isAlike(before, now)) ? now : null)
  }

  /** The memory of one block. */
  of(blockLabel: string): ElementMemory {
    return { recall: (targetKey) => this.#recall(blockLabel, targetKey) }
  }

  async #recall(blockLabel: string, targetKey: string): Promise<ElementDescriptor | null> {
    const seen = this.#seen.get(`${blockLabel}\n${targetKey}`)
    if (seen !== undefined) return seen
    const { storage, run } = this.#options
    const { organizationId, workflowPermanentId } = run
    try {
      const rows = await storage.find({
        table: 'actions',
        where: { organizationId, workflowPermanentId, targetKey, status: 'completed', dryRun: false, element: { isNull: false } },
        orderBy: [{ column: 'createdAt', direction: 'desc' }],
        limit: LOOK_BACK,
      })
      return pickElement(rows as unknown as readonly RememberedElement[], blockLabel)
    } catch {
      return null // a memory that fails is one that knows nothing: the step fails as it would have
    }
  }
}

/**
 * The element that a target most likely means: as the newest run touched it, in the same block where that is known. Null where that run
 * found different elements by the same target, as the target alone does not tell which one is meant. Pure.
 * @param rows - newest first
 */
export function pickElement(rows: readonly RememberedElement[], blockLabel: string): ElementDescriptor | null {
  const own = rows.filter((row) => row.blockLabel === blockLabel)
  const candidates = own.length > 0 ? own : rows
  const [newest] = candidates
  if (newest === undefined) return null
  const sameRun = candidates.filter(({ workflowRunId }) => workflowRunId === newest.workflowRunId)
  return sameRun.every(({ element }) => isAlike(element, newest.element)) ? newest.element : null
}

const isAlike = (a: ElementDescriptor, b: ElementDescriptor) => a.tag === b.tag && a.role === b.role && a.name === b.name
